//! What is extracted again, and what is kept.

use emotion::LabelSet;

use super::*;

/// Half a second of a tone.
fn write_tone(path: &Path, hz: f32) {
    let rate_hz = VOICE_RATE_HZ;
    let samples = (0..rate_hz / 2).flat_map(|at| {
        let phase = std::f32::consts::TAU * hz * at as f32 / rate_hz as f32;
        ((phase.sin() * 8000.0) as i16).to_le_bytes()
    });
    let samples: Vec<u8> = samples.collect();
    let n_bytes = samples.len() as u32;
    let header = [
        b"RIFF".as_slice(),
        &(n_bytes + 36).to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0",
        &rate_hz.to_le_bytes(),
        &(rate_hz * 2).to_le_bytes(),
        b"\x02\0\x10\0data",
        &n_bytes.to_le_bytes(),
    ];
    std::fs::write(path, [header.concat(), samples].concat()).unwrap();
}

#[test]
fn what_changed_is_made_again_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Manifest::new("m", "csv", folder.path(), LabelSet::basic(2));
    for (name, hz) in [("a.wav", 200.0), ("b.wav", 300.0)] {
        write_tone(&folder.path().join(name), hz);
        manifest.clips.push(Clip { id: name.into(), path: name.into(), ..Clip::default() });
    }
    let (dir, cache) = (folder.path().join("features"), SampleCache::open(&folder.path().join("cache")).unwrap());
    let run = |kind: FeatureKind| {
        let extraction = Extraction { kind, weights: None, n_frames: 16, speed: None };
        let (device, control) = (DeviceId::Cpu, Control::default());
        let made = extract(&manifest, &extraction, &dir, &device, &cache, &control, &mut |_| {}).unwrap();
        assert!(made.manifest.clips.iter().all(|clip| manifest.root.join(&clip.features[0].path).is_file()));
        made
    };
    let counts = |made: &Extracted| (made.n_made, made.n_kept, made.outdated.len());
    let first = run(FeatureKind::Mfcc);
    assert_eq!(counts(&first), (2, 0, 0));
    assert_eq!(counts(&run(FeatureKind::Mfcc)), (0, 2, 0));

    write_tone(&folder.path().join("b.wav"), 400.0);
    let second = run(FeatureKind::Mfcc);
    assert_eq!(counts(&second), (1, 1, 1));
    let file = |made: &Extracted, clip: usize| manifest.root.join(&made.manifest.clips[clip].features[0].path);
    assert_eq!(file(&first, 0), file(&second, 0));
    assert_eq!(second.outdated, [file(&first, 1)]);
    let values = |path: &Path| features::Store::open(path).unwrap().read("", None).unwrap().values;
    assert_ne!(values(&file(&first, 1)), values(&file(&second, 1)));

    assert_eq!(counts(&run(FeatureKind::LogMel)), (2, 0, 3));
}

#[test]
fn features_that_an_earlier_version_made_in_another_size_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Manifest::new("m", "csv", folder.path(), LabelSet::basic(2));
    write_tone(&folder.path().join("a.wav"), 200.0);
    manifest.clips.push(Clip { id: "a".into(), path: "a.wav".into(), ..Clip::default() });
    let cache = SampleCache::open(&folder.path().join("cache")).unwrap();
    let run = |manifest: &Manifest| {
        let extraction = Extraction { kind: FeatureKind::Mfcc, weights: None, n_frames: 16, speed: None };
        let (dir, control) = (folder.path().join("features"), Control::default());
        extract(manifest, &extraction, &dir, &DeviceId::Cpu, &cache, &control, &mut |_| {}).unwrap().manifest
    };
    let now = run(&manifest);
    let mut earlier = now.clone();
    earlier.streams[0].n_dims = 13;
    assert_eq!(run(&earlier), now);
}

