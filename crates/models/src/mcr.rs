//! MCR (Yang et al. 2023, "Target and source modality co-reinforcement for emotion understanding from asynchronous
//! multimodal sequences").
//!
//! Three sequences of features, word-aligned or not, are reinforced layer by layer: each as a target by units that look
//! at the other two, and each as a source by what became of it as a target. Nothing is masked. There is no published
//! code; what the paper leaves open is decided in the comments where it matters.

mod attention;
mod config;
mod layer;
#[cfg(test)]
mod tests;
mod units;

use burn::module::Module;
use burn::nn::{Dropout, Linear};
use burn::tensor::{Tensor, assert_shape};
use emotion::{Modalities, Modality};

pub use crate::l1_loss;
pub use attention::{AttentionLayer, BetaForm};
pub use config::{McrSize, SourceUpdate, Structure};
pub use layer::{ReinforcementLayer, State};
pub use units::{Cmu, CmuOutput, Exchange, FeedForward, Gate, Scu, ScuOutput, SourceUpdateUnit, StepBias};

use crate::encoders::feature_sequences::FeatureSize;
use crate::encoders::sequences::SequenceSize;
use crate::layers::crossmodal::{Encoder, TimeConv, dropout, residual_head, step_at, with_positions};
use crate::layers::streams::{ByStream, Streams, Watch};
use crate::sequence_model::{
    self, SequenceClassifier, SequenceConfig, SequenceNetwork, SequenceOutput, SequenceSource,
};
use crate::{About, Config, Init, Keep, ModelError, Rename, Schedule, Task};

/// Names of the parameters, as the reference cases have them, that differ from the module's.
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "proj_", module: "proj." },
    Rename { checkpoint: ".self.", module: ".own." },
    Rename { checkpoint: ".beta_", module: ".attention.beta_" },
];

/// What is said of MCR.
pub const ABOUT: About = About {
    name: "mcr",
    title: "MCR",
    paper: "Yang et al., Target and source modality co-reinforcement for emotion understanding from asynchronous multimodal \
            sequences, 2023",
    presets: &[
        ("tiny", || Config::Mcr(McrConfig::tiny())),
        ("paper", || Config::Mcr(McrConfig::paper())),
        ("utterances", || Config::Mcr(McrConfig::utterances())),
    ],
    help: sequence_model::help,
};

/// MCR on the sequences of a clip.
pub type McrClassifier = SequenceClassifier<Mcr>;

/// What a classifier is built from.
pub type McrConfig = SequenceConfig<McrSize>;

impl McrConfig {
    /// Trains in minutes on a laptop's CPU.
    pub fn tiny() -> Self {
        Self {
            n_epochs: 60,
            learning_rate: 0.001,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            schedule: Schedule::Plateau,
            keep: Keep::LowestLoss,
            keep_probability: 0.7,
            task: Task::Classification,
            attributes: Vec::new(),
            network: McrSize { width: 32, n_heads: 4, n_layers: 2, encoder_layers: 1, ..McrSize::paper() },
            sequences: SequenceSource::Encoders(SequenceSize::tiny()),
        }
    }

    /// The published model on three streams of features, word-aligned or not (table 1, MOSI: 120 epochs, batches of
    /// 64).
    pub fn paper() -> Self {
        Self {
            n_epochs: 120,
            keep_probability: 1.0,
            network: McrSize::paper(),
            sequences: SequenceSource::Features(FeatureSize::mosi()),
            ..Self::tiny()
        }
    }

