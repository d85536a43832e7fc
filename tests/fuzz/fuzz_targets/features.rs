//! Files of features: the first byte chooses the format, the rest is the file.
#![no_main]

use std::sync::LazyLock;

use features::Store;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|data: &[u8]| {
    let Some((&format, content)) = data.split_first() else { return };
    let extension = ["npy", "npz", "safetensors", "csv", "pkl", "csd"][usize::from(format) % 6];
    let path = FOLDER.path().join(format!("file.{extension}"));
    std::fs::write(&path, content).expect("the folder can be written to");
    let Ok(mut store) = Store::open(&path) else { return };
    let names: Vec<String> = store.arrays().map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().take(8) {
        match store.read(name, None) {
            Ok(array) => assert_eq!(array.values.len(), array.shape.iter().product::<usize>()),
            // What is packed is unpacked only then.
            Err(_) => assert!(["npz", "csd"].contains(&extension)),
        }
        drop(store.read(name, Some(1)));
    }
});
