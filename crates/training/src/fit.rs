//! Training: the stages of a plan, epoch by epoch, each of which can be the last before the power goes.

mod epoch;

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use emotion::{Inputs, Manifest, Modalities, Modality, Split};
use media::SampleCache;
use models::{
    Bundle, Card, DeviceId, EmotionModel, FinishedStage, Keep, SeeBatch, StageInput, StagePlan, compute, with_model,
};

use self::epoch::Trained;
use crate::adam::Adam;
use crate::checkpoint::{Checkpoints, Progress, StageEnd};
use crate::copies::Copies;
use crate::loader::Loader;
use crate::prepare::{check_there, prepare_rated};
use crate::training_samples::TrainingSamples;
use crate::truth::Truths;
use crate::{
    Control, EpochRecord, Event, Job, LearningRate, Order, Outcome, PromptMap, PromptMapRow, Run, StopReason,
    StopRules, TrainError, evaluate, write_predictions,
};

/// Trains a job into `run_dir`.
///
/// The kept model is scored at the end, on the test split if there is one. A killed process loses at most the epoch
/// that was running: [`resume`] goes on.
pub fn fit(
    job: &Job,
    run_dir: &Path,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    let run = Run::at(run_dir);
    let manifest = datasets::load(&job.manifest)?;
    job.check()?;
    // What the dataset cannot feed leaves no run behind.
    check_there(&manifest)?;
    with_model!(&job.config, M, config => check_dataset::<M>(job, config, &manifest))?;
    run.create(job)?;
    train_logged(job, &manifest, &run, cache, control, on_event)
}

/// Goes on with the job of `run_dir` where it was interrupted, to the same bits.
pub fn resume(
    run_dir: &Path,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    let run = Run::at(run_dir);
    let job = run.job()?;
    let manifest = datasets::load(&job.manifest)?;
    train_logged(&job, &manifest, &run, cache, control, on_event)
}

/// Trains, with every event in the run's list as well.
fn train_logged(
    job: &Job,
    manifest: &Manifest,
    run: &Run,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    let mut log = run.event_log()?;
    let mut tell = |event: Event| {
        let written = log.push(&event);
        on_event(event);
        written
    };
    let result = train(job, manifest, run, cache, control, &mut tell);
    let last = match &result {
        Ok(outcome) => Event::Finished { outcome: *outcome, checksum: run.checksum().ok() },
        // Stopped before training began is no failure.
        Err(TrainError::Stopped) => Event::Finished { outcome: Outcome::Aborted, checksum: None },
        Err(error) => Event::Failed { message: error.to_string() },
    };
    let written = tell(last);
    match result {
        Err(TrainError::Stopped) => written.map(|()| Outcome::Aborted),
        Ok(outcome) => written.map(|()| outcome),
        Err(error) => Err(error),
    }
}

/// Errors when the dataset lacks what the job reads.
fn check_dataset<M: EmotionModel>(job: &Job, config: &M::Config, manifest: &Manifest) -> Result<(), TrainError> {
    let config = M::for_dataset(config, manifest)?;
    match job.recipe.copies > 0.0 {
        true => Copies::check(manifest, &M::reader(&config).inputs.features),
        false => Ok(()),
    }
}

/// Passes an event on and writes it to the run; fails when the disk does.
type Tell<'a> = dyn FnMut(Event) -> Result<(), TrainError> + 'a;

fn train(
    job: &Job,
    manifest: &Manifest,
    run: &Run,
    cache: &SampleCache,
    control: &Control,
    tell: &mut Tell<'_>,
) -> Result<Outcome, TrainError> {
    // Chosen once: what `auto` finds may differ while a model fills the memory.
    let device = compute::resolve(&job.device);
    with_model!(&job.config, M, config => {
        let config = &M::for_dataset(config, manifest)?;
        Trainer::<M>::new(job, config, run, cache, control, manifest, device, tell)?.run(tell)
    })
}