    /// A small model on one vector an utterance, which sees the utterances around it.
    pub fn utterances() -> Self {
        let size = FeatureSize { context: 3, dropout: 0.3, ..FeatureSize::mosi() };
        Self { n_epochs: 30, sequences: SequenceSource::Features(size), ..Self::tiny() }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct Mcr {
    /// Convolution of each stream to the common width.
    pub proj: Streams<TimeConv>,
    /// Reinforcement layers.
    pub layers: Vec<ReinforcementLayer>,
    /// Over the reinforced targets, one after the other in time.
    pub encoder: Encoder,
    /// Up, in the head.
    pub proj1: Linear,
    /// Down, in the head.
    pub proj2: Linear,
    /// To the outputs.
    pub out_layer: Linear,
    language_drop: Dropout,
    head_drop: Dropout,
}

/// What the model yields.
#[derive(Debug, Clone)]
pub struct McrOutput {
    /// Streams before the first layer, `[batch, steps, width]` each.
    pub streams: Streams<Tensor<3>>,
    /// Of the encoder, `[batch, steps of all targets, width]`.
    pub encoded: Tensor<3>,
    /// The step of each target that is read out, the last one or that of the clip, `[batch, targets · width]`.
    pub pooled: Tensor<2>,
    /// `[batch, outputs]`
    pub prediction: Tensor<2>,
}

impl Mcr {
    /// A model with random values for streams of `length` steps of `n_dims` values, and `n_out` outputs.
    pub fn new(size: &McrSize, length: &ByStream, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self {
        let pooled = size.targets.len() * size.width;
        Self {
            proj: Streams::of(size.modalities, |stream| {
                TimeConv::new(n_dims.get(stream), size.width, size.kernel.get(stream), init)
            }),
            layers: (1..=size.n_layers)
                .map(|layer| ReinforcementLayer::new(size, length, layer == size.n_layers, init))
                .collect(),
            encoder: Encoder::new(size.encoder(), &size.drops(), init),
            proj1: init.linear(pooled, pooled),
            proj2: init.linear(pooled, pooled),
            out_layer: init.linear(pooled, n_out),
            language_drop: dropout(size.dropout.embedding),
            head_drop: dropout(size.dropout.output),
        }
    }

    /// Runs the model on streams `[batch, steps, dims]` of the lengths that it was made for.
    ///
    /// Shorter sequences have zero rows before their first step, as the published features have.
    pub fn forward(&self, size: &McrSize, inputs: &Streams<Tensor<3>>) -> McrOutput {
        self.watched(size, inputs, &mut Watch::default())
    }

    /// Runs the model and reads out the last of the first `ends` steps of each stream.
    pub fn read_at(&self, size: &McrSize, inputs: &Streams<Tensor<3>>, ends: &ByStream) -> McrOutput {
        self.run_watched(size, inputs, Some(ends), &mut Watch::default())
    }

    /// The same, showing what happens inside.
    ///
    /// Names and shapes: `pre.m` `[batch, T_m, width]`; for each layer `layer0.` and so on, with the letter of a target
    /// `t` or source `s` behind, `alpha` `[batch, 1, T_s1 + T_s2]`, `beta` and `gamma` `[batch, 1, 2]` (cross, self),
    /// `cmu_attention1` and `cmu_attention2` `[batch, T_t, T_s]`, `scu_attention` `[batch, T_t, T_s1 + T_s2]` (mean
    /// over heads), `cmu`, `scu`, `target` `[batch, T_t, width]`, `mu`, `source` `[batch, T_s, width]`, `ds` `[batch,
    /// T_s1 + T_s2, width]`.
    pub fn watched(&self, size: &McrSize, inputs: &Streams<Tensor<3>>, watch: &mut Watch<'_>) -> McrOutput {
        self.run_watched(size, inputs, None, watch)
    }

    fn run_watched(
        &self,
        size: &McrSize,
        inputs: &Streams<Tensor<3>>,
        ends: Option<&ByStream>,
        watch: &mut Watch<'_>,
    ) -> McrOutput {
        let streams = Streams::of(size.modalities, |stream| {
            let z = self.embedded(stream, inputs[stream].clone());
            watch.show("pre", stream, || z.clone());
            z
        });
        let mut state = State::first(size, &streams);
        for (i, layer) in self.layers.iter().enumerate() {
            watch.enter(format!("layer{i}."));
            let targets = layer.reinforce(size, &state, watch);
            state = if i + 1 < self.layers.len() {
                layer.update(size, targets, &state.sources, watch)
            } else {
                State { targets, ..state }
            };
        }
        let targets: Vec<Tensor<3>> = state.targets.iter().map(|(_, target)| target.clone()).collect();
        let ends: Vec<usize> = (state.targets.iter())
            .scan(0, |first, (stream, target)| {
                let [_, steps, _] = target.dims();
                let end = *first + ends.map_or(steps, |ends| ends.get(stream));
                *first += steps;
                Some(end)
            })
            .collect();
        let encoded = self.encoder.forward(Tensor::cat(targets, 1), None, None);
        let pooled = Tensor::cat(ends.into_iter().map(|end| step_at(encoded.clone(), end - 1)).collect(), 1);
        let prediction = residual_head(pooled.clone(), [&self.proj1, &self.proj2, &self.out_layer], &self.head_drop);
        McrOutput { streams, encoded, pooled, prediction }
    }

    /// A stream at the common width with its positions (§3.2, pre-processing).
    fn embedded(&self, stream: Modality, x: Tensor<3>) -> Tensor<3> {
        let x = if stream == Modality::Text { self.language_drop.forward(x) } else { x };
        let [batch, steps, _] = x.dims();
        let z = with_positions(self.proj[stream].forward(x));
        assert_shape!(z, [batch, steps, _]);
        z
    }
}

impl SequenceNetwork for Mcr {
    type Size = McrSize;

    const RENAMES: &'static [Rename] = RENAMES;

    fn build(size: &McrSize, length: &ByStream, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self {
        Self::new(size, length, n_dims, n_out, init)
    }

    fn run(&self, size: &McrSize, inputs: &Streams<Tensor<3>>, ends: &ByStream) -> SequenceOutput {
        let McrOutput { streams, pooled, prediction, .. } = self.read_at(size, inputs, ends);
        SequenceOutput { streams, pooled, prediction }
    }

    fn check(size: &McrSize) -> Result<(), ModelError> {
        size.check()
    }

    fn modalities(size: &McrSize) -> Modalities {
        size.modalities
    }

    fn config(config: McrConfig) -> Config {
        Config::Mcr(config)
    }
}
