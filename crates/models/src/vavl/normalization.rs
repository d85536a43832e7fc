//! Global statistics of a training set's features, and batches made with them (released code, `train_norm_stat.pkl`).

/// Added to deviations.
const EPSILON: f64 = 1e-6;

/// Mean and biased deviation of every value of a frame over all frames of all training clips.
///
/// A waveform is a sequence of frames of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Of each value.
    pub mean: Vec<f64>,
    /// Of each value.
    pub deviation: Vec<f64>,
}

impl Statistics {
    /// Of clips with frames of `width` values each, one frame after the other.
    ///
    /// # Panics
    /// Without a single frame.
    pub fn of(clips: &[&[f32]], width: usize) -> Self {
        let frames = || clips.iter().flat_map(|clip| clip.chunks_exact(width));
        let n = frames().count() as f64;
        assert!(n > 0.0, "there are no frames to measure");
        let mut mean = vec![0.0; width];
        for frame in frames() {
            mean.iter_mut().zip(frame).for_each(|(mean, &value)| *mean += f64::from(value) / n);
        }
        let mut variance = vec![0.0; width];
        for frame in frames() {
            let each = variance.iter_mut().zip(&mean).zip(frame);
            each.for_each(|((variance, mean), &value)| *variance += (f64::from(value) - mean).powi(2) / n);
        }
        Self { mean, deviation: variance.into_iter().map(f64::sqrt).collect() }
    }

    /// Normalized clips, cut to `max_frames` and padded with zeros at the end to the longest.
    pub fn batch(&self, clips: &[&[f32]], max_frames: usize) -> Padded {
        let width = self.mean.len();
        let lengths: Vec<usize> = clips.iter().map(|clip| (clip.len() / width).min(max_frames)).collect();
        let n_frames = lengths.iter().copied().max().unwrap_or(0);
        let mut values = vec![0.0; clips.len() * n_frames * width];
        for (row, clip) in clips.iter().enumerate() {
            let out = &mut values[row * n_frames * width..][..lengths[row] * width];
            for (i, (out, &value)) in out.iter_mut().zip(*clip).enumerate() {
                let (mean, deviation) = (self.mean[i % width], self.deviation[i % width]);
                *out = ((f64::from(value) - mean) / (deviation + EPSILON)) as f32;
            }
        }
        Padded { values, lengths, n_frames, width }
    }
}

/// Sequences of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Padded {
    /// `[clips, frames, width]`, row by row; zeros after the end of a clip.
    pub values: Vec<f32>,
    /// Frames of each clip.
    pub lengths: Vec<usize>,
    /// Frames of the longest clip.
    pub n_frames: usize,
    /// Values of a frame.
    pub width: usize,
}

impl Padded {
    /// 1 on a clip's frames, 0 on padding, `[clips, frames]`.
    pub fn mask(&self) -> Vec<f32> {
        let row = |&length: &usize| (0..self.n_frames).map(move |frame| f32::from(u8::from(frame < length)));
        self.lengths.iter().flat_map(row).collect()
    }
}
