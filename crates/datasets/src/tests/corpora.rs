//! Corpora as they lie about: unpacked elsewhere, in part, with names that are wrong.

use super::*;

/// `split id` of each clip.
#[track_caller]
fn splits(manifest: &Manifest) -> Vec<String> {
    let shown = |clip: &emotion::Clip| format!("{} {}", clip.split.name(), clip.id);
    manifest.clips.iter().map(shown).collect()
}

/// File or folder, sound, of each clip.
fn media(manifest: &Manifest) -> Vec<(String, Option<String>)> {
    let shown = |path: &PathBuf| path.display().to_string();
    manifest.clips.iter().map(|clip| (shown(&clip.path), clip.audio.as_ref().map(shown))).collect()
}

#[track_caller]
fn check_problem(manifest: &Manifest, part: &str) {
    let says = manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says, "{:#?} should contain {part:?}", manifest.problems);
}

fn meld(class: &str) -> String {
    format!("Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\nHm,{class},{class},neutral,0,0\n")
}

#[test]
fn the_lists_of_meld_are_found_where_its_archives_unpack() {
    let [train, dev, test] = ["anger", "fear", "neutral"].map(meld);
    for [train_at, dev_at, test_at] in [
        ["train/", "", ""],
        ["train/", "dev/", "test/"],
        ["train_splits/", "dev/dev_splits_complete/", "output_repeated_splits_test/"],
    ] {
        let manifest = import_files(&[
            (&format!("{train_at}train_sent_emo.csv"), &train),
            (&format!("{dev_at}dev_sent_emo.csv"), &dev),
            (&format!("{test_at}test_sent_emo.csv"), &test),
            ("train/train_splits/dia0_utt0.mp4", ""),
        ])
        .unwrap();
        assert_eq!(splits(&manifest), ["train train/dia0_utt0", "val dev/dia0_utt0", "test test/dia0_utt0"]);
        assert_eq!(manifest.clips[0].path, Path::new("train/train_splits/dia0_utt0.mp4"));
    }
    let manifest = import_files(&[("dev_sent_emo.csv", &dev), ("test_sent_emo.csv", &test)]).unwrap();
    check_problem(&manifest, "the list of train is missing");
}

#[test]
fn frames_in_lists_are_heard_where_their_sound_lies() {
    let files = [
        ("annotation/DFEW_set_1_train.txt", "/s/dfew/clip_224x224/00001 66 5\n/s/dfew/clip_224x224/00002 66 4\n"),
        ("annotation/DFEW_set_1_test.txt", "/s/dfew/clip_224x224/00003 66 5\n"),
        ("dfew/clip_224x224/00001/1.jpg", ""),
        ("dfew/clip_224x224/00002/1.jpg", ""),
        ("dfew/clip_224x224/00003/1.jpg", ""),
        ("dfew/raw_wav/2.wav", ""),
        ("dfew/Clip/original/part_1/3.mp4", ""),
        ("mafw/clips_wav/00001.wav", ""),
    ];
    let manifest = import_files(&files).unwrap();
    let sounds: Vec<_> = media(&manifest).into_iter().map(|(_, sound)| sound).collect();
    assert_eq!(sounds, [Some("dfew/Clip/original/part_1/3.mp4".into()), None, Some("dfew/raw_wav/2.wav".into())]);
}