#[test]
fn what_is_wrong_with_a_clip_is_said_and_a_full_disk_ends_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Manifest::new("m", "csv", folder.path(), LabelSet::basic(2));
    manifest.clips.push(Clip { id: "a".into(), path: "a.wav".into(), ..Clip::default() });
    let path = folder.path().join("a.wav");
    write_tone(&path, 200.0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 4]).unwrap();
    let cache = SampleCache::open(&folder.path().join("cache")).unwrap();
    let mut warnings = Vec::new();
    let mut run = |kind, path: &str| {
        let mut manifest = manifest.clone();
        manifest.clips[0].path = path.into();
        let extraction = Extraction { kind, weights: None, n_frames: 16, speed: None };
        let (dir, control) = (folder.path().join("features"), Control::default());
        extract(&manifest, &extraction, &dir, &DeviceId::Cpu, &cache, &control, &mut |event| {
            if let Event::Warning { reason, .. } = event {
                warnings.push(reason);
            }
        })
    };
    assert_eq!(run(FeatureKind::Mfcc, "a.wav").unwrap().n_made, 1);
    let film = [b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 Cmono\nFRAME\n".as_slice(), &[90; 256]].concat();
    std::fs::write(folder.path().join("b.y4m"), film).unwrap();
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    let error = run(FeatureKind::Hog, "b.y4m").unwrap_err();
    assert!(matches!(error, TrainError::Media(MediaError::Cache { .. })), "{error}");
    assert!(warnings[0].starts_with("only 4011 of 16044 bytes"), "{warnings:?}");
}

#[test]
fn weights_count_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let kind = FeatureKind::Network("mae-face".to_owned());
        recipe(&Extraction { kind, weights: Some(path), n_frames: 16, speed: None }).unwrap().finalize()
    };
    let first = key("a.pth", "one");
    assert_eq!(key("b.pth", "one"), first);
    assert_ne!(key("a.pth", "two"), first);
}

#[test]
fn copies_at_half_the_speed_are_an_octave_deeper_and_twice_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Manifest::new("m", "csv", folder.path(), LabelSet::basic(2));
    for (name, hz) in [("a.wav", 800.0), ("b.wav", 400.0)] {
        write_tone(&folder.path().join(name), hz);
        manifest.clips.push(Clip { id: name.into(), path: name.into(), ..Clip::default() });
    }
    let cache = SampleCache::open(&folder.path().join("cache")).unwrap();
    let run = |manifest: &Manifest, kind, speed: Option<&str>| {
        let speed = speed.map(|speed| speed.parse().unwrap());
        let extraction = Extraction { kind, weights: None, n_frames: 16, speed };
        let dir = folder.path().join("features").join(extraction.stream());
        extract(manifest, &extraction, &dir, &DeviceId::Cpu, &cache, &Control::default(), &mut |_| {})
    };
    let made = run(&manifest, FeatureKind::LogMel, None).unwrap().manifest;
    let made = run(&made, FeatureKind::LogMel, Some("0.5")).unwrap().manifest;
    assert_eq!(made.streams.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>(), ["log-mel", "log-mel@0.5"]);
    let peak = |clip: usize, stream: usize| {
        let feature = &made.clips[clip].features[stream];
        let values = features::Store::open(&made.root.join(&feature.path)).unwrap().read("", None).unwrap().values;
        let middle = &values[feature.n_steps / 2 * LOG_MEL_BINS..][..LOG_MEL_BINS];
        (feature.n_steps, (0..LOG_MEL_BINS).max_by(|&a, &b| middle[a].total_cmp(&middle[b])).unwrap())
    };
    let ((n_plain, high), (n_copied, copied), (_, low)) = (peak(0, 0), peak(0, 1), peak(1, 0));
    assert!(n_copied.abs_diff(2 * n_plain) <= 3, "{n_copied} {n_plain}");
    assert!(copied == low && copied < high, "{copied} {low} {high}");

    // What the copies are of is not there any more.
    write_tone(&folder.path().join("b.wav"), 500.0);
    let again = run(&made, FeatureKind::LogMel, None).unwrap().manifest;
    assert!(again.clips.iter().all(|clip| clip.features.len() == 1 && clip.features[0].stream == 0));
    let again = run(&again, FeatureKind::LogMel, Some("0.5")).unwrap().manifest;
    assert_eq!(again.streams, made.streams);
    assert!(again.clips.iter().all(|clip| clip.features.len() == 2));

    assert!(matches!(run(&made, FeatureKind::Hog, Some("0.5")), Err(TrainError::NoSpeed(_))));
    for wrong in ["1", "0", "9", "NaN", "fast"] {
        assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
    }
}
