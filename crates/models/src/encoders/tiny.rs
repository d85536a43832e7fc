//! Small encoders of our own, trained from nothing in minutes on a CPU.
//!
//! They are unbalanced as the paper asks for (UMBEnet §3.2): most parameters see the face, few the voice and the text.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::layers::transformer::masked_mean;
use crate::{Init, ModelError, compute};

/// Face frames to one vector each: oriented gradients, which need no training, then a hidden layer.
///
/// A few hundred clips are too few to learn edges from; histograms of oriented gradients (Dalal & Triggs 2005) bring
/// them, and where eyebrows and mouth bend is what is left to learn.
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
/// The same for voices, of which there are fewer values to spare.
const DROPPED_VOICE: f64 = 0.3;
/// The same for words.
const DROPPED_TEXT: f64 = 0.5;

impl FaceNet {
    /// For crops of `side_px`, a multiple of 8, with `width` hidden units.
    pub fn new(side_px: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        assert_eq!(side_px % CELL_PX, 0, "face crops of {side_px} px: the side must be a multiple of {CELL_PX}");
        let n_values = gradient_width(side_px);
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

/// Values that [`oriented_gradients`] makes of a frame of `side_px`.
pub fn gradient_width(side_px: usize) -> usize {
    (side_px / CELL_PX).pow(2) * N_DIRECTIONS
}

/// Mean strength of the gradients in each direction and cell, each cell normalized by all of its directions.
///
/// `[batch, 3, side, side]` to `[batch, directions · cells]`.
pub fn oriented_gradients(frames: Tensor<4>) -> Tensor<2> {
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

/// Log-mel frames to one vector: statistics of the cepstrum over the clip, then a hidden layer.
///
/// Mean and deviation of the cepstral coefficients (MFCC, Davis & Mermelstein 1980) and the deviation of their changes
/// are what simple recognizers of emotional speech live on; a few hundred clips hardly teach more.
/// [`VoiceNet::calibrate`] brings them to the same scale.
#[derive(Module, Debug)]
pub struct VoiceNet {
    /// Mean of each statistic over the training clips, `[statistics]`.
    shift: Param<Tensor<1>>,
    /// One over its deviation, `[statistics]`.
    scale: Param<Tensor<1>>,
    dropout: Dropout,
    hidden: Linear,
    hidden_norm: LayerNorm,
    head: Linear,
    norm: LayerNorm,
}

/// Cepstral coefficients; those above describe single harmonics.
const N_CEPSTRA: usize = 32;
/// Mean, deviation, deviation of changes.
const N_STATISTICS: usize = 3;
/// Beyond so many deviations a statistic says no more.
const FARTHEST: f64 = 4.0;

impl VoiceNet {
    /// With `width` hidden units.
    pub fn new(width: usize, out: usize, init: &mut Init<'_>) -> Self {
        let n_values = N_STATISTICS * N_CEPSTRA;
        Self {
            shift: init.constant([n_values], 0.0).no_grad(),
            scale: init.constant([n_values], 1.0).no_grad(),
            dropout: DropoutConfig::new(DROPPED_VOICE).init(),
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

    /// Sets the scales from the training split; `each` hands over its batches, as [`VoiceNet::forward`] takes them.
    pub fn calibrate<E>(
        &mut self,
        each: impl FnOnce(&mut dyn FnMut(Tensor<3>, &Tensor<2>) -> Result<(), ModelError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let n_values = N_STATISTICS * N_CEPSTRA;
        let (mut n, mut sums, mut squares) = (0.0, vec![0.0; n_values], vec![0.0; n_values]);
        each(&mut |mel, valid| {
            for row in compute::read(cepstral_statistics(mel, valid))?.chunks(n_values) {
                n += 1.0;
                for (value_idx, value) in row.iter().map(|&value| f64::from(value)).enumerate() {
                    sums[value_idx] += value;
                    squares[value_idx] += value * value;
                }
            }
            Ok(())
        })?;
        if n == 0.0 {
            return Ok(());
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let deviations = means.iter().zip(squares).map(|(mean, squares)| (squares / n - mean * mean).max(0.0).sqrt());
        // What never changes says nothing.
        let scales = deviations.map(|deviation| if deviation > 1e-4 { 1.0 / deviation } else { 0.0 }).collect();
        self.shift = replaced(&self.shift, means);
        self.scale = replaced(&self.scale, scales);
        Ok(())
    }

    /// Encodes normalized log-mel frames.
    ///
    /// - `mel` `[batch, frames, bins]`
    /// - `valid` `[batch, frames]` of 0 and 1
    /// - output `[batch, out]`
    pub fn forward(&self, mel: Tensor<3>, valid: &Tensor<2>) -> Tensor<2> {
        let statistics = cepstral_statistics(mel, valid) - self.shift.val().unsqueeze();
        let scaled = (statistics * self.scale.val().unsqueeze()).clamp(-FARTHEST, FARTHEST);
        let hidden = relu(self.hidden_norm.forward(self.hidden.forward(self.dropout.forward(scaled))));
        self.norm.forward(self.head.forward(self.dropout.forward(hidden)))
    }
}

/// Width of what [`cepstral_statistics`] makes of a clip.
pub const CEPSTRAL_WIDTH: usize = N_STATISTICS * N_CEPSTRA;

/// Mean and deviation of cepstral coefficients, and the deviation of their changes, over the frames that are there.
///
/// - `mel` `[batch, frames, bins]`, two frames at least; `valid` `[batch, frames]` of 0 and 1
/// - output `[batch, 96]`
pub fn cepstral_statistics(mel: Tensor<3>, valid: &Tensor<2>) -> Tensor<2> {
    let [_, frames, bins] = mel.dims();
    let cosines = cosines(bins, &mel.device()).unsqueeze();
    let cepstra = mel.matmul(cosines);
    let change = cepstra.clone().narrow(1, 1, frames - 1) - cepstra.clone().narrow(1, 0, frames - 1);
    let (mean, deviation) = mean_and_deviation(cepstra, valid);
    // A change is there where both of its frames are.
    let (_, of_change) = mean_and_deviation(change, &valid.clone().narrow(1, 1, frames - 1));
    Tensor::cat(vec![mean, deviation, of_change], 1)
}

/// The orthonormal cosine transform of the second kind, `[bins, coefficients]`.
fn cosines(bins: usize, device: &Device) -> Tensor<2> {
    let n = bins as f64;
    let values = (0..bins * N_CEPSTRA).map(|idx| {
        let (bin, coefficient) = ((idx / N_CEPSTRA) as f64, (idx % N_CEPSTRA) as f64);
        let norm = if coefficient == 0.0 { 1.0 / n } else { 2.0 / n };
        (norm.sqrt() * (std::f64::consts::PI * coefficient * (bin + 0.5) / n).cos()) as f32
    });
    Tensor::from_data(TensorData::new(values.collect(), [bins, N_CEPSTRA]), device)
}

/// Over the steps that are there: `[batch, steps, width]` to `[batch, width]` twice.
fn mean_and_deviation(x: Tensor<3>, present: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let mean = masked_mean(x.clone(), present);
    let centred = x - mean.clone().unsqueeze_dim::<3>(1);
    let deviation = masked_mean(centred.square(), present).add_scalar(1e-6).sqrt();
    (mean, deviation)
}

/// The same parameter with other values, still without gradients.
fn replaced(param: &Param<Tensor<1>>, values: Vec<f64>) -> Param<Tensor<1>> {
    let len = values.len();
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    let device = param.val().device();
    Param::initialized(param.id, Tensor::from_data(TensorData::new(values, [len]), &device))
}

/// Hashed words to one vector: the sum of their embeddings, rare words counting more, then a linear layer.
///
/// Words are weighted by their inverse document frequency and the weights of a text have length 1 (TF-IDF, Salton &
/// Buckley 1988); a word that fewer than two training texts have counts nothing: it could only be learned by heart.
/// [`TextNet::calibrate`] sets the weights.
#[derive(Module, Debug)]
pub struct TextNet {
    /// Weight of each word, `[buckets]`.
    weight: Param<Tensor<1>>,
    dropout: Dropout,
    embedding: Param<Tensor<2>>,
    head: Linear,
    norm: LayerNorm,
}

/// Deviation of fresh embeddings: little beside what a word learns in the few texts that have it.
const EMBEDDING_DEVIATION: f64 = 0.01;

impl TextNet {
    /// A table of `n_buckets` words.
    pub fn new(n_buckets: usize, width: usize, out: usize, init: &mut Init<'_>) -> Self {
        Self {
            weight: init.constant([n_buckets], 1.0).no_grad(),
            dropout: DropoutConfig::new(DROPPED_TEXT).init(),
            embedding: init.normal([n_buckets, width], EMBEDDING_DEVIATION),
            head: init.linear(width, out),
            norm: init.layer_norm(out),
        }
    }

    /// Sets the weights of words from the training split; `each` hands over its batches, as [`TextNet::forward`] takes
    /// them.
    pub fn calibrate<E>(
        &mut self,
        each: impl FnOnce(&mut dyn FnMut(Tensor<2, Int>) -> Result<(), ModelError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let n_buckets = self.weight.dims()[0];
        let (mut n, mut n_with) = (0.0, vec![0.0_f64; n_buckets]);
        each(&mut |tokens| {
            let [_, length] = tokens.dims();
            let tokens: Vec<i64> = tokens.try_into_vec_as().map_err(|error| ModelError::Compute(error.to_string()))?;
            for row in tokens.chunks(length) {
                n += 1.0;
                let mut words: Vec<usize> = row.iter().filter_map(|&token| usize::try_from(token).ok()).collect();
                words.sort_unstable();
                words.dedup();
                for word in words {
                    n_with[word] += 1.0;
                }
            }
            Ok(())
        })?;
        if n == 0.0 {
            return Ok(());
        }
        let idf = |with: f64| if with < 2.0 { 0.0 } else { ((1.0 + n) / (1.0 + with)).ln() + 1.0 };
        self.weight = replaced(&self.weight, n_with.into_iter().map(idf).collect());
        Ok(())
    }

    /// `tokens` `[batch, length]`, 0 for padding, to `[batch, out]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [batch, length] = tokens.dims();
        let width = self.embedding.dims()[1];
        let present = tokens.clone().greater_elem(0).float();
        let tokens = tokens.reshape([batch * length]);
        let weights = self.weight.val().select(0, tokens.clone()).reshape([batch, length]) * present;
        let total = weights.clone().square().sum_dim(1).add_scalar(1e-6).sqrt();
        let words = self.embedding.val().select(0, tokens).reshape([batch, length, width]);
        let text = (words * (weights / total).unsqueeze_dim(2)).sum_dim(1).reshape([batch, width]);
        self.norm.forward(self.head.forward(self.dropout.forward(text)))
    }
}

#[cfg(test)]
mod tests {
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
        let net = VoiceNet::new(8, 6, &mut Init::new(1, &device));
        let mel = Init::new(2, &device).normal([1, 16, 4], 1.0).val();
        let valid = Tensor::cat(vec![Tensor::<2>::ones([1, 8], &device), Tensor::zeros([1, 8], &device)], 1);
        let padded = Tensor::cat(vec![mel.clone().narrow(1, 0, 8), Tensor::zeros([1, 8, 4], &device)], 1);
        let read = |mel| net.forward(mel, &valid).try_into_vec_as::<f32>().unwrap();
        assert_eq!(read(mel), read(padded));
    }
}
