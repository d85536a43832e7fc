//! A tiny copy of the layout of every corpus (`tests/assets`, made by `make.rs` there), and what becomes of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use emotion::{Clip, FaceSource, Manifest, Scale, Split};
use limbic_datasets::{ColumnMap, IMPORTERS, Importer, Options, import};

#[path = "assets/layouts.rs"]
#[allow(unreachable_pub, reason = "the script that writes them includes it, too")]
mod make;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets")
}

/// `split label` of each clip by its id, with a `*` for text; then each of `problems` must be contained, in order.
#[track_caller]
fn check_as(layout: &str, options: &Options, clips: &[(&str, &str)], problems: &[&str]) -> Manifest {
    let manifest = import(&assets().join(layout), options).unwrap();
    assert_eq!(manifest.importer, layout.split('/').next().unwrap());
    let shown = |clip: &Clip| {
        let star = if clip.text.is_some() { "*" } else { "" };
        (clip.id.clone(), format!("{} {}{star}", clip.split.name(), manifest.labels.name(clip.label)))
    };
    let found: BTreeMap<String, String> = manifest.clips.iter().map(shown).collect();
    let expected: BTreeMap<String, String> =
        clips.iter().map(|(id, what)| ((*id).to_owned(), (*what).to_owned())).collect();
    let said: Vec<String> = manifest
        .problems
        .iter()
        .map(|problem| {
            let path = problem.path.strip_prefix(assets()).unwrap_or(&problem.path);
            format!("{}: {}", path.display(), problem.reason)
        })
        .collect();
    assert_eq!(found, expected, "{said:#?}");
    assert_eq!(said.len(), problems.len(), "{said:#?}");
    for (said, part) in said.iter().zip(problems) {
        assert!(said.contains(part), "{said:?} should contain {part:?}");
    }
    manifest
}

#[track_caller]
fn check(layout: &str, clips: &[(&str, &str)], problems: &[&str]) -> Manifest {
    check_as(layout, &Options::default(), clips, problems)
}

fn variant(name: &str) -> Options {
    Options { variant: Some(name.to_owned()), ..Options::default() }
}

fn clip<'a>(manifest: &'a Manifest, id: &str) -> &'a Clip {
    manifest.clips.iter().find(|clip| clip.id == id).unwrap()
}

#[track_caller]
fn check_protocol(manifest: &Manifest, part: &str) {
    assert!(manifest.protocol.contains(part), "{:?} should contain {part:?}", manifest.protocol);
}

#[test]
fn the_copies_are_as_the_script_makes_them() {
    fn list(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => list(&path, found),
                path => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    list(&assets(), &mut found);
    let mut made = make::layouts();
    for (path, content) in &made {
        assert!(std::fs::read(assets().join(path)).unwrap() == *content, "{path} is not as make.rs makes it");
    }
    made.sort();
    made.dedup_by(|a, b| a.0 == b.0);
    // HDF5 is written by a script of its own.
    let is_csd = |path: &PathBuf| path.extension().is_some_and(|end| end == "csd");
    let n_csd = found.iter().filter(|path| is_csd(path)).count();
    assert_eq!(found.len(), made.len() + n_csd + 3, "the scripts and what they make, nothing else");
}

#[test]
fn every_importer_of_a_corpus_has_a_copy_and_only_it_recognizes_it() {
    for importer in IMPORTERS.iter().filter(|importer| !["csv", "folders"].contains(&importer.name())) {
        let root = assets().join(importer.name());
        assert!(root.is_dir(), "{}", importer.name());
        let is_own = |other: &&&dyn Importer| !["csv", "folders"].contains(&other.name());
        let found: Vec<&str> =
            IMPORTERS.iter().filter(is_own).filter(|other| other.recognizes(&root)).map(|other| other.name()).collect();
        assert_eq!(found, [importer.name()]);
    }
}

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
fn crema_d() {
    let options = Options { fold: Some(2), ..Options::default() };
    let manifest = import(&assets().join("crema-d"), &options).unwrap();
    assert_eq!(manifest.clips.len(), 11);
    let of = |split| manifest.split(split).filter_map(|clip| clip.speaker.as_deref()).collect::<Vec<_>>();
    assert_eq!((of(Split::Test), of(Split::Val)), (vec!["1002"; 2], vec!["1001", "1001", "1076"]));
    check_protocol(
        &manifest,
        "CREMA-D, intended emotions; actors dealt in order to 5 folds: fold 2 is test, fold 1 is val",
    );
    let first = clip(&manifest, "VideoFlash/1001_DFA_ANG_XX.flv");
    assert_eq!(first.audio.as_deref(), Some(Path::new("AudioWAV/1001_DFA_ANG_XX.wav")));
    assert_eq!(first.text.as_deref(), Some("Don't forget a jacket."));
    let says = |part: &str| manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says("not called like 1001_DFA_ANG_XX") && says("known to ship this recording damaged"));

    let face = import(&assets().join("crema-d"), &variant("face")).unwrap();
    let labels: Vec<_> = face.clips.iter().map(|clip| face.labels.name(clip.label)).collect();
    assert_eq!(labels, ["anger", "happiness", "disgust", "happiness"]);
    let multimodal = import(&assets().join("crema-d"), &variant("multimodal")).unwrap();
    assert_eq!(multimodal.clips.len(), 3, "one is a tie");

    let clips = [
        ("VideoFlash/1001_DFA_ANG_XX.flv", "train anger*"),
        ("VideoFlash/1002_IEO_HAP_HI.flv", "val happiness*"),
        ("VideoFlash/1004_IEO_HAP_HI.flv", "test happiness*"),
    ];
    let consensus =
        check_as("crema-d", &variant("consensus"), &clips, &["1003_DFA_ANG_XX.wav: the raters tie", "without a clip"]);
    assert_eq!(consensus.labels.names(), ["anger", "sadness", "disgust", "fear", "neutral", "happiness"]);
    assert_eq!(clip(&consensus, "VideoFlash/1001_DFA_ANG_XX.flv").votes, [0.856, 0.01, 0.01, 0.104, 0.01, 0.01]);
    check_protocol(&consensus, "VAVL's partition 1 of 1");
}

