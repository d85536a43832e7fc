//! Files of weights; what one is packed in is told by its content, never by its name.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.path().join("weights");
    std::fs::write(&path, data).expect("the folder can be written to");
    let Ok(contents) = checkpoints::open(&path) else { return };
    for tensor in contents.tensors.iter().take(8) {
        let numbers = tensor.read().expect("what was located is in the file");
        assert_eq!(numbers.len(), tensor.n_bytes());
    }
});
