//! A synthesized voice: a glottal pulse train and breath through four formants, syllable by syllable.
//!
//! The feeling is in the melody, the tempo, the loudness and the timbre; the words are nonsense vowels.
//! The pulse is the flow derivative of Klatt's KLGLOTT88 source, the tract a cascade of two-pole resonators.

use std::f32::consts::TAU;

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::Mood;

/// Sampling rate in hertz.
pub(super) const RATE_HZ: u32 = 16_000;

/// What stays the same about a voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Larynx {
    pitch_hz: f32,
    /// Formants relative to an adult's average: above 1 for a short throat.
    tract: f32,
    /// -1..1, dull to bright.
    brightness: f32,
    gain: f32,
}

impl Larynx {
    /// Somebody new. `speaker_idx` alternates low and high voices.
    pub fn random(speaker_idx: usize, rng: &mut Pcg64Mcg) -> Self {
        let high = speaker_idx % 2 == 1;
        Self {
            pitch_hz: if high { rng.random_range(162.0..190.0) } else { rng.random_range(106.0..128.0) },
            tract: if high { rng.random_range(1.06..1.18) } else { rng.random_range(0.92..1.03) },
            brightness: rng.random_range(-0.5..0.5),
            gain: rng.random_range(0.9..1.1),
        }
    }
}

/// How a feeling sounds, relative to the speaker's ordinary voice.
#[derive(Debug, Clone, Copy)]
struct Manner {
    pitch: f32,
    /// Size of the accents on syllables, as a share of the pitch; negative falls.
    accent: f32,
    syllables_per_sec: f32,
    /// Root mean square of the voiced part.
    level: f32,
    /// 0..1: cut-off of the source, dull to sharp.
    edge: f32,
    breath: f32,
    /// Irregular pulses.
    rough: f32,
    vibrato: f32,
    /// Every other pulse weaker: creak.
    creak: f32,
    tract: f32,
    /// Silence before the first syllable, in seconds.
    pause_secs: f32,
    /// Share of a syllable that is silent.
    gap: f32,
}

impl Manner {
    fn of(mood: Mood) -> Self {
        let plain = Self {
            pitch: 1.0,
            accent: 0.0,
            syllables_per_sec: 3.9,
            level: 0.1,
            edge: 0.5,
            breath: 0.03,
            rough: 0.005,
            vibrato: 0.0,
            creak: 0.0,
            tract: 1.0,
            pause_secs: 0.12,
            gap: 0.15,
        };
        match mood {
            Mood::Anger => Self {
                pitch: 1.25,
                accent: -0.28,
                syllables_per_sec: 6.2,
                level: 0.24,
                edge: 1.0,
                rough: 0.06,
                gap: 0.1,
                pause_secs: 0.05,
                ..plain
            },
            Mood::Disgust => Self {
                pitch: 0.72,
                accent: -0.1,
                syllables_per_sec: 2.7,
                level: 0.085,
                edge: 0.75,
                rough: 0.05,
                creak: 0.75,
                tract: 0.9,
                gap: 0.3,
                ..plain
            },
            Mood::Fear => Self {
                pitch: 1.65,
                accent: 0.05,
                syllables_per_sec: 5.4,
                level: 0.06,
                edge: 0.28,
                breath: 0.5,
                rough: 0.015,
                vibrato: 0.085,
                tract: 1.04,
                gap: 0.25,
                ..plain
            },
            Mood::Happiness => Self {
                pitch: 1.45,
                accent: 0.42,
                syllables_per_sec: 5.2,
                level: 0.18,
                edge: 0.75,
                tract: 1.13,
                gap: 0.22,
                ..plain
            },
            Mood::Neutral => plain,
            Mood::Sadness => Self {
                pitch: 0.88,
                accent: -0.08,
                syllables_per_sec: 2.3,
                level: 0.04,
                edge: 0.12,
                breath: 0.2,
                tract: 0.95,
                gap: 0.12,
                pause_secs: 0.25,
                ..plain
            },
            Mood::Surprise => Self {
                pitch: 1.2,
                accent: 0.15,
                syllables_per_sec: 2.6,
                level: 0.19,
                edge: 0.6,
                breath: 0.12,
                tract: 1.02,
                gap: 0.35,
                pause_secs: 0.35,
                ..plain
            },
        }
    }

