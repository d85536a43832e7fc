//! Jobs steered while they run, on real clips.

use std::path::Path;

use emotion::Modalities;
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
    let outcome = fit(job, run, resume, cache, &control, &mut |event| {
        if when(&event) {
            control.order(order);
        }
        events.push(event);
    });
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
    assert_eq!(model.prompts().len(), 6, "a third of the pool");

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
    let error = fit(&job, &dir.path().join("run"), false, &cache, &Control::default(), &mut |_| {}).unwrap_err();
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
    let outcome = fit(&job, &run, false, &cache, &Control::default(), &mut |event| {
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
