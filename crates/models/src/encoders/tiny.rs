//! Small encoders of our own, trained from nothing in minutes on a CPU.
//!
//! They are unbalanced as the paper asks for (UMBEnet §3.2): most parameters see the face, few the voice and the text.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use crate::Init;
use crate::layers::transformer::masked_mean;

/// Face frames to one vector each: oriented gradients, which need no training, then a hidden layer.
///
/// A few hundred clips are too few to learn edges from; histograms of oriented gradients (Dalal & Triggs 2005) bring them,
/// and where eyebrows and mouth bend is what is left to learn.
#[derive(Module, Debug)]
pub struct FaceNet {
    input_norm: LayerNorm,
    dropout: Dropout,
    hidden: Linear,
    hidden_norm: LayerNorm,
    head: Linear,
    norm: LayerNorm,
}

/// Side of a cell in which gradients are pooled, in pixels.
const CELL_PX: usize = 8;
/// Directions of gradients, light to dark and dark to light apart.
const N_DIRECTIONS: usize = 8;
/// Share of values that a training step of a face encoder does without, against learning speakers by heart.
const DROPPED_FACE: f64 = 0.5;
/// The same for the smaller encoders of voice and text, which have less to spare.
const DROPPED: f64 = 0.2;

impl FaceNet {
    /// For crops of `side_px`, a multiple of 8, with `width` hidden units.
    pub fn new(side_px: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        assert_eq!(side_px % CELL_PX, 0, "face crops of {side_px} px: the side must be a multiple of {CELL_PX}");
        let n_values = (side_px / CELL_PX).pow(2) * N_DIRECTIONS;
        Self {
            input_norm: init.layer_norm(n_values),
            dropout: DropoutConfig::new(DROPPED_FACE).init(),
            hidden: init.linear(n_values, width),
            hidden_norm: init.layer_norm(width),
            head: init.linear(width, out),
            norm: init.layer_norm(out),
        }
    }

    /// The same with another share of values that a training step does without.
    #[must_use]
    pub fn dropping(self, share: f64) -> Self {
        Self { dropout: DropoutConfig::new(share).init(), ..self }
    }

    /// `frames` `[batch, 3, side, side]`, mean 0 and deviation 1 by frame, to `[batch, out]`.
    pub fn forward(&self, frames: Tensor<4>) -> Tensor<2> {
        let gradients = self.dropout.forward(self.input_norm.forward(oriented_gradients(frames)));
        let hidden = relu(self.hidden_norm.forward(self.hidden.forward(gradients)));
        self.norm.forward(self.head.forward(self.dropout.forward(hidden)))
    }
}

/// Mean strength of the gradients in each direction and cell, each cell normalized by all of its directions.
///
/// `[batch, 3, side, side]` to `[batch, directions · cells]`.
fn oriented_gradients(frames: Tensor<4>) -> Tensor<2> {
    let [batch, _, side, _] = frames.dims();
    let cells = side / CELL_PX;
    let grey = frames.mean_dim(1).reshape([batch, side, side]);
    // Central differences, zero at the border.
    let across = grey.clone().narrow(2, 2, side - 2) - grey.clone().narrow(2, 0, side - 2);
    let down = grey.clone().narrow(1, 2, side - 2) - grey.narrow(1, 0, side - 2);
    let device = across.device();
    let column = Tensor::zeros([batch, side, 1], &device);
    let across = Tensor::cat(vec![column.clone(), across, column], 2);
    let row = Tensor::zeros([batch, 1, side], &device);
    let down = Tensor::cat(vec![row.clone(), down, row], 1);
    let pooled: Vec<Tensor<3>> = (0..N_DIRECTIONS)
        .map(|direction| {
            let angle = std::f64::consts::TAU * direction as f64 / N_DIRECTIONS as f64;
            let strength = relu(across.clone().mul_scalar(angle.cos()) + down.clone().mul_scalar(angle.sin()));
            strength.reshape([batch, cells, CELL_PX, cells, CELL_PX]).mean_dims(&[2, 4]).reshape([
                batch,
                1,
                cells * cells,
            ])
        })
        .collect();
    let pooled = Tensor::cat(pooled, 1); // [batch, directions, cells]
    // Below the floor a cell is flat, and its noise stays small.
    let total = pooled.clone().square().sum_dim(1).add_scalar(FLAT * FLAT).sqrt();
    (pooled / total).reshape([batch, N_DIRECTIONS * cells * cells])
}

/// Strength of gradients, in deviations of the frame's pixels, below which a cell counts as flat.
const FLAT: f64 = 0.05;