    /// Nearer to the plain voice by `1 - intensity`.
    fn at(mood: Mood, intensity: f32, rng: &mut Pcg64Mcg) -> Self {
        let (rest, full) = (Self::of(Mood::Neutral), Self::of(mood));
        let mut towards = |a: f32, b: f32| (a + (b - a) * intensity) * rng.random_range(0.92..1.08);
        macro_rules! blend {
            ($($field:ident)*) => { Self { $($field: towards(rest.$field, full.$field),)* } };
        }
        blend!(pitch accent syllables_per_sec level edge breath rough vibrato creak tract pause_secs gap)
    }
}

/// Melody of the whole utterance at `t` in 0..1, around 1.
fn melody(mood: Mood, t: f32) -> f32 {
    match mood {
        Mood::Anger => 1.12 - 0.3 * t,
        Mood::Disgust => 1.08 - 0.2 * t,
        Mood::Fear => 0.97 + 0.08 * t,
        Mood::Happiness => 1.0 + 0.24 * (TAU * 1.4 * t - 0.6).sin() + 0.12 * t,
        Mood::Neutral => 1.02 - 0.04 * t,
        Mood::Sadness => 1.12 - 0.3 * t,
        Mood::Surprise if t < 0.42 => 0.95,
        Mood::Surprise => 1.35 + 0.45 * (t - 0.42),
    }
}

/// What is to be heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken {
    pub mood: Mood,
    /// 0.7..1 of the full manner.
    pub intensity: f32,
    /// Whether the voice can be heard over what is around it.
    pub audible: bool,
}

/// `n_samples` of mono speech with its surroundings, and the loudness of the voice alone in 0..1 for each
/// of `n_frames` equal parts.
pub(super) fn speak(
    larynx: &Larynx,
    spoken: Spoken,
    n_samples: usize,
    n_frames: usize,
    rng: &mut Pcg64Mcg,
) -> (Vec<f32>, Vec<f32>) {
    let mut voice = utter(larynx, spoken.mood, spoken.intensity, n_samples, rng);
    let loudness = loudness(&voice, n_frames);
    if spoken.audible {
        let hiss = rng.random_range(0.0006..0.0018);
        add(&mut voice, &room(n_samples, 0.5, rng), hiss);
    } else {
        let rms = root_mean_square(&voice).max(1e-4);
        let floor = rng.random_range(0.09..0.2);
        let quiet = floor * rng.random_range(0.1..0.2) / rms;
        voice.iter_mut().for_each(|sample| *sample *= quiet);
        let around = if rng.random_bool(0.5) { babble(n_samples, rng) } else { traffic(n_samples, rng) };
        add(&mut voice, &around, floor);
    }
    // Louder than full scale would be clipped by the encoder, harshly.
    voice.iter_mut().for_each(|sample| {
        *sample = if sample.abs() < 0.6 {
            *sample
        } else {
            sample.signum() * (0.6 + 0.38 * ((sample.abs() - 0.6) / 0.38).tanh())
        }
    });
    (voice, loudness)
}