#[test]
fn msp_improv() {
    let id = |session, emotion, actor: &str| {
        format!("Audio/session{session}/S01{emotion}/S/MSP-IMPROV-S01{emotion}-{actor}-S-FM01.wav")
    };
    let (a, b, c, d) = (id(1, "A", "F01"), id(1, "H", "M01"), id(2, "N", "F02"), id(3, "A", "M03"));
    let manifest = check(
        "msp-improv",
        &[(&a, "test neutral"), (&b, "test happiness"), (&c, "train neutral"), (&d, "val anger")],
        &[
            "S01H-M01-S-FM01: the rating 9 is not in 1 to 5",
            "S01S-F03-S-FM01: neither video nor sound",
            "S01H-F03-S-FM01: the raters do not agree (X): left out",
            "without a clip: sadness",
        ],
    );
    let affect = clip(&manifest, &b).affect;
    assert_eq!((affect.arousal, affect.valence, affect.dominance), (Some(1.0), Some(-1.0), None));
    assert_eq!(manifest.scale, Some(Scale::ONE_TO_FIVE));
    let clips = [(a.as_str(), "train anger"), (&b, "val happiness"), (&c, "test neutral")];
    let consensus = check_as("msp-improv", &variant("consensus"), &clips, &["without a clip"]);
    check_protocol(&consensus, "classes are the intended emotions, for the lists have none");
    assert_eq!(clip(&consensus, &c).affect.valence, Some(0.0));
}

#[test]
fn iemocap() {
    let id = |session: u32, turn: &str| {
        format!("Session{session}/sentences/wav/Ses0{session}F_impro01/Ses0{session}F_impro01_{turn}.wav")
    };
    let manifest = check(
        "iemocap",
        &[
            (&id(1, "F000"), "train neutral*"),
            (&id(1, "M000"), "train happiness*"),
            (&id(2, "M000"), "val happiness*"),
            (&id(5, "F000"), "test neutral*"),
            (&id(5, "M000"), "test happiness*"),
        ],
        &[
            "_M000: a rating is not in 1 to 5",
            "Ses02F_impro01_F000: sound is missing",
            "_M000: a rating is not in 1 to 5",
            "_M000: a rating is not in 1 to 5",
            "fru is none of the classes of the variant four, and 2 more: left out",
            "the raters do not agree (xxx), and 2 more: left out",
            "without a clip: anger, sadness",
        ],
    );
    let speakers: Vec<_> = manifest.clips.iter().filter_map(|clip| clip.speaker.as_deref()).collect();
    assert_eq!(speakers, ["1F", "1M", "2M", "5F", "5M"]);
    let affect = clip(&manifest, &id(1, "M000")).affect;
    assert_eq!((affect.valence, affect.arousal, affect.dominance), (Some(0.5), Some(1.0), None));
    check_protocol(&manifest, "excitement counts as happiness; sessions as 3 folds: fold 5 is test, fold 2 is val");
    let six = import(&assets().join("iemocap"), &variant("six")).unwrap();
    assert_eq!(six.labels.len(), 6);
    assert_eq!(six.clips.len(), 8);
}

