//! An epoch of training and what is measured after it: batches through the model.

use std::time::Instant;

use burn::tensor::Tensor;
use emotion::{Clip, Confusion, Modalities, Modality, Sample, Scores, Split};
use models::{EmotionModel, Outlook, SeeBatch, StagePlan, compute};
use rand::RngExt as _;

use super::{Tell, Trainer};
use crate::adam::Adam;
use crate::checkpoint::Progress;
use crate::loader::{Loader, rng_at, shuffled};
use crate::step::train_step;
use crate::{Event, Order, TrainError};

/// Steps between two reports and looks at the loss; reading it waits for the device.
const STEPS_PER_EVENT: usize = 4;

/// How an epoch of training ended.
pub(super) enum Trained {
    Epoch { loss: f64, war: f64 },
    Stopped(Order),
}

impl<M: EmotionModel> Trainer<'_, M> {
    pub(super) fn train_epoch(
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
                    self.train.loader().features().fill(model, self.config, &clips, &mut batch)?;
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
    pub(super) fn validate(&self, val: &[usize], model: &M, on: Modalities) -> Result<(f64, Scores), TrainError> {
        let model = model.valid();
        let is_rated = !self.truths.attributes().is_empty();
        let (mut loss, mut pairs, mut outlooks) = (0.0, Vec::with_capacity(val.len()), Vec::new());
        self.each_batch(&model, &self.val, val, on, |chunk, outlook| {
            let clips = self.clips_at(&self.val, chunk);
            let truths = clips.iter().map(|clip| self.truths.class(clip));
            pairs.extend(truths.zip(self.predicted(outlook.logits.clone())?));
            if is_rated {
                outlooks.push(outlook);
            } else {
                let target = self.truths.target(&clips, &outlook.logits.device());
                loss +=
                    read(model.loss(self.config, &outlook, target).total)?[0] * chunk.len() as f64 / val.len() as f64;
            }
            Ok(())
        })?;
        if is_rated {
            // A correlation is one of the whole split; the mean of those of batches would depend on their size.
            let outlook = Outlook::joined(&outlooks);
            let target = self.truths.target(&self.clips_at(&self.val, val), &outlook.logits.device());
            loss = read(model.loss(self.config, &outlook, target).total)?[0];
        }
        Ok((loss, Confusion::from_pairs(self.truths.labels().clone(), pairs).scores()))
    }

    fn clips_at<'l>(&self, loader: &'l Loader<'_>, indices: &[usize]) -> Vec<&'l Clip> {
        indices.iter().map(|&index| &loader.clips()[index].clip).collect()
    }

    /// The class that each row of a model's outputs means.
    fn predicted(&self, outputs: Tensor<2>) -> Result<Vec<usize>, TrainError> {
        Ok(read(outputs)?.chunks(self.truths.n_outputs()).map(|row| self.truths.predicted(row)).collect())
    }

    /// How often the training split chooses each prompt when only `on` are switched on.
    pub(super) fn count_prompts(&self, model: &M, on: Modalities) -> Result<Vec<usize>, TrainError> {
        let model = model.valid();
        let mut counts = vec![0; model.prompt_vectors()?.len()];
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
    pub(super) fn each_training_batch(&self, modality: Modality, body: &mut SeeBatch<'_>) -> Result<(), TrainError> {
        let reader = M::reader(self.config);
        let device = self.device.clone().inner();
        let (clips, on) = (self.train.loader().clips(), Modalities::only(modality));
        let having: Vec<usize> = (0..clips.len()).filter(|&index| clips[index].present.contains(modality)).collect();
        for chunk in having.chunks(self.job.recipe.batch_size) {
            let samples = self.train.loader().samples(chunk)?;
            let samples: Vec<&Sample> = samples.iter().map(|sample| &**sample).collect();
            body(&reader.batch(&samples, &vec![on; chunk.len()], &device)?)?;
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
            loader.features().fill(model, self.config, chunk, &mut batch)?;
            body(chunk, model.forward(self.config, &batch)?)?;
        }
        Ok(())
    }

    /// The clips of a split that have something of what a stage uses.
    pub(super) fn clips_for(
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

    /// Estimate for the rest of the job, were every stage to run all its epochs as fast as this one.
    fn remaining_secs(&self, stage: usize, epoch: usize, steps_left: usize, n_steps: usize, step_secs: f64) -> f64 {
        let epochs_left = self.stages[stage].n_epochs - epoch - 1;
        let later: usize = self.stages[stage + 1..].iter().map(|plan| plan.n_epochs).sum();
        step_secs * (steps_left + n_steps * (epochs_left + later)) as f64
    }
}

fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, TrainError> {
    Ok(compute::read(tensor)?.into_iter().map(f64::from).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
