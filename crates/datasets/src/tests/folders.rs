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
fn accents_may_be_apart_in_a_list_or_on_disk() {
    let (whole, apart) = ("\u{fc}", "u\u{308}");
    for (on_disk, in_list) in [(whole, apart), (apart, whole)] {
        let list = format!("path,label\n{in_list}/a{in_list}.mp4,anger\nb{in_list},fear\n");
        let (a, b) = (format!("{on_disk}/a{on_disk}.mp4"), format!("{on_disk}/b{on_disk}.mp4"));
        check(&[(&a, ""), (&b, ""), ("labels.csv", &list)], &[&format!("{a}=anger"), &format!("{b}=fear")], &[]);
    }
    let both = [(format!("{whole}.mp4"), ""), (format!("{apart}.mp4"), "")];
    let list = format!("path,label\n{whole}.mp4,anger\n{apart}.mp4,fear\n");
    let files = [(both[0].0.as_str(), ""), (both[1].0.as_str(), ""), ("labels.csv", &list)];
    // macOS takes both for one.
    if cfg!(target_os = "linux") {
        check(&files, &[&format!("{whole}.mp4=anger"), &format!("{apart}.mp4=fear")], &[]);
    }
}

#[test]
fn names_of_folders_are_classes_only_where_they_look_like_them() {
    check_error(&[("Audio/a.wav", ""), ("Video/a.mp4", "")], &["the folders (Audio, Video)", "--importer folders"]);
    let session = |n: usize| format!("Session{n}/sentences/wav/Ses01F_impro01/Ses0{n}F_impro01_F000.wav");
    let (first, second) = (session(1), session(2));
    check_error(
        &[(&first, ""), (&second, "")],
        &["(Session1, Session2)", "annotation is missing (Session1/dialog/EmoEvaluation)"],
    );
    check_error(&[("train_splits/dia0_utt0.mp4", ""), ("x/train_splits/a.mp4", "")], &["those of MELD"]);
    for [a, b] in [["0", "1"], ["class001", "class002"], ["1_angry", "2_fear"], ["Positive", "negative"]] {
        import_files(&[(&format!("{a}/a.mp4"), ""), (&format!("{b}/b.mp4"), "")]).unwrap();
    }
    let own = folder(&[("Freude/a.mp4", ""), ("Wut/b.mp4", "")]);
    assert!(import(own.path(), &Options::default()).is_err());
    let asked = Options { importer: Some("folders".into()), ..Options::default() };
    assert_eq!(import(own.path(), &asked).unwrap().labels.names(), ["Freude", "Wut"]);
}

#[test]
fn splits_of_pictures_are_called_in_several_ways() {
    let files =
        [("train_class/class001/a.jpg", ""), ("train_class/class002/b.jpg", ""), ("val_class/class001/c.jpg", "")];
    let clips = [files[0].0, files[1].0, files[2].0];
    let clips = clips.map(|file| format!("{file}={}", file.split('/').nth(1).unwrap()));
    let manifest = check(&files, &clips.each_ref().map(String::as_str), &[]);
    assert_eq!(manifest.clips[2].split, Split::Test);
}

#[test]
fn a_folder_of_numbered_pictures_is_one_clip() {
    let files = [
        ("anger/clip_1/0001.jpg", "1"),
        ("anger/clip_1/0002.jpg", "2"),
        ("fear/clip_2/f1.tif", "3"),
        ("fear/clip_2/f2.TIFF", "4"),
        ("fear/faces/ann.png", "5"),
        ("fear/faces/bob.png", "6"),
        ("fear/7.jpg", "7"),
        ("fear/8.jpg", "8"),
    ];
    let clips = [
        "anger/clip_1=anger",
        "fear/7.jpg=fear",
        "fear/8.jpg=fear",
        "fear/clip_2=fear",
        "fear/faces/ann.png=fear",
        "fear/faces/bob.png=fear",
    ];
    let manifest = import_files(&files).unwrap();
    let mut found: Vec<String> =
        manifest.clips.iter().map(|clip| format!("{}={}", clip.id, manifest.labels.name(clip.label))).collect();
    found.sort();
    assert_eq!(found, clips);
    assert!(manifest.problems[0].reason.ends_with("each of which is one clip: 2"), "{:?}", manifest.problems);
}