fn root_mean_square(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

fn loudness(samples: &[f32], n_frames: usize) -> Vec<f32> {
    let part = samples.len().div_ceil(n_frames.max(1));
    let levels: Vec<f32> = samples.chunks(part).map(root_mean_square).collect();
    let peak = levels.iter().copied().fold(1e-6, f32::max);
    (0..n_frames).map(|frame_idx| levels.get(frame_idx).map_or(0.0, |level| level / peak)).collect()
}

/// Adds `other`, brought to the root mean square `rms`.
fn add(samples: &mut [f32], other: &[f32], rms: f32) {
    let factor = rms / root_mean_square(other).max(1e-6);
    samples.iter_mut().zip(other).for_each(|(sample, other)| *sample += factor * other);
}

/// Noise through a one-pole low-pass; `keep` near 0 is a rumble, 1 is white.
fn room(n_samples: usize, keep: f32, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let mut smooth = 0.0;
    (0..n_samples)
        .map(|_| {
            smooth += keep * (rng.random_range(-1.0..1.0) - smooth);
            smooth
        })
        .collect()
}

/// Other people talking at once.
fn babble(n_samples: usize, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let mut sum = room(n_samples, 0.4, rng);
    for voice_idx in 0..5 {
        let larynx = Larynx::random(voice_idx, rng);
        let mood = Mood::ALL[rng.random_range(0..Mood::ALL.len())];
        let voice = utter(&larynx, mood, 0.8, n_samples, rng);
        let (start, share) = (rng.random_range(0..n_samples.max(1)), rng.random_range(0.8..1.6));
        let factor = share / root_mean_square(&voice).max(1e-6);
        for (idx, sum) in sum.iter_mut().enumerate() {
            *sum += factor * voice[(idx + start) % n_samples];
        }
    }
    sum
}

/// Engines passing by.
fn traffic(n_samples: usize, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let mut sum = room(n_samples, 0.7, rng);
    sum.iter_mut().for_each(|sample| *sample *= 0.5);
    for (rumble, gain) in [(0.03, 6.0), (0.2, 1.6)] {
        let (phase, hz) = (rng.random_range(0.0..TAU), rng.random_range(0.2..0.5));
        for (idx, noise) in room(n_samples, rumble, rng).into_iter().enumerate() {
            let swell = 0.6 + 0.4 * (TAU * hz * idx as f32 / RATE_HZ as f32 + phase).sin();
            sum[idx] += gain * swell * noise;
        }
    }
    if rng.random_bool(0.4) {
        let (start, length) = (rng.random_range(0..n_samples.max(1)), RATE_HZ as usize / 3);
        let hz = rng.random_range(280.0..420.0);
        for (idx, sample) in sum.iter_mut().skip(start).take(length).enumerate() {
            let t = TAU * hz * idx as f32 / RATE_HZ as f32;
            *sample += 0.35 * (t.sin() + (1.26 * t).sin() + 0.5 * (2.0 * t).sin());
        }
    }
    sum
}

/// First three formants of vowels, in hertz, for an adult's average throat.
const VOWELS: [[f32; 3]; 6] = [
    [730.0, 1250.0, 2500.0],
    [530.0, 1800.0, 2500.0],
    [300.0, 2250.0, 2950.0],
    [560.0, 900.0, 2450.0],
    [330.0, 900.0, 2300.0],
    [500.0, 1450.0, 2480.0],
];

struct Syllable {
    start: usize,
    end: usize,
    vowel: [f32; 3],
    accent: f32,
    /// Noise before the vowel, 0 for none.
    fricative: f32,
}

fn syllables(manner: &Manner, n_samples: usize, rng: &mut Pcg64Mcg) -> Vec<Syllable> {
    let rate = RATE_HZ as f32;
    let end = n_samples as f32 - 0.08 * rate;
    let mut start = manner.pause_secs * rate * rng.random_range(0.6..1.4);
    let mut list = Vec::new();
    while start < end {
        let length = rate / manner.syllables_per_sec * rng.random_range(0.8..1.2);
        let voiced = length * (1.0 - manner.gap);
        list.push(Syllable {
            start: start as usize,
            end: (start + voiced).min(end) as usize,
            vowel: VOWELS[rng.random_range(0..VOWELS.len())],
            accent: manner.accent * rng.random_range(0.7..1.3),
            fricative: if rng.random_bool(0.35) { rng.random_range(0.3..1.0) } else { 0.0 },
        });
        start += length;
    }
    list
}

/// One voice alone, in silence.
fn utter(larynx: &Larynx, mood: Mood, intensity: f32, n_samples: usize, rng: &mut Pcg64Mcg) -> Vec<f32> {
    let manner = Manner::at(mood, intensity, rng);
    let syllables = syllables(&manner, n_samples, rng);
    let rate = RATE_HZ as f32;
    let tract = larynx.tract * manner.tract;
    let cut = (manner.edge + 0.08 * larynx.brightness).clamp(0.06, 1.0).powf(1.4) * 0.9 + 0.04;
    let (mut phase, mut period_gain, mut wobble, mut weak) = (0.0_f32, 1.0, 0.0, false);
    let mut source = 0.0;
    let mut formants = [Resonator::default(); 4];
    let mut shape = VOWELS[5];
    let mut syllable_idx = 0;
    let vibrato_hz = rng.random_range(7.2..8.8);
    let mut out = Vec::with_capacity(n_samples);
    for idx in 0..n_samples {
        while syllable_idx + 1 < syllables.len() && idx >= syllables[syllable_idx + 1].start {
            syllable_idx += 1;
        }
        let Some(syllable) = syllables.get(syllable_idx) else {
            out.push(0.0);
            continue;
        };
        let inside = idx.saturating_sub(syllable.start) as f32;
        let length = (syllable.end.saturating_sub(syllable.start)).max(1) as f32;
        let speaking = idx >= syllable.start && idx < syllable.end;
        let t = (inside / length).min(1.0);
        let envelope = if speaking { (inside / (0.025 * rate)).min(1.0) * ((1.0 - t) * 4.0).min(1.0) } else { 0.0 };
        if idx % 64 == 0 {
            for (now, target) in shape.iter_mut().zip(syllable.vowel) {
                *now += 0.15 * (target - *now);
            }
            let fourth = 3500.0;
            for (formant, (hz, band_hz)) in
                formants.iter_mut().zip([(shape[0], 70.0), (shape[1], 95.0), (shape[2], 140.0), (fourth, 220.0)])
            {
                formant.tune((hz * tract).min(0.46 * rate), band_hz);
            }
        }
        let secs = idx as f32 / rate;
        let rise = 1.0 + syllable.accent * (t - 0.35);
        let vibrato = 1.0 + manner.vibrato * (TAU * vibrato_hz * secs).sin();
        let lean = 1.0 + (melody(mood, idx as f32 / n_samples as f32) - 1.0) * intensity;
        let pitch_hz = (larynx.pitch_hz * manner.pitch * lean * rise * vibrato * (1.0 + wobble)).clamp(50.0, 600.0);
        phase += pitch_hz / rate;
        if phase >= 1.0 {
            phase -= 1.0;
            wobble = manner.rough * rng.random_range(-1.0..1.0);
            weak = !weak;
            period_gain = (1.0 - if weak { 0.85 * manner.creak } else { 0.0 })
                * (1.0 + 4.0 * manner.rough * rng.random_range(-1.0..1.0));
        }
        let open = 0.6 - 0.15 * manner.creak;
        let pulse = if phase < open { (2.0 * phase / open - 3.0 * (phase / open).powi(2)) * period_gain } else { 0.0 };
        source += cut * (pulse - source);
        let noise: f32 = rng.random_range(-1.0..1.0);
        let hush = manner.breath * noise * if phase < open { 1.0 } else { 0.5 };
        let tremble = 1.0 + 5.0 * manner.vibrato * (TAU * vibrato_hz * secs + 1.0).sin();
        let mut sample = (source + hush) * envelope * tremble;
        for formant in &mut formants {
            sample = formant.pass(sample);
        }
        let before = (syllable.start as f32 - idx as f32) / (0.05 * rate);
        let after = inside / (0.04 * rate);
        if syllable.fricative > 0.0 && before < 1.0 && (speaking && after < 1.0) {
            sample += 0.25 * syllable.fricative * noise * (1.0 - after);
        }
        out.push(sample);
    }
    let voiced: usize = syllables.iter().map(|syllable| syllable.end.saturating_sub(syllable.start)).sum();
    let share = (voiced as f32 / n_samples.max(1) as f32).max(0.05).sqrt();
    let factor = manner.level * larynx.gain * share / root_mean_square(&out).max(1e-6);
    out.iter_mut().for_each(|sample| *sample *= factor);
    out
}

/// A two-pole resonator with gain 1 at 0 Hz.
#[derive(Debug, Clone, Copy, Default)]
struct Resonator {
    a: f32,
    b: f32,
    c: f32,
    past: [f32; 2],
}

impl Resonator {
    fn tune(&mut self, hz: f32, band_hz: f32) {
        let radius = (-std::f32::consts::PI * band_hz / RATE_HZ as f32).exp();
        self.c = -radius * radius;
        self.b = 2.0 * radius * (TAU * hz / RATE_HZ as f32).cos();
        self.a = 1.0 - self.b - self.c;
    }

    fn pass(&mut self, sample: f32) -> f32 {
        let out = self.a * sample + self.b * self.past[0] + self.c * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn anger_is_louder_than_sadness_and_nothing_clips() {
        let level = |mood| {
            let rng = &mut Pcg64Mcg::seed_from_u64(1);
            let larynx = Larynx::random(0, rng);
            let (samples, loudness) = speak(&larynx, Spoken { mood, intensity: 1.0, audible: true }, 16_000, 16, rng);
            assert_eq!((samples.len(), loudness.len()), (16_000, 16));
            assert!(samples.iter().all(|sample| sample.abs() < 1.0));
            root_mean_square(&samples)
        };
        assert!(level(Mood::Anger) > 3.0 * level(Mood::Sadness));
    }

    #[test]
    fn an_inaudible_voice_is_buried() {
        let rng = &mut Pcg64Mcg::seed_from_u64(2);
        let larynx = Larynx::random(1, rng);
        let (samples, _) =
            speak(&larynx, Spoken { mood: Mood::Sadness, intensity: 1.0, audible: false }, 16_000, 16, rng);
        assert!(root_mean_square(&samples) > 0.08);
    }
}
