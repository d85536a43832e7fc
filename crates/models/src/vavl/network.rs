//! Sequences of features to predictions: two branches, shared layers, heads (VAVL §3.1, figure 1).

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};
use emotion::Modality;
use serde::{Deserialize, Serialize};

use crate::encoders::conformer::{Conformer, ConformerSize, pointwise};
use crate::{AttributeLoss, Init, Loss, Target, Task};

/// Sizes and variants of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width to which features are reduced before a branch (released code: 50).
    pub projection_width: usize,
    /// Sizes of all conformers.
    pub conformer: ConformerSize,
    /// Blocks of each branch (§4.2: 3; the 86 million parameters that the paper counts are those of 5).
    pub layers: usize,
    /// Blocks that both modalities share (§4.2: 2).
    pub shared_layers: usize,
    /// First hidden width of a head (released code: the conformer's width).
    pub head_width: usize,
    /// Second hidden width of a head (released code: 256).
    pub head_hidden: usize,
    /// Share of values that a head's training drops (released code: 0.2).
    pub head_dropout: f64,
    /// Weight of the reconstruction in a unimodal loss (released code: 2 for classes, 1 for attributes).
    pub alpha: f64,
    /// Which axis the conformers take for time.
    pub layout: Layout,
    /// What is predicted.
    pub task: Task,
    /// Whether the shared layers add what they get (off: ablation 1 of table 3).
    pub residual: bool,
    /// Whether embeddings reconstruct the mean feature (off: ablation 2).
    pub reconstruction: bool,
    /// Whether both modalities have a head of their own (off: ablation 3, the mean of the unimodal predictions).
    pub audio_visual_head: bool,
    /// Whether the head for both teaches what comes before it as well (choice; algorithm 1 has all else stand still).
    #[serde(default)]
    pub end_to_end: bool,
}

/// Which axis the conformers take for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Frames, as the paper means it.
    BatchFirst,
    /// The samples of the batch, as the released code has it: frames and samples are swapped, so that a prediction
    /// depends on who else is in the batch.
    OfficialTransposed,
}

/// The network.
#[derive(Module, Debug)]
pub struct Network {
    /// Of the voice.
    pub acoustic: Stream,
    /// Of the face.
    pub visual: Stream,
    /// For both.
    pub shared: Shared,
    /// From both embeddings, the acoustic one first.
    pub audio_visual_head: Option<Head>,
}

/// What belongs to one modality alone.
#[derive(Module, Debug)]
pub struct Stream {
    /// Reduces the features of a frame, without bias.
    pub projection: Conv1d,
    /// Over the frames.
    pub encoder: Conformer,
    /// From the embedding to the prediction.
    pub head: Head,
    /// From the embedding to the mean feature.
    pub reconstruction: Option<Head>,
}

/// The layers that both modalities go through.
#[derive(Module, Debug)]
pub struct Shared {
    /// Over the frames.
    pub encoder: Conformer,
    /// After the residual.
    pub layer_norm: LayerNorm,
    residual: bool,
}

/// Three linear layers, with an activation after the first alone.
#[derive(Module, Debug)]
pub struct Head {
    /// First.
    pub projav1: Linear,
    /// Second.
    pub projav2: Linear,
    /// Last.
    pub out_layer: Linear,
    dropout: Dropout,
}

/// What one modality yields.
#[derive(Debug, Clone)]
pub struct Unimodal {
    /// After the branch, `[batch, frames, width]`; the transposed layout has `[frames, batch, width]`.
    pub encoded: Tensor<3>,
    /// After the shared layers, mean over the frames, `[batch, width]`.
    pub embedding: Tensor<2>,
    /// Of the modality's head, `[batch, outputs]`.
    pub prediction: Tensor<2>,
    /// Of the mean feature, `[batch, features]`.
    pub reconstruction: Option<Tensor<2>>,
}

impl Network {
    /// Random values for features of these widths.
    pub fn new(
        config: &NetworkConfig,
        audio_width: usize,
        visual_width: usize,
        outputs: usize,
        init: &mut Init<'_>,
    ) -> Self {
        let width = config.conformer.width;
        Self {
            acoustic: Stream::new(config, audio_width, outputs, init),
            visual: Stream::new(config, visual_width, outputs, init),
            shared: Shared {
                encoder: Conformer::new(width, config.conformer, config.shared_layers, init),
                layer_norm: init.layer_norm(width),
                residual: config.residual,
            },
            audio_visual_head: config.audio_visual_head.then(|| Head::new(config, 2 * width, outputs, init)),
        }
    }

    /// What belongs to `modality` alone.
    ///
    /// # Panics
    /// For text, which the model does not know.
    pub fn stream(&self, modality: Modality) -> &Stream {
        match modality {
            Modality::Face => &self.visual,
            Modality::Voice => &self.acoustic,
            Modality::Text => panic!("the model has no stream for text"),
        }
    }

