//! A training run as the window shows it, built from nothing but its events.
//!
//! Watching a run and reading its `events.jsonl` later give the same record.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use emotion::{LabelSet, Modalities, Split};
use models::StagePlan;
use training::{EpochRecord, Event, Job, Outcome, Report, StopReason};

use crate::project;

/// A run of the project.
#[derive(Debug, Clone)]
pub struct Run {
    /// Name of its folder.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// When it was started, in seconds since 1970.
    pub started_secs: u64,
    /// What happened in it.
    pub record: Record,
    /// What its model said about each clip; empty until it is evaluated.
    pub predictions: Vec<ClipResult>,
}

impl Run {
    /// Reads a run folder.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // One that could not begin has no event that says what it was to be.
        let mut record = Record { job: training::Run::at(dir).job().ok(), ..Record::default() };
        if dir.join("events.jsonl").exists() {
            for event in training::Run::at(dir).events()? {
                record.apply(event);
            }
        }
        let predictions = match &record.report {
            Some(report) => read_predictions(&dir.join("predictions.csv"), &report.labels)?,
            None => Vec::new(),
        };
        Ok(Self {
            name,
            started_secs: project::written_secs(&dir.join("job.toml")),
            dir: dir.to_owned(),
            record,
            predictions,
        })
    }

    /// A run that is about to begin in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            name: dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            dir: dir.to_owned(),
            started_secs: project::now_secs(),
            record: Record::default(),
            predictions: Vec::new(),
        }
    }

    /// Whether there is a model to use.
    pub fn has_model(&self) -> bool {
        self.record.report.is_some() || self.record.is_imported()
    }

    /// Whether there are clips that it can be scored on.
    pub fn has_dataset(&self) -> bool {
        self.record.job.as_ref().is_some_and(|job| !job.manifest.as_os_str().is_empty())
    }
}

/// A line of `predictions.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipResult {
    /// The clip.
    pub clip: String,
    /// Index of the predicted class.
    pub predicted: usize,
    /// Index of the true class.
    pub truth: usize,
    /// The split it is of.
    pub split: Split,
    /// One probability per class; empty for a model of attributes.
    pub probabilities: Vec<f32>,
}

/// Reads `predictions.csv`: clip, label, truth, split and, for a model of classes, one column per class; nothing where
/// there is no such file.
pub fn read_predictions(path: &Path, labels: &LabelSet) -> anyhow::Result<Vec<ClipResult>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let context = || format!("the predictions cannot be read: {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(context)?;
    let header = reader.headers().with_context(context)?.clone();
    let column = |name: &str| header.iter().position(|own| own == name);
    let (Some(clip), Some(label), Some(truth), Some(split)) =
        (column("clip"), column("label"), column("truth"), column("split"))
    else {
        anyhow::bail!("the predictions lack one of the columns clip, label, truth, split: {}", path.display());
    };
    let class = |name: &str| labels.index_of(name);
    let columns: Vec<usize> = labels.names().iter().filter_map(|name| column(name)).collect();
    let mut results = Vec::new();
    for row in reader.records() {
        let row = row.with_context(context)?;
        let cell = |idx: usize| row.get(idx).unwrap_or_default();
        let (Some(predicted), Some(truth), Ok(split)) = (class(cell(label)), class(cell(truth)), cell(split).parse())
        else {
            continue;
        };
        let probabilities = columns.iter().map(|&idx| cell(idx).parse().unwrap_or_default()).collect();
        results.push(ClipResult { clip: cell(clip).to_owned(), predicted, truth, split, probabilities });
    }
    Ok(results)
}

/// Everything that the events of a run add up to.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// All that reproduces the run.
    pub job: Option<Job>,
    /// Classes of model and data.
    pub labels: Option<LabelSet>,
    /// The plan.
    pub stages: Vec<StagePlan>,
    /// What came of each stage, in the order of the plan.
    pub progress: Vec<StageProgress>,
    /// The stage that runs or ran last.
    pub stage: Option<usize>,
    /// Clips trained on.
    pub n_train: usize,
    /// Clips that decide about rate and stopping.
    pub n_val: usize,
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Name of the device.
    pub device: String,
    /// Clips done and in all, while they are being prepared.
    pub preparing: Option<(usize, usize)>,
    /// Estimate for the whole job.
    pub remaining_secs: Option<f64>,
    /// Clips that were skipped or only partly used.
    pub warnings: Vec<(PathBuf, String)>,
    /// Whether the job waits.
    pub paused: bool,
    /// Scores of the kept model.
    pub report: Option<Report>,
    /// How it ended; `None` while it runs, or when the process died.
    pub end: Option<End>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// As it should, or as somebody asked for.
    Finished(Outcome),
    /// It could not go on.
    Failed(String),
}

/// What came of a stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageProgress {
    /// Finished epochs in order.
    pub epochs: Vec<EpochRecord>,
    /// Epoch in progress as a fraction, and the training loss there.
    pub losses: Vec<[f64; 2]>,
    /// Steps done and in all, of the epoch in progress.
    pub step: Option<(usize, usize)>,
    /// Why it ended and which epoch was kept.
    pub finished: Option<(StopReason, usize)>,
}

impl StageProgress {
    /// Share of `n_epochs` that is done, counting steps; one when the stage is over.
    pub fn share(&self, n_epochs: usize) -> f32 {
        if self.finished.is_some() {
            return 1.0;
        }
        let within = self.step.map_or(0.0, |(done, all)| done as f32 / all.max(1) as f32);
        ((self.epochs.len() as f32 + within) / n_epochs.max(1) as f32).min(1.0)
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All stages ran.
    Complete,
    /// Stopped early, the best epoch was kept.
    Kept,
    /// Has no end; can be resumed.
    Interrupted,
    /// Could not go on.
    Failed,
}

impl Status {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Kept => "Stopped early",
            Self::Interrupted => "Interrupted",
            Self::Failed => "Failed",
        }
    }
}

