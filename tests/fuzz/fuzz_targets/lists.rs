//! `labels.csv` in every encoding, with columns recognized and columns asked for.
#![no_main]

use std::sync::LazyLock;

use datasets::{ColumnMap, Options, import};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for clip in ["a.mp4", "b.wav", "c.png"] {
        std::fs::write(folder.path().join(clip), clip).expect("the folder can be written to");
    }
    folder
});

fuzz_target!(|data: &[u8]| {
    std::fs::write(FOLDER.path().join("labels.csv"), data).expect("the folder can be written to");
    let columns = ColumnMap { path: Some("a".into()), label: Some("b".into()), ..ColumnMap::default() };
    for options in [Options::default(), Options { columns, fold: Some(1), ..Options::default() }] {
        if let Ok(manifest) = import(FOLDER.path(), &options) {
            manifest.check().expect("an import that succeeds makes a whole manifest");
        }
    }
});
