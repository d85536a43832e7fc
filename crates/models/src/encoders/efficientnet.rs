//! EfficientNet (Tan & Le 2019) in timm's TensorFlow flavour: `SAME` padding, batch norm with 1e-3.
//!
//! Names of the fields follow timm's checkpoints. Left out: stochastic depth and dropout; the network only extracts
//! features.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use serde::{Deserialize, Serialize};

use crate::layers::batch_norm::BatchNorm;
use crate::{Init, ModelError, Place, Rename, Spelling, import_spelled, read_checkpoint};

/// Added to variances (TensorFlow's).
const EPSILON: f64 = 1e-3;
/// Hidden channels of a block for each of its inputs, after the first stage.
const EXPANSION: usize = 6;
/// Inputs of a block for each channel that its squeeze keeps.
const SQUEEZE: usize = 4;
/// Channels are multiples of this.
const DIVISOR: usize = 8;
const STEM: usize = 32;
const HEAD: usize = 1280;
/// Blocks, kernel, stride and channels of each stage of B0 (table 1).
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320)];

/// Sizes of an EfficientNet, by what they are of B0's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetSize {
    /// Channels, before rounding to multiples of 8.
    pub channel_multiplier: f64,
    /// Blocks of a stage, before rounding up.
    pub depth_multiplier: f64,
    /// Classes of the classifier; 0 for none.
    pub classes: usize,
}

impl EfficientNetSize {
    /// B2, without a classifier.
    pub const B2: Self = Self { channel_multiplier: 1.1, depth_multiplier: 1.2, classes: 0 };

    /// Width of an image's feature.
    pub fn width(&self) -> usize {
        self.channels(HEAD)
    }

    fn channels(&self, of_b0: usize) -> usize {
        let wanted = of_b0 as f64 * self.channel_multiplier;
        let rounded = ((wanted + DIVISOR as f64 / 2.0) as usize / DIVISOR * DIVISOR).max(DIVISOR);
        // Rounding takes a tenth at most.
        if (rounded as f64) < 0.9 * wanted { rounded + DIVISOR } else { rounded }
    }

    fn depth(&self, of_b0: usize) -> usize {
        (of_b0 as f64 * self.depth_multiplier).ceil() as usize
    }
}

/// Images to vectors.
#[derive(Module, Debug)]
pub struct EfficientNet {
    /// First convolution.
    pub conv_stem: Convolution,
    /// After it.
    pub bn1: BatchNorm,
    /// Stages of blocks.
    pub blocks: Vec<Vec<Block>>,
    /// Last convolution.
    pub conv_head: Convolution,
    /// After it.
    pub bn2: BatchNorm,
    /// From an image's feature to classes.
    pub classifier: Option<Linear>,
}

/// A convolution with TensorFlow's `SAME` padding.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    stride: usize,
    groups: usize,
}

/// A block of a stage.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "most are the large one")]
pub enum Block {
    /// Of the first stage.
    Separable(SeparableBlock),
    /// Of all others.
    Inverted(InvertedBlock),
}

/// Depthwise, squeeze and excitation, pointwise.
#[derive(Module, Debug)]
pub struct SeparableBlock {
    conv_dw: Convolution,
    bn1: BatchNorm,
    se: SqueezeExcitation,
    conv_pw: Convolution,
    bn2: BatchNorm,
}

/// Pointwise up, depthwise, squeeze and excitation, pointwise down.
#[derive(Module, Debug)]
pub struct InvertedBlock {
    conv_pw: Convolution,
    bn1: BatchNorm,
    conv_dw: Convolution,
    bn2: BatchNorm,
    se: SqueezeExcitation,
    conv_pwl: Convolution,
    bn3: BatchNorm,
}

/// A factor for each channel from the means of all (Hu et al. 2018).
#[derive(Module, Debug)]
pub struct SqueezeExcitation {
    conv_reduce: Convolution,
    conv_expand: Convolution,
}

/// Images that are computed at once: the first stages of a clip's 16 would need as much memory as all weights do.
const IMAGES_AT_ONCE: usize = 2;

