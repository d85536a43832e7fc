//! wav2vec 2.0 (Baevski et al. 2020) as wav2vec2-large-robust has it: biased convolutions with a layer norm each,
//! pre-norm layers.
//!
//! Names of the fields follow Hugging Face's checkpoints. Left out: quantization and masking, which only pretraining
//! needs.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{LayerNorm, Linear};
use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::activation::gelu;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::layers::transformer::{attention, key_mask};
use crate::{Init, ModelError, Place, Rename, Spelling, import_spelled, read_checkpoint};

/// Sizes of a wav2vec 2.0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wav2vec2Size {
    /// Channels, samples or frames seen at once, and step of each convolution.
    pub convolutions: Vec<ConvolutionSize>,
    /// Width of a frame.
    pub width: usize,
    /// Layers that are run; a checkpoint may hold more.
    pub layers: usize,
    /// Heads of each layer.
    pub heads: usize,
    /// Hidden width of a feed-forward layer.
    pub hidden: usize,
    /// Frames that the positional convolution sees.
    pub position_kernel: usize,
    /// Groups of the positional convolution.
    pub position_groups: usize,
    /// Attributes that a fine-tuned checkpoint predicts; 0 for one without a head.
    pub attributes: usize,
}

/// Sizes of one convolution of the feature extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvolutionSize {
    /// Output channels.
    pub channels: usize,
    /// Inputs seen at once.
    pub kernel: usize,
    /// Inputs from one output to the next.
    pub stride: usize,
}

impl Wav2vec2Size {
    /// wav2vec2-large-robust with the 12 lower of its 24 layers, as VAVL uses it.
    pub fn large_robust() -> Self {
        let kernels_and_strides = [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)];
        Self {
            convolutions: kernels_and_strides
                .map(|(kernel, stride)| ConvolutionSize { channels: 512, kernel, stride })
                .to_vec(),
            width: 1024,
            layers: 12,
            heads: 16,
            hidden: 4096,
            position_kernel: 128,
            position_groups: 16,
            attributes: 0,
        }
    }

    /// Frames that `n_samples` samples become; 0 for fewer than the first frame needs.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.convolutions
            .iter()
            .fold(n_samples, |n, conv| n.checked_sub(conv.kernel).map_or(0, |n| n / conv.stride + 1))
    }
}

/// Waveform at 16 kHz to frames of 20 ms.
#[derive(Module, Debug)]
pub struct Wav2vec2 {
    /// Waveform to frames.
    pub feature_extractor: FeatureExtractor,
    /// Frames to the width of the layers.
    pub feature_projection: FeatureProjection,
    /// Over the frames.
    pub encoder: Encoder,
    /// Of a checkpoint that was fine-tuned for attributes.
    pub classifier: Option<AttributeHead>,
}

/// The convolutions.
#[derive(Module, Debug)]
pub struct FeatureExtractor {
    /// In order.
    pub conv_layers: Vec<ConvLayer>,
}

/// A convolution and its norm over the channels.
#[derive(Module, Debug)]
pub struct ConvLayer {
    /// Without padding.
    pub conv: Conv1d,
    /// After.
    pub layer_norm: LayerNorm,
    stride: usize,
}

/// A norm, and a linear layer to the width of the layers.
#[derive(Module, Debug)]
pub struct FeatureProjection {
    /// First.
    pub layer_norm: LayerNorm,
    /// Second.
    pub projection: Linear,
}

/// Positions, layers, norm.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Relative positions.
    pub pos_conv_embed: PositionalConvolution,
    /// In order.
    pub layers: Vec<Layer>,
    /// Last.
    pub layer_norm: LayerNorm,
}

/// A convolution whose weight is `g · v / ‖v‖`, a norm for each tap (Salimans & Kingma 2016).
#[derive(Module, Debug)]
pub struct PositionalConvolution {
    /// Length of each tap, `[1, 1, kernel]`.
    pub weight_g: Param<Tensor<3>>,
    /// Direction of each tap, `[width, width / groups, kernel]`.
    pub weight_v: Param<Tensor<3>>,
    /// `[width]`
    pub bias: Param<Tensor<1>>,
}