/// Log-mel frames to one vector: mean and deviation over time of the spectrum itself, of its changes, and of what two
/// strided convolutions make of it.
///
/// Statistics of the spectrum are what simple recognizers of emotional speech live on; a few hundred clips hardly teach more.
#[derive(Module, Debug)]
pub struct VoiceNet {
    dropout: Dropout,
    spectrum_norm: LayerNorm,
    down_1: Linear,
    norm_1: LayerNorm,
    down_2: Linear,
    norm_2: LayerNorm,
    head: Linear,
    norm: LayerNorm,
}

/// Frames of 10 ms that one step of the first convolution takes together.
const VOICE_STRIDE: usize = 4;

impl VoiceNet {
    /// For `n_bins` mel bins.
    pub fn new(n_bins: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        Self {
            dropout: DropoutConfig::new(DROPPED).init(),
            spectrum_norm: init.layer_norm(4 * n_bins),
            down_1: init.linear(VOICE_STRIDE * n_bins, width),
            norm_1: init.layer_norm(width),
            down_2: init.linear(2 * width, width),
            norm_2: init.layer_norm(width),
            head: init.linear(4 * n_bins + 2 * width, out),
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
        let change = mel.clone().narrow(1, 1, frames - 1) - mel.clone().narrow(1, 0, frames - 1);
        // A change is there where both of its frames are.
        let spectrum = statistics(mel.clone(), valid);
        let spectrum = Tensor::cat(vec![spectrum, statistics(change, &valid.clone().narrow(1, 1, frames - 1))], 1);

        let n = frames / VOICE_STRIDE;
        let x = mel.reshape([batch, n, VOICE_STRIDE * bins]);
        let x = relu(self.norm_1.forward(self.down_1.forward(x)));
        let n = n / 2;
        let x = x.reshape([batch, n, 2 * self.down_1.weight.dims()[1]]);
        let x = relu(self.norm_2.forward(self.down_2.forward(x))); // [batch, n, width]
        let steps_valid = valid.clone().reshape([batch, n, frames / n]).mean_dim(2).reshape([batch, n]);
        let learned = statistics(x, &steps_valid);

        let all = Tensor::cat(vec![self.spectrum_norm.forward(spectrum), learned], 1);
        self.norm.forward(self.head.forward(self.dropout.forward(all)))
    }
}

/// Mean and deviation over the steps that are there: `[batch, steps, width]` to `[batch, 2 · width]`.
fn statistics(x: Tensor<3>, present: &Tensor<2>) -> Tensor<2> {
    let mean = masked_mean(x.clone(), present);
    let centred = x - mean.clone().unsqueeze_dim::<3>(1);
    let deviation = masked_mean(centred.square(), present).add_scalar(1e-6).sqrt();
    Tensor::cat(vec![mean, deviation], 1)
}

/// Hashed words to one vector: the mean of their embeddings, then a hidden layer.
#[derive(Module, Debug)]
pub struct TextNet {
    dropout: Dropout,
    embedding: Param<Tensor<2>>,
    hidden: Linear,
    norm: LayerNorm,
}

impl TextNet {
    /// A table of `n_buckets` words.
    pub fn new(n_buckets: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        Self {
            dropout: DropoutConfig::new(DROPPED).init(),
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
        self.norm.forward(self.hidden.forward(self.dropout.forward(masked_mean(words, &present))))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn gradients_know_their_direction_and_their_cell() {
        let device = Device::flex();
        // A step from dark to bright between columns 3 and 4 of the first cell; the second cell of each row is flat.
        let image: Vec<f32> = (0..16 * 16).map(|i| if i % 16 < 4 { -1.0 } else { 1.0 }).collect();
        let image = Tensor::<4>::from_data(TensorData::new(image.repeat(3), [1, 3, 16, 16]), &device);
        let values: Vec<f32> = oriented_gradients(image).try_into_vec_as().unwrap();
        let cells = 4;
        let strongest = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
        assert_eq!(strongest / cells, 0, "to the right");
        for (cell, edge) in [(0, true), (1, false), (2, true), (3, false)] {
            assert_eq!(values[cell] > 0.5, edge, "cell {cell}: {values:?}");
            let opposite = N_DIRECTIONS / 2 * cells + cell;
            assert_eq!(values[opposite], 0.0, "an edge is no edge the other way round");
        }
    }

    #[test]
    fn silence_after_the_end_does_not_change_a_voice() {
        let device = Device::flex();
        let net = VoiceNet::new(4, 8, 6, &mut Init::new(1, &device));
        let mel = Init::new(2, &device).normal([1, 16, 4], 1.0).val();
        let valid = Tensor::cat(vec![Tensor::<2>::ones([1, 8], &device), Tensor::zeros([1, 8], &device)], 1);
        let padded = Tensor::cat(vec![mel.clone().narrow(1, 0, 8), Tensor::zeros([1, 8, 4], &device)], 1);
        let read = |mel| net.forward(mel, &valid).try_into_vec_as::<f32>().unwrap();
        assert_eq!(read(mel), read(padded));
    }
}
