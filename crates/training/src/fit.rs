//! Training: the stages of a plan, epoch by epoch, each of which can be the last before the power goes.

use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use emotion::{Clip, Confusion, Inputs, Manifest, Modalities, Modality, Sample, Split};
use media::SampleCache;
use models::{
    Batch, Bundle, Card, DeviceId, EmotionModel, FinishedStage, Keep, ModelError, Outlook, StageInput, StagePlan,
    compute, with_model,
};
use rand::RngExt as _;

use crate::adam::Adam;
use crate::checkpoint::{Checkpoints, Progress, StageEnd};
use crate::copies::Copies;
use crate::frozen::FeatureCache;
use crate::loader::{Loader, rng_at, shuffled};
use crate::step::train_step;
use crate::training_samples::TrainingSamples;
use crate::truth::Truths;
use crate::{
    Control, EpochRecord, Event, Job, LearningRate, Order, Outcome, PromptMap, PromptMapRow, Run, StopReason,
    StopRules, TrainError, evaluate, prepare, write_predictions,
};

/// Steps between two reports and looks at the loss; reading it waits for the device.
const STEPS_PER_EVENT: usize = 4;

/// Trains a job into `run_dir`, or goes on where it was interrupted.
///
/// With `resume` the folder's own `job.toml` counts and `job` is ignored. The kept model is scored at the end, on the test split
/// if there is one. A killed process loses at most the epoch that was running.
pub fn fit(
    job: &Job,
    run_dir: &Path,
    resume: bool,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    let run = Run::at(run_dir);
    let job = if resume { run.job()? } else { job.clone() };
    let manifest = datasets::load(&job.manifest)?;
    if !resume {
        job.check()?;
        // What the dataset cannot feed leaves no run behind.
        with_model!(&job.config, M, config => check_dataset::<M>(&job, config, &manifest))?;
        run.create(&job)?;
    }
    let mut log = run.event_log()?;
    let mut tell = |event: Event| {
        let written = log.push(&event);
        on_event(event);
        written
    };
    let result = train(&job, &manifest, &run, cache, control, &mut tell);
    let last = match &result {
        Ok(outcome) => Event::Finished { outcome: *outcome, checksum: run.checksum().ok() },
        // Stopped before training began is no failure.
        Err(TrainError::Stopped) => Event::Finished { outcome: Outcome::Aborted, checksum: None },
        Err(error) => Event::Failed { message: error.to_string() },
    };
    let written = tell(last);
    match result {
        Err(TrainError::Stopped) => Ok(Outcome::Aborted),
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
    let device = compute::open(&job.device)?;
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
    /// With autodiff.
    device: Device,
    n_parameters: usize,
    stages: Vec<StagePlan>,
    train: TrainingSamples<'a>,
    val: Loader<'a>,
    checkpoints: Checkpoints,
    /// Of the training and the validation split.
    features: [FeatureCache; 2],
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
        device: Device,
        tell: &mut Tell<'_>,
    ) -> Result<Self, TrainError> {
        let device = device.autodiff();
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
            device,
            n_parameters,
            stages: M::stages(config),
            train,
            val: Loader::new(cache, manifest, val)?,
            checkpoints: Checkpoints::of(run)?,
            features: Default::default(),
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
            device: compute::resolve(&self.job.device).to_string(),
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
                    model
                        .calibrate(|modality, body: &mut dyn FnMut(&Batch)| self.each_training_batch(modality, body))?;
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
            let is_best = val_loss < progress.best_loss || epoch == 0 || plan.optimization.keep == Keep::Last;
            if is_best {
                self.checkpoints.save_best(stage, model)?;
                progress.best_epoch = epoch;
                progress.best_loss = if val_loss.is_finite() { val_loss } else { f64::MAX };
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

    fn train_epoch(
        &self,
        train: &[usize],
        progress: &Progress,
        model: &mut M,
        adam: &mut Adam,
        tell: &mut Tell<'_>,
    ) -> Result<Trained, TrainError> {
        let (stage, epoch) = (progress.stage, progress.epochs_done);
        let reader = M::reader(self.config);
        let order = shuffled(train.len(), self.job.seed, stage, epoch);
        let n_steps = order.len().div_ceil(self.job.recipe.batch_size);
        let start = Instant::now();
        let (mut losses, mut n_right, mut n_seen, mut unread) = (Vec::with_capacity(n_steps), 0, 0, Vec::new());
        for (step, chunk) in order.chunks(self.job.recipe.batch_size).enumerate() {
            if self.control.current() == Order::Pause {
                tell(Event::Paused)?;
                self.control.wait_while_paused();
                tell(Event::Resumed)?;
            }
            if self.control.is_stopping() {
                return Ok(Trained::Stopped(self.control.current()));
            }
            let chosen: Vec<usize> = chunk.iter().map(|&place| train[place]).collect();
            // Dropout draws on the device; where it starts follows from the place in training too.
            self.device.seed(rng_at(self.job.seed, stage, epoch, usize::MAX - 1 - step).random());
            for (clips, samples, on) in self.train.batches(&chosen, self.stages[stage].input, stage, epoch)? {
                let mut batch = reader.batch(&samples.iter().collect::<Vec<_>>(), &on, &self.device)?;
                if !self.job.recipe.augment {
                    self.features[0].fill(model, self.config, &clips, &mut batch)?;
                }
                let clips = self.clips_at(self.train.loader(), &clips);
                let target = self.truths.target(&clips, &self.device);
                let rate = progress.learning_rate.rate();
                let (outlook, loss) = train_step(model, self.config, &batch, target, &self.job.recipe, rate, adam)?;
                let truths: Vec<usize> = clips.iter().map(|clip| self.truths.class(clip)).collect();
                unread.push((loss.total.detach(), outlook.logits.detach(), truths));
            }
            if unread.len() >= STEPS_PER_EVENT || step + 1 == n_steps {
                let n_unread = unread.len();
                for (loss, logits, truths) in unread.drain(..) {
                    let loss = read(loss)?[0];
                    if !loss.is_finite() {
                        let stage = self.stages[stage].name.clone();
                        return Err(TrainError::Diverged { loss, stage, epoch: epoch + 1 });
                    }
                    losses.push(loss);
                    n_right += self.predicted(logits)?.iter().zip(&truths).filter(|(top, truth)| top == truth).count();
                    n_seen += truths.len();
                }
                let step_secs = start.elapsed().as_secs_f64() / (step + 1) as f64;
                tell(Event::Step {
                    stage,
                    epoch,
                    step: step + 1,
                    n_steps,
                    loss: mean(&losses[losses.len() - n_unread..]),
                    remaining_secs: Some(self.remaining_secs(stage, epoch, n_steps - step - 1, n_steps, step_secs)),
                })?;
            }
        }
        Ok(Trained::Epoch { loss: mean(&losses), war: n_right as f64 / n_seen as f64 })
    }

    /// Mean loss and scores over clips of the validation split.
    fn validate(&self, val: &[usize], model: &M, on: Modalities) -> Result<(f64, emotion::Scores), TrainError> {
        let model = model.valid();
        let (mut loss, mut pairs) = (0.0, Vec::with_capacity(val.len()));
        self.each_batch(&model, &self.val, val, on, |chunk, outlook| {
            let clips = self.clips_at(&self.val, chunk);
            let target = self.truths.target(&clips, &outlook.logits.device());
            let total = model.loss(self.config, &outlook, target).total;
            loss += read(total)?[0] * chunk.len() as f64;
            let truths = clips.iter().map(|clip| self.truths.class(clip));
            pairs.extend(truths.zip(self.predicted(outlook.logits)?));
            Ok(())
        })?;
        let scores = Confusion::from_pairs(self.truths.labels().clone(), pairs).scores();
        Ok((loss / val.len() as f64, scores))
    }

    fn clips_at<'l>(&self, loader: &'l Loader<'_>, indices: &[usize]) -> Vec<&'l Clip> {
        indices.iter().map(|&index| &loader.clips()[index].clip).collect()
    }

    /// The class that each row of a model's outputs means.
    fn predicted(&self, outputs: Tensor<2>) -> Result<Vec<usize>, TrainError> {
        Ok(read(outputs)?.chunks(self.truths.n_outputs()).map(|row| self.truths.predicted(row)).collect())
    }

    /// How often the training split chooses each prompt when only `on` are switched on.
    fn count_prompts(&self, model: &M, on: Modalities) -> Result<Vec<usize>, TrainError> {
        let model = model.valid();
        let mut counts = vec![0; model.prompt_vectors().len()];
        if counts.is_empty() {
            return Ok(counts);
        }
        let all: Vec<usize> = (0..self.train.loader().clips().len())
            .filter(|&index| !self.train.loader().clips()[index].present.intersection(on).is_empty())
            .collect();
        self.each_batch(&model, self.train.loader(), &all, on, |_, outlook| {
            if let Some(selection) = &outlook.selection {
                selection.count(&mut counts);
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// All training clips that have `modality`, with nothing else switched on.
    fn each_training_batch(&self, modality: Modality, body: &mut dyn FnMut(&Batch)) -> Result<(), TrainError> {
        let reader = M::reader(self.config);
        let device = self.device.clone().inner();
        let (clips, on) = (self.train.loader().clips(), Modalities::only(modality));
        let having: Vec<usize> = (0..clips.len()).filter(|&index| clips[index].present.contains(modality)).collect();
        for chunk in having.chunks(self.job.recipe.batch_size) {
            let samples = self.train.loader().samples(chunk)?;
            let samples: Vec<&Sample> = samples.iter().map(|sample| &**sample).collect();
            body(&reader.batch(&samples, &vec![on; chunk.len()], &device)?);
        }
        Ok(())
    }

    fn each_batch(
        &self,
        model: &M,
        loader: &Loader<'_>,
        indices: &[usize],
        on: Modalities,
        mut body: impl FnMut(&[usize], Outlook) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let reader = M::reader(self.config);
        let device = self.device.clone().inner();
        for chunk in indices.chunks(self.job.recipe.batch_size) {
            let samples = loader.samples(chunk)?;
            let samples: Vec<&Sample> = samples.iter().map(|sample| &**sample).collect();
            let mut batch = reader.batch(&samples, &vec![on; chunk.len()], &device)?;
            self.features[usize::from(!std::ptr::eq(loader, self.train.loader()))].fill(
                model,
                self.config,
                chunk,
                &mut batch,
            )?;
            body(chunk, model.forward(self.config, &batch)?)?;
        }
        Ok(())
    }

    /// The clips of a split that have something of what a stage uses.
    fn clips_for(
        &self,
        loader: &Loader<'_>,
        on: Modalities,
        split: Split,
        plan: &StagePlan,
    ) -> Result<Vec<usize>, TrainError> {
        let on = on.intersection(M::reader(self.config).inputs.modalities());
        let some: Vec<usize> = (0..loader.clips().len())
            .filter(|&index| !loader.clips()[index].present.intersection(on).is_empty())
            .collect();
        if some.is_empty() {
            return Err(TrainError::NoClips {
                split: split.name(),
                dataset: self.manifest.name.clone(),
                hint: match self.stages.len() {
                    1 => format!("the model needs clips with one of {on}"),
                    _ => {
                        format!("stage {:?} needs clips with one of {on}; two_stage=false trains without it", plan.name)
                    }
                },
            });
        }
        Ok(some)
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
            device: compute::resolve(&self.job.device).to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            test: None,
        };
        let trained_on = plan.input.eval_modalities();
        let config = M::config_at(self.config, finished.len() - 1);
        let mut bundle = Bundle::new(config, self.truths.labels().clone(), trained_on, card);
        bundle.prompt_origins = prompts
            .rows
            .iter()
            .filter(|row| row.stage == plan.number && row.stage == prompts.rows.last().map_or(0, |row| row.stage))
            .map(|row| row.modality().map_or("none", Modality::name).to_owned())
            .collect();
        models::save_bundle(&self.run.best_dir(), &bundle, &last.model)?;
        self.run.save_prompts(&prompts)?;
        score(self.run, &mut bundle, self.manifest, &self.job.device, self.cache, control, tell)
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
            let keys = end.model.prompt_vectors();
            rows.extend(keys.into_iter().enumerate().map(|(prompt_idx, key)| PromptMapRow {
                stage: plan.number,
                prompt_idx,
                key,
                counts: [0, 1, 2].map(|modality| by_modality[modality].get(prompt_idx).copied().unwrap_or(0)),
            }));
        }
        Ok(PromptMap { rows })
    }

    /// Estimate for the rest of the job, were every stage to run all its epochs as fast as this one.
    fn remaining_secs(&self, stage: usize, epoch: usize, steps_left: usize, n_steps: usize, step_secs: f64) -> f64 {
        let epochs_left = self.stages[stage].n_epochs - epoch - 1;
        let later: usize = self.stages[stage + 1..].iter().map(|plan| plan.n_epochs).sum();
        step_secs * (steps_left + n_steps * (epochs_left + later)) as f64
    }
}

/// How an epoch of training ended.
enum Trained {
    Epoch { loss: f64, war: f64 },
    Stopped(Order),
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
    let mut prepared = prepare(manifest, manifest.split(split), inputs, cache, control, &mut |event| {
        if failed.is_ok() {
            failed = tell(event);
        }
    })?;
    failed?;
    let n_prepared = prepared.len();
    prepared.retain(|clip| truths.knows(&clip.clip));
    if prepared.len() < n_prepared {
        let n = n_prepared - prepared.len();
        let reason = format!("clips of {} that nobody rated, left out: {n}", split.name());
        tell(Event::Warning { path: manifest.root.clone(), reason })?;
    }
    if prepared.is_empty() {
        return Err(TrainError::NoClips {
            split: split.name(),
            dataset: manifest.name.clone(),
            hint: "import it with splits, or look at the problems that the import lists".into(),
        });
    }
    Ok(prepared)
}

fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, TrainError> {
    let values = tensor.try_into_vec_as::<f32>().map_err(|error| ModelError::Compute(error.to_string()))?;
    Ok(values.into_iter().map(f64::from).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
