//! Where somebody speaks, by silero's voice activity detector from its ONNX file.
//!
//! The network hears 32 ms at a time with the 4 ms before, and keeps what it remembers in a state. A stretch begins
//! at a probability of a half and goes on down to 0.35; stretches shorter than 250 ms are no speech. All as silero's
//! `get_speech_timestamps` has it (<https://github.com/snakers4/silero-vad>, version 5 and later), but that only the
//! first beginning and the last end are of interest here.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rten::{NodeId, Value};

use crate::network::{Network, files_named};
use crate::{MediaError, resample};

/// What the network was taught with.
const RATE_HZ: u32 = 16_000;
const WINDOW_SAMPLES: usize = 512;
const CONTEXT_SAMPLES: usize = 64;
const STATE_SHAPE: [usize; 3] = [2, 1, 128];
const BEGIN_PROBABILITY: f32 = 0.5;
const END_PROBABILITY: f32 = 0.35;
/// 256 ms, the first whole number of windows that is no less than 250 ms.
const MIN_WINDOWS: usize = 8;
/// Room around the speech: a breath before, the ring of the room after.
const MARGIN_SECS: f64 = 0.2;

/// The detector.
pub struct SpeechModel {
    network: Network,
    input: NodeId,
    state: NodeId,
    /// Files for several rates take the rate as well.
    rate: Option<NodeId>,
    outputs: [NodeId; 2],
}

impl SpeechModel {
    /// The ONNX file in `dir` that has `silero` in its name (the last by name); `None` where there is none.
    pub fn in_folder(dir: &Path) -> Result<Option<Arc<Self>>, MediaError> {
        files_named(dir, "silero").pop().map(|path| Ok(Arc::new(Self::load(&path)?))).transpose()
    }

    /// Reads the network, and tries it.
    pub fn load(path: &Path) -> Result<Self, MediaError> {
        let network = Network::load(path)?;
        let outputs = [network.node("output")?, network.node("stateN")?];
        let (input, state, rate) = (network.node("input")?, network.node("state")?, network.node("sr").ok());
        let model = Self { network, input, state, rate, outputs };
        model.probabilities(&[0.0; WINDOW_SAMPLES])?;
        Ok(model)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.network.path()
    }

    pub(crate) fn id(&self) -> String {
        self.network.hash().to_hex().to_string()
    }

    /// How likely somebody speaks in each 512 of mono `samples` at 16 kHz; the last ones are continued by silence.
    pub fn probabilities(&self, samples: &[f32]) -> Result<Vec<f32>, MediaError> {
        let mut memory = Memory::default();
        samples.chunks(WINDOW_SAMPLES).map(|window| self.hear(window, &mut memory)).collect()
    }

    /// How likely somebody speaks in the next window, which is continued by silence where it is short.
    fn hear(&self, window: &[f32], memory: &mut Memory) -> Result<f32, MediaError> {
        let Memory { state, heard } = memory;
        heard.copy_within(WINDOW_SAMPLES.., 0);
        let (known, silent) = heard[CONTEXT_SAMPLES..].split_at_mut(window.len());
        known.copy_from_slice(window);
        silent.fill(0.0);
        let mut inputs = vec![
            (self.input, self.network.tensor(&[1, heard.len()], heard.clone())?),
            (self.state, self.network.tensor(&STATE_SHAPE, std::mem::take(state))?),
        ];
        if let Some(rate) = self.rate {
            inputs.push((rate, Value::from(RATE_HZ as i32)));
        }
        let [said, next] = <[Vec<f32>; 2]>::try_from(self.network.run(inputs, &self.outputs)?)
            .expect("as many outputs as were asked for");
        let (Some(&probability), true) = (said.first(), next.len() == STATE_SHAPE.iter().product::<usize>()) else {
            return Err(MediaError::network(self.path(), "it is not silero's: its outputs have other sizes"));
        };
        *state = next;
        Ok(probability)
    }

