//! Models that fuse three sequences of features, as classifiers of clips: what MCR and MulT have in common.

#[cfg(test)]
mod tests;

use std::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use emotion::{LabelSet, Modalities, Modality};
use serde::{Deserialize, Serialize};

use crate::encoders::sequences::{SequenceSize, Sequences};
use crate::layers::streams::{ByStream, Streams};
use crate::layers::transformer::unit_rows;
use crate::{
    Batch, Config, EmotionModel, FinishedStage, Init, Loss, ModelError, Optimization, Outlook, Reader, Rename,
    StageInput, StagePlan,
};

/// A network from three sequences to scores.
pub trait SequenceNetwork: Module + ModuleDisplay + Sync {
    /// What its shape depends on, apart from its inputs and outputs.
    type Size: Clone + Debug + PartialEq + Send + Sync;

    /// Where the names of its published parameters differ from the module's.
    const RENAMES: &'static [Rename];

    /// A network with random values for sequences of `length` steps of `n_dims` values, and `n_out` outputs.
    fn build(size: &Self::Size, length: &ByStream, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self;

    /// Runs it on `[batch, steps, dims]` each.
    fn run(&self, size: &Self::Size, inputs: &Streams<Tensor<3>>) -> SequenceOutput;

    /// Checks what the types of a size cannot say.
    fn check(size: &Self::Size) -> Result<(), ModelError>;

    /// The sequences that it takes.
    fn modalities(size: &Self::Size) -> Modalities;

    /// The configuration of a classifier with it.
    fn config(config: SequenceConfig<Self::Size>) -> Config;
}

/// What a network yields.
#[derive(Debug, Clone)]
pub struct SequenceOutput {
    /// Streams before fusion, `[batch, steps, width]` each.
    pub streams: Streams<Tensor<3>>,
    /// The joint feature, `[batch, any]`.
    pub pooled: Tensor<2>,
    /// Scores, `[batch, outputs]`.
    pub prediction: Tensor<2>,
}

/// Everything that the shape and the training plan of a classifier depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceConfig<S> {
    /// Epochs at most.
    pub n_epochs: usize,
    /// Initial learning rate.
    pub learning_rate: f64,
    /// Probability that training keeps a modality of a sample (choice: 0.7, so that absent tokens are learned too).
    pub keep_probability: f64,
    /// The network.
    pub network: S,
    /// The sequences that it reads.
    pub sequences: SequenceSize,
}

/// A network with the encoders of its sequences.
#[derive(Module, Debug)]
pub struct SequenceClassifier<N> {
    /// Clips to sequences.
    pub sequences: Sequences,
    /// Sequences to scores.
    pub network: N,
}

impl<N: SequenceNetwork> EmotionModel for SequenceClassifier<N> {
    type Config = SequenceConfig<N::Size>;

    const RENAMES: &'static [Rename] = N::RENAMES;

    fn check(config: &Self::Config) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        if !(config.keep_probability > 0.0 && config.keep_probability <= 1.0) {
            return complain(format!("keep_probability is {}: it must be in 0..1", config.keep_probability));
        }
        if config.learning_rate.is_nan() || config.learning_rate <= 0.0 {
            return complain(format!("learning_rate is {}: it must be positive", config.learning_rate));
        }
        config.sequences.check()?;
        N::check(&config.network)
    }

    fn build(config: &Self::Config, n_classes: usize, init: &mut Init<'_>) -> Self {
        let size = &config.sequences;
        let n_dims = ByStream { language: size.n_dims, video: size.n_dims, audio: size.n_dims };
        Self {
            sequences: Sequences::new(size, N::modalities(&config.network), init),
            network: N::build(&config.network, &size.lengths(), &n_dims, n_classes, init),
        }
    }

    fn reader(config: &Self::Config) -> Reader {
        config.sequences.reader(N::modalities(&config.network))
    }

    fn stages(config: &Self::Config) -> Vec<StagePlan> {
        vec![StagePlan {
            name: "joint".into(),
            number: 1,
            input: StageInput::RandomDrop { keep: config.keep_probability },
            n_epochs: config.n_epochs,
            learning_rate: config.learning_rate,
            optimization: Optimization::default(),
            trains: "everything, with modalities missing at random".into(),
            starts_from: "random values".into(),
        }]
    }

    fn start_stage(
        config: &Self::Config,
        labels: &LabelSet,
        _stage: usize,
        seed: u64,
        _finished: &[FinishedStage<Self>],
        device: &Device,
    ) -> Result<Self, ModelError> {
        Ok(Self::build(config, labels.len(), &mut Init::new(seed, device)))
    }

    fn config_at(config: &Self::Config, _stage: usize) -> Config {
        N::config(config.clone())
    }

    fn forward(&self, config: &Self::Config, batch: &Batch) -> Result<Outlook, ModelError> {
        let inputs = self.sequences.forward(&config.sequences, batch);
        let output = self.network.run(&config.network, &inputs);
        Ok(Outlook {
            logits: output.prediction,
            fused: unit_rows(output.pooled),
            tokens: means(&output.streams, &batch.present),
            selection: None,
            auxiliary: Vec::new(),
        })
    }

    fn loss(&self, _config: &Self::Config, outlook: &Outlook, labels: Tensor<1, Int>) -> Loss {
        let [n] = labels.dims();
        let cross_entropy = log_softmax(outlook.logits.clone(), 1).gather(1, labels.reshape([n, 1])).mean().neg();
        Loss { total: cross_entropy.clone(), terms: vec![("cross-entropy", cross_entropy)] }
    }

    fn prompt_vectors(&self) -> Vec<Vec<f32>> {
        Vec::new()
    }
}

/// The mean over time of each stream, `[batch, 3, width]` in the order V, A, T; zero where a modality is absent.
fn means(streams: &Streams<Tensor<3>>, present: &Tensor<2>) -> Tensor<3> {
    let [n, width] = streams.iter().next().map_or([0, 0], |(_, stream)| [stream.dims()[0], stream.dims()[2]]);
    let mean = |modality: Modality| match streams.get(modality) {
        Some(stream) => stream.clone().mean_dim(1),
        None => Tensor::zeros([n, 1, width], &present.device()),
    };
    Tensor::cat(Modality::ALL.map(mean).to_vec(), 1) * present.clone().reshape([n, 3, 1])
}