    /// One modality alone; `frames` `[batch, frames, features]`.
    pub fn unimodal(&self, config: &NetworkConfig, modality: Modality, frames: Tensor<3>) -> Unimodal {
        let stream = self.stream(modality);
        let x = pointwise(&stream.projection, frames);
        let (x, time) = match config.layout {
            Layout::BatchFirst => (x, 1),
            Layout::OfficialTransposed => (x.swap_dims(0, 1), 0),
        };
        let encoded = stream.encoder.forward(x);
        let embedding = self.shared.forward(encoded.clone()).mean_dim(time).squeeze_dim::<2>(time);
        Unimodal {
            prediction: stream.head.forward(embedding.clone()),
            reconstruction: stream.reconstruction.as_ref().map(|head| head.forward(embedding.clone())),
            encoded,
            embedding,
        }
    }

    /// The prediction from both modalities, `[batch, outputs]`.
    pub fn audio_visual(&self, config: &NetworkConfig, acoustic: &Unimodal, visual: &Unimodal) -> Tensor<2> {
        match &self.audio_visual_head {
            Some(head) => head.forward(Tensor::cat(vec![acoustic.embedding.clone(), visual.embedding.clone()], 1)),
            None => match config.task {
                Task::Classification => {
                    let mean = softmax(acoustic.prediction.clone(), 1) + softmax(visual.prediction.clone(), 1);
                    mean.mul_scalar(0.5).clamp_min(f32::MIN_POSITIVE).log()
                }
                Task::Regression => (acoustic.prediction.clone() + visual.prediction.clone()).mul_scalar(0.5),
            },
        }
    }

    /// One modality alone as the audio-visual head's training sees it: all that comes before the head is as in
    /// evaluation, and nothing of it learns (algorithm 1).
    pub fn frozen(&self, config: &NetworkConfig, modality: Modality, frames: Tensor<3>) -> Unimodal {
        if !frames.device().is_autodiff() {
            return self.unimodal(config, modality, frames);
        }
        let Unimodal { encoded, embedding, prediction, reconstruction } =
            self.valid().unimodal(config, modality, frames.inner());
        Unimodal {
            encoded: Tensor::from_inner(encoded),
            embedding: Tensor::from_inner(embedding),
            prediction: Tensor::from_inner(prediction),
            reconstruction: reconstruction.map(Tensor::from_inner),
        }
    }
}

impl Unimodal {
    /// The loss of one modality: the task and the reconstruction of the mean of `frames` `[batch, frames, features]`
    /// (eq. 1).
    pub fn loss(&self, config: &NetworkConfig, frames: Tensor<3>, target: &Target) -> Loss {
        let task = target.loss(self.prediction.clone(), AttributeLoss::Concordance);
        let mut terms = vec![("task", task)];
        terms.extend(self.reconstruction_loss(frames).map(|loss| ("reconstruction", loss.mul_scalar(config.alpha))));
        Loss::sum(terms)
    }

    /// Mean squared distance of the reconstruction from the mean of `frames`, `[1]`.
    pub fn reconstruction_loss(&self, frames: Tensor<3>) -> Option<Tensor<1>> {
        let mean = frames.mean_dim(1).squeeze_dim::<2>(1).detach();
        self.reconstruction.as_ref().map(|reconstruction| (reconstruction.clone() - mean).square().mean())
    }
}

impl Stream {
    fn new(config: &NetworkConfig, features: usize, outputs: usize, init: &mut Init<'_>) -> Self {
        let width = config.conformer.width;
        Self {
            projection: init.conv1d(&Conv1dConfig::new(features, config.projection_width, 1).with_bias(false)),
            encoder: Conformer::new(config.projection_width, config.conformer, config.layers, init),
            head: Head::new(config, width, outputs, init),
            reconstruction: config.reconstruction.then(|| Head::new(config, width, features, init)),
        }
    }
}

impl Shared {
    /// Time where the conformer has it, whatever the layout: `[.., .., width]` to the same.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let moved = self.encoder.forward(x.clone());
        self.layer_norm.forward(if self.residual { moved + x } else { moved })
    }
}

impl Head {
    fn new(config: &NetworkConfig, n_in: usize, n_out: usize, init: &mut Init<'_>) -> Self {
        Self {
            projav1: init.linear(n_in, config.head_width),
            projav2: init.linear(config.head_width, config.head_hidden),
            out_layer: init.linear(config.head_hidden, n_out),
            dropout: DropoutConfig::new(config.head_dropout).init(),
        }
    }

    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.dropout.forward(relu(self.projav1.forward(x)));
        self.out_layer.forward(self.projav2.forward(hidden))
    }
}
