//! Models that fuse three sequences of features, as classifiers of clips: what MCR and MulT have in common.

#[cfg(test)]
mod tests;

use std::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use emotion::{Attribute, LabelSet, Manifest, Modalities, Modality};
use serde::{Deserialize, Serialize};

use crate::encoders::feature_sequences::{FeatureSequences, FeatureSize};
use crate::encoders::sequences::{SequenceSize, Sequences};
use crate::layers::streams::{ByStream, Streams};
use crate::layers::transformer::unit_rows;
use crate::settings::{check_not_negative, check_positive, check_probability, check_share};
use crate::{
    AttributeLoss, Batch, Config, EmotionModel, FinishedStage, Init, Keep, Loss, ModelError, Optimization, Outlook,
    Reader, Rename, Schedule, StageInput, StagePlan, Target, Task, TrainingBatches, WeightDecay,
};

/// A network from three sequences to scores.
pub trait SequenceNetwork: Module + ModuleDisplay + Sync {
    /// What its shape depends on, apart from its inputs and outputs.
    type Size: Clone + Debug + PartialEq + Send + Sync;

    /// Where the names of its published parameters differ from the module's.
    const RENAMES: &'static [Rename];

    /// A network with random values for sequences of `length` steps of `n_dims` values, and `n_out` outputs.
    fn build(size: &Self::Size, length: &ByStream, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self;

    /// Runs it on `[batch, steps, dims]` each and reads out the last of the first `ends` steps of each stream.
    fn run(&self, size: &Self::Size, inputs: &Streams<Tensor<3>>, ends: &ByStream) -> SequenceOutput;

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
    /// How fast weights shrink apart from Adam's moments, as in AdamW.
    #[serde(default)]
    pub weight_decay: f64,
    /// Share of a label that is spread over all classes.
    #[serde(default)]
    pub label_smoothing: f64,
    /// How the learning rate falls.
    #[serde(default)]
    pub schedule: Schedule,
    /// Which epoch's model is kept.
    #[serde(default)]
    pub keep: Keep,
    /// Probability that training keeps a modality of a sample (choice: 0.7, so that absent tokens are learned too).
    pub keep_probability: f64,
    /// What is predicted.
    #[serde(default)]
    pub task: Task,
    /// The attributes that are predicted instead of classes: those that the dataset rates.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// The network.
    pub network: S,
    /// The sequences that it reads.
    pub sequences: SequenceSource,
}

/// Where sequences come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SequenceSource {
    /// Small encoders of faces, voices and words, trained along.
    Encoders(SequenceSize),
    /// Precomputed features that the dataset brings.
    Features(FeatureSize),
}

impl SequenceSource {
    fn lengths(&self) -> ByStream {
        match self {
            Self::Encoders(size) => size.lengths(),
            Self::Features(size) => size.lengths(),
        }
    }

    /// Steps up to the last one of the clip itself.
    fn ends(&self) -> ByStream {
        match self {
            Self::Encoders(size) => size.lengths(),
            Self::Features(size) => size.ends(),
        }
    }

    fn n_dims(&self) -> ByStream {
        match self {
            Self::Encoders(size) => ByStream { language: size.n_dims, video: size.n_dims, audio: size.n_dims },
            Self::Features(size) => size.n_dims(),
        }
    }
}

/// A network with what makes its sequences.
#[derive(Module, Debug)]
pub struct SequenceClassifier<N> {
    /// Encoders of clips, unless features are read.
    pub sequences: Option<Sequences>,
    /// Scales of precomputed features, where these are read.
    pub features: Option<FeatureSequences>,
    /// Sequences to scores.
    pub network: N,
}

impl<N: SequenceNetwork> EmotionModel for SequenceClassifier<N> {
    type Config = SequenceConfig<N::Size>;

    const RENAMES: &'static [Rename] = N::RENAMES;

    fn check(config: &Self::Config) -> Result<(), ModelError> {
        check_probability("keep_probability", config.keep_probability)?;
        check_positive("learning_rate", config.learning_rate)?;
        check_not_negative("weight_decay", config.weight_decay)?;
        check_share("label_smoothing", config.label_smoothing)?;
        match &config.sequences {
            SequenceSource::Encoders(size) => size.check()?,
            SequenceSource::Features(size) => size.check()?,
        }
        N::check(&config.network)
    }

    fn build(config: &Self::Config, n_classes: usize, init: &mut Init<'_>) -> Self {
        let modalities = N::modalities(&config.network);
        let (sequences, features) = match &config.sequences {
            SequenceSource::Encoders(size) => (Some(Sequences::new(size, modalities, init)), None),
            SequenceSource::Features(size) => (None, Some(FeatureSequences::new(size, modalities, init))),
        };
        let (lengths, n_dims) = (config.sequences.lengths(), config.sequences.n_dims());
        let n_out = if config.attributes.is_empty() { n_classes } else { config.attributes.len() };
        Self { sequences, features, network: N::build(&config.network, &lengths, &n_dims, n_out, init) }
    }

    fn for_dataset(config: &Self::Config, manifest: &Manifest) -> Result<Self::Config, ModelError> {
        let modalities = N::modalities(&config.network);
        let sequences = match &config.sequences {
            SequenceSource::Encoders(size) => SequenceSource::Encoders(*size),
            SequenceSource::Features(size) => SequenceSource::Features(size.for_dataset(modalities, manifest)?),
        };
        Ok(SequenceConfig { sequences, attributes: config.task.attributes(manifest)?, ..config.clone() })
    }

    fn attributes(config: &Self::Config) -> &[Attribute] {
        &config.attributes
    }

