//! The last seconds, ready to be predicted from: face crops and sound, each prepared once when it arrives.

use std::collections::VecDeque;

use emotion::{Inputs, LogMel, Sample, Voice};
use media::{frames_from_crops, voice_from_samples};

use crate::Notice;
use crate::eye::Sight;

/// Sound below half a step of 16 bits is none: a muted microphone, or one without permission.
const SILENT: f32 = 1.0 / 65_536.0;
/// Seconds of such sound that count as silence, and seconds without speech after which nobody speaks.
const SILENCE_SECS: f64 = 1.0;
/// Seconds before speech is noticed that belong to it: the detector's patience, and a breath.
const BREATH_SECS: f64 = 0.4;
/// Crops kept per frame that the model takes; fast cameras give more than is of use.
const CROPS_PER_FRAME: f64 = 8.0;

/// Why there is no voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hush {
    /// There is one.
    None,
    /// Nothing but zeros.
    Silent,
    /// Sound, but no speech.
    Speechless,
}

/// A window that rolls with time.
pub(crate) struct Window {
    inputs: Inputs,
    window_secs: f64,
    rate_hz: u32,
    crops: VecDeque<(f64, Vec<u8>)>,
    no_face: bool,
    samples: VecDeque<f32>,
    n_silent: usize,
    /// Samples since somebody spoke; stays 0 without a detector of speech.
    n_unspoken: usize,
    voice: Hush,
    /// End of the newest sound.
    heard_secs: f64,
    /// Newest time of all.
    pub now_secs: f64,
}

impl Window {
    /// An empty window for a model; its sound comes at `rate_hz`.
    pub fn new(inputs: Inputs, window_secs: f64, rate_hz: u32) -> Self {
        Self {
            inputs,
            window_secs,
            rate_hz,
            crops: VecDeque::new(),
            no_face: false,
            samples: VecDeque::new(),
            n_silent: 0,
            n_unspoken: 0,
            voice: Hush::None,
            heard_secs: 0.0,
            now_secs: 0.0,
        }
    }

    /// Takes what was seen at `at_secs`.
    pub fn see(&mut self, at_secs: f64, sight: Sight) -> Option<Notice> {
        self.advance(at_secs);
        let was_missing = self.no_face;
        match sight {
            Sight::Face { crop, .. } => {
                self.no_face = false;
                let n_frames = self.inputs.face.map_or(1, |input| input.n_frames.max(1));
                let gap_secs = self.window_secs / (CROPS_PER_FRAME * n_frames as f64);
                if self.crops.back().is_none_or(|(secs, _)| at_secs - secs >= gap_secs) {
                    self.crops.push_back((at_secs, crop));
                }
                was_missing.then_some(Notice::FaceBack)
            }
            Sight::Nothing => None,
            Sight::NoFace => {
                self.no_face = true;
                self.crops.clear();
                (!was_missing).then_some(Notice::NoFace)
            }
        }
    }

    /// Takes sound that ends at `end_secs`, and whether somebody speaks in it, where there is a detector to say so.
    pub fn hear(&mut self, end_secs: f64, samples: &[f32], is_speech: Option<bool>) -> Option<Notice> {
        self.advance(end_secs);
        self.heard_secs = end_secs;
        let n_quiet_end = samples.iter().rev().take_while(|sample| sample.abs() < SILENT).count();
        self.n_silent = if n_quiet_end == samples.len() { self.n_silent + n_quiet_end } else { n_quiet_end };
        self.n_unspoken = if is_speech == Some(false) { self.n_unspoken + samples.len() } else { 0 };
        let is_long = |n_samples: usize| n_samples as f64 > SILENCE_SECS * f64::from(self.rate_hz);
        let voice = match (is_long(self.n_silent), is_long(self.n_unspoken)) {
            // Silence ends with the first sound, not with the first that is long enough.
            (true, _) => Hush::Silent,
            (false, _) if self.voice == Hush::Silent && self.n_silent >= samples.len() => Hush::Silent,
            (false, true) => Hush::Speechless,
            (false, false) => Hush::None,
        };
        let kept_secs = match voice {
            // Zeros that nobody spoke are no data.
            Hush::Silent => 0.0,
            Hush::Speechless => BREATH_SECS,
            Hush::None => self.window_secs,
        };
        self.samples.extend(samples);
        let n_kept = (kept_secs * f64::from(self.rate_hz)).ceil() as usize;
        self.samples.drain(..self.samples.len().saturating_sub(n_kept));
        self.turn(voice)
    }

