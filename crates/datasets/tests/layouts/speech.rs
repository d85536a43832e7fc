//! Corpora of people who speak, and a list of one's own.

use super::*;

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