/// Scores the kept model on the test split, or the validation split where there is no other, and writes it all down.
pub(crate) fn score(
    run: &Run,
    bundle: &mut Bundle,
    manifest: &Manifest,
    device: &DeviceId,
    cache: &SampleCache,
    control: &Control,
    tell: &mut Tell<'_>,
) -> Result<(), TrainError> {
    let best = run.best_dir();
    let model = models::load(&best, device)?;
    let split = [Split::Test, Split::Val].into_iter().find(|&split| manifest.split(split).next().is_some());
    let Some(split) = split else { return Ok(()) };
    let mut failed = Ok(());
    let scored = evaluate(&*model, manifest, split, Modalities::ALL, cache, control, &mut |event| {
        if let (Ok(()), Event::Warning { .. }) = (&failed, &event) {
            failed = tell(event);
        }
    });
    let (report, predictions) = match scored {
        Err(TrainError::Stopped) => return Ok(()),
        scored => scored?,
    };
    failed?;
    write_predictions(&predictions, &run.predictions_path())?;
    run.save_report(&report)?;
    if split == Split::Test {
        bundle.card.test = Some(report.scores);
        models::save_description(&best, bundle)?;
    }
    tell(Event::Evaluated { report })
}

/// What stays the same during a job.
struct Trainer<'a, M: EmotionModel> {
    job: &'a Job,
    config: &'a M::Config,
    run: &'a Run,
    cache: &'a SampleCache,
    control: &'a Control,
    manifest: &'a Manifest,
    truths: Truths,
    device_id: DeviceId,
    /// With autodiff.
    device: Device,
    n_parameters: usize,
    stages: Vec<StagePlan>,
    train: TrainingSamples<'a>,
    val: Loader<'a>,
    checkpoints: Checkpoints,
}

/// How a stage ended.
enum StageOutcome {
    Finished,
    /// Asked to stop: keep the best, or leave everything for later.
    Stopped(Order),
}

impl<'a, M: EmotionModel> Trainer<'a, M> {
    #[expect(clippy::too_many_arguments, reason = "they are the fields")]
    fn new(
        job: &'a Job,
        config: &'a M::Config,
        run: &'a Run,
        cache: &'a SampleCache,
        control: &'a Control,
        manifest: &'a Manifest,
        device_id: DeviceId,
        tell: &mut Tell<'_>,
    ) -> Result<Self, TrainError> {
        let device = compute::open(&device_id)?.autodiff();
        // Published weights that are not there are missed now, not after the clips are prepared.
        let n_parameters = M::start_stage(config, &manifest.labels, 0, job.seed, &[], &device)?.num_params();
        let inputs = M::reader(config).inputs;
        let truths = Truths::new(&manifest.labels, M::attributes(config));
        let mut prepared = |split| prepared_split(manifest, split, &inputs, &truths, cache, control, tell);
        let (mut train, val) = (prepared(Split::Train)?, prepared(Split::Val)?);
        if job.recipe.train_on_validation {
            train.extend(val.iter().cloned());
        }
        let mut told = Ok(());
        let train = TrainingSamples::new(job, manifest, train, &inputs, M::augmentation(config), cache, &mut |event| {
            if told.is_ok() {
                told = tell(event);
            }
        });
        let train = told.and(train)?;
        Ok(Self {
            job,
            config,
            run,
            cache,
            control,
            manifest,
            truths,
            device_id,
            device,
            n_parameters,
            stages: M::stages(config),
            train,
            val: Loader::new(cache, manifest, val)?,
            checkpoints: Checkpoints::of(run)?,
        })
    }

