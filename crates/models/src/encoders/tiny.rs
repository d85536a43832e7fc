//! Small encoders of our own, trained from nothing in minutes on a CPU.
//!
//! They are unbalanced as the paper asks for (UMBEnet §3.2): most parameters see the face, few the voice and the text.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, s};

use crate::Init;
use crate::layers::transformer::masked_mean;

/// Face frames to one vector each: patches, then two overlapping strided convolutions written as matrix products,
/// which the CPU backend computes several times faster than its convolution.
#[derive(Module, Debug)]
pub struct FaceNet {
    patch: Linear,
    patch_norm: LayerNorm,
    down_1: Linear,
    norm_1: LayerNorm,
    down_2: Linear,
    norm_2: LayerNorm,
    head: Linear,
}

/// Side of a patch in pixels.
const PATCH_PX: usize = 4;
/// Kernel and stride of the two convolutions.
const KERNEL: usize = 3;
const STRIDE: usize = 2;

impl FaceNet {
    /// For crops of `side_px`, a multiple of 16; `width` channels after the patches, twice and thrice that after the convolutions.
    pub fn new(side_px: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        assert_eq!(side_px % 16, 0, "face crops of {side_px} px: the side must be a multiple of 16");
        let (wide, wider) = (2 * width, 3 * width);
        let grid = side_px / (PATCH_PX * STRIDE * STRIDE);
        Self {
            patch: init.linear(3 * PATCH_PX * PATCH_PX, width),
            patch_norm: init.layer_norm(width),
            down_1: init.linear(KERNEL * KERNEL * width, wide),
            norm_1: init.layer_norm(wide),
            down_2: init.linear(KERNEL * KERNEL * wide, wider),
            norm_2: init.layer_norm(wider),
            head: init.linear(grid * grid * wider, out),
        }
    }

    /// `frames` `[batch, 3, side, side]`, mean 0 and deviation 1 by frame, to `[batch, out]`.
    pub fn forward(&self, frames: Tensor<4>) -> Tensor<2> {
        let [batch, channels, side, _] = frames.dims();
        let n = side / PATCH_PX;
        let patches = frames
            .reshape([batch, channels, n, PATCH_PX, n, PATCH_PX])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, n, n, channels * PATCH_PX * PATCH_PX]);
        let x = relu(self.patch_norm.forward(self.patch.forward(patches))); // [batch, n, n, width]
        let x = relu(self.norm_1.forward(self.down_1.forward(windows(x))));
        let x = relu(self.norm_2.forward(self.down_2.forward(windows(x))));
        self.head.forward(x.flatten::<2>(1, 3))
    }
}

/// The 3 × 3 neighbourhoods at every second position, zero outside.
///
/// `[batch, height, width, channels]`, both even, to `[batch, height / 2, width / 2, 9 · channels]`.
fn windows(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let device = x.device();
    // Padding on the top and left is enough for stride 2 on an even grid.
    let x = Tensor::cat(vec![Tensor::zeros([batch, 1, width, channels], &device), x], 1);
    let x = Tensor::cat(vec![Tensor::zeros([batch, height + 1, 1, channels], &device), x], 2);
    let mut parts = Vec::with_capacity(KERNEL * KERNEL);
    for dy in 0..KERNEL {
        for dx in 0..KERNEL {
            parts.push(x.clone().slice(s![.., dy..(dy + height - 1); 2, dx..(dx + width - 1); 2, ..]));
        }
    }
    Tensor::cat(parts, 3)
}

/// Log-mel frames to one vector: two convolutions over time, then mean and deviation over the frames that are there.
#[derive(Module, Debug)]
pub struct VoiceNet {
    down_1: Linear,
    norm_1: LayerNorm,
    down_2: Linear,
    norm_2: LayerNorm,
    head: Linear,
    norm: LayerNorm,
}

/// Frames of 10 ms that one step of each convolution takes together.
const VOICE_STRIDE: usize = 4;

impl VoiceNet {
    /// For `n_bins` mel bins.
    pub fn new(n_bins: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        Self {
            down_1: init.linear(VOICE_STRIDE * n_bins, width),
            norm_1: init.layer_norm(width),
            down_2: init.linear(2 * width, width),
            norm_2: init.layer_norm(width),
            head: init.linear(2 * width, out),
            norm: init.layer_norm(out),
        }
    }

    /// Encodes normalized log-mel frames.
    ///
    /// - `mel` `[batch, frames, bins]`, `frames` a multiple of 8
    /// - `valid` `[batch, frames]` of 0 and 1
    /// - output `[batch, out]`
    pub fn forward(&self, mel: Tensor<3>, valid: &Tensor<2>) -> Tensor<2> {
        let [batch, frames, bins] = mel.dims();
        let n = frames / VOICE_STRIDE;
        let x = mel.reshape([batch, n, VOICE_STRIDE * bins]);
        let x = relu(self.norm_1.forward(self.down_1.forward(x)));
        let x = x.reshape([batch, n / 2, 2 * self.down_1.weight.dims()[1]]);
        let x = relu(self.norm_2.forward(self.down_2.forward(x))); // [batch, n / 2, width]
        let n = n / 2;
        let valid = valid.clone().reshape([batch, n, frames / n]).mean_dim(2).reshape([batch, n]);
        let mean = masked_mean(x.clone(), &valid);
        let centred = x - mean.clone().unsqueeze_dim::<3>(1);
        let deviation = masked_mean(centred.square(), &valid).add_scalar(1e-6).sqrt();
        self.norm.forward(self.head.forward(Tensor::cat(vec![mean, deviation], 1)))
    }
}

/// Hashed words to one vector: the mean of their embeddings, then a hidden layer.
#[derive(Module, Debug)]
pub struct TextNet {
    embedding: Param<Tensor<2>>,
    hidden: Linear,
    norm: LayerNorm,
}

impl TextNet {
    /// A table of `n_buckets` words.
    pub fn new(n_buckets: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        Self {
            embedding: init.normal([n_buckets, width], 0.1),
            hidden: init.linear(width, out),
            norm: init.layer_norm(out),
        }
    }

    /// `tokens` `[batch, length]`, 0 for padding, to `[batch, out]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [batch, length] = tokens.dims();
        let width = self.embedding.dims()[1];
        let present = tokens.clone().greater_elem(0).float();
        let words = self.embedding.val().select(0, tokens.reshape([batch * length])).reshape([batch, length, width]);
        self.norm.forward(self.hidden.forward(masked_mean(words, &present)))
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn windows_times_weights_is_a_strided_convolution() {
        let device = Device::flex();
        let mut init = Init::new(1, &device);
        let x = init.normal([2, 3, 6, 4], 1.0).val(); // [batch, channels, height, width]
        let config = Conv2dConfig::new([3, 5], [3, 3]).with_stride([2, 2]);
        let conv = init.conv2d(&config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)));
        let expected = conv.forward(x.clone());
        let weight = conv.weight.val().permute([2, 3, 1, 0]).reshape([27, 5]);
        let got = windows(x.permute([0, 2, 3, 1])).reshape([2 * 3 * 2, 27]).matmul(weight)
            + conv.bias.expect("it has a bias").val().unsqueeze();
        let got = got.reshape([2, 3, 2, 5]).permute([0, 3, 1, 2]);
        let difference: f32 = (got - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }
}