    fn reader(config: &Self::Config) -> Reader {
        let modalities = N::modalities(&config.network);
        match &config.sequences {
            SequenceSource::Encoders(size) => size.reader(modalities),
            SequenceSource::Features(size) => size.reader(modalities),
        }
    }

    fn stages(config: &Self::Config) -> Vec<StagePlan> {
        vec![StagePlan {
            name: "joint".into(),
            number: 1,
            input: StageInput::RandomDrop { keep: config.keep_probability },
            n_epochs: config.n_epochs,
            learning_rate: config.learning_rate,
            trains: match config.keep_probability {
                1.0 => "everything".into(),
                _ => "everything, with modalities missing at random".into(),
            },
            starts_from: "random values".into(),
            optimization: Optimization {
                weight_decay: WeightDecay::Decoupled { rate: config.weight_decay },
                schedule: config.schedule,
                keep: config.keep,
                ..Optimization::default()
            },
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

    fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        match (&mut self.sequences, &mut self.features) {
            (Some(sequences), _) => sequences.calibrate(training),
            (None, Some(features)) => features.calibrate(training),
            (None, None) => Ok(()),
        }
    }

    fn config_at(config: &Self::Config, _stage: usize) -> Config {
        N::config(config.clone())
    }

    fn forward(&self, config: &Self::Config, batch: &Batch) -> Result<Outlook, ModelError> {
        let inputs = match (&config.sequences, &self.sequences, &self.features) {
            (SequenceSource::Encoders(size), Some(sequences), _) => sequences.forward(size, batch),
            (SequenceSource::Features(size), _, Some(features)) => features.forward(size, batch),
            _ => unreachable!("a model is built from its configuration"),
        };
        let output = self.network.run(&config.network, &inputs, &config.sequences.ends());
        Ok(Outlook {
            logits: output.prediction,
            fused: unit_rows(output.pooled),
            tokens: means(&output.streams, &batch.present),
            selection: None,
            auxiliary: Vec::new(),
        })
    }

    fn loss(&self, config: &Self::Config, outlook: &Outlook, target: impl Into<Target>) -> Loss {
        let (target, smoothing) = (target.into(), config.label_smoothing);
        let loss = target.smoothed_loss(outlook.logits.clone(), AttributeLoss::Absolute, smoothing);
        Loss::sum(vec![(target.name(), loss)])
    }
}

/// What a setting is, for people.
pub(crate) fn help(key: &str) -> Option<&'static str> {
    Some(match key {
        "n_epochs" => "Epochs, at most.",
        "learning_rate" => "Initial learning rate. MCR's paper: 0.001 or 0.002.",
        "weight_decay" => "How fast weights shrink apart from Adam's moments, as in AdamW.",
        "label_smoothing" => "Share of a label that is spread over all classes; the papers have none.",
        "schedule" => "How the learning rate falls: plateau, cosine or constant.",
        "keep" => "Which epoch is kept: lowest_loss or last.",
        "keep_probability" => "How likely training keeps each modality of a clip.",
        "task" => "classification, or regression of the attributes that the dataset rates, such as sentiment.",
        "network.width" => "Width of a step in all streams. MCR's paper: 40; MulT's code: 30.",
        "network.n_heads" => "Attention heads. MCR's paper: 8 or 10; MulT's code: 5.",
        "network.n_layers" => "Reinforcement layers of MCR (paper: 3 or 4), layers of MulT's encoders (code: 5).",
        "network.encoder_layers" => "Layers over the reinforced streams.",
        "network.modalities" => "Streams that there are: v video, a audio, t language.",
        "network.targets" => "Streams that are reinforced and read out: v video, a audio, t language.",
        "network.source_update" => "How sources follow from layer to layer: sum, low_level, feed_forward, no_smm.",
        "network.cmu" => "Off leaves out MCR's cross-mutual attention units, as in the paper's ablation.",
        "network.mutual" => "Off keeps their attentions apart, as in the paper's ablation.",
        "network.scu" => "Off leaves out MCR's self-cross attention units, as in the paper's ablation.",
        "network.attention_layer" => "Off adds the two branches of these, as in the paper's ablation.",
        "network.beta" => "How branches are scored: collapsed, literal (short streams only), pooled.",
        "network.structure" => "parallel or, as in the paper's ablation, serial.",
        "network.causal" => "Whether a step of MulT sees the past alone.",
        "sequences.n_dims" => "Values of a step of each sequence.",
        "sequences.n_frames" => "Face frames of a clip.",
        "sequences.side_px" => "Side of a face crop in pixels.",
        "sequences.rate_hz" => "Sampling rate of the voice in hertz.",
        "sequences.mel_frames" => "Log-mel frames of 10 ms per clip.",
        "sequences.frames_per_step" => "Log-mel frames that one step summarizes.",
        "sequences.max_words" => "Words of a clip, at most.",
        "sequences.language.stream" => "The dataset's features for language, several joined by +; empty: its first.",
        "sequences.video.stream" => "The dataset's features for video, several joined by +; empty: its first.",
        "sequences.audio.stream" => "The dataset's features for audio, several joined by +; empty: its first.",
        "sequences.language.root" | "sequences.video.root" | "sequences.audio.root" => {
            "Whether these features are taken by their square root first, sign kept: for intensities, such as action units."
        }
        "sequences.language.normalize" | "sequences.video.normalize" | "sequences.audio.normalize" => {
            "Whose mean and deviation these features are normalized by: train, speaker (of all clips of the person, no labels), none."
        }
        "sequences.max_steps" => "Steps of a sequence, at most; the farthest from the clip's end are left out.",
        "sequences.context" => "Clips before and after in the same recording that are seen, too.",
        "sequences.dropout" => "Share of the features' values that a training step does without.",
        _ => return None,
    })
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
