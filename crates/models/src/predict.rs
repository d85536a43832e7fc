//! The two faces of a model: one to train it, one to use it.

use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use emotion::{Attribute, Inputs, LabelSet, Manifest, Modalities, Modality, Prediction, PromptUse, Sample};

use crate::layers::prompt_pool::Selection;
use crate::{
    Augmentation, Batch, Bundle, Card, Config, Frozen, Init, ModelError, ModelKind, Reader, Rename, StagePlan, Target,
    compute,
};

/// What a forward pass yields.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// Class scores before the softmax, `[batch, classes]`, or attributes, `[batch, attributes]`.
    pub logits: Tensor<2>,
    /// Joint features of unit length, `[batch, width]`.
    pub fused: Tensor<2>,
    /// Modality features before fusion, absent ones zero, `[batch, 3, width]`.
    pub tokens: Tensor<3>,
    /// Activated prompts, for a model with a pool.
    pub selection: Option<Selection>,
    /// Named terms of the loss that need no labels, `[1]` each, weighted.
    pub auxiliary: Vec<(&'static str, Tensor<1>)>,
}

impl Outlook {
    /// Those of several batches as that of one: rows one after the other, auxiliary terms averaged over rows. Which
    /// prompts were chosen is left out.
    ///
    /// # Panics
    ///
    /// Where there is no part.
    pub fn joined(parts: &[Self]) -> Self {
        let n_rows: Vec<f64> = parts.iter().map(|part| part.logits.dims()[0] as f64).collect();
        let total: f64 = n_rows.iter().sum();
        let mut auxiliary: Vec<(&'static str, Tensor<1>)> = Vec::new();
        for (part, n) in parts.iter().zip(n_rows) {
            for (name, term) in &part.auxiliary {
                let share = term.clone().mul_scalar(n / total);
                match auxiliary.iter_mut().find(|(known, _)| known == name) {
                    Some((_, sum)) => *sum = sum.clone() + share,
                    None => auxiliary.push((name, share)),
                }
            }
        }
        let all = |part: fn(&Self) -> Tensor<2>| Tensor::cat(parts.iter().map(part).collect(), 0);
        Self {
            logits: all(|part| part.logits.clone()),
            fused: all(|part| part.fused.clone()),
            tokens: Tensor::cat(parts.iter().map(|part| part.tokens.clone()).collect(), 0),
            selection: None,
            auxiliary,
        }
    }
}

/// A loss and what it is the sum of.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What is minimized, `[1]`.
    pub total: Tensor<1>,
    /// Named terms as they enter the total, `[1]` each.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

impl Loss {
    /// The sum of at least one term.
    pub fn sum(terms: Vec<(&'static str, Tensor<1>)>) -> Self {
        let total = terms.iter().skip(1).fold(terms[0].1.clone(), |total, (_, term)| total + term.clone());
        Self { total, terms }
    }
}

/// A stage that is over, for the stages that start from it.
#[derive(Debug, Clone)]
pub struct FinishedStage<M> {
    /// The model that was kept.
    pub model: M,
    /// How often each prompt was chosen in one evaluation pass over the training split; empty without a pool.
    pub prompt_counts: Vec<usize>,
}

/// Hands every batch of the training split to a function, unchanged and with one modality switched on; clips without it
/// are left out.
pub trait TrainingBatches<E>: Fn(Modality, &mut SeeBatch<'_>) -> Result<(), E> {}

impl<E, F: Fn(Modality, &mut SeeBatch<'_>) -> Result<(), E>> TrainingBatches<E> for F {}

/// What is done with each of these batches.
pub type SeeBatch<'a> = dyn FnMut(&Batch) -> Result<(), ModelError> + 'a;

/// A model that can be trained. Its configuration says everything that its shape depends on.
pub trait EmotionModel: Module + Sync {
    /// What a model is built from.
    type Config: Clone + Send + Sync;

    /// Where the names of its published checkpoints differ from the module's.
    const RENAMES: &'static [Rename];

    /// Checks what the types of a configuration cannot say.
    fn check(config: &Self::Config) -> Result<(), ModelError>;

    /// A model with random values, shaped as a kept model of this configuration is.
    fn build(config: &Self::Config, n_classes: usize, init: &mut Init<'_>) -> Self;

    /// How samples become batches.
    fn reader(config: &Self::Config) -> Reader;

    /// The configuration completed by what follows from the dataset, its classes, features and ratings, before anything
    /// is built for training.
    ///
    /// Errors when a file that this takes cannot be read, or when the dataset lacks what the model learns from.
    fn for_dataset(config: &Self::Config, manifest: &Manifest) -> Result<Self::Config, ModelError> {
        let _ = manifest;
        Ok(config.clone())
    }

    /// The attributes that the outputs are, on the scale −1..=1; empty for a model of classes.
    fn attributes(config: &Self::Config) -> &[Attribute] {
        let _ = config;
        &[]
    }

    /// The training plan, in order.
    fn stages(config: &Self::Config) -> Vec<StagePlan>;

    /// The model with which stage `stage` of the plan starts, given all stages before it.
    ///
    /// Errors when published weights that it starts from cannot be read.
    fn start_stage(
        config: &Self::Config,
        labels: &LabelSet,
        stage: usize,
        seed: u64,
        finished: &[FinishedStage<Self>],
        device: &Device,
    ) -> Result<Self, ModelError>;

    /// Fills the model from the files of a trained one of the released code, strictly.
    ///
    /// Errors when a tensor is missing, unexpected or misshapen, or when no form of such files is known.
    fn import_released(&mut self, config: &Self::Config, files: &[PathBuf]) -> Result<(), ModelError> {
        let _ = (config, files);
        Err(ModelError::Config("no released code of this model saves weights in a form of its own".into()))
    }

    /// Sets what follows from the training split without learning, scales of inputs say, before a plan's first epochs.
    fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        let _ = training;
        Ok(())
    }

    /// How training changes samples, if the job wants it to.
    fn augmentation(config: &Self::Config) -> Augmentation {
        let _ = config;
        Augmentation::Gentle
    }

    /// The configuration that describes the model of stage `stage`, should that one be kept.
    fn config_at(config: &Self::Config, stage: usize) -> Config;

    /// What the encoders that never learn make of a batch, so that it can be kept for each clip; nothing where all
    /// learn.
    fn encode_frozen(&self, config: &Self::Config, batch: &Batch) -> Frozen {
        let _ = (config, batch);
        Frozen::default()
    }

    /// Runs the model on a batch.
    fn forward(&self, config: &Self::Config, batch: &Batch) -> Result<Outlook, ModelError>;

    /// The training loss.
    fn loss(&self, config: &Self::Config, outlook: &Outlook, target: impl Into<Target>) -> Loss;

    /// Vectors of the prompt pool; empty for a model without one, as where every clip sees all prompts.
    fn prompt_vectors(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(Vec::new())
    }
}

/// A trained model, whichever it is.
pub trait Predict: Send {
    /// Which model.
    fn kind(&self) -> ModelKind;
    /// Its classes.
    fn labels(&self) -> &LabelSet;
    /// The attributes that it predicts instead of classes, which then are the halves of the first one's scale.
    fn attributes(&self) -> &[Attribute] {
        &[]
    }
    /// What it needs to see.
    fn inputs(&self) -> &Inputs;
    /// The modalities that it was trained with.
    fn trained_on(&self) -> Modalities;
    /// Where it comes from and how good it is.
    fn card(&self) -> &Card;
    /// Number of parameters.
    fn n_parameters(&self) -> usize;
    /// Predicts each sample from what it has and what is switched on.
    ///
    /// Errors when nothing is left of a sample.
    fn predict(&self, samples: &[&Sample], on: Modalities) -> Result<Vec<Prediction>, ModelError>;
}

/// A trained model with its description: the one implementation of [`Predict`].
pub struct Trained<M: EmotionModel> {
    model: M,
    config: M::Config,
    reader: Reader,
    bundle: Bundle,
    device: Device,
}

impl<M: EmotionModel> Trained<M> {
    /// Joins a model with its description; both from the same training or file.
    pub fn new(model: &M, config: M::Config, bundle: Bundle, device: Device) -> Self {
        // Prediction keeps no graph.
        Self { model: model.valid(), reader: M::reader(&config), config, bundle, device: device.inner() }
    }
}

impl<M: EmotionModel> Predict for Trained<M> {
    fn kind(&self) -> ModelKind {
        self.bundle.model
    }

    fn labels(&self) -> &LabelSet {
        &self.bundle.labels
    }

    fn attributes(&self) -> &[Attribute] {
        M::attributes(&self.config)
    }

    fn inputs(&self) -> &Inputs {
        &self.reader.inputs
    }

    fn trained_on(&self) -> Modalities {
        self.bundle.trained_on
    }

    fn card(&self) -> &Card {
        &self.bundle.card
    }

    fn n_parameters(&self) -> usize {
        self.model.num_params()
    }

    fn predict(&self, samples: &[&Sample], on: Modalities) -> Result<Vec<Prediction>, ModelError> {
        let batch = self.reader.batch(samples, &vec![on; samples.len()], &self.device)?;
        let outlook = self.model.forward(&self.config, &batch)?;
        predictions(&outlook, &batch, &self.bundle.labels, !M::attributes(&self.config).is_empty())
    }
}

/// Reads a forward pass back from the device; outputs are scores of classes, or `are_values`.
pub(crate) fn predictions(
    outlook: &Outlook,
    batch: &Batch,
    labels: &LabelSet,
    are_values: bool,
) -> Result<Vec<Prediction>, ModelError> {
    let read = |tensor: Tensor<2>| -> Result<Vec<Vec<f32>>, ModelError> {
        let [_, width] = tensor.dims();
        let values = compute::read(tensor)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(ModelError::NotANumber);
        }
        Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
    };
    let outputs = if are_values { read(outlook.logits.clone())? } else { read(softmax(outlook.logits.clone(), 1))? };
    let fused = read(outlook.fused.clone())?;
    let unfused = read(outlook.tokens.clone().flatten::<2>(1, 2))?;
    let present = read(batch.present.clone())?;
    let rows = outputs.into_iter().zip(fused).zip(unfused).zip(present).enumerate();
    Ok(rows
        .map(|(row, (((outputs, features), unfused), present))| Prediction {
            labels: labels.clone(),
            probabilities: if are_values { Vec::new() } else { outputs.clone() },
            values: if are_values { outputs } else { Vec::new() },
            used: Modality::ALL.into_iter().filter(|modality| present[modality.index()] > 0.5).collect(),
            features,
            unfused,
            prompts: outlook.selection.as_ref().map_or_else(Vec::new, |selection| {
                let chosen = selection.chosen[row].iter().zip(&selection.chosen_similarity[row]);
                chosen.map(|(&prompt_idx, &similarity)| PromptUse { prompt_idx, similarity }).collect()
            }),
        })
        .collect())
}
