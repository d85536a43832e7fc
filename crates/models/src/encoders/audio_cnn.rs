//! UMBEnet's waveform encoder: six strided convolutions and two linear layers (released code, `AudioEncoder`).

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{LayerNorm, Linear, PaddingConfig1d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::Init;

const KERNEL: usize = 15;
const STRIDE: usize = 5;
const PADDING: usize = 1;

/// Waveform to one vector.
#[derive(Module, Debug)]
pub struct AudioCnn {
    conv1: Conv1d,
    conv2: Conv1d,
    conv3: Conv1d,
    conv4: Conv1d,
    conv5: Conv1d,
    conv6: Conv1d,
    /// Flattened channels → hidden → output, with nothing between.
    fc: Vec<Linear>,
    ln: LayerNorm,
}

/// Sizes of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AudioCnnSize {
    /// Length of the waveform.
    pub n_samples: usize,
    /// Output channels of the six convolutions.
    pub channels: [usize; 6],
    /// Width between the two linear layers.
    pub hidden: usize,
    /// Output width.
    pub out: usize,
}

impl AudioCnnSize {
    /// Positions that are left after the convolutions; `None` where the waveform is too short for them.
    pub fn n_positions(&self) -> Option<usize> {
        (0..self.channels.len())
            .try_fold(self.n_samples, |n, _| Some((n + 2 * PADDING).checked_sub(KERNEL)? / STRIDE + 1))
    }
}

impl AudioCnn {
    /// Random values.
    pub fn new(size: AudioCnnSize, init: &mut Init<'_>) -> Self {
        let [c1, c2, c3, c4, c5, c6] = size.channels;
        let mut conv = |n_in, n_out| {
            let config = Conv1dConfig::new(n_in, n_out, KERNEL).with_stride(STRIDE);
            init.conv1d(&config.with_padding(PaddingConfig1d::Explicit(PADDING, PADDING)))
        };
        let convs = [conv(1, c1), conv(c1, c2), conv(c2, c3), conv(c3, c4), conv(c4, c5), conv(c5, c6)];
        let n_out = size.n_positions().expect("a checked size leaves a position");
        let [conv1, conv2, conv3, conv4, conv5, conv6] = convs;
        Self {
            conv1,
            conv2,
            conv3,
            conv4,
            conv5,
            conv6,
            fc: vec![init.linear(c6 * n_out, size.hidden), init.linear(size.hidden, size.out)],
            ln: init.layer_norm(size.out),
        }
    }

    /// `waveform` `[batch, 1, samples]` to `[batch, out]`.
    pub fn forward(&self, waveform: Tensor<3>) -> Tensor<2> {
        let x = [&self.conv1, &self.conv2, &self.conv3, &self.conv4, &self.conv5, &self.conv6]
            .into_iter()
            .fold(waveform, |x, conv| relu(conv.forward(x))); // [batch, channels, positions]
        let x = x.flatten::<2>(1, 2);
        self.ln.forward(self.fc[1].forward(self.fc[0].forward(x)))
    }
}
