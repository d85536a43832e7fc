//! MulT (Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language Sequences"), the baseline of MCR.
//!
//! Each of three sequences looks at each of the two others in an encoder of its own; what it gathered goes through an
//! encoder over itself, and its last step is read out. Follows the published code (MIT), position masks and all.

mod config;

use std::path::Path;

use burn::module::Module;
use burn::nn::{Dropout, Linear};
use burn::tensor::Tensor;
use emotion::{Modalities, Modality};

pub use config::MultSize;

use crate::encoders::feature_sequences::FeatureSize;
use crate::encoders::sequences::SequenceSize;
use crate::layers::crossmodal::{Drops, Encoder, TimeConv, dropout, residual_head, step_at, with_positions};
use crate::layers::streams::{ByStream, Streams};
use crate::layers::transformer::future_mask;
use crate::sequence_model::{
    self, SequenceClassifier, SequenceConfig, SequenceNetwork, SequenceOutput, SequenceSource,
};
use crate::weights::{Spelling, import_spelled, read_checkpoint};
use crate::{About, Config, Init, Keep, ModelError, Rename, Schedule, Task};

/// The order of streams in the published code's concatenations.
const ORDER: [Modality; 3] = [Modality::Text, Modality::Voice, Modality::Face];

/// Names of the published checkpoints that differ from the module's.
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "proj_", module: "proj." },
    Rename { checkpoint: "trans_l_with_a.", module: "cross.l.a." },
    Rename { checkpoint: "trans_l_with_v.", module: "cross.l.v." },
    Rename { checkpoint: "trans_a_with_l.", module: "cross.a.l." },
    Rename { checkpoint: "trans_a_with_v.", module: "cross.a.v." },
    Rename { checkpoint: "trans_v_with_l.", module: "cross.v.l." },
    Rename { checkpoint: "trans_v_with_a.", module: "cross.v.a." },
    Rename { checkpoint: "trans_l_mem.", module: "memory.l." },
    Rename { checkpoint: "trans_a_mem.", module: "memory.a." },
    Rename { checkpoint: "trans_v_mem.", module: "memory.v." },
];

/// Ends of names of the published checkpoints that hold nothing learned.
const BUFFERS: [&str; 2] = [".embed_positions._float_tensor", ".version"];

/// What is said of MulT.
pub const ABOUT: About = About {
    name: "mult",
    title: "MulT",
    paper: "Tsai et al., Multimodal Transformer for Unaligned Multimodal Language Sequences, 2019",
    presets: &[
        ("tiny", || Config::Mult(MultConfig::tiny())),
        ("paper", || Config::Mult(MultConfig::paper())),
        ("utterances", || Config::Mult(MultConfig::utterances())),
    ],
    help: sequence_model::help,
};

/// MulT on the sequences of a clip.
pub type MultClassifier = SequenceClassifier<Mult>;

/// What a classifier is built from.
pub type MultConfig = SequenceConfig<MultSize>;

impl MultConfig {
    /// Trains in minutes on a laptop's CPU. A step sees what follows, too, and the rate falls evenly: of a few hundred
    /// clips neither the past alone nor a plateau of a small validation split tells enough.
    pub fn tiny() -> Self {
        Self {
            n_epochs: 100,
            learning_rate: 0.002,
            schedule: Schedule::Cosine,
            keep_probability: 0.7,
            network: MultSize { n_layers: 1, causal: false, ..MultSize::paper() },
            sequences: SequenceSource::Encoders(SequenceSize::tiny()),
            ..Self::paper()
        }
    }

    /// The published code's model on three streams of features, word-aligned or not (its defaults: 40 epochs, batches
    /// of 24).
    pub fn paper() -> Self {
        Self {
            n_epochs: 40,
            learning_rate: 0.001,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            schedule: Schedule::Plateau,
            keep: Keep::LowestLoss,
            keep_probability: 1.0,
            task: Task::Classification,
            attributes: Vec::new(),
            network: MultSize::paper(),
            sequences: SequenceSource::Features(FeatureSize::mosi()),
        }
    }

