//! What events make of the state.

use std::path::Path;

use emotion::{LabelSet, Modalities, Prediction};
use models::ModelKind;
use training::{EpochRecord, Event as Told, Outcome, StopReason};

use super::*;

fn job() -> Box<training::Job> {
    Box::new(training::Job::new("r", Path::new("m.json"), ModelKind::Umbenet, "tiny", &[]).unwrap())
}

fn started() -> Told {
    let job = job();
    Told::Started {
        stages: job.config.stages(),
        job,
        labels: LabelSet::basic(3),
        n_train: 20,
        n_val: 5,
        n_parameters: 1000,
        device: "cpu".into(),
    }
}

fn epoch(stage: usize, epoch: usize, val_war: f64) -> Told {
    let record = EpochRecord {
        train_loss: 1.0,
        train_war: 0.5,
        val_loss: 1.0,
        val_war,
        val_uar: val_war,
        learning_rate: 0.001,
        secs: 1.0,
        is_best: true,
    };
    Told::EpochFinished { stage, epoch, record }
}

fn step(stage: usize, epoch: usize, step: usize) -> Told {
    Told::Step { stage, epoch, step, n_steps: 4, loss: 2.0, remaining_secs: Some(60.0) }
}

/// A state in which run `r` trains and has told `told`.
fn training(told: impl IntoIterator<Item = Told>) -> State {
    let mut state = State::default();
    state.apply(Event::JobStarted { id: 7, title: "Training “r”".into() });
    state.apply(Event::TrainingStarted { run: Run::new(Path::new("/p/runs/r")), id: 7 });
    for event in told {
        state.apply(Event::Training { run: "r".into(), event });
    }
    state
}

#[test]
fn a_resumed_run_does_not_count_its_lost_epoch_twice() {
    let told = [
        started(),
        Told::StageStarted { stage: 0, epochs_done: 0 },
        epoch(0, 0, 0.3),
        step(0, 1, 2),
        // The process died here and was resumed from the checkpoint after the first epoch.
        started(),
        Told::StageStarted { stage: 0, epochs_done: 1 },
        step(0, 1, 2),
        epoch(0, 1, 0.4),
    ];
    let state = training(told);
    let progress = &state.runs[0].record.progress[0];
    assert_eq!(progress.epochs.iter().map(|epoch| epoch.val_war).collect::<Vec<_>>(), [0.3, 0.4]);
    assert_eq!(progress.losses, [[1.5, 2.0]]);
}

#[test]
fn the_status_line_says_stage_and_epoch() {
    let mut state =
        training([started(), Told::StageStarted { stage: 1, epochs_done: 0 }, epoch(1, 0, 0.3), step(1, 1, 2)]);
    let (words, share) = state.runs[0].record.doing();
    let n_epochs = state.runs[0].record.stages[1].n_epochs;
    assert!(words.starts_with("stage 1, ") && words.ends_with(&format!("epoch 2/{n_epochs}")), "{words}");
    assert_eq!(share, Some(1.5 / n_epochs as f32));
    assert_eq!(state.status_of(&state.runs[0]), "Training");
    state.apply(Event::Training { run: "r".into(), event: Told::Paused });
    assert_eq!(state.status_of(&state.runs[0]), "Paused");
}

#[test]
fn the_end_of_a_training_clears_its_job_and_says_so() {
    let mut state = training([started(), Told::StageStarted { stage: 0, epochs_done: 0 }]);
    let mut run = state.runs[0].clone();
    run.record.apply(Told::StageFinished { stage: 0, reason: StopReason::Asked, best_epoch: 0 });
    run.record.apply(Told::Finished { outcome: Outcome::Aborted, checksum: None });
    state.apply(Event::TrainingEnded { run });
    state.apply(Event::JobEnded { id: 7 });
    assert!(state.jobs.is_empty() && state.training.is_none());
    assert_eq!(state.status_of(&state.runs[0]), "Interrupted");
    assert!(state.notices[0].text.contains("can be resumed"));
}

