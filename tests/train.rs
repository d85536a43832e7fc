//! Jobs steered while they run, on real clips.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use emotion::{Modalities, Scale, Split};
use media::SampleCache;
use media::sample_clips::{SampleSet, create};
use models::{DeviceId, ModelKind};
use tempfile::TempDir;
use training::{Control, Event, Job, Order, Outcome, Run, fit};

/// A small dataset, its cache and a job of one epoch a stage.
fn world() -> (TempDir, SampleCache, Job) {
    world_of(ModelKind::Umbenet)
}

/// The same for a model's tiny preset.
fn world_of(model: ModelKind) -> (TempDir, SampleCache, Job) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("demo");
    create(&root, &SampleSet { n_clips: 28, n_classes: 2, seed: 4 }, &|| true, &|_, _| {}).unwrap();
    let mut manifest = datasets::import(&root, &datasets::Options::default()).unwrap();
    training::inspect(&mut manifest, &|| true, &|_, _| {});
    let path = root.join("manifest.json");
    datasets::save(&manifest, &path).unwrap();
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let mut job = Job::new("run", &path, model, "tiny", &[]).unwrap();
    job.device = DeviceId::Cpu;
    job.set_epochs(1).unwrap();
    (dir, cache, job)
}

/// Trains, giving `order` when `when` first says so.
fn fit_until(
    job: &Job,
    run: &Path,
    resume: bool,
    cache: &SampleCache,
    order: Order,
    when: impl Fn(&Event) -> bool,
) -> (Outcome, Vec<Event>) {
    let control = Control::default();
    let mut events = Vec::new();
    let mut tell = |event: Event| {
        if when(&event) {
            control.order(order);
        }
        events.push(event);
    };
    let outcome = match resume {
        true => training::resume(run, cache, &control, &mut tell),
        false => fit(job, run, cache, &control, &mut tell),
    };
    (outcome.unwrap(), events)
}

#[test]
fn what_is_stopped_and_kept_can_be_used_and_what_is_aborted_resumed() {
    let (dir, cache, job) = world();
    let run = dir.path().join("kept");
    let in_stage =
        |stage: usize| move |event: &Event| matches!(event, Event::EpochFinished { stage: at, .. } if *at == stage);

    // The first epoch of the voice prompts is over: they are kept, as a model of their own.
    let (outcome, events) = fit_until(&job, &run, false, &cache, Order::StopAndKeep, |event| {
        matches!(event, Event::StageStarted { stage: 1, .. })
    });
    assert_eq!(outcome, Outcome::Kept);
    assert!(matches!(events.last(), Some(Event::Finished { outcome: Outcome::Kept, checksum: Some(_) })));
    let model = models::load(&run, &DeviceId::Cpu).unwrap();
    assert_eq!(model.trained_on(), "a".parse::<Modalities>().unwrap());
    assert_eq!(Run::at(&run).prompts().unwrap().rows.len(), 6 + 6, "a third of the pool for face and voice each");

    let run = dir.path().join("aborted");
    let (outcome, _) = fit_until(&job, &run, false, &cache, Order::Abort, in_stage(1));
    assert_eq!(outcome, Outcome::Aborted);
    let (outcome, events) = fit_until(&job, &run, true, &cache, Order::Run, |_| false);
    assert_eq!(outcome, Outcome::Complete);
    let stages: Vec<usize> = events
        .iter()
        .filter_map(|event| if let Event::EpochFinished { stage, .. } = event { Some(*stage) } else { None })
        .collect();
    assert_eq!(stages, [2, 3], "what was finished before is not done again");
    assert_eq!(Run::at(&run).prompts().unwrap().rows.len(), 18 + 18);
}

#[test]
fn a_loss_that_is_no_number_ends_the_job_with_advice() {
    let (dir, cache, mut job) = world();
    job.set("learning_rate", "1e30").unwrap();
    job.set_epochs(3).unwrap();
    let error = fit(&job, &dir.path().join("run"), &cache, &Control::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("smaller learning_rate"), "{error}");
}

