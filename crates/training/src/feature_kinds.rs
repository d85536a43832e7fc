//! What people choose kinds of features by.

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
