//! Whole sessions on small files made here, with a model that only says what it was shown.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use emotion::{
    FaceInput, FaceSource, Inputs, LabelSet, Modalities, Modality, Prediction, Sample, TextInput, Voice, VoiceInput,
};
use models::{Card, ModelError, ModelKind, Predict};

use super::*;

/// Says how bright the first pixel and how loud the sound is, and remembers what was on.
struct Mirror {
    labels: LabelSet,
    inputs: Inputs,
    card: Card,
    seen: Arc<Mutex<Vec<Modalities>>>,
    /// Asks before each prediction, and waits for the answer.
    gate: Option<(Sender<()>, Receiver<()>)>,
}

fn mirror() -> Mirror {
    Mirror {
        labels: LabelSet::basic(2),
        inputs: Inputs {
            face: Some(FaceInput { n_frames: 4, size_px: 8 }),
            voice: Some(VoiceInput::Waveform { rate_hz: 8000, n_samples: 16_000 }),
            text: Some(TextInput { max_tokens: 8 }),
            features: Vec::new(),
        },
        card: Card::default(),
        seen: Arc::default(),
        gate: None,
    }
}

impl Predict for Mirror {
    fn kind(&self) -> ModelKind {
        ModelKind::Umbenet
    }
    fn labels(&self) -> &LabelSet {
        &self.labels
    }
    fn inputs(&self) -> &Inputs {
        &self.inputs
    }
    fn trained_on(&self) -> Modalities {
        Modalities::ALL
    }
    fn card(&self) -> &Card {
        &self.card
    }
    fn n_parameters(&self) -> usize {
        0
    }
    fn predict(&self, samples: &[&Sample], on: Modalities) -> Result<Vec<Prediction>, ModelError> {
        if let Some((asked, go)) = &self.gate {
            let _ = asked.send(());
            let _ = go.recv();
        }
        let sample = samples[0];
        let used = sample.present().intersection(on);
        self.seen.lock().unwrap().push(used);
        let bright = sample.face.as_ref().map_or(0.0, |frames| f32::from(frames.rgb[0]) / 255.0);
        let loud = match &sample.voice {
            Some(Voice::Waveform(samples)) => samples.iter().map(|v| v.abs()).sum::<f32>() / samples.len() as f32,
            _ => 0.0,
        };
        let first = (bright + loud) / 2.0;
        Ok(vec![Prediction {
            labels: self.labels.clone(),
            probabilities: vec![first, 1.0 - first],
            values: Vec::new(),
            used,
            features: Vec::new(),
            unfused: Vec::new(),
            prompts: Vec::new(),
        }])
    }
}

fn file(path: &Path) -> Settings {
    let source = Source::File(path.to_owned());
    Settings { real_time: false, window_secs: 2.0, ..Settings::new(source, &mirror().inputs) }
}

/// All events but levels, to the end.
fn rest(session: &Session) -> Vec<Event> {
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::Ended { .. })) {
        let event =
            session.events().recv_timeout(std::time::Duration::from_secs(60)).expect("a session goes on or ends");
        if !matches!(event, Event::Level { .. }) {
            events.push(event);
        }
    }
    events
}

fn run(model: impl Predict + 'static, settings: Settings) -> Vec<Event> {
    rest(&Session::start(Box::new(model), settings, || {}).unwrap())
}

fn times(events: &[Event]) -> Vec<f64> {
    let time = |event: &Event| match event {
        Event::Prediction { at_secs, .. } => Some((at_secs * 100.0).round() / 100.0),
        _ => None,
    };
    events.iter().filter_map(time).collect()
}

fn used(events: &[Event]) -> Vec<String> {
    let used = |event: &Event| match event {
        Event::Prediction { prediction, .. } => Some(prediction.used.to_string()),
        _ => None,
    };
    events.iter().filter_map(used).collect()
}

fn notices(events: &[Event]) -> Vec<Notice> {
    let notice = |event: &Event| match event {
        Event::Notice { what, .. } => Some(what.clone()),
        _ => None,
    };
    events.iter().filter_map(notice).collect()
}

