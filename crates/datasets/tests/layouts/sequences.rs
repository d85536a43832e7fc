//! Corpora of features, and the films that they are made of.

use super::*;

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
    check_protocol(&manifest, "sentiment, by its sign as classes, parts by the lists of videos");
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
fn sentiments_of_ch_sims_are_on_their_own_scale() {
    let manifest = check(
        "sequences/other",
        &[
            ("video_0001/0001", "train positive*"),
            ("video_0001/0002", "train negative*"),
            ("video_0002/0001", "val negative*"),
            ("video_0003/0002", "test positive*"),
        ],
        &["video_0003/0001: the sentiment 1.4 is not in −1 to 1: left out", "without a clip: neutral"],
    );
    assert_eq!(manifest.scale, Some(Scale::UNIT));
    assert_eq!(clip(&manifest, "video_0001/0001").affect.valence, Some(0.5));
    check_protocol(&manifest, "CH-SIMS's sentiment");
    let mosi = import(&assets().join("sequences/mmsa"), &Options::default()).unwrap();
    assert_eq!(
        (mosi.scale, clip(&mosi, "Vid/1").affect.valence),
        (Some(Scale::SENTIMENT), Scale::SENTIMENT.to_unit(-1.0))
    );
}

#[test]
fn mmsa() {
    let manifest = check(
        "mmsa",
        &[
            ("Vid/1", "train positive*"),
            ("Vid/2", "train negative*"),
            ("v2/1", "val neutral*"),
            ("v3/1", "test negative*"),
        ],
        &[
            "v3/2: line 6 has no text, and Raw/v3/2.mp4 is missing",
            "v3/3: line 7 has no number as its label",
            "v3/4: line 8 has the unknown annotation \"Joyful\"",
            "v3/1: its film is not in Raw: only texts are used",
            "v3/5: the sentiment 9 is not in −3 to 3: left out",
        ],
    );
    let first = clip(&manifest, "Vid/1");
    assert_eq!((first.path.as_path(), first.speaker.as_deref()), (Path::new("Raw/Vid/1.mp4"), Some("Vid")));
    assert_eq!((manifest.scale, first.affect.valence), (Some(Scale::SENTIMENT), Some(0.5)));
    check_protocol(&manifest, "MMSA's official parts");
    let list = import(&assets().join("mmsa/label.csv"), &Options::default()).unwrap();
    assert_eq!(list.clips, manifest.clips);

    let sims = import(&assets().join("mmsa/sims"), &Options::default()).unwrap();
    let second = clip(&sims, "video_0001/0002");
    assert_eq!((sims.scale, second.affect.valence), (Some(Scale::UNIT), Some(-0.5)));
    assert_eq!(second.path, Path::new("Raw/video_0001/0002.mp4"));
    check_protocol(&sims, "CH-SIMS's official parts");
}

#[test]
fn sequences_without_lists_of_videos_say_how_to_get_the_official_parts() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(assets().join("csd")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|end| end == "csd") {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let manifest = import(folder.path(), &Options::default()).unwrap();
    check_protocol(&manifest, "sentiment, by its sign as classes; parts made by Limbic");
    let says = |part: &str| manifest.problems.iter().any(|problem| problem.reason.contains(part));
    assert!(says("no train.txt, valid.txt and test.txt"), "{:?}", manifest.problems);
}