/// A second of a tone as a WAV file: 16 kHz, mono, 16 bits.
fn write_tone(path: &Path, pitch_hz: f32) {
    let sample = |i: u32| ((i as f32 * pitch_hz * std::f32::consts::TAU / 16_000.0).sin() * 8_000.0) as i16;
    let data: Vec<u8> = (0..16_000).flat_map(|i| sample(i).to_le_bytes()).collect();
    let n = data.len() as u32;
    let mut bytes = [&b"RIFF"[..], &(36 + n).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()].concat();
    bytes.extend([1_u16, 1].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend([16_000_u32, 32_000].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend([2_u16, 16].iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend([&b"data"[..], &n.to_le_bytes(), &data].concat());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn vavl_learns_from_clips_of_which_some_have_no_face() {
    let (dir, cache, job) = world();
    let mut manifest = datasets::load(&job.manifest).unwrap();
    for (idx, clip) in manifest.clips.iter_mut().enumerate().step_by(3) {
        clip.path = format!("tone-{idx}.wav").into();
        clip.present = Some("a".parse::<Modalities>().unwrap());
        write_tone(&job.manifest.with_file_name(&clip.path), 200.0 + 300.0 * clip.label as f32);
    }
    datasets::save(&manifest, &job.manifest).unwrap();
    let mut job =
        Job::new("run", &job.manifest, ModelKind::Vavl, "tiny", &[("batch_size".into(), "4".into())]).unwrap();
    job.device = DeviceId::Cpu;
    job.set_epochs(12).unwrap();
    let run = dir.path().join("run");
    let mut losses = Vec::new();
    let outcome = fit(&job, &run, &cache, &Control::default(), &mut |event| {
        if let Event::EpochFinished { record, .. } = event {
            losses.push(record.train_loss);
        }
    });
    assert_eq!(outcome.unwrap(), Outcome::Complete);
    // Steps are few and clips fewer: single epochs are noisy.
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < 0.85 * losses[0], "{losses:?}");
    let model = models::load(&run, &DeviceId::Cpu).unwrap();
    assert_eq!(model.inputs().modalities(), "va".parse::<Modalities>().unwrap());
}

#[test]
fn models_of_sequences_train_and_predict_from_any_modality() {
    for kind in [ModelKind::Mcr, ModelKind::Mult] {
        let (dir, cache, job) = world_of(kind);
        let run = dir.path().join("run");
        let (outcome, _) = fit_until(&job, &run, false, &cache, Order::Run, |_| false);
        assert_eq!(outcome, Outcome::Complete, "{kind}");
        let model = models::load(&run, &DeviceId::Cpu).unwrap();
        assert_eq!(model.kind(), kind);
        let sample = emotion::Sample { text: Some("such a good day".into()), ..Default::default() };
        let prediction = &model.predict(&[&sample], Modalities::ALL).unwrap()[0];
        assert_eq!(prediction.used, Modalities::only(emotion::Modality::Text), "{kind}");
        assert!((prediction.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{kind}");
    }
}

/// 36 utterances of 12 videos as tables of features without any media; the label, 0 or 1, is in the text, and in the
/// audio of the utterance before.
fn utterances(root: &Path) -> PathBuf {
    std::fs::create_dir_all(root).unwrap();
    let (mut transcripts, mut text, mut audio, mut video) =
        (String::from("utterance_id,video_id,text,label\n"), String::new(), String::new(), String::new());
    let label = |idx: usize| (idx * 7 + idx / 3) % 2;
    let noise = |idx: usize, dim: usize| ((idx * 31 + dim * 17) % 13) as f32 / 13.0 - 0.5;
    for idx in 0..36 {
        writeln!(transcripts, "v{}_{},v{},words,{}", idx / 3, idx % 3 + 9, idx / 3, label(idx)).unwrap();
        let sign = |label: usize| 2.0 * label as f32 - 1.0;
        writeln!(text, "{},{},{}", 9.0 * sign(label(idx)), noise(idx, 1), label(idx)).unwrap();
        writeln!(audio, "{},{},{},{}", 100.0 * sign(label(idx + 1)), noise(idx, 2), noise(idx, 3), label(idx)).unwrap();
        writeln!(video, "{},{}", noise(idx, 4), label(idx)).unwrap();
    }
    for (name, table) in [("transcripts", transcripts), ("text", text), ("audio", audio), ("video", video)] {
        std::fs::write(root.join(format!("{name}_train.csv")), table).unwrap();
    }
    let manifest = datasets::import(root, &datasets::Options::default()).unwrap();
    let path = root.join("manifest.json");
    datasets::save(&manifest, &path).unwrap();
    path
}

/// A job without dropout, which would draw from the same numbers as the tests beside this one.
fn features_job(manifest: &Path, model: ModelKind, preset: &str, settings: &[(&str, &str)]) -> Job {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut job = Job::new("run", manifest, model, preset, &settings.iter().map(pair).collect::<Vec<_>>()).unwrap();
    if model != ModelKind::Vavl {
        for rate in ["embedding", "attention", "hidden", "residual", "output"] {
            job.set(&format!("network.dropout.{rate}"), "0").unwrap();
        }
        job.set("sequences.dropout", "0").unwrap();
    }
    job.device = DeviceId::Cpu;
    job
}

#[test]
fn features_without_media_teach_every_model_that_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    // One clip has no audio, the audio of another lies behind the end of its table.
    let mut manifest = datasets::load(&path).unwrap();
    manifest.clips[0].features.remove(1);
    manifest.clips[1].features[1].row = Some(99);
    datasets::save(&manifest, &path).unwrap();
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    for (model, preset, epochs) in [
        (ModelKind::Mcr, "utterances", "20"),
        (ModelKind::Mult, "utterances", "20"),
        (ModelKind::Vavl, "features", "2"),
    ] {
        let n_epochs = if model == ModelKind::Vavl { "epochs" } else { "n_epochs" };
        let job = features_job(&path, model, preset, &[(n_epochs, epochs), ("batch_size", "8")]);
        let run = dir.path().join(model.name());
        let (outcome, events) = fit_until(&job, &run, false, &cache, Order::Run, |_| false);
        assert_eq!(outcome, Outcome::Complete, "{model}");
        let unreadable = |event: &&Event| matches!(event, Event::Warning { reason, .. } if reason.contains("row 99"));
        assert_eq!(events.iter().filter(unreadable).count(), 1, "{model}: what cannot be read is listed once");
        let report = Run::at(&run).report().unwrap();
        if model != ModelKind::Vavl {
            assert!(report.scores.war > 0.8, "{model}: {:?}", report.scores);
        }
        let inputs = models::load(&run, &DeviceId::Cpu).unwrap().inputs().clone();
        let audio = inputs.features.iter().find(|input| input.stream == "audio").unwrap();
        assert_eq!(audio.n_dims, 3, "{model}: as the dataset has it");
    }
}

#[test]
fn clips_for_validation_are_trained_on_where_nothing_is_chosen_by_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let numbers = |settings: &[(&str, &str)], name: &str| {
        let common = [("epochs", "1"), ("keep", "last"), ("schedule", "cosine"), ("swap_speakers", "0.5")];
        let job = features_job(&path, ModelKind::Vavl, "features", &[&common[..], settings].concat());
        let (outcome, events) = fit_until(&job, &dir.path().join(name), false, &cache, Order::Run, |_| false);
        assert_eq!(outcome, Outcome::Complete);
        let started = |event: &Event| match event {
            Event::Started { n_train, n_val, .. } => Some((*n_train, *n_val)),
            _ => None,
        };
        events.iter().find_map(started).unwrap()
    };
    let (n_train, n_val) = numbers(&[], "apart");
    assert!(n_val > 0);
    assert_eq!(numbers(&[("train_on_validation", "true")], "with"), (n_train + n_val, n_val));
}

#[test]
fn what_was_said_before_counts_when_context_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    let manifest = datasets::load(&path).unwrap();
    let inputs = |context: &str| {
        let settings = [("sequences.context".to_owned(), context.to_owned())];
        let job = Job::new("run", &path, ModelKind::Mcr, "utterances", &settings).unwrap();
        job.config.for_dataset(&manifest).unwrap().inputs()
    };
    let steps =
        |context: &str| inputs(context).features.iter().map(|input| input.n_steps + input.n_after).collect::<Vec<_>>();
    assert_eq!(steps("0"), [1, 1, 1]);
    assert_eq!(steps("1"), [3, 3, 3]);
    assert_eq!(steps("9"), [5, 5, 5], "three utterances are in each video: two before, one, two after");
    // Order in the video is by number, not by the letters of the name.
    let ids: Vec<&str> = manifest.clips.iter().take(3).map(|clip| clip.id.as_str()).collect();
    assert_eq!(ids, ["v0_9", "v0_10", "v0_11"]);
}

#[test]
fn a_correlation_is_validated_over_the_whole_split() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    let mut manifest = datasets::load(&path).unwrap();
    manifest.scale = Some(Scale::SENTIMENT);
    for (place, clip) in manifest.clips.iter_mut().enumerate() {
        clip.affect.valence = Some((place % 5) as f32 / 5.0 - 0.4);
    }
    let unrated = manifest.clips.iter().position(|clip| clip.split == Split::Test).unwrap();
    manifest.clips[unrated].affect.valence = None;
    datasets::save(&manifest, &path).unwrap();
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let val_loss = |batch_size: &str| {
        // Too slow to learn anything: what is validated is one model.
        let settings = [
            ("network.task", "regression"),
            ("epochs", "1"),
            ("learning_rate", "1e-12"),
            ("batch_size", batch_size),
            // Its batch norms remember batches.
            ("network.shared_layers", "0"),
        ];
        let job = features_job(&path, ModelKind::Vavl, "utterances", &settings);
        let (outcome, events) = fit_until(&job, &dir.path().join(batch_size), false, &cache, Order::Run, |_| false);
        assert_eq!(outcome, Outcome::Complete);
        let of_test = "clips of test that nobody rated, left out: 1";
        assert!(events.iter().any(|event| matches!(event, Event::Warning { reason, .. } if reason == of_test)));
        let validated = |event: &Event| match event {
            Event::EpochFinished { record, .. } => Some(record.val_loss),
            _ => None,
        };
        events.iter().find_map(validated).unwrap()
    };
    let (one_by_one, together) = (val_loss("1"), val_loss("8"));
    assert!((one_by_one - together).abs() < 1e-4, "{one_by_one} {together}");
}

#[test]
fn ratings_are_learned_and_scored_on_their_own_scale() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    let mut manifest = datasets::load(&path).unwrap();
    manifest.scale = Some(Scale::SENTIMENT);
    for clip in &mut manifest.clips {
        clip.affect.valence = Some(if clip.label == 1 { 0.6 } else { -0.6 });
    }
    let unrated = manifest.clips.iter().position(|clip| clip.split == Split::Train).unwrap();
    manifest.clips[unrated].affect.valence = None;
    datasets::save(&manifest, &path).unwrap();
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let job = features_job(
        &path,
        ModelKind::Mult,
        "utterances",
        &[("task", "regression"), ("n_epochs", "30"), ("batch_size", "8"), ("keep_probability", "1")],
    );
    let run = dir.path().join("run");
    let (outcome, events) = fit_until(&job, &run, false, &cache, Order::Run, |_| false);
    assert_eq!(outcome, Outcome::Complete);
    assert!(
        events.iter().any(|event| matches!(event, Event::Warning { reason, .. } if reason.ends_with("left out: 1")))
    );
    let report = Run::at(&run).report().unwrap();
    let [valence] = report.attributes.as_slice() else { panic!("{report:?}") };
    assert!(valence.agreement.mae < 1.4, "who always says the middle of ±1.8 errs by 1.8: {valence:?}");
    assert!(valence.agreement.ccc.unwrap() > 0.5 && valence.sentiment.is_some(), "{valence:?}");
    assert_eq!(report.labels.names(), ["negative", "positive"]);
    assert!(report.scores.war > 0.8, "{report:?}");
    let table = std::fs::read_to_string(Run::at(&run).predictions_path()).unwrap();
    assert!(table.starts_with("clip,label,truth,split,valence,true_valence\n"), "{table}");
    assert!(table.lines().nth(1).unwrap().ends_with("1.800000"), "{table}");
    // The window reads what it needs of that.
    let shown = limbic::run::Run::load(&run).unwrap();
    assert_eq!(shown.predictions.len(), report.n_clips);

    // Without ratings there is nothing to regress.
    let classes = utterances(&dir.path().join("classes"));
    let job = features_job(&classes, ModelKind::Vavl, "features", &[("network.task", "regression")]);
    let error = fit(&job, &dir.path().join("none"), &cache, &Control::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("rates neither valence"), "{error}");
    assert!(!dir.path().join("none").exists(), "nothing is in the way of the next try");
}