    /// From the first to the last word in mono `samples`, with 0.2 s of room; `None` where nobody speaks.
    pub fn span(&self, samples: &[f32], rate_hz: u32) -> Result<Option<Range<usize>>, MediaError> {
        let probabilities = if rate_hz == RATE_HZ {
            self.probabilities(samples)?
        } else {
            self.probabilities(&resample(samples, rate_hz, RATE_HZ))?
        };
        let Some(windows) = speech(&probabilities) else { return Ok(None) };
        let window_secs = WINDOW_SAMPLES as f64 / f64::from(RATE_HZ);
        let sample_at = |secs: f64| ((secs.max(0.0) * f64::from(rate_hz)) as usize).min(samples.len());
        let from_secs = windows.start as f64 * window_secs - MARGIN_SECS;
        let until_secs = windows.end as f64 * window_secs + MARGIN_SECS;
        Ok(Some(sample_at(from_secs)..sample_at(until_secs)))
    }
}

/// What the network keeps from window to window.
struct Memory {
    state: Vec<f32>,
    /// The end of the window before, and the window.
    heard: Vec<f32>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { state: vec![0.0; STATE_SHAPE.iter().product()], heard: vec![0.0; CONTEXT_SAMPLES + WINDOW_SAMPLES] }
    }
}

/// Windows that are heard at once: 160 ms, a whole number of samples at all usual rates.
const STEP_WINDOWS: usize = 5;
/// Sound on both sides of a step that is resampled with it and then cut off, in steps' parts.
const MARGINS_PER_STEP: usize = 16;

/// Listens to sound as it comes, and knows whether somebody speaks: from a probability of a half, down to 0.35.
pub struct SpeechListener {
    model: Arc<SpeechModel>,
    memory: Memory,
    rate_hz: u32,
    /// What is not heard yet, after a margin that is.
    pending: Vec<f32>,
    is_speech: bool,
}

impl SpeechListener {
    /// A listener to mono sound at `rate_hz`.
    pub fn new(model: Arc<SpeechModel>, rate_hz: u32) -> Self {
        let mut listener = Self { model, memory: Memory::default(), rate_hz, pending: Vec::new(), is_speech: false };
        listener.pending = vec![0.0; listener.margin()];
        listener
    }

    /// Samples that are heard at once.
    fn step(&self) -> usize {
        (STEP_WINDOWS * WINDOW_SAMPLES * self.rate_hz as usize).div_ceil(RATE_HZ as usize)
    }

    fn margin(&self) -> usize {
        self.step().div_ceil(MARGINS_PER_STEP)
    }

    /// Takes the next samples; whether somebody speaks in them, as far as can be told with 170 ms of patience.
    pub fn hear(&mut self, samples: &[f32]) -> Result<bool, MediaError> {
        self.pending.extend_from_slice(samples);
        let (step, margin) = (self.step(), self.margin());
        let mut any = self.is_speech;
        while self.pending.len() >= step + 2 * margin {
            let mut sound = resample(&self.pending[..step + 2 * margin], self.rate_hz, RATE_HZ);
            let n_samples = STEP_WINDOWS * WINDOW_SAMPLES;
            let begin = n_samples / MARGINS_PER_STEP;
            sound.resize(n_samples + 2 * begin, 0.0);
            for window in sound[begin..begin + n_samples].chunks(WINDOW_SAMPLES) {
                let probability = self.model.hear(window, &mut self.memory)?;
                self.is_speech = probability >= if self.is_speech { END_PROBABILITY } else { BEGIN_PROBABILITY };
                any |= self.is_speech;
            }
            self.pending.drain(..step);
        }
        Ok(any)
    }
}