#[test]
fn ravdess() {
    let manifest = check(
        "ravdess",
        &[
            ("video/01-01-05-01-01-01-02.mp4", "test anger*"),
            ("video/02-01-03-01-02-01-03.mp4", "train happiness*"),
            ("audio/Actor_10/03-01-01-01-01-01-10.wav", "val neutral*"),
        ],
        &[
            "notes.mp4: not called like",
            "openface.csv: line 4 is another row of 01-01-03-01-02-01-03",
            "sung, and the variant is speech",
            "without a clip",
        ],
    );
    let happy = clip(&manifest, "video/02-01-03-01-02-01-03.mp4");
    assert_eq!(happy.audio.as_deref(), Some(Path::new("audio/Actor_03/03-01-03-01-02-01-03.wav")));
    assert_eq!(happy.text.as_deref(), Some("Dogs are sitting by the door."));
    let streams: Vec<_> = manifest.streams.iter().map(|stream| (stream.name.as_str(), stream.n_dims)).collect();
    assert_eq!(streams, [("both/au", 2), ("both/mfcc", 3), ("openface/au", 2)]);
    let mut reader = features::Reader::new(&manifest.root);
    let mut values = |id: &str| -> Vec<Vec<f32>> {
        let read = |feature| reader.read(&manifest.streams, feature).unwrap().0.values;
        clip(&manifest, id).features.iter().map(read).collect()
    };
    assert_eq!(values("video/02-01-03-01-02-01-03.mp4"), [[0.25, 0.0]]);
    assert_eq!(values("audio/Actor_10/03-01-01-01-01-01-10.wav"), [vec![1.0, 2.0], vec![3.0, 4.0, 5.0]]);
}

#[test]
fn mosi_utterances() {
    let manifest = import(&assets().join("mosi-utterances"), &Options::default()).unwrap();
    let ids: Vec<_> = manifest.clips.iter().map(|clip| clip.id.as_str()).collect();
    assert_eq!(ids, ["v1_1", "v1_2", "v2_1"]);
    let reasons: Vec<_> = manifest.problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert!(reasons[0].contains("3 lines for 4 transcripts: these features are not used"), "{reasons:?}");
    assert!(reasons[1].contains("line 5 has another label in its features"), "{reasons:?}");
    let mut reader = features::Reader::new(&manifest.root);
    let text = reader.read(&manifest.streams, &manifest.clips[1].features[0]).unwrap().0;
    assert_eq!((text.stream.as_str(), text.values), ("text", vec![0.25, 2.0]));
}

#[test]
fn sequences() {
    let manifest = check(
        "sequences",
        &[
            ("video0/0.5-2/0", "train negative"),
            ("video1/0.5-2/1", "train neutral"),
            ("video2/0.5-2/2", "train positive"),
            ("video3/0.5-2/0", "val positive"),
            ("video4/0.5-2/0", "test negative"),
        ],
        &[
            "video0/0.5-2/0: train/audio is all zeros here",
            "video3/0.5-2/0: valid/audio is all zeros here",
            "video4/0.5-2/0: test/audio is all zeros here",
            "video5/0.5-2/1: the sentiment 4 is not in −3 to 3: left out",
        ],
    );
    check_protocol(&manifest, "mosi_data, word-aligned, official parts, sentiment");
    assert_eq!(
        (manifest.scale, clip(&manifest, "video0/0.5-2/0").affect.valence),
        (Some(Scale::SENTIMENT), Some(-0.5))
    );
    assert!(manifest.streams.iter().all(|stream| stream.aligned));
    let second = clip(&manifest, "video1/0.5-2/1");
    let spans: Vec<_> = second.features.iter().map(|feature| (feature.first_step, feature.n_steps)).collect();
    assert_eq!(spans, [(2, 3); 3], "two steps of padding on the left");
    let (audio, n_cleaned) =
        features::Reader::new(&manifest.root).read(&manifest.streams, &second.features[1]).unwrap();
    assert_eq!((audio.stream.as_str(), audio.n_steps(), n_cleaned), ("audio", 3, 0));
    // Number 21 of the array is the first of the third step of the second utterance.
    assert_eq!(audio.values[..3], [1.0, 2.0, 3.0], "21 % 7 + 1 and so on");
    let file = import(&assets().join("sequences/mosi_data.pkl"), &Options::default()).unwrap();
    assert_eq!(file.clips, manifest.clips);
}