    /// What is to be said when the voice goes or comes back.
    fn turn(&mut self, voice: Hush) -> Option<Notice> {
        let before = std::mem::replace(&mut self.voice, voice);
        match (before, voice) {
            (before, voice) if before == voice => None,
            (_, Hush::Silent) => Some(Notice::Silence),
            (_, Hush::Speechless) => Some(Notice::NobodySpeaks),
            (Hush::Speechless, Hush::None) => Some(Notice::SpeechBack),
            (_, Hush::None) => Some(Notice::SoundBack),
        }
    }

    /// A microphone that delivers nothing is as silent as one that delivers zeros.
    pub fn hear_nothing(&mut self, now_secs: f64) -> Option<Notice> {
        self.advance(now_secs);
        if now_secs - self.heard_secs <= SILENCE_SECS {
            return None;
        }
        self.samples.clear();
        self.turn(Hush::Silent)
    }

    /// The camera is gone.
    pub fn close_eye(&mut self) {
        self.crops.clear();
    }

    /// The microphone is gone.
    pub fn close_ear(&mut self) {
        self.samples.clear();
    }

    /// What a model sees of it now; what is not there is `None`.
    pub fn sample(&self, text: &str) -> Sample {
        let face = self.inputs.face.filter(|_| !self.crops.is_empty()).map(|input| {
            let crops: Vec<&[u8]> = self.crops.iter().map(|(_, crop)| crop.as_slice()).collect();
            frames_from_crops(&crops, &input)
        });
        let voice =
            self.inputs.voice.filter(|_| self.voice == Hush::None && !self.samples.is_empty()).and_then(|input| {
                let samples: Vec<f32> = self.samples.iter().copied().collect();
                match voice_from_samples(&samples, self.rate_hz, &input) {
                    Voice::LogMel(LogMel { n_valid: 0, .. }) => None,
                    voice => Some(voice),
                }
            });
        let text = self.inputs.text.and(Some(text.trim())).filter(|text| !text.is_empty()).map(str::to_owned);
        Sample { face, voice, text, ..Sample::default() }
    }

