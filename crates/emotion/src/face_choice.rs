//! Which of several people a clip is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of several people is meant.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceChoice {
    /// Whose face is largest; over a clip, the sum of its sides, so that who stays counts for more.
    #[default]
    Size,
    /// Whose face is nearest to the middle of the picture; over a clip on average, absence being far away.
    Centre,
    /// Whose face is nearest to a place, in shares of width and height from the top left; over a clip on average.
    Point {
        /// From the left, 0..=1.
        x: f32,
        /// From the top, 0..=1.
        y: f32,
    },
}

impl FaceChoice {
    /// Whether it is the usual choice, which files leave out.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Words for a choice that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} says no face: write size, centre, or a place as shares of width and height, such as 0.25,0.4")]
pub struct UnknownChoice(String);

impl std::str::FromStr for FaceChoice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        let share = |text: &str| text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
        match text {
            "size" => Ok(Self::Size),
            "centre" => Ok(Self::Centre),
            _ => {
                let place = text.split_once(',').and_then(|(x, y)| Some((share(x)?, share(y)?)));
                place.map(|(x, y)| Self::Point { x, y }).ok_or_else(|| UnknownChoice(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for FaceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("size"),
            Self::Centre => f.write_str("centre"),
            Self::Point { x, y } => write!(f, "{x},{y}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for (text, choice) in [
            ("size", FaceChoice::Size),
            ("centre", FaceChoice::Centre),
            ("0.9,0.125", FaceChoice::Point { x: 0.9, y: 0.125 }),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!("0.9, 0.125".parse(), Ok(FaceChoice::Point { x: 0.9, y: 0.125 }));
        for wrong in ["", "largest", "0.5", "0.5,2", "0.5,NaN", "0.5,0.5,0.5"] {
            assert!(wrong.parse::<FaceChoice>().is_err(), "{wrong}");
        }
    }
}