/// The windows from the first to the last stretch of speech.
fn speech(probabilities: &[f32]) -> Option<Range<usize>> {
    let mut all: Option<Range<usize>> = None;
    let mut begin = None;
    // A silence at the end closes what is open.
    for (at, probability) in probabilities.iter().copied().chain([0.0]).enumerate() {
        match begin {
            None if probability >= BEGIN_PROBABILITY => begin = Some(at),
            Some(from) if probability < END_PROBABILITY => {
                if at - from >= MIN_WINDOWS {
                    all = Some(all.map_or(from, |all| all.start)..at);
                }
                begin = None;
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_audio;
    use crate::test_media::{shared, tone};

    #[test]
    fn speech_is_from_the_first_long_stretch_to_the_last() {
        let check = |stretches: &[(usize, f32)], want: Option<Range<usize>>| {
            let probabilities: Vec<f32> = stretches.iter().flat_map(|&(n, value)| vec![value; n]).collect();
            assert_eq!(speech(&probabilities), want, "{stretches:?}");
        };
        check(&[(5, 0.1), (10, 0.9), (3, 0.4), (5, 0.1)], Some(5..18));
        check(&[(5, 0.1), (8, 0.6), (40, 0.1), (8, 0.6)], Some(5..61));
        check(&[(5, 0.1), (7, 0.9), (5, 0.1)], None);
        check(&[(3, 0.9), (5, 0.1), (9, 0.9), (2, 0.1), (4, 0.9)], Some(8..17));
        check(&[(50, 0.45)], None);
        check(&[], None);
    }

    #[test]
    fn an_utterance_is_found_in_silence() {
        let (Some(models), Some(audio)) = (shared("data/models/silero_vad"), shared("data/ravdess/audio16k")) else {
            return;
        };
        let model = SpeechModel::in_folder(&models).unwrap().unwrap();
        // An actor says "kids are talking by the door", neutral and angry.
        for name in ["03-01-01-01-01-01-02.flac", "03-01-05-02-01-01-02.flac"] {
            let utterance = decode_audio(&audio.join(name), 16000).unwrap().unwrap().samples;
            let spoken = model.span(&utterance, 16000).unwrap().unwrap();
            let secs = spoken.len() as f64 / 16000.0;
            assert!((1.0..3.0).contains(&secs), "{name}: {secs} s");
            // Nearly all of the sound is in it.
            let energy = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            assert!(energy(&utterance[spoken.clone()]) > 0.98 * energy(&utterance), "{name}");
            for rate_hz in [16000, 44100] {
                let at_rate = resample(&utterance, 16000, rate_hz);
                let silence = vec![0.0; 3 * rate_hz as usize];
                let found = model.span(&[&silence[..], &at_rate, &silence].concat(), rate_hz).unwrap().unwrap();
                let off = |found: usize, alone: usize| {
                    (found as f64 / f64::from(rate_hz) - 3.0 - alone as f64 / 16000.0).abs()
                };
                assert!(off(found.start, spoken.start) < 0.2, "{name} at {rate_hz}: {found:?}, {spoken:?}");
                assert!(off(found.end, spoken.end) < 0.2, "{name} at {rate_hz}: {found:?}, {spoken:?}");
            }
        }
        assert_eq!(model.span(&tone(32000, 16000), 16000).unwrap(), None);
        assert_eq!(model.span(&[0.0; 32000], 16000).unwrap(), None);
        assert_eq!(model.span(&[], 16000).unwrap(), None);
    }

    #[test]
    fn a_listener_knows_when_somebody_speaks() {
        let (Some(models), Some(audio)) = (shared("data/models/silero_vad"), shared("data/ravdess/audio16k")) else {
            return;
        };
        let model = SpeechModel::in_folder(&models).unwrap().unwrap();
        let said = decode_audio(&audio.join("03-01-05-02-01-01-02.flac"), 16000).unwrap().unwrap().samples;
        let span = model.span(&said, 16000).unwrap().unwrap();
        for rate_hz in [16000, 22050, 44100] {
            let secs = |from: usize| from as f64 / 16000.0;
            let sound = [&tone(2 * 16000, 16000)[..], &said, &tone(2 * 16000, 16000)].concat();
            let sound = resample(&sound, 16000, rate_hz);
            let mut listener = SpeechListener::new(Arc::clone(&model), rate_hz);
            let piece = rate_hz as usize / 50;
            let heard: Vec<bool> = sound.chunks(piece).map(|piece| listener.hear(piece).unwrap()).collect();
            let share = |from_secs: f64, until_secs: f64| {
                let part = &heard[(from_secs * 50.0) as usize..((until_secs * 50.0) as usize).min(heard.len())];
                part.iter().filter(|&&speech| speech).count() as f64 / part.len() as f64
            };
            let (begin, end) = (2.0 + secs(span.start), 2.0 + secs(span.end));
            assert!(share(begin, end) > 0.4, "{rate_hz}: {}", share(begin, end));
            let hum = (share(0.0, begin), share(end + 1.0, f64::MAX));
            assert_eq!(hum, (0.0, 0.0), "{rate_hz}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(SpeechModel::in_folder(dir.path()).unwrap().is_none());
        std::fs::write(dir.path().join("Silero_VAD.onnx"), b"cut off").unwrap();
        assert!(matches!(SpeechModel::in_folder(dir.path()), Err(MediaError::Network { .. })));
        let Some(other) = shared("data/models/yunet/yunet_n_dynamic.onnx") else { return };
        assert!(matches!(SpeechModel::load(&other), Err(MediaError::Network { .. })));
    }
}