#[cfg(unix)]
#[test]
fn nobody_waits_for_a_pipe() {
    let pipe = |root: &TempDir, name: &str| {
        let path = root.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let says = |result: Result<Manifest, DatasetError>| result.unwrap_err().to_string();
    for list in ["labels.csv", "labels.xlsx"] {
        let root = folder(&[A, B]);
        let path = pipe(&root, list);
        assert_eq!(survey(root.path()).header, Vec::<String>::new());
        for given in [root.path(), &path] {
            let error = says(import(given, &Options::default()));
            assert!(error.contains("not a file but"), "{error}");
        }
    }
    // Of what lists of corpora are called, none is told by its first line.
    for list in ["train.csv", "train.tsv", "train_label.csv", "train_sent_emo.csv", "icml_face_data.csv"] {
        let root = folder(&[A, B, ("labels.txt", "anger\n"), ("test.csv", "a 1\n"), ("dev.csv", "a 1\n")]);
        pipe(&root, list);
        says(import(root.path(), &Options::default()));
    }
    let root = folder(&[("mapping.txt", "0\tanger\n"), ("train_text.txt", "so\n")]);
    pipe(&root, "train_labels.txt");
    assert!(says(import(root.path(), &Options::default())).contains("not a file but"));
    assert!(says(load(&pipe(&root, "manifest.json"))).contains("not a file but"));
    // Among pictures, too, which are looked at to tell whether two clips are one.
    let clips = ["train/anger/a", "train/fear/b", "test/anger/c", "test/fear/d"].map(|clip| format!("{clip}/1.png"));
    let root = folder(&clips.each_ref().map(|clip| (clip.as_str(), "the same")));
    clips.iter().for_each(|clip| drop(pipe(&root, &clip.replace("1.png", "2.png"))));
    assert_eq!(import(root.path(), &Options::default()).unwrap().clips.len(), 4);
}

#[test]
fn files_that_are_no_media_are_counted_and_empty_classes_named() {
    let files = [
        ("anger/a.tiff", ""),
        ("anger/a.xmp", ""),
        ("anger/deep/b.xmp", ""),
        ("anger/a.txt", "so"),
        ("fear/b.tif", ""),
        ("fear/b.en.srt", ""),
        ("fear/notes.txt", ""),
        ("sadness/c.heic", ""),
        ("readme.md", ""),
    ];
    let problems = [
        "anger: 2 .xmp files, which are no video",
        "fear: 1 .txt files, which",
        "sadness: no clip in this folder, only 1 .heic files",
    ];
    check(&files, &["anger/a.tiff=anger", "fear/b.tif=fear"], &problems);
}

#[test]
fn a_corpus_is_found_below_folders_and_beside_notes() {
    let lists = "EmoLabel_DataSplit/train(single-labeled)/set_1.csv";
    let dfew = |at: &str| {
        let list = "video_name,label\n1,1\n2,4\n";
        let test = lists.replace("train", "test");
        folder(&[
            (&format!("{at}{lists}"), list),
            (&format!("{at}{test}"), "video_name,label\n3,1\n4,4\n"),
            (&format!("{at}Clip/original/1.mp4"), "1"),
            (&format!("{at}Clip/original/2.mp4"), "2"),
            (&format!("{at}Clip/original/3.mp4"), "3"),
            (&format!("{at}Clip/original/4.mp4"), "4"),
        ])
    };
    for at in ["", "DFEW/", "My data/DFEW/", "a/b/c/"] {
        for importer in [None, Some("dfew".to_owned())] {
            let root = dfew(at);
            for note in ["LICENSE.txt", "DFEW.zip", "desktop.ini", "other/x.txt"] {
                fs::create_dir_all(root.path().join(note).parent().unwrap()).unwrap();
                fs::write(root.path().join(note), "").unwrap();
            }
            // Beside another folder, only the next one is looked into.
            if at.matches('/').count() > 1 {
                fs::remove_dir_all(root.path().join("other")).unwrap();
            }
            let manifest = import(root.path(), &Options { importer, ..Options::default() }).unwrap();
            assert_eq!((manifest.importer.as_str(), manifest.clips.len()), ("dfew", 4), "{at}");
        }
    }
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

#[test]
fn data_folders_of_a_recipe_are_parts_by_the_beginnings_of_their_names() {
    let mut files = Vec::new();
    for (clip, part) in ["train_sp", "train_dev", "test_clean", "extra"].into_iter().enumerate() {
        files.push((format!("data/{part}/wav.scp"), format!("a{clip} wav/a{clip}.wav\nb{clip} wav/b{clip}.wav\n")));
        files.push((format!("data/{part}/utt2emo"), format!("a{clip} anger\nb{clip} fear\n")));
        files.extend(["a", "b"].map(|name| (format!("wav/{name}{clip}.wav"), format!("{name}{clip}"))));
    }
    files.push(("data/unlabelled/wav.scp".to_owned(), String::new()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    let root = folder(&files);
    for at in [root.path().to_owned(), root.path().join("data")] {
        let manifest = import(&at, &Options::default()).unwrap();
        assert_eq!(sizes(&manifest), [2, 2, 2], "{:?}", manifest.problems);
        assert!(manifest.clips.iter().all(|clip| manifest.clip_path(clip).is_file()));
        let reasons: Vec<_> = manifest.problems.iter().map(|problem| problem.reason.as_str()).collect();
        assert!(
            reasons[0].starts_with("not called after train") && reasons[1].starts_with("no utt2emo"),
            "{reasons:?}"
        );
    }
}

#[test]
fn what_kaldis_folders_lack_is_named() {
    let options = Options { importer: Some("kaldi".to_owned()), ..Options::default() };
    for (list, missing) in [
        ("wav.scp", "utt2emo (or utt2label, utt2emotion, labels) is missing: "),
        ("data/train/wav.scp", "utt2emo (or utt2label, utt2emotion, labels) is missing: "),
        ("notes.txt", "wav.scp is missing: "),
    ] {
        let root = folder(&[(list, "a a.wav\n"), ("a.wav", "")]);
        let error = import(root.path(), &options).unwrap_err().to_string();
        assert!(error.starts_with(missing), "{error}");
        assert!(!list.contains("train") || error.ends_with("train"), "{error}");
    }
}
