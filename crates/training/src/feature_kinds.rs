//! What people choose kinds of features by.

use std::fmt;
use std::str::FromStr;

use emotion::Modality;
use models::{Extractor, Published};

use crate::FeatureKind;

impl FeatureKind {
    /// All kinds, in the order of [`Self::names`].
    pub fn all() -> impl Iterator<Item = Self> {
        Self::names().map(|name| name.parse().expect("kinds are read by their own names"))
    }

    /// What of a clip they are made of.
    pub fn modality(&self) -> Modality {
        match self {
            Self::LogMel | Self::Mfcc | Self::VoiceStatistics => Modality::Voice,
            Self::Network(key) if Extractor::hears(key) => Modality::Voice,
            Self::Hog | Self::Network(_) => Modality::Face,
            Self::Words => Modality::Text,
        }
    }

    /// What they are, in a few words.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::LogMel => "128 log-mel energies every 10 ms",
            Self::Mfcc => "39 cepstral coefficients and slopes every 10 ms",
            Self::VoiceStatistics => "pitch, loudness, voice quality and cepstrum, once a clip",
            Self::Hog => "histograms of oriented gradients, once a frame",
            Self::Words => "hashes of words and of parts of words, once a word",
            Self::Network(key) => Published::with_key(key).map_or("a published network", |published| published.title),
        }
    }
}

/// How fast a voice is played: pitch and tempo change together, as a record's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed(/* per mille */ u16);

impl Speed {
    /// Those of copies to train with (choice; Kaldi has 0.9 and 1.1).
    pub const OF_COPIES: [Self; 4] = [Self(870), Self(930), Self(1070), Self(1150)];
    const LIMITS: std::ops::RangeInclusive<f64> = 0.5..=2.0;

    /// The rate at which sound is read that is then taken to have `rate_hz`.
    pub fn read_at_hz(self, rate_hz: u32) -> u32 {
        (f64::from(rate_hz) * 1000.0 / f64::from(self.0)).round() as u32
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let speed = text.trim().parse::<f64>().ok().filter(|speed| Self::LIMITS.contains(speed));
        let per_mille = speed.map(|speed| (speed * 1000.0).round() as u16).filter(|&per_mille| per_mille != 1000);
        let unfit =
            || format!("{text:?} is no speed of a copy: use a number between 0.5 and 2, but not 1, such as 0.9");
        per_mille.map(Self).ok_or_else(unfit)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}