    fn run(&self, tell: &mut Tell<'_>) -> Result<Outcome, TrainError> {
        let labels = &self.manifest.labels;
        tell(Event::Started {
            job: Box::new(self.job.clone()),
            labels: self.truths.labels().clone(),
            stages: self.stages.clone(),
            n_train: self.train.loader().clips().len(),
            n_val: self.val.clips().len(),
            n_parameters: self.n_parameters,
            device: self.device_id.to_string(),
        })?;
        let mut finished: Vec<FinishedStage<M>> = Vec::new();
        let mut stopped = None;
        for stage in 0..self.stages.len() {
            let mut model = M::start_stage(self.config, labels, stage, self.job.seed, &finished, &self.device)?;
            if self.checkpoints.stage_end(stage)?.is_none()
                && let StageOutcome::Stopped(order) = self.run_stage(stage, &mut model, tell)?
            {
                if order == Order::Abort {
                    return Ok(Outcome::Aborted);
                }
                stopped = Some(order);
            }
            self.checkpoints.load_best(stage, &mut model)?;
            let prompt_counts = match self.checkpoints.stage_end(stage)? {
                Some(end) => end.prompt_counts,
                None => self.count_prompts(&model, self.stages[stage].input.eval_modalities())?,
            };
            if stopped.is_none() {
                self.checkpoints.finish_stage(stage, &StageEnd { prompt_counts: prompt_counts.clone() })?;
            }
            finished.push(FinishedStage { model, prompt_counts });
            if stopped.is_some() {
                break;
            }
        }
        // The control has done its work: what was asked to be kept is now scored in full.
        let control = if stopped.is_some() { Control::default() } else { self.control.clone() };
        let outcome = if stopped.is_some() { Outcome::Kept } else { Outcome::Complete };
        self.keep(&finished, &control, tell)?;
        Ok(outcome)
    }

