//! How an emotion feels, as numbers: valence, arousal and dominance, or the sentiment of a sentence.
//!
//! Every corpus has its own scale (1 to 5, 1 to 9, −3 to 3). Clips hold −1 to 1; the manifest remembers the scale they
//! came from, so that errors can be reported in the corpus's own units.

use serde::{Deserialize, Serialize};

use crate::LabelSet;

/// The lowest and highest value that annotators could give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// What becomes −1.
    pub low: f32,
    /// What becomes 1; larger than `low`.
    pub high: f32,
}

impl Scale {
    /// MSP-IMPROV, MSP-Podcast, IEMOCAP: self-assessment manikins of five steps.
    pub const ONE_TO_FIVE: Self = Self { low: 1.0, high: 5.0 };
    /// CMU-MOSI and CMU-MOSEI: from highly negative to highly positive.
    pub const SENTIMENT: Self = Self { low: -3.0, high: 3.0 };
    /// AffectNet and Aff-Wild: as kept here.
    pub const UNIT: Self = Self { low: -1.0, high: 1.0 };

    /// `value` of this scale in −1..=1; `None` outside the scale, because that is another scale or a mistake.
    pub fn to_unit(self, value: f32) -> Option<f32> {
        let inside = self.low < self.high && (self.low..=self.high).contains(&value);
        inside.then(|| 2.0 * (value - self.low) / (self.high - self.low) - 1.0)
    }

    /// The value of this scale that −1..=1 stands for.
    pub fn value_of(self, unit: f32) -> f32 {
        self.low + (unit + 1.0) / 2.0 * (self.high - self.low)
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

/// What is wrong with the spelling of a scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scale: write the lowest and the highest rating, as in 1..5 or -3..3")]
pub struct ScaleError(String);

impl std::str::FromStr for Scale {
    type Err = ScaleError;
    fn from_str(text: &str) -> Result<Self, ScaleError> {
        let ends =
            text.split_once("..").and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        let scale = ends.map(|(low, high): (f32, f32)| Self { low, high });
        scale
            .filter(|scale| scale.low < scale.high && scale.low.is_finite() && scale.high.is_finite())
            .ok_or_else(|| ScaleError(text.to_owned()))
    }
}

/// Mean ratings of a clip, each in −1..=1 where it was rated.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Affect {
    /// Unpleasant to pleasant; for corpora of sentiment, negative to positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<f32>,
    /// Calm to excited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arousal: Option<f32>,
    /// Submissive to dominant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dominance: Option<f32>,
}

impl Affect {
    /// One of the ratings.
    pub fn get(&self, attribute: Attribute) -> Option<f32> {
        match attribute {
            Attribute::Valence => self.valence,
            Attribute::Arousal => self.arousal,
            Attribute::Dominance => self.dominance,
        }
    }

    /// Whether nothing was rated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a rating is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attribute {
    /// Unpleasant to pleasant; negative to positive.
    Valence,
    /// Calm to excited.
    Arousal,
    /// Submissive to dominant.
    Dominance,
}

impl Attribute {
    /// All three; a model of several predicts them in this order.
    pub const ALL: [Self; 3] = [Self::Valence, Self::Arousal, Self::Dominance];

    /// The word that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valence => "valence",
            Self::Arousal => "arousal",
            Self::Dominance => "dominance",
        }
    }

    /// The two halves of the scale as classes: below the middle, and from the middle on.
    pub fn halves(self) -> LabelSet {
        let names = if self == Self::Valence { ["negative", "positive"] } else { ["low", "high"] };
        LabelSet::new(names).expect("two names")
    }

    /// The half that a value in −1..=1 is in.
    pub fn half_of(value: f32) -> usize {
        usize::from(value >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_map_their_ends_to_the_unit_and_back() {
        for (scale, value, unit) in [
            (Scale::ONE_TO_FIVE, 1.0, -1.0),
            (Scale::ONE_TO_FIVE, 3.0, 0.0),
            (Scale::ONE_TO_FIVE, 4.5, 0.75),
            (Scale::SENTIMENT, 3.0, 1.0),
            (Scale::SENTIMENT, -1.5, -0.5),
            (Scale::UNIT, 0.25, 0.25),
        ] {
            assert_eq!(scale.to_unit(value), Some(unit), "{scale:?} {value}");
            assert_eq!(scale.value_of(unit), value);
        }
    }

    #[test]
    fn scales_are_written_by_their_ends() {
        assert_eq!("1..5".parse(), Ok(Scale::ONE_TO_FIVE));
        assert_eq!("-3 .. 3.0".parse(), Ok(Scale::SENTIMENT));
        for wrong in ["1-5", "5..1", "1..", "..5", "1..inf", "a..b", ""] {
            assert_eq!(wrong.parse::<Scale>(), Err(ScaleError(wrong.to_owned())));
        }
    }

    #[test]
    fn a_value_of_another_scale_is_refused() {
        for value in [0.5, 5.1, f32::NAN] {
            assert_eq!(Scale::ONE_TO_FIVE.to_unit(value), None, "{value}");
        }
        assert_eq!(Scale { low: 1.0, high: 1.0 }.to_unit(1.0), None);
    }
}