    /// Lets time pass, and forgets what is too old.
    fn advance(&mut self, now_secs: f64) {
        self.now_secs = self.now_secs.max(now_secs);
        let oldest_secs = self.now_secs - self.window_secs;
        while self.crops.front().is_some_and(|(secs, _)| *secs < oldest_secs) {
            self.crops.pop_front();
        }
        // Sound that ended longer ago than a window is no part of it.
        if self.heard_secs < oldest_secs {
            self.samples.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use emotion::{FaceInput, TextInput, VoiceInput};

    use super::*;

    fn window() -> Window {
        let inputs = Inputs {
            face: Some(FaceInput { n_frames: 2, size_px: 1 }),
            voice: Some(VoiceInput::Waveform { rate_hz: 100, n_samples: 300 }),
            text: Some(TextInput { max_tokens: 4 }),
            features: Vec::new(),
        };
        Window::new(inputs, 2.0, 100)
    }

    fn face(value: u8) -> Sight {
        Sight::Face { crop: vec![value; 3], area: None }
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = window();
        for second in 0..5_u8 {
            assert_eq!(window.see(f64::from(second), face(second)), None);
        }
        assert_eq!(window.sample("").face.unwrap().rgb, [2, 2, 2, 4, 4, 4]);
        window.hear(4.5, &[0.5; 450], None);
        let Some(Voice::Waveform(samples)) = window.sample("").voice else { panic!("there is sound") };
        assert_eq!(samples.iter().filter(|&&sample| sample == 0.5).count(), 200);
        window.see(7.0, Sight::Nothing);
        let sample = window.sample(" so ");
        assert_eq!((sample.face, sample.voice, sample.text.as_deref()), (None, None, Some("so")));
    }

    #[test]
    fn silence_masks_the_voice_until_it_is_over() {
        let mut window = window();
        assert_eq!(window.hear(1.0, &[0.1; 100], None), None);
        assert_eq!(window.hear(2.0, &[0.0; 100], None), None, "a pause of a second is speech");
        assert!(window.sample("").voice.is_some());
        assert_eq!(window.hear(2.1, &[0.0; 10], None), Some(Notice::Silence));
        assert_eq!(window.hear(2.2, &[0.0; 10], None), None, "said once");
        assert!(window.sample("").voice.is_none());
        assert_eq!(window.hear(2.3, &[0.0, 0.2], None), Some(Notice::SoundBack));
        let Some(Voice::Waveform(samples)) = window.sample("").voice else { panic!("there is sound") };
        assert_eq!(samples[..3], [0.0, 0.2, 0.0]);
    }

    #[test]
    fn sound_without_speech_masks_the_voice_until_somebody_speaks() {
        let mut window = window();
        assert_eq!(window.hear(1.0, &[0.1; 100], Some(false)), None, "it may still begin");
        assert!(window.sample("").voice.is_some());
        assert_eq!(window.hear(1.1, &[0.1; 10], Some(false)), Some(Notice::NobodySpeaks));
        assert_eq!(window.hear(3.1, &[0.2; 200], Some(false)), None, "said once");
        assert!(window.sample("").voice.is_none());
        assert_eq!(window.hear(3.2, &[0.5; 10], Some(true)), Some(Notice::SpeechBack));
        let Some(Voice::Waveform(samples)) = window.sample("").voice else { panic!("there is a voice") };
        assert_eq!(samples.iter().filter(|&&sample| sample == 0.2).count(), 40, "with what came just before");
        assert_eq!(samples.iter().filter(|&&sample| sample == 0.5).count(), 10);
        // Zeros say more than that nobody speaks; then the sound comes back, later somebody speaks.
        assert_eq!(window.hear(4.3, &[0.0; 110], Some(false)), Some(Notice::Silence));
        assert_eq!(window.hear(4.4, &[0.1; 10], Some(false)), Some(Notice::NobodySpeaks));
        assert_eq!(window.hear(4.5, &[0.1; 10], Some(true)), Some(Notice::SpeechBack));
    }

    #[test]
    fn a_microphone_without_samples_is_silent() {
        let mut window = window();
        assert_eq!(window.hear_nothing(0.9), None);
        assert_eq!(window.hear_nothing(1.1), Some(Notice::Silence));
        assert_eq!(window.hear_nothing(1.2), None);
        assert_eq!(window.hear(1.3, &[0.3], None), Some(Notice::SoundBack));
    }

    #[test]
    fn a_lost_face_is_masked_until_it_is_back() {
        let mut window = window();
        window.see(0.0, face(1));
        assert_eq!(window.see(1.1, Sight::NoFace), Some(Notice::NoFace));
        assert_eq!(window.see(1.2, Sight::NoFace), None);
        assert!(window.sample("").face.is_none());
        assert_eq!(window.see(1.3, face(2)), Some(Notice::FaceBack));
        assert_eq!(window.sample("").face.unwrap().valid, [true, false]);
    }

    #[test]
    fn a_fast_camera_does_not_fill_the_memory() {
        let mut window = window();
        (0..10_000).for_each(|n| drop(window.see(f64::from(n) * 0.001, face(0))));
        assert!(window.crops.len() <= 17, "{}", window.crops.len());
    }
}