#[test]
fn clips_of_lists_are_told_apart_by_their_folders() {
    let check = |list: &str, name: &str, files: &[&str], expected: &[&str]| {
        let mut all = vec![(name, list)];
        all.extend(files.iter().map(|file| (*file, "")));
        let found: Vec<_> = media(&import_files(&all).unwrap()).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, expected);
    };
    check(
        "/s/mfaw/clips_faces/00012 46 1\n/s/mfaw/clips_faces/00013 46 3\n",
        "annotation/MAFW_set_1_train.txt",
        &["mafw/clips_faces/00012/1.png", "mafw/clips_faces/00013/1.png", "mafw/clips_wav/00012.wav"],
        &["mafw/clips_faces/00012", "mafw/clips_faces/00013"],
    );
    check(
        "/s/dfew/clip_224x224/00001 46 1\n/s/dfew/clip_224x224/00002 46 3\n",
        "annotation/DFEW_set_1_train.txt",
        &[
            "Clip/clip_224x224/00001/1.jpg",
            "Clip/clip_224x224_16f/00001/1.jpg",
            "Clip/clip_224x224/00002/1.jpg",
            "Clip/clip_224x224_16f/00002/1.jpg",
        ],
        &["Clip/clip_224x224/00001", "Clip/clip_224x224/00002"],
    );
    // What differs between the lines is no folder of somebody's machine: Argue/Happy/0001 is not Action/Happy/0001.
    check(
        "/s/faces/Action/Happy/0001 9 0\n/s/faces/Argue/Happy/0001 9 0\n/s/faces/Action/Sad/0001 9 1\n",
        "annotation/FERV39K_train.txt",
        &["crops/Action/Happy/0001/1.jpg", "crops/Action/Sad/0001/1.jpg"],
        &["crops/Action/Happy/0001", "crops/Action/Sad/0001"],
    );
}

#[test]
fn a_path_from_the_root_comes_before_the_same_further_down() {
    let list = "path,label\nx/a,anger\nb,fear\n/home/me/y/c,fear\n";
    let files = [("x/a.mp4", ""), ("copy/x/a.mp4", ""), ("b.mp4", ""), ("copy/b.mp4", ""), ("labels.csv", list)];
    let clips = ["x/a.mp4=anger", "b.mp4=fear"];
    check(&files, &clips, &["y/c: file of line 4 is missing"]);
    let moved = [("c.mp4", ""), ("z/c.mp4", "")];
    check(&[&files[..], &moved[..]].concat(), &clips, &["y/c: line 4 can mean 2 files (c.mp4, z/c.mp4)"]);
}

#[test]
fn clips_of_lists_may_lie_elsewhere_on_this_machine() {
    let clips = folder(&[("faces/00001/1.jpg", ""), ("faces/00002/1.jpg", "")]);
    let at = clips.path().join("faces");
    let list = format!("{0}/00001 46 1\n{0}/00002 46 3\n", at.display());
    let manifest = import_files(&[("annotation/DFEW_set_1_train.txt", &list)]).unwrap();
    let paths: Vec<_> = manifest.clips.iter().map(|clip| clip.path.clone()).collect();
    assert_eq!(paths, [at.join("00001"), at.join("00002")]);
}

#[test]
fn frames_are_counted_where_they_lie() {
    let list = "/s/mfaw/clips_faces/00001 15 1\n/s/mfaw/clips_faces/00002 99 3\n";
    let names: Vec<String> = (0..16).map(|frame| format!("clips_faces/00001/{frame}.png")).collect();
    let mut files = vec![("annotation/MAFW_set_1_train.txt", list), ("clips_faces/00002/1.png", "")];
    files.extend(names.iter().map(|name| (name.as_str(), "")));
    let reasons: Vec<_> = import_files(&files).unwrap().problems;
    assert!(
        reasons[0].path == Path::new("clips_faces/00002") && reasons[0].reason.starts_with("only 1 "),
        "{reasons:?}"
    );
    assert!(!reasons.iter().any(|problem| problem.reason.contains("15")), "{reasons:?}");
}

#[test]
fn a_take_of_savee_is_one_clip() {
    let manifest = import_files(&[
        ("AudioData/DC/a01.wav", ""),
        ("AudioData/DC/d01.wav", ""),
        ("AudioData/JE/a01.wav", ""),
        ("AudioVisualClip/DC/a1.avi", ""),
        ("AudioVisualClip/JE/a01.avi", ""),
        ("AudioVisualClip/JE/su02.avi", ""),
    ])
    .unwrap();
    let sound = |path: &str| Some(path.to_owned());
    assert_eq!(
        media(&manifest),
        [
            ("AudioData/DC/d01.wav".into(), None),
            ("AudioVisualClip/DC/a1.avi".into(), sound("AudioData/DC/a01.wav")),
            ("AudioVisualClip/JE/a01.avi".into(), sound("AudioData/JE/a01.wav")),
            ("AudioVisualClip/JE/su02.avi".into(), None),
        ]
    );
}