/// A pre-norm transformer layer.
#[derive(Module, Debug)]
pub struct Layer {
    /// Self-attention.
    pub attention: Attention,
    /// Before the attention.
    pub layer_norm: LayerNorm,
    /// Feed-forward.
    pub feed_forward: FeedForward,
    /// Before the feed-forward.
    pub final_layer_norm: LayerNorm,
}

/// Self-attention with separate projections.
#[derive(Module, Debug)]
pub struct Attention {
    /// Keys.
    pub k_proj: Linear,
    /// Values.
    pub v_proj: Linear,
    /// Queries.
    pub q_proj: Linear,
    /// After.
    pub out_proj: Linear,
    n_heads: usize,
}

/// Up, GELU, down.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Up.
    pub intermediate_dense: Linear,
    /// Down.
    pub output_dense: Linear,
}

/// The mean frame to attributes.
#[derive(Module, Debug)]
pub struct AttributeHead {
    /// First.
    pub dense: Linear,
    /// Last.
    pub out_proj: Linear,
}

impl Wav2vec2 {
    /// Random values.
    pub fn new(size: &Wav2vec2Size, init: &mut Init<'_>) -> Self {
        let width = size.width;
        let mut n_in = 1;
        let conv_layers = size.convolutions.iter().map(|&ConvolutionSize { channels, kernel, stride }| {
            let conv = init.conv1d(&Conv1dConfig::new(n_in, channels, kernel).with_stride(stride));
            n_in = channels;
            ConvLayer { conv, layer_norm: init.layer_norm(channels), stride }
        });
        let conv_layers = conv_layers.collect();
        Self {
            feature_extractor: FeatureExtractor { conv_layers },
            feature_projection: FeatureProjection {
                layer_norm: init.layer_norm(n_in),
                projection: init.linear(n_in, width),
            },
            encoder: Encoder {
                pos_conv_embed: PositionalConvolution {
                    weight_g: init.constant([1, 1, size.position_kernel], 1.0),
                    weight_v: init.normal([width, width / size.position_groups, size.position_kernel], 0.02),
                    bias: init.constant([width], 0.0),
                },
                layers: (0..size.layers).map(|_| Layer::new(size, init)).collect(),
                layer_norm: init.layer_norm(width),
            },
            classifier: (size.attributes > 0).then(|| AttributeHead {
                dense: init.linear(width, width),
                out_proj: init.linear(width, size.attributes),
            }),
        }
    }

    /// Fills the model from a checkpoint of Hugging Face's, with or without the prefix `wav2vec2.`, in either spelling
    /// of the positional convolution. Layers beyond those that are run are passed over.
    pub fn import(&mut self, path: &Path) -> Result<(), ModelError> {
        let tensors = read_checkpoint(path)?;
        let spelling = self.spelling(&tensors);
        import_spelled(self, tensors, &spelling, path)
    }

