//! Runs: trained, scored again, and laid out as maps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use emotion::{LabelSet, Manifest, Modalities, Modality, Split};
use models::DeviceId;

use super::{Desk, REPORT_EVERY};
use crate::command::Command;
use crate::figure::NOT_ACTIVATED;
use crate::project::CacheRoom;
use crate::run::Run;
use crate::state::{Computed, Event, Level, Map, Notice, PageName};

/// Trains, or goes on.
pub fn train(job: &training::Job, dir: &Path, resume: bool, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<()> {
    let name = job.name.clone();
    let mut run = if resume { Run::load(dir)? } else { Run::new(dir) };
    run.name.clone_from(&name);
    desk.tell(Event::TrainingStarted { run, id: desk.id });
    let cache = cache.open()?;
    let mut last_step = Instant::now();
    let mut tell = |event| {
        // A step more or less is not seen; events that say something new always pass.
        if matches!(event, training::Event::Step { .. }) {
            if last_step.elapsed() < REPORT_EVERY {
                return;
            }
            last_step = Instant::now();
        }
        desk.tell(Event::Training { run: name.clone(), event });
    };
    let fitted = match resume {
        true => training::resume(dir, &cache, &desk.control, &mut tell),
        false => training::fit(job, dir, &cache, &desk.control, &mut tell),
    };
    let failed = fitted.as_ref().err().map(ToString::to_string);
    let mut run = if dir.join("job.toml").exists() { Run::load(dir)? } else { Run::new(dir) };
    if let (Some(message), false) = (failed, desk.control.is_stopping()) {
        run.record.apply(training::Event::Failed { message });
    }
    desk.tell(Event::TrainingEnded { run });
    if !dir.join("job.toml").exists() {
        desk.tell(Event::RunGone(name));
    }
    Ok(())
}

/// Makes a run of a trained model of a released code.
pub fn import(
    job: &training::Job,
    labels: &LabelSet,
    path: PathBuf,
    dir: &Path,
    cache: &CacheRoom,
    desk: &Desk,
) -> anyhow::Result<()> {
    let cache = cache.open()?;
    let mut on_event = |event| {
        if let training::Event::Preparing { done, total, .. } = event {
            desk.progress("preparing clips", done, total);
        }
    };
    let made = training::import_released_run(job, labels, &[path], dir, &cache, &desk.control, &mut on_event);
    if !desk.keep_going() {
        return Ok(());
    }
    made?;
    let run = Run::load(dir)?;
    let (text, next) = match &run.record.report {
        Some(report) => {
            let score = crate::wording::percent(report.scores.war);
            (format!("“{}” gets {score} of the {} clips right", run.name, report.split.name()), PageName::Insight)
        }
        None => (format!("“{}” is imported and can be used in Live", run.name), PageName::Live),
    };
    desk.tell(Event::Run(run));
    desk.notice(Notice::new(Level::Success, text).with_action("Show", Command::GoTo(next)));
    Ok(())
}

/// The manifest that a run was trained on.
fn manifest_of(run: &Run) -> anyhow::Result<Manifest> {
    let job = run.record.job.as_ref().context("the run has no job")?;
    anyhow::ensure!(run.has_dataset(), "it was imported without a dataset: import the model again with one");
    datasets::load(&job.manifest).context("the dataset that it was trained on cannot be opened")
}

/// Scores the model of a run again.
pub fn evaluate(run: &Run, device: &DeviceId, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<()> {
    let manifest = manifest_of(run)?;
    let predictor = models::load(&run.dir, device)?;
    let cache = cache.open()?;
    let mut on_event = |event| {
        if let training::Event::Preparing { done, total, .. } = event {
            desk.progress("preparing clips", done, total);
        }
    };
    let scored =
        training::evaluate(&*predictor, &manifest, Split::Test, Modalities::ALL, &cache, &desk.control, &mut on_event);
    if !desk.keep_going() {
        return Ok(());
    }
    let (report, predictions) = scored?;
    let folder = training::Run::at(&run.dir);
    folder.save_report(&report)?;
    training::write_predictions(&predictions, &folder.predictions_path())?;
    let mut again = Run::load(&run.dir)?;
    let score = crate::wording::percent(report.scores.war);
    again.record.report = Some(report);
    desk.tell(Event::Run(again));
    desk.notice(
        Notice::new(Level::Success, format!("“{}” gets {score} of the test clips right", run.name))
            .with_action("Show", Command::GoTo(PageName::Insight)),
    );
    Ok(())
}

/// What became of maps: a job that was cancelled has failed without an error.
pub fn computed(maps: anyhow::Result<Vec<Map>>, desk: &Desk) -> Computed<Vec<Map>> {
    match maps {
        Ok(maps) => Computed::Ready(Arc::new(maps)),
        Err(_) if !desk.keep_going() => Computed::Failed("It was cancelled.".into()),
        Err(error) => Computed::Failed(format!("{error:#}")),
    }
}

fn lay_out(vectors: &[Vec<f32>], note: &str, desk: &Desk) -> anyhow::Result<Vec<[f64; 2]>> {
    let points = figures::tsne(vectors, figures::usual_perplexity(vectors.len()), 0, &mut |done, total| {
        desk.progress(note, done, total);
        desk.keep_going()
    });
    anyhow::ensure!(desk.keep_going(), "cancelled");
    Ok(points)
}

/// Lays out the features of a run's test clips before and after the model.
pub fn map_features(run: &Run, device: &DeviceId, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<Vec<Map>> {
    let manifest = manifest_of(run)?;
    let predictor = models::load(&run.dir, device)?;
    let cache = cache.open()?;
    let mut on_event = |event| {
        if let training::Event::Preparing { done, total, .. } = event {
            desk.progress("preparing clips", done, total);
        }
    };
    let (_, clips) =
        training::evaluate(&*predictor, &manifest, Split::Test, Modalities::ALL, &cache, &desk.control, &mut on_event)?;
    let groups = predictor.labels().names().to_vec();
    let sides = [("Before the model’s fusion", true), ("After it", false)];
    let mut maps = Vec::new();
    for (title, before) in sides {
        let vectors: Vec<Vec<f32>> = clips
            .iter()
            .map(|clip| if before { clip.prediction.unfused.clone() } else { clip.prediction.features.clone() })
            .collect();
        let points =
            lay_out(&vectors, if before { "laying out what goes in" } else { "laying out what comes out" }, desk)?;
        maps.push(Map {
            points,
            group: clips.iter().map(|clip| clip.truth).collect(),
            groups: groups.clone(),
            names: clips.iter().map(|clip| clip.clip.clone()).collect(),
            title: title.into(),
        });
    }
    Ok(maps)
}

/// Lays out a run's prompt pools, stage 1 first.
pub fn map_prompts(run: &Run, desk: &Desk) -> anyhow::Result<Vec<Map>> {
    let pool = training::Run::at(&run.dir).prompts()?;
    anyhow::ensure!(!pool.rows.is_empty(), "this model has no prompt pool");
    let groups: Vec<String> =
        Modality::ALL.iter().map(|modality| modality.name().to_owned()).chain([NOT_ACTIVATED.to_owned()]).collect();
    let mut stages: Vec<usize> = pool.rows.iter().map(|row| row.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    // One layout for all stages, so that a place means the same in both.
    let vectors: Vec<Vec<f32>> = pool.rows.iter().map(|row| row.key.clone()).collect();
    let points = lay_out(&vectors, "laying out prompts", desk)?;
    let map = |stage: &usize| {
        let members: Vec<usize> = (0..pool.rows.len()).filter(|&idx| pool.rows[idx].stage == *stage).collect();
        Map {
            points: members.iter().map(|&idx| points[idx]).collect(),
            group: members
                .iter()
                .map(|&idx| pool.rows[idx].modality().map_or(Modality::ALL.len(), Modality::index))
                .collect(),
            groups: groups.clone(),
            names: members
                .iter()
                .map(|&idx| {
                    let row = &pool.rows[idx];
                    let [face, voice, text] = row.counts;
                    format!("prompt {}: chosen by {face} faces, {voice} voices, {text} texts", row.prompt_idx)
                })
                .collect(),
            title: format!("Stage {stage}"),
        }
    };
    Ok(stages.iter().map(map).collect())
}