#[test]
fn enterface_is_read_by_its_folders() {
    let manifest = import_files(&[
        ("subject 1/anger/sentence 1/s1_an_1.avi", ""),
        ("subject 3/happiness/sentence 1/s_3_ha_1.avi", ""),
        ("subject 11/sadness/sentence 2/s12_sa_2.avi", ""),
        ("subject 16/surprise/sentence 3/s16_su_3avi.avi", ""),
        ("films/s2_fe_4.avi", ""),
    ])
    .unwrap();
    let mut found: Vec<_> = manifest
        .clips
        .iter()
        .map(|clip| format!("{} {}", clip.speaker.as_deref().unwrap(), manifest.labels.name(clip.label)))
        .collect();
    found.sort();
    assert_eq!(found, ["1 anger", "11 sadness", "16 surprise", "2 fear", "3 happiness"]);
}

#[test]
fn a_part_of_a_corpus_is_scored_on_a_fold_that_is_there() {
    let session = |number: u32| {
        let dialogue = format!("Ses0{number}F_impro01");
        let list = format!(
            "[1.0 - 2.0]\t{dialogue}_F000\tneu\t[2.5, 2.5, 2.5]\n[3.0 - 4.0]\t{dialogue}_M000\tang\t[2.5, 2.5, 2.5]\n"
        );
        let sound =
            |turn: &str| (format!("Session{number}/sentences/wav/{dialogue}/{dialogue}_{turn}.wav"), String::new());
        [(format!("Session{number}/dialog/EmoEvaluation/{dialogue}.txt"), list), sound("F000"), sound("M000")]
    };
    let turn = |actor: &str, code: &str| format!("UTD-IMPROV-S01A-{actor}-S-FM01.avi; {code}; A:3.0; V:3.0; D:3.0;\n");
    let sound = |actor: &str| (format!("Audio/MSP-IMPROV-S01A-{actor}-S-FM01.wav"), String::new());
    let msp = ("Evalution.txt".to_owned(), turn("F02", "A") + &turn("F03", "N"));
    let ravdess = |name: &str| (format!("{name}.wav"), String::new());
    let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
    let dfew = vec![
        file("EmoLabel_DataSplit/train(single-labeled)/set_2.csv", "video_name,label\n1,1\n2,4\n"),
        file("EmoLabel_DataSplit/test(single-labeled)/set_2.csv", "video_name,label\n3,1\n"),
        file("1.mp4", ""),
        file("2.mp4", ""),
        file("3.mp4", ""),
    ];
    let mafw = vec![
        file("Train & Test Set/single/no_caption/set_3/train.txt", "00001.mp4 anger\n00002.mp4 fear\n"),
        file("Train & Test Set/single/no_caption/set_3/test.txt", "00003.mp4 fear"),
        file("data/clips/00001.mp4", ""),
        file("data/clips/00002.mp4", ""),
        file("data/clips/00003.mp4", ""),
    ];
    let takes = ["03-01-05-01-01-01-01", "03-01-03-01-01-01-01", "03-01-05-01-01-01-03", "03-01-03-01-01-01-03"];
    for (files, part) in [
        ([session(1), session(2)].concat(), "fold 1 is test"),
        (vec![msp, sound("F02"), sound("F03")], "fold 2 is test"),
        (takes.map(ravdess).to_vec(), "fold 2 is test"),
        (dfew, "official fold 2"),
        (mafw, "official fold 3"),
        (session(3).to_vec(), "made by Limbic"),
        (takes[..2].iter().map(|name| ravdess(name)).collect(), "made by Limbic"),
        (vec![file("1001_DFA_ANG_XX.wav", "1"), file("1001_DFA_SAD_XX.wav", "2")], "made by Limbic"),
    ] {
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
        let manifest = import_files(&files).unwrap();
        assert!(manifest.protocol.contains(part), "{:?} should contain {part:?}", manifest.protocol);
        assert!(manifest.problems.iter().all(|problem| !problem.reason.contains("split column")));
        if part == "made by Limbic" {
            let whose = manifest.protocol.split(';').next().unwrap();
            assert!(manifest.protocol.starts_with(&format!("{whose}; parts made")), "{}", manifest.protocol);
            let error = import(folder(&files).path(), &Options { fold: Some(2), ..Options::default() }).unwrap_err();
            assert!(error.to_string().starts_with("only fold "), "{error}");
        }
    }
}