#[test]
fn features_of_mmsa_come_with_their_films() {
    let manifest = check(
        "sequences/mmsa",
        &[
            ("Vid/0", "train positive*"),
            ("Vid/1", "train negative*"),
            ("v2/0", "val positive*"),
            ("v3/0", "test positive*"),
        ],
        &["v2/0: its film is not in Raw: only features are used", "without a clip: neutral"],
    );
    let paths: Vec<_> = manifest.clips.iter().map(|clip| clip.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["Raw/Vid/0.mp4", "Raw/Vid/1.mp4", "", "Raw/v3/0.mp4"]);
    assert!(manifest.clips.iter().all(|clip| clip.features.len() == 3));
    let pickle = assets().join("sequences/mmsa/Processed/unaligned_50.pkl");
    let by_pickle = import(&pickle, &Options::default()).unwrap();
    assert_eq!((by_pickle.name, by_pickle.clips), ("mmsa".to_owned(), manifest.clips));
}

#[test]
fn csd() {
    let problems = [
        "-3g5yACwYnA[2]: COVAREP has nothing",
        "-3g5yACwYnA[2]: FACET 4.2 has nothing",
        "_dI--eQ6qVU[0]: FACET 4.2 does not",
    ];
    let manifest = check(
        "csd",
        &[
            ("-3g5yACwYnA[0]", "train positive*"),
            ("-3g5yACwYnA[1]", "train negative*"),
            ("-3g5yACwYnA[2]", "train neutral"),
            ("_dI--eQ6qVU[0]", "test negative*"),
        ],
        &[problems[0], problems[1], problems[2]],
    );
    let second = clip(&manifest, "-3g5yACwYnA[1]");
    assert_eq!((second.text.as_deref(), second.recording.as_deref()), (Some("bad"), Some("-3g5yACwYnA")));
    assert_eq!(clip(&manifest, "-3g5yACwYnA[0]").affect.valence, Some(0.5));
    let streams: Vec<_> =
        manifest.streams.iter().map(|stream| (stream.name.as_str(), stream.n_dims, stream.aligned)).collect();
    assert_eq!(streams, [("COVAREP", 3, false), ("FACET 4.2", 2, false)]);
    let mut reader = features::Reader::new(&manifest.root);
    let mut values = |at: usize| reader.read(&manifest.streams, &second.features[at]).unwrap().0.values;
    // From second 4 to 8: steps 40 to 79 of three values, steps 20 to 39 of two.
    assert_eq!(values(0), (120..240).map(|value: u16| f32::from(value)).collect::<Vec<_>>());
    assert_eq!(values(1), (40..80).map(|value: u16| f32::from(value)).collect::<Vec<_>>());
    let emotions = import(&assets().join("csd"), &variant("emotions")).unwrap();
    let labels: Vec<_> =
        emotions.clips.iter().map(|clip| (clip.id.as_str(), emotions.labels.name(clip.label))).collect();
    assert_eq!(labels, [("-3g5yACwYnA[0]", "happiness"), ("_dI--eQ6qVU[0]", "anger")]);
    let says = |part: &str| emotions.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says("several emotions are equally strong") && says("none of the six emotions"), "{:?}", emotions.problems);
}

#[test]
fn affectnet() {
    let manifest = check(
        "affectnet",
        &[
            ("train_set/images/0.jpg", "train neutral"),
            ("train_set/images/1.jpg", "train contempt"),
            ("val_set/images/0.jpg", "test happiness"),
            ("val_set/images/1.jpg", "test neutral"),
        ],
        &["3.jpg: no expression in annotations/3_exp.npy", "2.jpg: none of the eight expressions", "without a clip"],
    );
    let affect = |id| (clip(&manifest, id).affect.valence, clip(&manifest, id).affect.arousal);
    assert_eq!(affect("train_set/images/1.jpg"), (Some(-0.5), Some(0.5)));
    assert_eq!(affect("val_set/images/0.jpg"), (None, Some(0.5)));
    assert_eq!((manifest.scale, manifest.faces), (Some(Scale::UNIT), FaceSource::Cropped));
}