    /// How such a checkpoint of these tensors spells the parameters of this model.
    pub fn spelling(&self, tensors: &[PackTensor]) -> Spelling<'static> {
        /// Beginnings of names that no forward pass reads.
        const LEFTOVERS: [(&str, &str); 5] = [
            ("masked_spec_embed", "what stands for masked frames in pretraining"),
            ("quantizer.", "the codebooks of pretraining"),
            ("project_hid.", "the codebooks of pretraining"),
            ("project_q.", "the codebooks of pretraining"),
            ("lm_head.", "a head for letters"),
        ];
        /// What stands before all names but those of heads, where there are some.
        const PREFIX: &str = "wav2vec2.";
        /// The positional convolution of older and newer versions of PyTorch.
        const CONVOLUTIONS: [[Rename; 3]; 2] = [
            [
                Rename { checkpoint: ".pos_conv_embed.conv.weight_g", module: ".pos_conv_embed.weight_g" },
                Rename { checkpoint: ".pos_conv_embed.conv.weight_v", module: ".pos_conv_embed.weight_v" },
                Rename { checkpoint: ".pos_conv_embed.conv.bias", module: ".pos_conv_embed.bias" },
            ],
            [
                Rename {
                    checkpoint: ".pos_conv_embed.conv.parametrizations.weight.original0",
                    module: ".pos_conv_embed.weight_g",
                },
                Rename {
                    checkpoint: ".pos_conv_embed.conv.parametrizations.weight.original1",
                    module: ".pos_conv_embed.weight_v",
                },
                Rename { checkpoint: ".pos_conv_embed.conv.bias", module: ".pos_conv_embed.bias" },
            ],
        ];
        let has = |part: &str| tensors.iter().any(|tensor| tensor.name.contains(part));
        let renames = &CONVOLUTIONS[usize::from(has("parametrizations."))];
        let prefix = if has(PREFIX) { PREFIX } else { "" };
        let n_layers = self.encoder.layers.len();
        let has_head = self.classifier.is_some();
        let place = move |name: &str| {
            let name = name.strip_prefix(prefix).unwrap_or(name);
            let layer = name.strip_prefix("encoder.layers.").and_then(|rest| rest.split('.').next()?.parse().ok());
            if layer.is_some_and(|layer: usize| layer >= n_layers) {
                return Place::Leftover("layers above those that are run");
            }
            if name.starts_with("classifier.") && !has_head {
                return Place::Leftover("a head for attributes");
            }
            Place::unless_leftover(name, &LEFTOVERS).renamed(renames)
        };
        Spelling::new(place, move |parameter| match parameter.starts_with("classifier.") {
            true => parameter.to_owned(),
            false => format!("{prefix}{}", Rename::to_checkpoint(renames, parameter)),
        })
    }

    /// Encodes waveforms.
    ///
    /// - `waves` `[batch, samples]`, zeros after the end of a clip
    /// - `lengths` samples of each clip
    /// - output `[batch, frames, width]`; frames after the end of a clip are looked at by none, but are there
    pub fn forward(&self, waves: Tensor<2>, lengths: &[usize]) -> Tensor<3> {
        let projected = self.feature_projection.forward(self.feature_extractor.forward(waves));
        let [_, n_frames, _] = projected.dims();
        let present = self.present(lengths, n_frames, &projected.device());
        let mask = key_mask(&present);
        let x = self.encoder.start(projected, &present);
        let x = self.encoder.layers.iter().fold(x, |x, layer| layer.forward(x, &mask));
        self.encoder.layer_norm.forward(x)
    }

    /// Which frames are of the clip, `[batch, n_frames]` of 0 and 1.
    pub fn present(&self, lengths: &[usize], n_frames: usize, device: &burn::tensor::Device) -> Tensor<2> {
        let row = |&length: &usize| {
            let own = self.feature_extractor.n_frames(length);
            (0..n_frames).map(move |frame| f32::from(u8::from(frame < own)))
        };
        let values: Vec<f32> = lengths.iter().flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [lengths.len(), n_frames]), device)
    }
}

/// Frames that are computed at once: the first convolution makes 64 vectors for each of them, which is the most memory
/// that the whole model needs.
const FRAMES_AT_ONCE: usize = 100;

impl FeatureExtractor {
    /// `[batch, samples]` to `[batch, frames, channels]`.
    ///
    /// A frame depends on the few samples under it alone, norms included, so that frames are computed a stretch at a
    /// time.
    pub fn forward(&self, waves: Tensor<2>) -> Tensor<3> {
        let waves: Tensor<3> = waves.unsqueeze_dim(2);
        let [_, n_samples, _] = waves.dims();
        let n_frames = self.n_frames(n_samples);
        let (hop, field) = self.conv_layers.iter().rev().fold((1, 1), |(hop, field), layer| {
            let [_, _, kernel] = layer.conv.weight.dims();
            (hop * layer.stride, (field - 1) * layer.stride + kernel)
        });
        let parts = (0..n_frames).step_by(FRAMES_AT_ONCE).map(|first| {
            let n = FRAMES_AT_ONCE.min(n_frames - first);
            let part = waves.clone().narrow(1, first * hop, (n - 1) * hop + field);
            self.conv_layers.iter().fold(part, |x, layer| layer.forward(x))
        });
        Tensor::cat(parts.collect(), 1)
    }

    fn n_frames(&self, n_samples: usize) -> usize {
        self.conv_layers.iter().fold(n_samples, |n, layer| {
            let [_, _, kernel] = layer.conv.weight.dims();
            n.checked_sub(kernel).map_or(0, |n| n / layer.stride + 1)
        })
    }
}

