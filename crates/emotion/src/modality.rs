//! Face, voice and text, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One channel through which an emotion is expressed. The order is that of the papers' tables: V, A, T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Video frames of a face ("V").
    Face,
    /// Speech audio ("A").
    Voice,
    /// What is said, or a caption ("T").
    Text,
}

impl Modality {
    /// All three, in the order of masks and tables.
    pub const ALL: [Self; 3] = [Self::Face, Self::Voice, Self::Text];

    /// Position in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The papers' letter: `v`, `a` or `t`.
    pub fn letter(self) -> char {
        ['v', 'a', 't'][self.index()]
    }

    /// The word that people read.
    pub fn name(self) -> &'static str {
        ["face", "voice", "text"][self.index()]
    }
}

/// What is wrong with the spelling of a set of modalities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModalityError {
    /// A letter other than v, a, t.
    #[error("unknown modality {0:?}: use v (face), a (voice), t (text), for example \"vat\"")]
    Unknown(char),
    /// Nothing to predict from.
    #[error("no modality is left: name at least one of v (face), a (voice), t (text)")]
    Empty,
}

/// A set of modalities, possibly empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Modalities(u8);

impl Modalities {
    /// No modality.
    pub const NONE: Self = Self(0);
    /// Face, voice and text.
    pub const ALL: Self = Self(0b111);

    /// The set of one.
    pub fn only(modality: Modality) -> Self {
        Self(1 << modality.index())
    }

    /// The seven sets with at least one modality, in the order of the papers' tables: V, A, T, VA, VT, AT, VAT.
    pub fn subsets() -> [Self; 7] {
        [0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b111].map(Self)
    }

    /// Whether `modality` belongs to the set.
    pub fn contains(self, modality: Modality) -> bool {
        self.0 & (1 << modality.index()) != 0
    }

    /// The set with `modality` in or out.
    #[must_use]
    pub fn with(self, modality: Modality, present: bool) -> Self {
        let bit = 1 << modality.index();
        Self(if present { self.0 | bit } else { self.0 & !bit })
    }

    /// What both sets have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether nothing is left.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of modalities.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Members in the order V, A, T.
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL.into_iter().filter(move |&modality| self.contains(modality))
    }
}

impl FromIterator<Modality> for Modalities {
    fn from_iter<I: IntoIterator<Item = Modality>>(members: I) -> Self {
        members.into_iter().fold(Self::NONE, |set, modality| set.with(modality, true))
    }
}

/// Upper-case letters in table order: `VAT`; the empty set is `-`.
impl fmt::Display for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        self.iter().try_for_each(|modality| write!(f, "{}", modality.letter().to_ascii_uppercase()))
    }
}

impl FromStr for Modalities {
    type Err = ModalityError;
    fn from_str(letters: &str) -> Result<Self, ModalityError> {
        let mut set = Self::NONE;
        for letter in letters.chars().filter(|c| !matches!(c, ',' | '+' | ' ')) {
            let modality = Modality::ALL
                .into_iter()
                .find(|modality| modality.letter() == letter.to_ascii_lowercase())
                .ok_or(ModalityError::Unknown(letter))?;
            set = set.with(modality, true);
        }
        if set.is_empty() { Err(ModalityError::Empty) } else { Ok(set) }
    }
}

impl Serialize for Modalities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string().to_lowercase())
    }
}

impl<'de> Deserialize<'de> for Modalities {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let letters = String::deserialize(deserializer)?;
        if letters == "-" {
            return Ok(Self::NONE);
        }
        letters.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_round_trip() {
        for (letters, shown) in [("vat", "VAT"), ("ta", "AT"), ("V", "V"), ("v+a", "VA")] {
            let set: Modalities = letters.parse().expect("known letters");
            assert_eq!(set.to_string(), shown);
        }
        assert_eq!("x".parse::<Modalities>(), Err(ModalityError::Unknown('x')));
        assert_eq!("".parse::<Modalities>(), Err(ModalityError::Empty));
    }

    #[test]
    fn subsets_are_in_table_order() {
        let shown: Vec<String> = Modalities::subsets().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["V", "A", "T", "VA", "VT", "AT", "VAT"]);
    }
}