#[track_caller]
fn check_end(events: &[Event], part: &str) {
    let Some(Event::Ended { reason }) = events.last() else { panic!("no end: {events:?}") };
    assert!(reason.contains(part), "{reason}");
    assert!(matches!(events[0], Event::Started { .. }), "{:?}", events[0]);
}

/// A WAV file at 8 kHz: `parts` are seconds of an amplitude each.
fn wav(folder: &Path, parts: &[(f64, f32)]) -> PathBuf {
    let samples: Vec<i16> = parts
        .iter()
        .flat_map(|&(secs, amplitude)| {
            (0..(secs * 8000.0) as usize).map(move |n| ((n as f32 * 0.4).sin() * amplitude * 32_767.0) as i16)
        })
        .collect();
    let n_bytes = samples.len() as u32 * 2;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + n_bytes).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    bytes.extend_from_slice(&[1, 0, 1, 0]); // PCM, mono
    bytes.extend_from_slice(&8000_u32.to_le_bytes());
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(&[2, 0, 16, 0]); // bytes and bits per sample
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&n_bytes.to_le_bytes());
    samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.to_le_bytes()));
    let path = folder.join("sound.wav");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A grey video without sound at 10 pictures a second, in YUV4MPEG2, which is nothing but its pixels.
fn y4m(folder: &Path, width: usize, height: usize, n_frames: usize) -> PathBuf {
    let path = folder.join("grey.y4m");
    let mut out = std::fs::File::create(&path).unwrap();
    writeln!(out, "YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg").unwrap();
    for _ in 0..n_frames {
        out.write_all(b"FRAME\n").unwrap();
        out.write_all(&vec![200; width * height]).unwrap();
        out.write_all(&vec![128; width * height / 2]).unwrap();
    }
    path
}

/// One of the sample clips, with face and voice.
fn clip(folder: &Path) -> PathBuf {
    let set = media::sample_clips::SampleSet { n_clips: 2, n_classes: 2, seed: 1 };
    media::sample_clips::create(folder, &set, &|| true, &|_, _| {}).unwrap();
    let mut clips: Vec<PathBuf> =
        std::fs::read_dir(folder.join("clips")).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    clips.remove(0)
}

#[test]
fn a_clip_is_predicted_from_as_it_goes_and_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path());
    let events = run(mirror(), Settings { text: "hello".into(), ..file(&path) });
    check_end(&events, "the clip is over");
    let Event::Started { modalities, duration_secs, .. } = &events[0] else { panic!() };
    assert_eq!(*modalities, Modalities::ALL);
    let at = times(&events);
    let end = duration_secs.unwrap();
    assert!(at.len() as f64 >= end / 0.5, "{at:?} in {end} s");
    assert_eq!(at[..2], [0.5, 1.0]);
    assert!((at[at.len() - 1] - end).abs() < 0.2, "{at:?} in {end} s");
    assert!(used(&events).iter().all(|used| used == "VAT"), "{:?}", used(&events));
    // The same file gives the same predictions.
    let said = |events: &[Event]| -> Vec<Vec<f32>> {
        let said = |event: &Event| match event {
            Event::Prediction { smoothed, .. } => Some(smoothed.clone()),
            _ => None,
        };
        events.iter().filter_map(said).collect()
    };
    assert_eq!(said(&run(mirror(), Settings { text: "hello".into(), ..file(&path) })), said(&events));
}

#[test]
fn a_clip_shorter_than_the_interval_gives_one_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let events = run(mirror(), file(&wav(folder.path(), &[(0.3, 0.5)])));
    assert_eq!((times(&events), used(&events)), (vec![0.3], vec!["A".to_owned()]));
    let events = run(mirror(), file(&y4m(folder.path(), 64, 64, 1)));
    assert_eq!(used(&events), ["V"]);
}

#[test]
fn a_missing_track_is_a_missing_modality() {
    let folder = tempfile::tempdir().unwrap();
    let events = run(mirror(), file(&wav(folder.path(), &[(1.2, 0.5)])));
    assert_eq!(times(&events), [0.5, 1.0, 1.2]);
    assert!(used(&events).iter().all(|used| used == "A"));
    let events = run(mirror(), file(&y4m(folder.path(), 64, 64, 12)));
    assert!(used(&events).len() >= 2 && used(&events).iter().all(|used| used == "V"), "{events:?}");
    assert_eq!(notices(&events), []);
}