impl Record {
    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Preparing { done, total, remaining_secs } => {
                self.preparing = Some((done, total));
                self.remaining_secs = remaining_secs;
                self.end = None;
            }
            Event::Warning { path, reason } => {
                if !self.warnings.iter().any(|(other, said)| *other == path && *said == reason) {
                    self.warnings.push((path, reason));
                }
            }
            Event::Started { job, labels, stages, n_train, n_val, n_parameters, device } => {
                self.progress.resize_with(stages.len(), StageProgress::default);
                self.job = Some(*job);
                self.labels = Some(labels);
                self.stages = stages;
                (self.n_train, self.n_val, self.n_parameters) = (n_train, n_val, n_parameters);
                self.device = device;
                (self.preparing, self.remaining_secs, self.paused, self.end) = (None, None, false, None);
            }
            Event::StageStarted { stage, epochs_done } => {
                self.stage = Some(stage);
                if let Some(progress) = self.progress.get_mut(stage) {
                    // What a killed process did after its last checkpoint is done again.
                    progress.epochs.truncate(epochs_done);
                    progress.losses.retain(|[epoch, _]| *epoch <= epochs_done as f64);
                    (progress.step, progress.finished) = (None, None);
                }
            }
            Event::Step { stage, epoch, step, n_steps, loss, remaining_secs } => {
                self.remaining_secs = remaining_secs;
                if let Some(progress) = self.progress.get_mut(stage) {
                    progress.step = Some((step, n_steps));
                    progress.losses.push([epoch as f64 + step as f64 / n_steps.max(1) as f64, loss]);
                }
            }
            Event::EpochFinished { stage, epoch, record } => {
                if let Some(progress) = self.progress.get_mut(stage) {
                    progress.epochs.truncate(epoch);
                    progress.epochs.push(record);
                    progress.step = None;
                }
            }
            Event::StageFinished { stage, reason, best_epoch } => {
                if let Some(progress) = self.progress.get_mut(stage) {
                    progress.finished = Some((reason, best_epoch));
                    progress.step = None;
                }
            }
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::Evaluated { report } => self.report = Some(report),
            Event::Finished { outcome, .. } => {
                self.end = Some(End::Finished(outcome));
                (self.preparing, self.remaining_secs, self.paused) = (None, None, false);
            }
            Event::Failed { message } => {
                self.end = Some(End::Failed(message));
                (self.preparing, self.remaining_secs, self.paused) = (None, None, false);
            }
        }
    }

    /// Whether its model was trained elsewhere: a plan without stages that is complete.
    pub fn is_imported(&self) -> bool {
        self.job.is_some() && self.stages.is_empty() && self.status() == Status::Complete
    }

    /// Where the run stands, if it does not run right now.
    pub fn status(&self) -> Status {
        match &self.end {
            Some(End::Finished(Outcome::Complete)) => Status::Complete,
            Some(End::Finished(Outcome::Kept)) => Status::Kept,
            Some(End::Finished(Outcome::Aborted)) | None => Status::Interrupted,
            Some(End::Failed(_)) => Status::Failed,
        }
    }

    /// Best validation recalls (weighted, unweighted) of the last stage that has an epoch.
    pub fn validation(&self) -> Option<(f64, f64)> {
        let progress = self.progress.iter().rev().find(|progress| !progress.epochs.is_empty())?;
        let kept = progress.finished.and_then(|(_, best_epoch)| progress.epochs.get(best_epoch));
        let best =
            kept.or_else(|| progress.epochs.iter().rev().find(|epoch| epoch.is_best)).or(progress.epochs.last())?;
        Some((best.val_war, best.val_uar))
    }

    /// Where one stage ends and the next begins, on an axis of all epochs counted from 1.
    pub fn stage_ends(&self) -> Vec<f64> {
        let lengths: Vec<usize> = self.progress.iter().map(|stage| stage.epochs.len()).filter(|&n| n > 0).collect();
        let mut at = 0.5;
        let mut ends = Vec::new();
        for length in lengths.iter().take(lengths.len().saturating_sub(1)) {
            at += *length as f64;
            ends.push(at);
        }
        ends
    }

    /// One line about what the job is doing, and how far it is.
    pub fn doing(&self) -> (String, Option<f32>) {
        if let Some((done, total)) = self.preparing {
            return (format!("preparing clips {done}/{total}"), Some(done as f32 / total.max(1) as f32));
        }
        let Some(stage) = self.stage else { return ("starting".into(), None) };
        let (Some(plan), Some(progress)) = (self.stages.get(stage), self.progress.get(stage)) else {
            return ("starting".into(), None);
        };
        if progress.finished.is_some() && stage + 1 == self.stages.len() {
            return ("evaluating".into(), None);
        }
        let epoch = (progress.epochs.len() + 1).min(plan.n_epochs);
        let text = format!("stage {}, {} · epoch {epoch}/{}", plan.number, plan.name, plan.n_epochs);
        (text, Some(progress.share(plan.n_epochs)))
    }

    /// Scores with each subset of modalities, in the papers' order, as weighted and unweighted recall.
    pub fn subsets(&self) -> Vec<(Modalities, f64, f64)> {
        let Some(report) = &self.report else { return Vec::new() };
        Modalities::subsets()
            .into_iter()
            .filter_map(|subset| report.per_subset.get(&subset).map(|scores| (subset, scores.war, scores.uar)))
            .collect()
    }
}
