//! What lies in folders of people, beside and around the clips.

use super::*;

#[cfg(unix)]
#[test]
fn a_link_back_is_not_followed() {
    let root = folder(&[("anger/a.mp4", ""), ("fear/b.mp4", "")]);
    std::os::unix::fs::symlink(root.path(), root.path().join("fear/all")).unwrap();
    let manifest = import(root.path(), &Options::default()).unwrap();
    assert_eq!(manifest.clips.len(), 2);
    assert!(manifest.problems[0].reason.contains("a link to a folder that it lies in"), "{:?}", manifest.problems);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_costs_its_own_file_only() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = folder(&[("anger/a.mp4", ""), ("fear/b.mp4", "")]);
    fs::write(root.path().join("fear").join(std::ffi::OsStr::from_bytes(b"caf\xE9.mp4")), "").unwrap();
    let manifest = import(root.path(), &Options::default()).unwrap();
    assert_eq!(manifest.clips.len(), 2);
    assert!(manifest.problems[0].reason.contains("not UTF-8"), "{:?}", manifest.problems);
    save(&manifest, &root.path().join("manifest.json")).unwrap();
}