    /// A small model on one vector an utterance, which sees the utterances around it, those that follow too; held back
    /// from learning a few hundred clips by heart.
    pub fn utterances() -> Self {
        Self {
            n_epochs: 30,
            learning_rate: 0.001,
            label_smoothing: 0.1,
            keep: Keep::Last,
            sequences: SequenceSource::Features(FeatureSize { context: 3, dropout: 0.5, ..FeatureSize::mosi() }),
            ..Self::tiny()
        }
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct Mult {
    /// Each stream to the common width; not used for one that has it.
    pub proj: Streams<TimeConv>,
    /// From each target to each other stream.
    pub cross: Streams<Streams<Encoder>>,
    /// Over each stream, targets or not, as published checkpoints have them.
    pub memory: Streams<Encoder>,
    /// Up, in the head.
    pub proj1: Linear,
    /// Down, in the head.
    pub proj2: Linear,
    /// To the outputs.
    pub out_layer: Linear,
    embed_drop: Dropout,
    head_drop: Dropout,
}

/// What the model yields.
#[derive(Debug, Clone)]
pub struct MultOutput {
    /// Streams at the common width, `[batch, steps, width]` each.
    pub streams: Streams<Tensor<3>>,
    /// What each target gathered from each other stream, `[batch, steps of the target, width]`.
    pub cross: Streams<Streams<Tensor<3>>>,
    /// Of the encoders over the targets, `[batch, steps, 2 · width]`.
    pub memory: Streams<Tensor<3>>,
    /// The step of each target that is read out, the last one or that of the clip, `[batch, targets · 2 · width]`.
    pub pooled: Tensor<2>,
    /// `[batch, outputs]`
    pub prediction: Tensor<2>,
}

impl Mult {
    /// A model with random values for streams of `n_dims` values a step, and `n_out` outputs; any lengths will do.
    pub fn new(size: &MultSize, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self {
        let drops = |stream: Modality| Drops::new(size.attention_dropout(stream), &size.dropout);
        let pooled = size.targets.len() * 2 * size.width;
        Self {
            proj: Streams::of(Modalities::ALL, |stream| TimeConv::new(n_dims.get(stream), size.width, 1, init)),
            cross: Streams::of(size.targets, |target| {
                Streams::of(others(target), |source| Encoder::new(size.cross(), &drops(source), init))
            }),
            memory: Streams::of(Modalities::ALL, |_| Encoder::new(size.memory(), &drops(Modality::Text), init)),
            proj1: init.linear(pooled, pooled),
            proj2: init.linear(pooled, pooled),
            out_layer: init.linear(pooled, n_out),
            embed_drop: dropout(size.dropout.embedding),
            head_drop: dropout(size.dropout.output),
        }
    }

    /// Runs the model on streams `[batch, steps, dims]` of any lengths; shorter ones of a batch begin with zero rows.
    pub fn forward(&self, size: &MultSize, inputs: &Streams<Tensor<3>>) -> MultOutput {
        self.run_to(size, inputs, None)
    }

    /// Runs the model and reads out the last of the first `ends` steps of each stream.
    pub fn read_at(&self, size: &MultSize, inputs: &Streams<Tensor<3>>, ends: &ByStream) -> MultOutput {
        self.run_to(size, inputs, Some(ends))
    }

    fn run_to(&self, size: &MultSize, inputs: &Streams<Tensor<3>>, ends: Option<&ByStream>) -> MultOutput {
        let streams = Streams::of(Modalities::ALL, |stream| {
            let x = inputs[stream].clone();
            let x = if stream == Modality::Text { self.embed_drop.forward(x) } else { x };
            let [_, _, n_dims] = x.dims();
            if n_dims == size.width { x } else { self.proj[stream].forward(x) }
        });
        let cross = Streams::of(size.targets, |target| {
            Streams::of(others(target), |source| {
                let (query, memory) = (streams[target].clone(), streams[source].clone());
                self.encoded(size, &self.cross[target][source], query, Some(memory))
            })
        });
        let memory = Streams::of(size.targets, |target| {
            let gathered = ORDER.into_iter().filter_map(|source| cross[target].get(source).cloned());
            self.encoded(size, &self.memory[target], Tensor::cat(gathered.collect(), 2), None)
        });
        let last = ORDER.into_iter().filter_map(|target| {
            let memory = memory.get(target)?.clone();
            let [_, steps, _] = memory.dims();
            Some(step_at(memory, ends.map_or(steps, |ends| ends.get(target)) - 1))
        });
        let pooled = Tensor::cat(last.collect(), 1);
        let prediction = residual_head(pooled.clone(), [&self.proj1, &self.proj2, &self.out_layer], &self.head_drop);
        MultOutput { streams, cross, memory, pooled, prediction }
    }

    /// Runs an encoder with positions, dropout and mask.
    fn encoded(&self, size: &MultSize, encoder: &Encoder, x: Tensor<3>, memory: Option<Tensor<3>>) -> Tensor<3> {
        let embedded = |x: Tensor<3>| self.embed_drop.forward(with_positions(x));
        let [_, queries, _] = x.dims();
        let (x, memory) = (embedded(x), memory.map(embedded));
        let tokens = memory.as_ref().map_or(queries, |memory| memory.dims()[1]);
        let mask = size.causal.then(|| future_mask(queries, tokens, &x.device()));
        encoder.forward(x, memory.as_ref(), mask.as_ref())
    }

    /// Fills the model from a published checkpoint, whose buffers hold nothing learned.
    pub fn import(&mut self, path: &Path) -> Result<(), ModelError> {
        import_spelled(self, read_checkpoint(path)?, &published_spelling(), path)
    }
}

/// How a published checkpoint spells the parameters of a [`Mult`].
pub(crate) fn published_spelling() -> Spelling<'static> {
    let is_buffer = |name: &str| BUFFERS.iter().any(|buffer| name.ends_with(buffer));
    Spelling::renamed(RENAMES, &[]).without(is_buffer, "buffers that hold nothing learned")
}

impl SequenceNetwork for Mult {
    type Size = MultSize;

    const RENAMES: &'static [Rename] = RENAMES;

    fn build(size: &MultSize, _length: &ByStream, n_dims: &ByStream, n_out: usize, init: &mut Init<'_>) -> Self {
        Self::new(size, n_dims, n_out, init)
    }

    fn run(&self, size: &MultSize, inputs: &Streams<Tensor<3>>, ends: &ByStream) -> SequenceOutput {
        let MultOutput { streams, pooled, prediction, .. } = self.read_at(size, inputs, ends);
        SequenceOutput { streams, pooled, prediction }
    }

    fn check(size: &MultSize) -> Result<(), ModelError> {
        size.check()
    }

    fn modalities(_size: &MultSize) -> Modalities {
        Modalities::ALL
    }

    fn config(config: MultConfig) -> Config {
        Config::Mult(config)
    }
}

fn others(stream: Modality) -> Modalities {
    Modalities::ALL.with(stream, false)
}