#[test]
fn fer_plus() {
    let manifest = check(
        "fer-plus",
        &[
            ("train/fer0000000.png", "val neutral"),
            ("train/fer0000001.png", "train happiness"),
            ("train/fer0000002.png", "train neutral"),
            ("valid/fer0028639.png", "test contempt"),
            ("valid/fer0028640.png", "test neutral"),
        ],
        &[
            "fer0000004.png: picture of line 6 is missing",
            "of which the first class in the order of FER+ counts: 1",
            "fer0000003.png: the taggers cannot tell: left out",
            "fer0028638.png: the taggers see no face: left out",
            "without a clip",
            "fer0028640.png: the same content as train/fer0000000.png: one is in test, the other in val",
        ],
    );
    assert_eq!(clip(&manifest, "train/fer0000001.png").votes[..2], [0.125, 0.875]);
    assert_eq!(manifest.faces, FaceSource::Cropped);
}

#[test]
fn fer2013() {
    let folder = tempfile::tempdir().unwrap();
    let with = |variant: Option<&str>| {
        let pictures = Some(folder.path().join("pictures"));
        Options { pictures, variant: variant.map(str::to_owned), ..Options::default() }
    };
    let rest = [
        "Training/fer0000002.png: row 3 has no emotion from 0 to 6",
        "PublicTest/fer0000003.png: row 4 is no square of pixels",
        "fer0000006.png: row 7 is for \"Private\", which is no part",
        "without a clip: fear, sadness, surprise",
    ];
    let manifest = check_as(
        "fer2013",
        &with(None),
        &[
            ("Training/fer0000000.png", "train anger"),
            ("Training/fer0000001.png", "train happiness"),
            ("PublicTest/fer0000004.png", "val neutral"),
            ("PrivateTest/fer0000005.png", "test disgust"),
        ],
        &[rest[0], rest[1], rest[2], rest[3], "fer0000005.png: the same content as Training/fer0000000.png"],
    );
    assert_eq!((manifest.name.as_str(), manifest.faces), ("fer2013", FaceSource::Cropped));
    let picture = |clip: &Clip| {
        let file = std::io::BufReader::new(std::fs::File::open(manifest.clip_path(clip)).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut grey = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut grey).unwrap();
        (reader.info().width, grey)
    };
    assert_eq!(picture(&manifest.clips[1]), (2, vec![255, 1, 2, 3]));

    // Pictures that are there stay; what a crash left of one is mended.
    let changed = |clip: &Clip| std::fs::metadata(manifest.clip_path(clip)).unwrap().modified().unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for clip in &manifest.clips[..2] {
        let file = std::fs::File::options().write(true).open(manifest.clip_path(clip)).unwrap();
        if clip == &manifest.clips[1] {
            file.set_len(10).unwrap();
        }
        file.set_modified(old).unwrap();
    }
    let votes = import(&assets().join("fer2013"), &with(Some("votes"))).unwrap();
    assert_eq!(changed(&manifest.clips[0]), old);
    assert_eq!(picture(&manifest.clips[1]), (2, vec![255, 1, 2, 3]));
    let labels: Vec<_> = votes.clips.iter().map(|clip| (clip.id.as_str(), votes.labels.name(clip.label))).collect();
    assert_eq!(
        labels,
        [
            ("Training/fer0000000.png", "anger"),
            ("Training/fer0000001.png", "happiness"),
            ("Training/fer0000002.png", "contempt"),
            ("PublicTest/fer0000004.png", "neutral"),
            ("PrivateTest/fer0000005.png", "contempt"),
        ]
    );
    let says = |manifest: &Manifest, part: &str| manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says(&votes, "the taggers see no face") && says(&votes, "on which taggers tie"), "{:?}", votes.problems);

    let shown = import(&assets().join("fer2013"), &Options::default()).unwrap();
    assert!(says(&shown, "written as files when it is imported") && !assets().join("fer2013/Training").exists());
}

#[test]
fn meld() {
    let manifest = check(
        "meld",
        &[
            ("train/dia0_utt0", "train neutral*"),
            ("train/dia0_utt1", "train happiness*"),
            ("dev/dia0_utt0", "val surprise*"),
            ("test/dia0_utt0", "test neutral*"),
        ],
        &[
            "train_sent_emo.csv: lines that are not UTF-8",
            "train/dia0_utt1: film is missing",
            "no films of dev",
            "no films of test",
            "test/dia0_utt1: line 3 has the unknown class \"bored\"",
            "speakers both in test and in train or val: 1, \"Joey\"",
            "without a clip",
        ],
    );
    let first = clip(&manifest, "train/dia0_utt0");
    assert_eq!((first.text.as_deref(), first.has_media()), (Some("That’s, well"), true));
    assert!(!clip(&manifest, "test/dia0_utt0").has_media());
    let sentiment = import(&assets().join("meld"), &variant("sentiment")).unwrap();
    assert_eq!((sentiment.labels.len(), sentiment.clips.len()), (3, 5));
}