#[test]
fn a_training_that_was_stopped_is_not_announced_as_done() {
    let mut state = training([started(), Told::StageStarted { stage: 0, epochs_done: 0 }, epoch(0, 0, 0.5)]);
    let mut run = state.runs[0].clone();
    run.record.apply(Told::Finished { outcome: Outcome::Kept, checksum: None });
    let name = run.record.stages[0].name.clone();
    state.apply(Event::TrainingEnded { run });
    let notice = &state.notices[0];
    assert_eq!(notice.level, Level::Info);
    assert!(notice.text.starts_with(&format!("“r” was stopped in stage 1, {name}")), "{}", notice.text);
}

#[test]
fn a_project_opens_at_its_newest_run_with_a_model() {
    let run = |name: &str, started_secs| Run { started_secs, ..Run::new(&Path::new("/p/runs").join(name)) };
    let mut trained = run("trained", 1);
    let scores = emotion::Scores { war: 0.5, uar: 0.5, macro_f1: 0.5 };
    let report = training::Report {
        split: emotion::Split::Test,
        modalities: Modalities::ALL,
        n_clips: 2,
        scores,
        labels: LabelSet::basic(2),
        confusion: vec![vec![1, 0], vec![1, 0]],
        per_subset: BTreeMap::new(),
        attributes: Vec::new(),
    };
    trained.record.apply(Told::Evaluated { report });
    let mut state = State::default();
    let project = Project { name: "p".into(), dir: "/p".into() };
    state.apply(Event::Opened { project, datasets: Vec::new(), runs: vec![trained, run("failed", 2)] });
    assert_eq!(state.run.as_deref(), Some("trained"));
}

#[test]
fn a_job_that_is_cancelled_makes_no_promises() {
    let mut state = State::default();
    state.apply(Event::JobStarted { id: 1, title: "Importing".into() });
    let progress =
        Event::JobProgress { id: 1, note: "clips".into(), progress: Some((1, 2)), remaining_secs: Some(5.0) };
    state.apply(progress);
    state.apply(Event::JobCancelled { id: 1 });
    assert_eq!((state.jobs[0].cancelled, state.jobs[0].remaining_secs), (true, None));
    state.apply(Event::JobEnded { id: 1 });
    assert!(state.jobs.is_empty());
}

#[test]
fn deleting_the_shown_run_shows_the_newest_other() {
    let mut state = State::default();
    for (name, started_secs) in [("a", 1), ("b", 3), ("c", 2)] {
        state.apply(Event::Run(Run { started_secs, ..Run::new(&Path::new("/p/runs").join(name)) }));
    }
    (state.run, state.selected_runs) = (Some("a".into()), vec!["a".into(), "c".into()]);
    state.apply(Event::RunGone("a".into()));
    assert_eq!((state.run.as_deref(), &state.selected_runs[..]), (Some("b"), &["c".to_owned()][..]));
}

#[test]
fn the_timeline_forgets_what_is_long_past() {
    let mut state = State::default();
    let labels = LabelSet::basic(2);
    for at in 0..LIVE_HISTORY + 5 {
        let prediction = Prediction {
            labels: labels.clone(),
            probabilities: vec![0.5, 0.5],
            values: Vec::new(),
            used: Modalities::ALL,
            features: Vec::new(),
            unfused: Vec::new(),
            prompts: Vec::new(),
        };
        let smoothed = vec![0.5, 0.5];
        state.apply(Event::LivePrediction { at_secs: at as f64, prediction, smoothed, latency_ms: 1.0 });
    }
    assert_eq!((state.live.history.len(), state.live.history[0].at_secs), (LIVE_HISTORY, 5.0));
}

#[test]
fn a_face_that_comes_back_takes_its_notice_away() {
    let mut state = State::default();
    for notice in [::live::Notice::NoFace, ::live::Notice::NoFace, ::live::Notice::Silence, ::live::Notice::FaceBack] {
        state.apply(Event::LiveNotice(notice));
    }
    assert_eq!(state.live.notices, [::live::Notice::Silence]);
}