#[test]
fn a_list_of_ones_own_in_a_corpus_is_told_where_it_is_not_read() {
    let (list, notes) = ("path,label\n03-01-05-01-01-01-01.wav,anger\n", "file,remark\n03-01-05-01-01-01-01.wav,so\n");
    for (content, said) in [(list, true), (notes, false)] {
        let takes = [("03-01-05-01-01-01-01.wav", ""), ("03-01-03-01-01-01-02.wav", "2"), ("labels.csv", content)];
        let manifest = import_files(&takes).unwrap();
        assert_eq!(manifest.importer, "ravdess");
        let is_said = manifest.problems.iter().any(|problem| {
            problem.path.ends_with("labels.csv")
                && problem.reason.contains("recognized as ravdess; the layout csv reads")
        });
        assert_eq!(is_said, said, "{:?}", manifest.problems);
    }
}

#[test]
fn mafw_of_frames_alone_has_its_faces_detected() {
    let set = "Train & Test Set/single/no_caption/set_1";
    let manifest = import_files(&[
        (&format!("{set}/train.txt"), "00001.mp4 anger\n00002.mp4 fear\n"),
        (&format!("{set}/test.txt"), "00003.mp4 fear"),
        ("data/frames/00001/1.png", ""),
        ("data/frames/00002/1.png", ""),
        ("data/frames/00003/1.png", ""),
    ])
    .unwrap();
    assert_eq!((manifest.clips.len(), manifest.faces), (3, FaceSource::Detect));
    assert_eq!(manifest.clips[0].path, Path::new("data/frames/00001"));
}

