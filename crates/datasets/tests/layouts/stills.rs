//! Corpora of pictures, and of texts.

use super::*;

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
fn affectnet_of_the_first_release() {
    let at = |name: &str| format!("Manually_Annotated/Manually_Annotated_Images/{name}");
    let manifest = check(
        "affectnet/first",
        &[
            (&at("1/a.jpg"), "train neutral"),
            (&at("1/b.jpg"), "train contempt"),
            (&at("1/f.jpg"), "test anger"),
            (&at("2/g.jpg"), "test neutral"),
        ],
        &[
            "2/gone.jpg: picture of line 6 of training is missing",
            "2/e.jpg: line 7 of training has no expression",
            "2/d.jpg: no face: left out",
            "1/c.jpg: the annotator was uncertain: left out",
            "without a clip",
        ],
    );
    let rated = clip(&manifest, &at("1/a.jpg"));
    assert_eq!((rated.affect.valence, rated.affect.arousal), (Some(0.25), Some(-0.5)));
    assert!(clip(&manifest, &at("1/b.jpg")).affect.is_empty());
    assert_eq!(
        rated.face.map(|face| [face.x_px, face.y_px, face.width_px, face.height_px]),
        Some([1.0, 2.0, 6.0, 5.0])
    );
    assert_eq!((manifest.scale, manifest.faces), (Some(Scale::UNIT), FaceSource::Boxes));
    check_protocol(&manifest, "AffectNet's official parts");
    for given in ["Manually_Annotated_file_lists", "Manually_Annotated_file_lists/training.csv"] {
        let again = import(&assets().join("affectnet/first").join(given), &Options::default()).unwrap();
        assert_eq!(again.clips, manifest.clips);
    }
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
    check_protocol(&manifest, "the class with most votes");
    let majority = import(&assets().join("fer-plus"), &variant("majority")).unwrap();
    let without = manifest.clips.iter().filter(|clip| !majority.clips.iter().any(|own| own.id == clip.id));
    assert_eq!(
        without.map(|clip| clip.id.as_str()).collect::<Vec<_>>(),
        ["train/fer0000000.png", "train/fer0000002.png", "valid/fer0028640.png"]
    );
    check_protocol(&majority, "more than half of the votes, single ones aside");
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

    let majority = import(&assets().join("fer2013"), &with(Some("majority"))).unwrap();
    assert_eq!(majority.clips.len(), votes.clips.len() - 1, "one is a tie");

    let shown = import(&assets().join("fer2013"), &Options::default()).unwrap();
    assert!(says(&shown, "written as files when it is imported") && !assets().join("fer2013/Training").exists());
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
        ("train/4", "train joy*"),
        ("dev/1", "val anger*"),
        ("test/1", "test joy*"),
    ];
    check("go-emotions", &clips, &["line 2 has the labels \"x\"", "train/3: several labels: left out"]);
}
