//! Corpora of films and frames, and the lists that published code makes of them.

use super::*;

#[test]
fn dfew() {
    let missing = ["7: clip of line 5 of train is missing", "4: line 6 of train has the label \"9\", not 1 to 7"];
    let classes = "classes of the dataset without a clip: sadness, neutral, surprise, disgust";
    let manifest = check(
        "dfew",
        &[
            ("Clip/original/part_1/1.mp4", "train happiness"),
            ("Clip/original/part_1/2.mp4", "train anger"),
            ("Clip/original/part_2/3.mp4", "train fear"),
            ("Clip/original/part_2/4.mp4", "test happiness"),
            ("Clip/original/5.mp4", "test anger"),
        ],
        &[missing[0], missing[1], classes],
    );
    let order = ["happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"];
    assert_eq!(manifest.labels.names(), order);
    check_protocol(&manifest, "DFEW's official fold 1 of 5");
    let cropped = Options { faces: FaceSource::Cropped, fold: Some(2), ..Options::default() };
    let manifest = check_as(
        "dfew",
        &cropped,
        &[
            ("Clip/clip_224x224/00004", "train happiness"),
            ("Clip/clip_224x224/00001", "test happiness"),
            ("Clip/clip_224x224/00002", "test anger"),
        ],
        &["5: clip of line 3 of train is missing", "only 1 frame, and 2 more clips", "classes of the dataset without"],
    );
    let audio = |id| clip(&manifest, id).audio.as_ref().unwrap().display().to_string();
    assert_eq!(audio("Clip/clip_224x224/00001"), "Clip/original/audio/1.wav");
    assert_eq!(audio("Clip/clip_224x224/00004"), "Clip/original/part_2/4.mp4");
    let error = import(&assets().join("dfew"), &Options { fold: Some(6), ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains("no fold 6; the folds are 1 to 5"), "{error}");
}

#[test]
fn ferv39k() {
    let problems = [
        "War/Fear/0001: clip of line 3 of train is missing",
        "unknown class \"Bored\"",
        "only 1 frame, and 2 more clips",
        "without a clip",
    ];
    let clips = [
        ("2_ClipsforFaceCrop/Action/Sad/0010", "train sadness"),
        ("2_ClipsforFaceCrop/Action/Happy/0267", "train happiness"),
        ("2_ClipsforFaceCrop/War/Fear/0002", "test fear"),
    ];
    let manifest = check("ferv39k", &clips, &problems);
    assert_eq!(manifest.faces, FaceSource::Cropped);
    let scenes = Options { faces: FaceSource::Detect, ..Options::default() };
    let manifest = import(&assets().join("ferv39k"), &scenes).unwrap();
    assert!(manifest.clips.iter().all(|clip| clip.path.starts_with("3_ClipsforScenImages")));
}

#[test]
fn mafw() {
    let manifest = check(
        "mafw",
        &[
            ("data/clips/00001.mp4", "train anger*"),
            ("data/clips/00002.mp4", "train happiness*"),
            ("data/clips/00003.mp4", "train neutral*"),
            ("data/clips/00004.mp4", "test disappointment*"),
        ],
        &[
            "train.txt: lines that are not UTF-8, read as GBK or Windows-1252: 1",
            "00009.mp4: clip of line 2",
            "without a clip",
        ],
    );
    assert_eq!(clip(&manifest, "data/clips/00001.mp4").text.as_deref(), Some("A woman doesn’t listen."));
    assert_eq!(clip(&manifest, "data/clips/00003.mp4").text.as_deref(), Some("She waits."));
    assert_eq!(clip(&manifest, "data/clips/00001.mp4").votes[..3], [0.75, 0.25, 0.0]);
    assert_eq!((manifest.labels.name(0), manifest.labels.name(10)), ("anger", "disappointment"));
    let compound = [
        ("data/clips/00001.mp4", "train anger_disgust"),
        ("data/clips/00002.mp4", "train happiness_surprise"),
        ("data/clips/00003.mp4", "test anger_disgust*"),
    ];
    check_as("mafw", &variant("compound"), &compound, &[]);
}

#[test]
fn frame_lists() {
    let manifest = check(
        "frame-lists",
        &[
            ("dfew/clip_224x224/02522", "train disgust"),
            ("dfew/clip_224x224/00001", "train sadness"),
            ("dfew/clip_224x224/00002", "test neutral"),
        ],
        &[
            "00003: clip of line 3 of train is missing",
            "line 4 is not PATH FRAMES LABEL with a label of 0 to 6",
            "00002: only 1 frame, and 2 more clips have fewer than 16",
            "without a clip",
        ],
    );
    check_protocol(&manifest, "fold 1 of DFER-CLIP and MMA-DFER for dfew");
    let mafw = [
        ("mfaw/clips_faces/03747", "train anger"),
        ("mfaw/clips_faces/00025", "train disappointment"),
        ("mfaw/clips_faces/00026", "test anger"),
    ];
    let manifest = check_as("frame-lists", &variant("mafw"), &mafw, &["only 1 frame", "without a clip"]);
    assert_eq!(manifest.labels.name(0), "happiness", "not MAFW's own order");
    let list = import(&assets().join("frame-lists/annotation/MAFW_set_1_test.txt"), &variant("mafw")).unwrap();
    assert_eq!(list.clips.len(), 3);
}

#[test]
fn path_lists() {
    let manifest = check(
        "path-lists",
        &[
            ("data/frames/00028", "train neutral"),
            ("data/frames/00108", "train disappointment"),
            ("data/frames/00025", "test anger"),
            ("data/audio_16k/00123.wav", "test fear"),
        ],
        &[
            "train.csv: line 4 is not PATH SOUND LABEL or PATH LABEL",
            "val.csv: the same as test.csv",
            "00108.wav: sound of line 2 of train is missing",
            "00999: clip of line 3 of train is missing: left out",
            "00123: clip of line 2 of test is missing: only its sound is used",
            "00028: only 1 frame, and 2 more",
            "without a clip",
        ],
    );
    check_protocol(&manifest, "fold 1 of the lists of HiCMAE and MAE-DFER for MAFW; val, which it lacks, is held out");
    let audio = |id| clip(&manifest, id).audio.as_deref();
    assert_eq!(audio("data/frames/00025"), Some(Path::new("data/audio_16k/00025.wav")));
    assert_eq!(audio("data/frames/00108"), None);
    let with_fold = |fold| Options { fold: Some(fold), ..Options::default() };
    let second = import(&assets().join("path-lists"), &with_fold(2)).unwrap();
    let tested: Vec<&str> = second.split(Split::Test).map(|clip| clip.id.as_str()).collect();
    assert_eq!(tested, ["data/frames/00028"]);
    let error = import(&assets().join("path-lists"), &with_fold(3)).unwrap_err().to_string();
    assert!(error.contains("no fold 3; the folds are 1, 2"), "{error}");
}

#[test]
fn mafw_without_its_folds_is_read_from_its_spreadsheets() {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in make::layouts() {
        let Some(path) = path.strip_prefix("mafw/").filter(|path| !path.starts_with("Train")) else { continue };
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let manifest = import(folder.path(), &Options::default()).unwrap();
    let labels: Vec<_> =
        manifest.clips.iter().map(|clip| (clip.id.as_str(), manifest.labels.name(clip.label))).collect();
    assert_eq!(labels, [("data/clips/00001.mp4", "anger"), ("data/clips/00002.mp4", "happiness")]);
    check_protocol(&manifest, "MAFW, single labels, without its folds; parts made by Limbic");
    let says = |part: &str| manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says("row 4 of single-set has the unknown class \"12\""), "{:?}", manifest.problems);
    let error = import(folder.path(), &Options { fold: Some(2), ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("Train & Test Set/single is missing"), "{error}");
}