#[test]
fn the_lists_of_dfew_are_found_where_windows_extracts_them() {
    let extracted = |part: &str| format!("EmoLabel_DataSplit/{part}(single_labeled)/{part}(single-labeled)/set_1.csv");
    let root = folder(&[
        (&extracted("train"), "video_name,label\n1,1\n2,4\n"),
        (&extracted("test"), "video_name,label\n3,1\n"),
        ("1.mp4", "1"),
        ("2.mp4", "2"),
        ("3.mp4", "3"),
    ]);
    assert_eq!(import(root.path(), &Options::default()).unwrap().importer, "dfew");
    for (fold, says) in [(2, "set_2.csv is missing: "), (6, "there is no fold 6; the folds are 1 to 5: ")] {
        let error = import(root.path(), &Options { fold: Some(fold), ..Options::default() }).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn pictures_of_mafw_count_where_a_few_films_lie_beside_them() {
    let set = "Train & Test Set/single/no_caption/set_1";
    let (train, test) = (format!("{set}/train.txt"), format!("{set}/test.txt"));
    for (folder, faces) in [("frames", FaceSource::Detect), ("faces", FaceSource::Cropped)] {
        let pictures = ["00001", "00002", "00003"].map(|clip| format!("data/{folder}/{clip}/1.png"));
        let manifest = import_files(&[
            (&train, "00001.mp4 anger\n00002.mp4 fear\n00004.mp4 fear\n"),
            (&test, "00003.mp4 fear"),
            ("data/clips/00002.mp4", ""),
            ("data/clips/00099.mp4", ""),
            (&pictures[0], "1"),
            (&pictures[1], "2"),
            (&pictures[2], "3"),
        ])
        .unwrap();
        assert_eq!(manifest.faces, faces);
        let film = "data/clips/00002.mp4".to_owned();
        let second = if folder == "faces" { ("data/faces/00002".into(), Some(film)) } else { (film, None) };
        let of = |clip: &str| (format!("data/{folder}/{clip}"), None);
        assert_eq!(media(&manifest), [of("00001"), second, of("00003")]);
        check_problem(&manifest, "clip of line 3 of train is missing, n");
        check_problem(&manifest, "00004 of ");
    }
}

#[test]
fn crops_of_dfew_stand_in_for_films_that_are_missing() {
    let manifest = import_files(&[
        ("EmoLabel_DataSplit/train(single-labeled)/set_1.csv", "video_name,label\n1,1\n2,4\n"),
        ("EmoLabel_DataSplit/test(single-labeled)/set_1.csv", "video_name,label\n3,1\n"),
        ("Clip/original/part_1/2.mp4", ""),
        ("Clip/original/audio/1.wav", ""),
        ("Clip/clip_224x224/00001/1.jpg", ""),
        ("Clip/clip_224x224/00003/1.jpg", ""),
    ])
    .unwrap();
    assert_eq!(
        media(&manifest),
        [
            ("Clip/clip_224x224/00001".into(), Some("Clip/original/audio/1.wav".into())),
            ("Clip/original/part_1/2.mp4".into(), None),
            ("Clip/clip_224x224/00003".into(), None),
        ]
    );
    check_problem(&manifest, "its film is missing, and those of 1 more: the faces cut out of them stand in");
}

#[test]
fn faces_of_vavl_are_a_stream_of_features() {
    let list = "FileName,angry,sad,disgust,fear,neutral,happy,SpkrID,Gender,Split_Set\n\
                1001_DFA_ANG_XX.wav,1,0,0,0,0,0,1001,Male,Train\n1002_DFA_HAP_XX.wav,0,0,0,0,0,1,1002,Male,Development\n\
                1003_DFA_SAD_XX.wav,0,1,0,0,0,0,1003,Male,Test\n1004_DFA_SAD_XX.wav,0,1,0,0,0,0,1004,Male,Test\n";
    let names = ["1001_DFA_ANG_XX", "1002_DFA_HAP_XX", "1003_DFA_SAD_XX", "1004_DFA_SAD_XX"];
    let sounds = names.map(|name| format!("Audios/{name}.wav"));
    let mut files: Vec<(&str, &str)> = sounds.iter().zip(names).map(|(path, name)| (path.as_str(), name)).collect();
    files.extend([("labels_consensus_6class_M/label_consensus_1.csv", list), ("Face_features/notes.txt", "")]);
    let root = folder(&files);
    for (name, shape) in [(names[0], [3, 2]), (names[1], [1, 2]), (names[2], [2, 3])] {
        let values = vec![0.5; shape[0] * shape[1]];
        features::write_npy(&root.path().join(format!("Face_features/{name}.npy")), &shape, &values).unwrap();
    }
    for variant in ["intended", "consensus"] {
        let options = Options { variant: Some(variant.to_owned()), ..Options::default() };
        let manifest = import(root.path(), &options).unwrap();
        let [face] = manifest.streams.as_slice() else { panic!("{:?}", manifest.streams) };
        assert_eq!((face.name.as_str(), face.modality, face.n_dims), ("face_features", Modality::Face, 2));
        let n_steps: Vec<Vec<usize>> =
            manifest.clips.iter().map(|clip| clip.features.iter().map(|own| own.n_steps).collect()).collect();
        assert_eq!(n_steps, [vec![3], vec![1], vec![], vec![]], "{variant}");
        check_problem(&manifest, "no features of the face in Face_features");
        check_problem(&manifest, "3 values a step instead of 2: not used");
        let clip = &manifest.clips[0];
        let read = features::Reader::new(&manifest.root).read(&manifest.streams, &clip.features[0]).unwrap().0;
        assert_eq!(read.values, [0.5; 6]);
    }
}

#[test]
fn segments_of_kaldi_are_refused_by_name() {
    let files = [
        ("train/wav.scp", "rec1 rec1.wav\n"),
        ("train/segments", "a-1 rec1 0.00 0.80\nb-2 rec1 1.00 1.80\n"),
        ("train/utt2emo", "a-1 anger\nb-2 fear\n"),
        ("rec1.wav", ""),
    ];
    check_error(&files, &["segments cut recordings into utterances, which is not supported", "train/segments"]);
}

#[test]
fn several_pickles_are_named() {
    let files = [("mosi_data.pkl", ""), ("iemocap_data.pkl", ""), ("mosi_data_noalign.pkl", "")];
    check_error(&files, &["iemocap_data.pkl, mosi_data.pkl, mosi_data_noalign.pkl", "choose one of them as the path"]);
    let mmsa = folder(&[("Processed/aligned_50.pkl", ""), ("Raw/v/1.mp4", ""), ("label.csv", "video_id,label\nv,1\n")]);
    assert_eq!(recognize(mmsa.path()).unwrap().name(), "sequences");
}

#[test]
fn a_scene_of_ferv39k_is_imported_by_its_list() {
    let root = folder(&[
        ("4_setups/Action/train_Action.csv", "Action/Sad/0010 Sad\nAction/Happy/0001 Happy\n"),
        ("4_setups/Action/test_Action.csv", "Action/Happy/0002 Happy"),
        ("2_ClipsforFaceCrop/Action/Sad/0010/1.jpg", ""),
        ("2_ClipsforFaceCrop/Action/Happy/0001/1.jpg", ""),
        ("2_ClipsforFaceCrop/Action/Happy/0002/1.jpg", ""),
    ]);
    let manifest = import(&root.path().join("4_setups/Action/train_Action.csv"), &Options::default()).unwrap();
    let clips = ["train 2_ClipsforFaceCrop/Action/Sad/0010", "train 2_ClipsforFaceCrop/Action/Happy/0001"];
    assert_eq!(splits(&manifest)[..2], clips);
    assert_eq!((manifest.clips.len(), manifest.root.as_path()), (3, root.path()));
    assert!(manifest.protocol.contains("Action"), "{}", manifest.protocol);
    check_problem(&manifest, "only 1 frame, and 2 more clips have fewer than 16");
}

#[test]
fn lists_of_paths_say_what_the_numbers_of_known_corpora_mean() {
    let face = |clip: &str| (format!("face_aligned/{clip}/0.png"), clip.to_owned());
    let list = |path: &str, lines: &[&str]| (path.to_owned(), format!("{}\n", lines.join("\n")));
    let read = |files: &[(String, String)], options: &Options| {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        import(folder(&files).path(), options)
    };
    let labels = |manifest: &Manifest| -> Vec<(String, Option<String>)> {
        let of = |clip: &emotion::Clip| (manifest.labels.name(clip.label).to_owned(), clip.speaker.clone());
        manifest.clips.iter().map(of).collect()
    };
    let pair = |label: &str, speaker: Option<&str>| (label.to_owned(), speaker.map(str::to_owned));

    // Recordings beside the lists do not make it the corpus without its folds.
    let crema = [
        face("1001_DFA_ANG_XX"),
        face("1001_DFA_SAD_XX"),
        ("AudioWAV/1001_DFA_ANG_XX.wav".to_owned(), "sound".to_owned()),
        ("AudioWAV/1019_DFA_SAD_XX.wav".to_owned(), "another".to_owned()),
        list("split01/train.csv", &["/x/face_aligned/1019_DFA_SAD_XX /x/AudioWAV/1019_DFA_SAD_XX.wav 5"]),
        list(
            "split01/test.csv",
            &[
                "/x/face_aligned/1001_DFA_ANG_XX /x/AudioWAV/1001_DFA_ANG_XX.wav 0",
                "/x/face_aligned/1001_DFA_SAD_XX /x/AudioWAV/1001_DFA_SAD_XX.wav 5",
            ],
        ),
    ];
    let manifest = read(&crema, &Options::default()).unwrap();
    assert_eq!(manifest.importer, "path-lists");
    let (sad, angry) = (pair("sadness", Some("1019")), pair("anger", Some("1001")));
    assert_eq!(labels(&manifest), [sad, angry, pair("sadness", Some("1001"))]);
    let one = Options { fold: Some(1), ..Options::default() };
    assert_eq!(labels(&read(&crema, &one).unwrap()), labels(&manifest));

    // Of no corpus that is known, the numbers stay; films and lists that are no folds will do.
    let films = [
        ("a.mp4".to_owned(), "a".to_owned()),
        ("b.mp4".to_owned(), "b".to_owned()),
        list("train.csv", &["/films/a.mp4 0"]),
        list("val.csv", &["/films/b.mp4 1"]),
    ];
    let manifest = read(&films, &Options::default()).unwrap();
    assert_eq!(labels(&manifest), [pair("0", None), pair("1", None)]);
    let error = read(&films, &one).unwrap_err().to_string();
    assert!(error.contains("has no folds"), "{error}");
}

#[test]
fn lists_of_paths_are_found_where_code_keeps_them() {
    let frames = ["DFEW/Clip/jpg_256/00001/1.jpg", "DFEW/Clip/jpg_256/00002/1.jpg"];
    let (train, test) = ("/mnt/DFEW/Clip/jpg_256/00001 0\n", "/mnt/DFEW/Clip/jpg_256/00002 3\n");
    let root = |kept: &str, more: &[(&str, &str)]| {
        let lists = [format!("{kept}/split01/train.csv"), format!("{kept}/split01/test.csv")];
        let mut files = vec![(frames[0], "1"), (frames[1], "2"), (&lists[0], train), (&lists[1], test)];
        files.extend(more);
        folder(&files)
    };
    let check = |path: &Path| {
        let manifest = import(path, &Options::default()).unwrap();
        let names: Vec<_> = manifest.clips.iter().map(|clip| manifest.labels.name(clip.label)).collect();
        assert_eq!((manifest.importer.as_str(), names), ("path-lists", vec!["happiness", "anger"]));
        assert_eq!(manifest.clips[0].path, Path::new("DFEW/Clip/jpg_256/00001"));
    };
    for kept in ["lists", "saved/data/dfew/org", "saved/data/dfew/audio_visual"] {
        check(root(kept, &[]).path());
    }
    let both = root("saved/data/dfew/org", &[("saved/data/mafw/single/split01/train.csv", "/mnt/mafw/00001 0\n")]);
    let error = import(both.path(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("several lists (saved/data/dfew, saved/data/mafw)"), "{error}");
    check(&both.path().join("saved/data/dfew"));
    check(&both.path().join("saved/data/dfew/org/split01/train.csv"));
}

#[test]
fn in_affectnet_minus_two_is_no_rating_and_uncertain_no_class() {
    // Expression, valence and arousal.
    let faces = [[0.0, 0.25, -0.5], [1.0, -2.0, -2.0], [9.0, -2.0, -2.0], [10.0, -2.0, -2.0]];
    let root = folder(&[]);
    for folder in ["train_set/images", "train_set/annotations"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let mut list = "subDirectory_filePath,expression,valence,arousal\n".to_owned();
    for (number, values) in faces.iter().enumerate() {
        fs::write(root.path().join(format!("train_set/images/{number}.jpg")), number.to_string()).unwrap();
        for (end, value) in ["exp", "val", "aro"].iter().zip(values) {
            let path = root.path().join(format!("train_set/annotations/{number}_{end}.npy"));
            features::write_npy(&path, &[], &[*value]).unwrap();
        }
        let [expression, valence, arousal] = values;
        list += &format!("images/{number}.jpg,{expression},{valence},{arousal}\n");
    }
    let ratings = |manifest: &Manifest| -> Vec<_> {
        manifest.clips.iter().map(|clip| (clip.affect.valence, clip.affect.arousal)).collect()
    };
    let manifest = import(root.path(), &Options::default()).unwrap();
    assert_eq!(manifest.importer, "affectnet");
    assert_eq!(ratings(&manifest), [(Some(0.25), Some(-0.5)), (None, None)]);
    check_problem(&manifest, "the annotator was uncertain: left out");
    check_problem(&manifest, "no face: left out");

    // The lists of the first release, whose scale has to be said.
    fs::write(root.path().join("train_set/labels.csv"), list).unwrap();
    let options = Options { scale: Some(Scale::UNIT), labels: Some("9=-,10=-".to_owned()), ..Options::default() };
    let manifest = import(&root.path().join("train_set"), &options).unwrap();
    assert_eq!(manifest.importer, "csv");
    assert_eq!(ratings(&manifest), [(Some(0.25), Some(-0.5)), (None, None)]);
    check_problem(&manifest, "the rating \"-2\" in line 3 is not on the scale and is not used");
}