impl EfficientNet {
    /// Random values.
    pub fn new(size: EfficientNetSize, init: &mut Init<'_>) -> Self {
        let stem = size.channels(STEM);
        let mut n_in = stem;
        let mut blocks = Vec::with_capacity(STAGES.len());
        for (stage, (n_blocks, kernel, stride, channels)) in STAGES.into_iter().enumerate() {
            let n_out = size.channels(channels);
            let block = |idx: usize, init: &mut Init<'_>| {
                let (n_in, stride) = if idx == 0 { (n_in, stride) } else { (n_out, 1) };
                match stage {
                    0 => Block::Separable(SeparableBlock::new([n_in, n_out], kernel, stride, init)),
                    _ => Block::Inverted(InvertedBlock::new([n_in, n_out], kernel, stride, init)),
                }
            };
            blocks.push((0..size.depth(n_blocks)).map(|idx| block(idx, init)).collect());
            n_in = n_out;
        }
        let width = size.width();
        Self {
            conv_stem: Convolution::new([3, stem], 3, 2, 1, init),
            bn1: BatchNorm::new(stem, EPSILON, init),
            blocks,
            conv_head: Convolution::new([n_in, width], 1, 1, 1, init),
            bn2: BatchNorm::new(width, EPSILON, init),
            classifier: (size.classes > 0).then(|| init.linear(width, size.classes)),
        }
    }

    /// Fills the network from a checkpoint of timm's; a classifier is passed over by a network that has none.
    pub fn import(&mut self, path: &Path) -> Result<(), ModelError> {
        let tensors = read_checkpoint(path)?;
        let spelling = self.spelling(&tensors);
        import_spelled(self, tensors, &spelling, path)
    }

    /// How such a checkpoint of these tensors spells the parameters of this network.
    pub fn spelling(&self, tensors: &[PackTensor]) -> Spelling<'static> {
        // As a sequence of one layer, the classifier is called otherwise.
        const SEQUENCE: &[Rename] = &[Rename { checkpoint: "classifier.0.", module: "classifier." }];
        let is_sequence = tensors.iter().any(|tensor| tensor.name.starts_with(SEQUENCE[0].checkpoint));
        let renames = if is_sequence { SEQUENCE } else { &[] };
        let has_classifier = self.classifier.is_some();
        let place = move |name: &str| match name {
            name if name.ends_with("num_batches_tracked") => Place::Leftover("counts of batches"),
            name if name.starts_with("classifier.") && !has_classifier => {
                Place::Leftover("the classifier that it was trained with")
            }
            name => Place::At(name.to_owned()).renamed(renames),
        };
        Spelling::new(place, |parameter| Rename::to_checkpoint(renames, parameter))
    }

    /// Feature of each image: `images` `[batch, 3, height, width]`, ImageNet's normalization, to `[batch, features]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let features = images.split(IMAGES_AT_ONCE, 0).into_iter().map(|images| {
            let x = self.blocks.iter().fold(self.stem(images), |x, stage| forward_stage(stage, x));
            self.pool(x)
        });
        Tensor::cat(features.collect(), 0)
    }

    /// What the first stage sees.
    pub fn stem(&self, images: Tensor<4>) -> Tensor<4> {
        silu(self.bn1.forward(self.conv_stem.forward(images)))
    }

    /// From what the last stage yields to the feature.
    pub fn pool(&self, x: Tensor<4>) -> Tensor<2> {
        mean_over_space(silu(self.bn2.forward(self.conv_head.forward(x)))).flatten(1, 3)
    }
}

/// Runs the blocks of a stage.
pub fn forward_stage(stage: &[Block], x: Tensor<4>) -> Tensor<4> {
    stage.iter().fold(x, |x, block| {
        let (y, stride) = match block {
            Block::Separable(block) => (block.forward(x.clone()), block.conv_dw.stride),
            Block::Inverted(block) => (block.forward(x.clone()), block.conv_dw.stride),
        };
        // Of one pixel a stride leaves one, and what it got is not added all the same.
        if stride == 1 && y.dims() == x.dims() { y + x } else { y }
    })
}