#[test]
fn folds_are_trained_once_and_averaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = utterances(&dir.path().join("set"));
    let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
    let job = features_job(&path, ModelKind::Mult, "utterances", &[("n_epochs", "1")]);
    let out = dir.path().join("folds");
    let mut folds = Vec::new();
    let validate = |job: &Job, folds: &mut Vec<usize>| {
        training::cross_validate(job, 3, &out, &cache, &Control::default(), &mut |fold, _| folds.push(fold))
    };
    let report = validate(&job, &mut folds).unwrap().unwrap();
    folds.dedup();
    assert_eq!(folds, [1, 2, 3]);
    assert_eq!((report.n_folds, report.n_clips, report.per_subset.len()), (3, 36, 7));
    let wars: Vec<f64> =
        (1..=3).map(|fold| Run::at(&out.join(format!("fold-{fold}"))).report().unwrap().scores.war).collect();
    assert!((report.per_subset[&Modalities::ALL][0].mean - wars.iter().sum::<f64>() / 3.0).abs() < 1e-9);
    let mut again = Vec::new();
    assert_eq!(validate(&job, &mut again).unwrap().unwrap(), report);
    assert_eq!(again, Vec::<usize>::new(), "what is finished is not done again");
    let other = Job { seed: 5, ..job };
    assert!(validate(&other, &mut again).is_err(), "another job does not mix with this one's folds");
}
