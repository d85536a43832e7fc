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

#[test]
fn crema_d_is_told_by_its_names_and_read_from_wav() {
    let take = |folder: &str, name: &str| (format!("{folder}{name}"), name.to_owned());
    for at in ["", "Audios/", "x/y/"] {
        let mut files = vec![take(at, "1001_IEO_ANG_HI.wav"), take(at, "1002_IEO_HAP_HI.wav")];
        files.push(take("AudioMP3/", "1001_IEO_ANG_HI.mp3"));
        let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
        let manifest = import_files(&files).unwrap();
        assert_eq!((manifest.importer.as_str(), manifest.clips.len()), ("crema-d", 2), "{at}");
        assert!(manifest.clips[0].path.ends_with("1001_IEO_ANG_HI.wav"));
    }
    let files = [
        ("1001_IEO_ANG_HI.wav", "a"),
        ("1002_IEO_HAP_HI.wav", "b"),
        ("labels.csv", "path,label\n1001_IEO_ANG_HI,calm\n1002_IEO_HAP_HI,fear\n"),
    ];
    assert_eq!(import_files(&files).unwrap().importer, "csv", "a list of one's own comes first");
}