impl ConvLayer {
    /// `[batch, inputs, in]` to `[batch, outputs, out]`, as one matrix product over the inputs that an output sees.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, inputs, channels] = x.dims();
        let [n_out, _, kernel] = self.conv.weight.dims();
        let stride = self.stride;
        assert!(inputs >= kernel, "{inputs} inputs are fewer than the {kernel} that a convolution sees at once");
        let n = (inputs - kernel) / stride + 1;
        // An output sees this many runs of `stride` inputs, the last one perhaps in part.
        let runs = kernel.div_ceil(stride);
        let needed = (n - 1 + runs) * stride;
        let x = if needed <= inputs {
            x.narrow(1, 0, needed)
        } else {
            let zeros = Tensor::zeros([batch, needed - inputs, channels], &x.device());
            Tensor::cat(vec![x, zeros], 1)
        };
        let x = x.reshape([batch, needed / stride, stride * channels]);
        let seen = Tensor::cat((0..runs).map(|run| x.clone().narrow(1, run, n)).collect(), 2);
        let seen = seen.narrow(2, 0, kernel * channels);
        let weight = self.conv.weight.val().permute([2, 1, 0]).reshape([kernel * channels, n_out]);
        let x = burn::tensor::module::linear(seen, weight, self.conv.bias.as_ref().map(Param::val));
        gelu(self.layer_norm.forward(x))
    }
}

impl FeatureProjection {
    /// `[batch, frames, channels]` to `[batch, frames, width]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.projection.forward(self.layer_norm.forward(x))
    }
}

impl Encoder {
    /// What the first layer sees: frames after the end zeroed, positions added.
    pub fn start(&self, projected: Tensor<3>, present: &Tensor<2>) -> Tensor<3> {
        let x = projected * present.clone().unsqueeze_dim::<3>(2);
        x.clone() + self.pos_conv_embed.forward(x)
    }
}

impl PositionalConvolution {
    /// `[batch, frames, width]` to the same.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, frames, width] = x.dims();
        let [_, per_group, kernel] = self.weight_v.dims();
        let direction = self.weight_v.val();
        let length = direction.clone().square().sum_dim(0).sum_dim(1).sqrt(); // [1, 1, kernel]
        let weight = direction * (self.weight_g.val() / length);
        let options = ConvOptions::new([1], [kernel / 2], [1], width / per_group);
        let x = conv1d(x.swap_dims(1, 2), weight, Some(self.bias.val()), options);
        // An even kernel yields a frame more than there are.
        gelu(x.narrow(2, 0, frames)).swap_dims(1, 2)
    }
}

impl Layer {
    fn new(size: &Wav2vec2Size, init: &mut Init<'_>) -> Self {
        let width = size.width;
        Self {
            attention: Attention {
                k_proj: init.linear(width, width),
                v_proj: init.linear(width, width),
                q_proj: init.linear(width, width),
                out_proj: init.linear(width, width),
                n_heads: size.heads,
            },
            layer_norm: init.layer_norm(width),
            feed_forward: FeedForward {
                intermediate_dense: init.linear(width, size.hidden),
                output_dense: init.linear(size.hidden, width),
            },
            final_layer_norm: init.layer_norm(width),
        }
    }

    /// `[batch, frames, width]` to the same; `mask` `[batch, frames, frames]` is added to the scores.
    pub fn forward(&self, x: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attention.forward(self.layer_norm.forward(x), mask);
        let hidden = gelu(self.feed_forward.intermediate_dense.forward(self.final_layer_norm.forward(x.clone())));
        x + self.feed_forward.output_dense.forward(hidden)
    }
}

impl Attention {
    fn forward(&self, x: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
        let query = self.q_proj.forward(x.clone());
        let (key, value) = (self.k_proj.forward(x.clone()), self.v_proj.forward(x));
        let (mixed, _) = attention([query, key, value], self.n_heads, Some(mask), |weights| weights);
        self.out_proj.forward(mixed)
    }
}

impl AttributeHead {
    /// `[batch, width]`, the mean frame, to `[batch, attributes]`.
    pub fn forward(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.out_proj.forward(self.dense.forward(pooled).tanh())
    }
}