impl SeparableBlock {
    fn new([n_in, n_out]: [usize; 2], kernel: usize, stride: usize, init: &mut Init<'_>) -> Self {
        Self {
            conv_dw: Convolution::new([n_in, n_in], kernel, stride, n_in, init),
            bn1: BatchNorm::new(n_in, EPSILON, init),
            se: SqueezeExcitation::new(n_in, n_in / SQUEEZE, init),
            conv_pw: Convolution::new([n_in, n_out], 1, 1, 1, init),
            bn2: BatchNorm::new(n_out, EPSILON, init),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.se.forward(silu(self.bn1.forward(self.conv_dw.forward(x))));
        self.bn2.forward(self.conv_pw.forward(x))
    }
}

impl InvertedBlock {
    fn new([n_in, n_out]: [usize; 2], kernel: usize, stride: usize, init: &mut Init<'_>) -> Self {
        let hidden = n_in * EXPANSION;
        Self {
            conv_pw: Convolution::new([n_in, hidden], 1, 1, 1, init),
            bn1: BatchNorm::new(hidden, EPSILON, init),
            conv_dw: Convolution::new([hidden, hidden], kernel, stride, hidden, init),
            bn2: BatchNorm::new(hidden, EPSILON, init),
            se: SqueezeExcitation::new(hidden, n_in / SQUEEZE, init),
            conv_pwl: Convolution::new([hidden, n_out], 1, 1, 1, init),
            bn3: BatchNorm::new(n_out, EPSILON, init),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = silu(self.bn1.forward(self.conv_pw.forward(x)));
        let x = self.se.forward(silu(self.bn2.forward(self.conv_dw.forward(x))));
        self.bn3.forward(self.conv_pwl.forward(x))
    }
}

impl SqueezeExcitation {
    fn new(channels: usize, kept: usize, init: &mut Init<'_>) -> Self {
        let mut convolution = |n_in: usize, n_out: usize| {
            let convolution = Convolution::new([n_in, n_out], 1, 1, 1, init);
            Convolution { bias: Some(init.constant([n_out], 0.0)), ..convolution }
        };
        Self { conv_reduce: convolution(channels, kept), conv_expand: convolution(kept, channels) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let kept = silu(self.conv_reduce.forward(mean_over_space(x.clone())));
        x * sigmoid(self.conv_expand.forward(kept))
    }
}

impl Convolution {
    fn new([n_in, n_out]: [usize; 2], kernel: usize, stride: usize, groups: usize, init: &mut Init<'_>) -> Self {
        // Normal with the fan-out's deviation, as timm.
        let fan_out = (kernel * kernel * n_out / groups) as f64;
        let weight = init.normal([n_out, n_in / groups, kernel, kernel], (2.0 / fan_out).sqrt());
        Self { weight, bias: None, stride, groups }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n_out, n_in, kernel, _] = self.weight.dims();
        let [batch, _, height, width] = x.dims();
        if kernel == 1 {
            // As a matrix product it is several times faster.
            let weight = self.weight.val().reshape([1, n_out, n_in]);
            let y = weight.matmul(x.reshape([batch, n_in, height * width])).reshape([batch, n_out, height, width]);
            return match &self.bias {
                Some(bias) => y + bias.val().reshape([1, n_out, 1, 1]),
                None => y,
            };
        }
        let stride = self.stride;
        // As much padding as the last step needs, the odd one behind.
        let padding = [height, width].map(|n| {
            let total = ((n.div_ceil(stride) - 1) * stride + kernel).saturating_sub(n);
            (total / 2, total - total / 2)
        });
        let options = ConvOptions { stride: [stride; 2], padding, dilation: [1, 1], groups: self.groups };
        conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

/// `[batch, channels, height, width]` to `[batch, channels, 1, 1]`.
fn mean_over_space(x: Tensor<4>) -> Tensor<4> {
    x.mean_dims(&[2, 3])
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn only_blocks_without_a_stride_add_what_they_got() {
        let device = Device::flex();
        let x = Tensor::<4>::ones([1, 8, 1, 1], &device);
        for (stride, adds) in [(1, true), (2, false)] {
            let block = InvertedBlock::new([8, 8], 3, stride, &mut Init::new(1, &device));
            let alone = block.forward(x.clone());
            let got = forward_stage(&[Block::Inverted(block)], x.clone());
            let added: Vec<f32> = (got - alone).try_into_vec_as().unwrap();
            let want = f32::from(u8::from(adds));
            assert!(added.iter().all(|value| (value - want).abs() < 1e-5), "stride {stride}: {added:?}");
        }
    }
}