#[test]
fn csv() {
    let manifest = check(
        "csv",
        &[("clips/a.wav", "train anger*"), ("clips/b.wav", "val happiness"), ("clips/7.wav", "test anger")],
        &[
            "labels.xlsx: only the sheet \"Clips\" is read; there are rows on Notes, too",
            "gone.wav: file of line 6 is missing",
            "\"joy\" (1) is read as happiness",
        ],
    );
    let speakers: Vec<_> = manifest.clips.iter().filter_map(|clip| clip.speaker.as_deref()).collect();
    assert_eq!(speakers, ["12", "13", "14.5"]);
    let list = assets().join("csv/labels.xlsx");
    assert_eq!(import(&list, &Options::default()).unwrap().clips, manifest.clips);
    let columns = ColumnMap { split: Some("day".to_owned()), ..ColumnMap::default() };
    let by_day = import(&list, &Options { columns, ..Options::default() }).unwrap();
    let says = by_day.problems.iter().any(|problem| problem.reason.contains("\"2024-03-01\", \"2024-03-02 12:00:00\""));
    assert!(says, "{:?}", by_day.problems);
    let columns = ColumnMap { label: Some("mood".to_owned()), ..ColumnMap::default() };
    let error = import(&list, &Options { columns, ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("\"Text\" on the sheet \"Clips\"") && error.contains("labels.xlsx"), "{error}");
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

#[test]
fn kaldi() {
    let manifest = check(
        "kaldi",
        &[("spk1-a", "train anger*"), ("spk2-b", "val happiness"), ("spk3-c", "test anger")],
        &[
            "spk3-d: no label",
            "spk1-x: line 2 is a command, which is not run",
            "spk2-y: file of line 3 is missing",
            "\"joy\" (1) is read as happiness",
        ],
    );
    let first = clip(&manifest, "spk1-a");
    assert_eq!((first.path.as_path(), first.speaker.as_deref()), (Path::new("wav/a 1.wav"), Some("spk1")));
}

#[test]
fn tweet_eval() {
    let clips = [
        ("train/1", "train anger*"),
        ("train/2", "train joy*"),
        ("train/4", "train optimism*"),
        ("test/1", "test joy*"),
        ("test/2", "test anger*"),
    ];
    check("tweet-eval", &clips, &["train/3: no text", "val/1: a label without a name"]);
}

#[test]
fn go_emotions() {
    let clips = [
        ("train/1", "train neutral*"),
        ("train/2", "train anger*"),
        ("train/4", "train happiness*"),
        ("dev/1", "val anger*"),
        ("test/1", "test happiness*"),
    ];
    let problems =
        ["line 2 has the labels \"x\"", "train/3: several labels: left out", "\"joy\" (2) is read as happiness"];
    check("go-emotions", &clips, &problems);
}

#[test]
fn corpora_that_say_everything_in_names() {
    for (layout, labels, speakers) in [
        ("emo-db", vec!["happiness", "anger", "neutral", "boredom"], vec!["03", "03", "08", "09"]),
        ("savee", vec!["anger", "sadness", "anger", "surprise", "neutral"], vec!["DC", "DC", "JE", "JE", "KL"]),
        ("enterface", vec!["anger", "surprise", "anger"], vec!["1", "1", "12"]),
    ] {
        let manifest = import(&assets().join(layout), &Options::default()).unwrap();
        assert_eq!(manifest.importer, layout);
        let found: Vec<_> = manifest.clips.iter().map(|clip| manifest.labels.name(clip.label)).collect();
        assert_eq!(found, labels, "{layout}");
        let found: Vec<_> = manifest.clips.iter().filter_map(|clip| clip.speaker.as_deref()).collect();
        assert_eq!(found, speakers, "{layout}");
    }
}

#[test]
fn a_variant_that_does_not_exist_is_told() {
    let error = import(&assets().join("mafw"), &variant("triple")).unwrap_err().to_string();
    assert!(error.contains("has no variant \"triple\"; there are single, compound"), "{error}");
}