    /// Trains one stage, from its start or from its newest checkpoint.
    fn run_stage(&self, stage: usize, model: &mut M, tell: &mut Tell<'_>) -> Result<StageOutcome, TrainError> {
        let plan = &self.stages[stage];
        let recipe = &self.job.recipe;
        let (mut progress, mut adam) = match self.checkpoints.newest()? {
            Some((progress, dir)) if progress.stage == stage => {
                let adam = self.checkpoints.load(&dir, model, &self.device.clone().inner())?;
                (progress, adam)
            }
            _ => {
                let progress = Progress {
                    stage,
                    epochs_done: 0,
                    learning_rate: LearningRate::new(plan, recipe),
                    best_epoch: 0,
                    best_loss: f64::MAX,
                    stopped: None,
                    epoch_secs: 0.0,
                };
                if plan.number == 1 {
                    model.calibrate(|modality, body: &mut SeeBatch<'_>| self.each_training_batch(modality, body))?;
                }
                (progress, Adam::default())
            }
        };
        adam = adam.under(&plan.optimization);
        tell(Event::StageStarted { stage, epochs_done: progress.epochs_done })?;
        let train = self.clips_for(self.train.loader(), plan.input.eval_modalities(), Split::Train, plan)?;
        let val = self.clips_for(&self.val, plan.input.eval_modalities(), Split::Val, plan)?;
        while progress.stopped.is_none() && progress.epochs_done < plan.n_epochs {
            let epoch = progress.epochs_done;
            let start = Instant::now();
            let learning_rate = progress.learning_rate.rate();
            let (train_loss, train_war) = match self.train_epoch(&train, &progress, model, &mut adam, tell)? {
                Trained::Epoch { loss, war } => (loss, war),
                Trained::Stopped(order) => {
                    if order == Order::StopAndKeep && progress.epochs_done == 0 {
                        // Nothing is validated yet: what there is, is the best.
                        self.checkpoints.save_best(stage, model)?;
                    }
                    return Ok(StageOutcome::Stopped(order));
                }
            };
            let (val_loss, val_scores) = self.validate(&val, model, plan.input.eval_modalities())?;
            if !val_loss.is_finite() {
                // The last step of an epoch can spoil the weights after its own loss was read.
                let stage = plan.name.clone();
                return Err(TrainError::Diverged { loss: val_loss, stage, epoch: epoch + 1 });
            }
            let is_best = val_loss < progress.best_loss || epoch == 0 || plan.optimization.keep == Keep::Last;
            if is_best {
                self.checkpoints.save_best(stage, model)?;
                progress.best_epoch = epoch;
                progress.best_loss = val_loss;
            }
            progress.learning_rate.step(val_loss);
            progress.epochs_done += 1;
            progress.epoch_secs = start.elapsed().as_secs_f64();
            if let LearningRate::Plateau(plateau) = &progress.learning_rate {
                // The right half of a scale is no measure of how well values are learned.
                let accuracy = if self.truths.attributes().is_empty() { train_war } else { 0.0 };
                progress.stopped = StopRules::of(recipe).reason(accuracy, plateau.learning_rate);
            }
            self.checkpoints.save(&progress, model, &adam)?;
            let record = EpochRecord {
                train_loss,
                train_war,
                val_loss,
                val_war: val_scores.war,
                val_uar: val_scores.uar,
                learning_rate,
                secs: progress.epoch_secs,
                is_best,
            };
            tell(Event::EpochFinished { stage, epoch, record })?;
        }
        let reason = progress.stopped.unwrap_or(StopReason::Epochs);
        tell(Event::StageFinished { stage, reason, best_epoch: progress.best_epoch })?;
        Ok(StageOutcome::Finished)
    }

    /// Saves the kept model, its prompts, its scores and its predictions.
    fn keep(&self, finished: &[FinishedStage<M>], control: &Control, tell: &mut Tell<'_>) -> Result<(), TrainError> {
        let Some(last) = finished.last() else { return Ok(()) };
        let plan = &self.stages[finished.len() - 1];
        let prompts = self.prompt_map(finished)?;
        let card = Card {
            name: self.job.name.clone(),
            preset: self.job.preset.clone(),
            dataset: self.manifest.name.clone(),
            protocol: self.manifest.protocol.clone(),
            n_train: self.train.loader().clips().len(),
            seed: self.job.seed,
            device: self.device_id.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            test: None,
        };
        let trained_on = plan.input.eval_modalities();
        let config = M::config_at(self.config, finished.len() - 1);
        let mut bundle = Bundle::new(config, self.truths.labels().clone(), trained_on, card);
        models::save_bundle(&self.run.best_dir(), &bundle, &last.model)?;
        self.run.save_prompts(&prompts)?;
        score(self.run, &mut bundle, self.manifest, &self.device_id, self.cache, control, tell)
    }

    /// The keys of all stages with the modalities that choose them.
    fn prompt_map(&self, finished: &[FinishedStage<M>]) -> Result<PromptMap, TrainError> {
        let mut rows = Vec::new();
        for (stage, end) in finished.iter().enumerate() {
            let plan = &self.stages[stage];
            let by_modality: Vec<Vec<usize>> = match plan.input {
                StageInput::Only { modality } => Modality::ALL
                    .into_iter()
                    .map(|other| if other == modality { end.prompt_counts.clone() } else { Vec::new() })
                    .collect(),
                _ => Modality::ALL
                    .into_iter()
                    .map(|modality| self.count_prompts(&end.model, Modalities::only(modality)))
                    .collect::<Result<_, _>>()?,
            };
            let keys = end.model.prompt_vectors()?;
            rows.extend(keys.into_iter().enumerate().map(|(prompt_idx, key)| PromptMapRow {
                stage: plan.number,
                prompt_idx,
                key,
                counts: [0, 1, 2].map(|modality| by_modality[modality].get(prompt_idx).copied().unwrap_or(0)),
            }));
        }
        Ok(PromptMap { rows })
    }
}

fn prepared_split(
    manifest: &Manifest,
    split: Split,
    inputs: &Inputs,
    truths: &Truths,
    cache: &SampleCache,
    control: &Control,
    tell: &mut Tell<'_>,
) -> Result<Vec<crate::PreparedClip>, TrainError> {
    let mut failed = Ok(());
    let prepared = prepare_rated(manifest, split, inputs, truths, cache, control, &mut |event| {
        if failed.is_ok() {
            failed = tell(event);
        }
    })?;
    failed?;
    if prepared.is_empty() {
        let has_features_alone = manifest.clips.iter().all(|clip| !clip.has_media() && !clip.features.is_empty());
        let hint = match has_features_alone && inputs.features.is_empty() {
            true => "its clips are features alone: choose a preset that reads them, such as utterances or features",
            false => "import it with splits, or look at the problems that the import lists",
        };
        return Err(TrainError::NoClips { split: split.name(), dataset: manifest.name.clone(), hint: hint.into() });
    }
    Ok(prepared)
}