#[test]
fn silence_is_said_and_masked() {
    let folder = tempfile::tempdir().unwrap();
    let events = run(mirror(), file(&wav(folder.path(), &[(1.0, 0.5), (2.0, 0.0), (1.0, 0.5)])));
    assert_eq!(notices(&events), [Notice::Silence, Notice::NothingLeft, Notice::SoundBack]);
    let at = times(&events);
    assert!(at.contains(&2.0) && !at.contains(&2.5) && !at.contains(&3.0) && at.contains(&3.5), "{at:?}");
    // With something to read, predictions go on without the voice.
    let settings = Settings { text: "well".into(), ..file(&wav(folder.path(), &[(0.4, 0.5), (2.0, 0.0)])) };
    assert_eq!(used(&run(mirror(), settings)), ["AT", "AT", "T", "T", "T"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped comparison must be seen")]
fn speech_is_told_from_other_sound_where_the_detector_is_there() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let (models, said) = (shared.join("models/silero_vad"), shared.join("ravdess/audio16k/03-01-05-02-01-01-02.flac"));
    if !(models.exists() && said.exists()) {
        eprintln!("skipped: there is no {}", shared.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hum = wav(folder.path(), &[(3.0, 0.5)]);
    let detectors = media::Detectors::in_folder(&models).unwrap();
    let with = |path: &Path| run(mirror(), Settings { detectors: detectors.clone(), ..file(path) });
    // Loud, but nobody speaks.
    assert_eq!(notices(&run(mirror(), file(&hum))), []);
    let events = with(&hum);
    assert_eq!(notices(&events), [Notice::NobodySpeaks, Notice::NothingLeft]);
    let at = times(&events);
    assert!(at.contains(&1.0) && !at.iter().any(|&at| at > 1.5), "{at:?}");
    // Somebody speaks between 1.2 s and 2.7 s.
    let events = with(&said);
    assert!(times(&events).iter().any(|&at| (1.5..3.0).contains(&at)), "{:?}", times(&events));
}

#[test]
fn a_picture_without_a_face_is_said_and_masked() {
    let folder = tempfile::tempdir().unwrap();
    let path = y4m(folder.path(), 320, 240, 30);
    let events = run(mirror(), file(&path));
    assert_eq!(notices(&events), [Notice::NothingLeft, Notice::NoFace]);
    assert_eq!(times(&events), [0.0; 0]);
    check_end(&events, "the clip is over");
    let events = run(mirror(), Settings { faces: FaceSource::Cropped, ..file(&path) });
    assert!(!times(&events).is_empty(), "told to take the whole picture, it does");
}

#[test]
fn a_switch_acts_on_the_next_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path());
    let (asked, is_asked) = unbounded();
    let (go, may_go) = bounded(0);
    let model = Mirror { gate: Some((asked, may_go)), ..mirror() };
    let seen = Arc::clone(&model.seen);
    let session = Session::start(Box::new(model), file(&path), || {}).unwrap();
    let face = Modalities::only(Modality::Face);
    is_asked.recv().unwrap();
    session.switch(face);
    go.send(()).unwrap();
    is_asked.recv().unwrap();
    session.switch(Modalities::ALL);
    session.set_text("now");
    go.send(()).unwrap();
    is_asked.recv().unwrap();
    // Ends the waiting of this and later predictions.
    drop(go);
    rest(&session);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[..3], [face.with(Modality::Voice, true), face, Modalities::ALL]);
}

#[test]
fn stopping_ends_every_thread_and_closes_the_camera() {
    let held = Arc::new(());
    let woken = Arc::clone(&held);
    let camera = Some("lavfi:color=c=gray:s=64x64:r=30,realtime".to_owned());
    let source = Source::Devices { camera, microphone: None };
    let settings = Settings { interval_secs: 0.1, ..Settings::new(source, &mirror().inputs) };
    let session = Session::start(Box::new(mirror()), settings, move || drop(Arc::clone(&woken))).unwrap();
    let predicted =
        session.events().iter().find(|event| matches!(event, Event::Prediction { .. } | Event::Ended { .. }));
    assert!(matches!(predicted, Some(Event::Prediction { .. })), "{predicted:?}");
    let frame = session.frame().unwrap();
    assert_eq!((frame.image.width_px, frame.face), (64, None));
    session.stop();
    assert_eq!(Arc::strong_count(&held), 1, "no thread is left that could wake anybody");
}

#[test]
fn a_camera_that_is_not_there_is_said_and_ends_the_session() {
    let source = Source::Devices { camera: Some("/dev/no-such-camera".into()), microphone: None };
    let events = run(mirror(), Settings::new(source, &mirror().inputs));
    assert!(matches!(notices(&events).as_slice(), [Notice::CameraGone(why)] if why.contains("no-such-camera")));
    check_end(&events, "no-such-camera");
}

#[test]
fn a_session_that_cannot_start_says_why() {
    let fails = |settings: Settings| match Session::start(Box::new(mirror()), settings, || {}) {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    assert!(fails(file(Path::new("/no/such/clip.mp4"))).contains("/no/such/clip.mp4"));
    assert!(fails(Settings { interval_secs: 0.0, ..file(Path::new("x")) }).contains("above 0"));
    let source = Source::Devices { camera: None, microphone: None };
    assert!(fails(Settings::new(source, &mirror().inputs)).contains("choose a camera"));
}

#[test]
fn a_crash_of_the_model_ends_the_session_in_words() {
    struct Broken(Mirror);
    impl Predict for Broken {
        fn kind(&self) -> ModelKind {
            self.0.kind()
        }
        fn labels(&self) -> &LabelSet {
            self.0.labels()
        }
        fn inputs(&self) -> &Inputs {
            self.0.inputs()
        }
        fn trained_on(&self) -> Modalities {
            self.0.trained_on()
        }
        fn card(&self) -> &Card {
            self.0.card()
        }
        fn n_parameters(&self) -> usize {
            0
        }
        fn predict(&self, _: &[&Sample], _: Modalities) -> Result<Vec<Prediction>, ModelError> {
            // Without the report on stderr that a panic would make.
            std::panic::resume_unwind(Box::new("broken"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = wav(folder.path(), &[(2.0, 0.5)]);
    check_end(&run(Broken(mirror()), file(&path)), "live-predict");
}

#[test]
fn predictions_are_recorded_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.csv");
    let mut recorder = Recorder::create(&path, &mirror().labels).unwrap();
    let events = run(mirror(), Settings { smoothing: 0.9, ..file(&wav(folder.path(), &[(1.0, 0.5)])) });
    for event in &events {
        recorder.record(event).unwrap();
    }
    // Still open: what was recorded is there already.
    let rows: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(rows[0], "at_secs,label,used,latency_ms,happiness,sadness");
    assert_eq!(rows.len() - 1, times(&events).len());
    assert!(rows[1].starts_with("0.500,sadness,a,"), "{}", rows[1]);
    let error = Recorder::create(&folder.path().join("no/live.csv"), &mirror().labels).err().unwrap();
    assert!(error.to_string().contains("cannot record"), "{error}");
}

#[test]
fn events_round_trip_as_json() {
    let labels = LabelSet::basic(2);
    let prediction = Prediction {
        labels: labels.clone(),
        probabilities: vec![0.25, 0.75],
        values: Vec::new(),
        used: Modalities::ALL,
        features: Vec::new(),
        unfused: Vec::new(),
        prompts: Vec::new(),
    };
    let modalities = Modalities::only(Modality::Voice);
    for (event, name) in [
        (
            Event::Started { labels, modalities, trained_on: Modalities::ALL, window_secs: 2.0, duration_secs: None },
            "started",
        ),
        (Event::Prediction { at_secs: 0.5, prediction, smoothed: vec![0.5, 0.5], latency_ms: 3.5 }, "prediction"),
        (Event::Level { at_secs: 0.5, rms: 0.125 }, "level"),
        (Event::Notice { at_secs: 1.0, what: Notice::Silence }, "notice"),
        (Event::Notice { at_secs: 1.0, what: Notice::CameraGone("unplugged".into()) }, "notice"),
        (Event::Ended { reason: "the clip is over".into() }, "ended"),
    ] {
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.starts_with(&format!("{{\"event\":\"{name}\"")), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
