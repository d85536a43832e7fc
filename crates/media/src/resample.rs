//! Changing the sampling rate of mono audio, in pieces or at once.
//! A windowed-sinc filter in polyphase form; its delay is taken out, so sample `m` stays at `m / rate_hz` seconds.

use std::f64::consts::PI;

/// Zero crossings of the sinc on either side, at the lower of the two rates.
const N_CROSSINGS: f64 = 24.0;
/// Cut-off as a share of the lower Nyquist frequency: passes 6.5 kHz and stops 8.3 kHz on the way to 16 kHz.
const CUTOFF: f64 = 0.925;
/// Kaiser window for 80 dB of rejection.
const KAISER_BETA: f64 = 7.9;
/// Rates without a sizeable common divisor use the nearest of this many phases, an error of about -83 dB.
const MAX_PHASES: usize = 4096;

/// A resampler for a stream that arrives in pieces.
pub(crate) struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// Output sample `m` lies at input position `m * step / scale`.
    step: usize,
    scale: usize,
    n_phases: usize,
    half: usize,
    /// `[n_phases, 2 * half]`
    taps: Vec<f32>,
    /// Input from the first tap of the next output on.
    pending: Vec<f32>,
    /// Position of the next output after the start of `pending`, in 1/scale of an input sample.
    position: usize,
    n_in: u64,
    n_out: u64,
}

impl Resampler {
    /// Both rates must be positive.
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Self {
        assert!(from_hz > 0 && to_hz > 0, "sampling rates are positive");
        let divisor = gcd(from_hz, to_hz);
        let (step, scale) = ((from_hz / divisor) as usize, (to_hz / divisor) as usize);
        let narrowing = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let half = (N_CROSSINGS / narrowing).ceil() as usize;
        let n_phases = scale.min(MAX_PHASES);
        let taps = if from_hz == to_hz { Vec::new() } else { polyphase_taps(n_phases, half, narrowing * CUTOFF) };
        // The first output sits on the first input sample, with silence before it.
        let pending = vec![0.0; half - 1];
        Self { from_hz, to_hz, step, scale, n_phases, half, taps, pending, position: 0, n_in: 0, n_out: 0 }
    }

    /// Rate of what is pushed, in hertz.
    pub(crate) fn input_hz(&self) -> u32 {
        self.from_hz
    }

    /// Takes the next input samples and appends what is ready to `out`.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.from_hz == self.to_hz {
            out.extend_from_slice(samples);
            return;
        }
        self.n_in += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        self.drain(u64::MAX, out);
    }

    /// Appends the rest as if silence followed, and starts anew.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        if self.from_hz == self.to_hz {
            return;
        }
        let n_wanted = (self.n_in * self.scale as u64).div_ceil(self.step as u64);
        self.pending.resize(self.pending.len() + 2 * self.half, 0.0);
        self.drain(n_wanted, out);
        self.pending.clear();
        self.pending.resize(self.half - 1, 0.0);
        (self.position, self.n_in, self.n_out) = (0, 0, 0);
    }

    fn drain(&mut self, n_wanted: u64, out: &mut Vec<f32>) {
        let width = 2 * self.half;
        while self.n_out < n_wanted {
            let start = self.position / self.scale;
            let Some(window) = self.pending.get(start..start + width) else { break };
            let phase = (self.position % self.scale) * self.n_phases / self.scale;
            let taps = &self.taps[phase * width..(phase + 1) * width];
            out.push(dot(window, taps));
            self.position += self.step;
            self.n_out += 1;
        }
        let n_done = (self.position / self.scale).min(self.pending.len());
        self.pending.drain(..n_done);
        self.position -= n_done * self.scale;
    }
}

/// All of `samples` at another rate; the length is scaled and rounded up.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    let mut out = Vec::new();
    let mut resampler = Resampler::new(from_hz, to_hz);
    resampler.push(samples, &mut out);
    resampler.finish(&mut out);
    out
}

/// Filter values `[n_phases, 2 * half]`; `cutoff` is a share of the input's Nyquist frequency.
fn polyphase_taps(n_phases: usize, half: usize, cutoff: f64) -> Vec<f32> {
    let mut taps = Vec::with_capacity(n_phases * 2 * half);
    for phase in 0..n_phases {
        let fraction = phase as f64 / n_phases as f64;
        let row: Vec<f64> = (0..2 * half)
            .map(|tap| {
                let x = tap as f64 - (half - 1) as f64 - fraction;
                let sinc = if x == 0.0 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
                let across = x / half as f64;
                sinc * bessel_i0(KAISER_BETA * (1.0 - across * across).max(0.0).sqrt())
            })
            .collect();
        // Each phase on its own sums to one, so that a constant stays constant.
        let total: f64 = row.iter().sum();
        taps.extend(row.iter().map(|value| (value / total) as f32));
    }
    taps
}

/// Modified Bessel function of the first kind, order zero.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Independent sums let the compiler use vector instructions.
    let mut sums = [0.0_f32; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate_hz: u32) -> Vec<f32> {
        (0..rate_hz).map(|i| (0.5 * (2.0 * PI * hz * f64::from(i) / f64::from(rate_hz)).sin()) as f32).collect()
    }

    fn rms_db(samples: &[f32]) -> f64 {
        let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
        10.0 * (power / 0.125).log10()
    }

    #[test]
    fn speech_passes_in_place_and_the_rest_does_not_alias() {
        for rate_hz in [8000, 11025, 22050, 32000, 44100, 48000, 96000, 47999] {
            for hz in [100.0, 440.0, 3000.0, 6500.0] {
                if hz > f64::from(rate_hz) * 0.4 {
                    continue;
                }
                let out = resample(&tone(hz, rate_hz), rate_hz, 16000);
                assert_eq!(out.len(), 16000);
                let wrong: Vec<f32> = out.iter().zip(tone(hz, 16000)).map(|(got, want)| got - want).collect();
                let error_db = rms_db(&wrong[800..15200]);
                assert!(error_db < -50.0, "{hz} Hz of {rate_hz}: {error_db:.1} dB");
            }
            for hz in [9500.0, 10000.0, 12000.0, 15000.0, 20000.0] {
                if hz < f64::from(rate_hz) * 0.5 {
                    let left_db = rms_db(&resample(&tone(hz, rate_hz), rate_hz, 16000)[800..15200]);
                    assert!(left_db < -60.0, "{hz} Hz of {rate_hz}: {left_db:.1} dB");
                }
            }
            let constant = resample(&vec![0.5; rate_hz as usize], rate_hz, 16000);
            assert!(constant[800..15200].iter().all(|&x| (x - 0.5).abs() < 1e-4));
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let samples = tone(700.0, 44100);
        let whole = resample(&samples, 44100, 16000);
        let mut resampler = Resampler::new(44100, 16000);
        for _ in 0..2 {
            let mut out = Vec::new();
            for piece in samples.chunks(333) {
                resampler.push(piece, &mut out);
            }
            resampler.finish(&mut out);
            assert_eq!(out, whole);
        }
        assert!(resample(&[], 44100, 16000).is_empty());
        assert_eq!(resample(&[0.1, 0.2], 16000, 16000), [0.1, 0.2]);
        assert_eq!(resample(&[0.1], 48000, 16000).len(), 1);
    }
}
