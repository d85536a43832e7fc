//! Which of several people a clip is about.

use serde::{Deserialize, Serialize};

use super::{Face, centre_of, side_px_of};

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

/// Words for a choice that are none.
#[derive(Debug, thiserror::Error)]
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

impl FaceChoice {
    /// The chosen one of the faces in a picture of `size_px`, width and height.
    pub fn pick(self, faces: &[Face], size_px: [usize; 2]) -> Option<&Face> {
        faces.iter().max_by(|a, b| self.merit(a, size_px).total_cmp(&self.merit(b, size_px)))
    }

    /// How much a face in a picture of `size_px` is the chosen one; not at all if it is not there: 0 is for absence.
    pub(super) fn merit(self, face: &Face, size_px: [usize; 2]) -> f32 {
        let [width, height] = size_px.map(|side_px| side_px.max(1) as f32);
        let (x, y) = match self {
            Self::Size => return side_px_of(&face.area) / width.max(height),
            Self::Centre => (0.5, 0.5),
            Self::Point { x, y } => (x, y),
        };
        let (at_x, at_y) = centre_of(&face.area);
        // From corner to corner it is the root of 2.
        (1.5 - (at_x / width - x).hypot(at_y / height - y)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use emotion::FaceBox;

    use super::*;

    #[test]
    fn a_face_is_chosen_by_size_centre_or_place() {
        let face = |x_px, side| Face {
            area: FaceBox { x_px, y_px: 50.0 - side / 2.0, width_px: side, height_px: side },
            score: 1.0,
            landmarks: None,
        };
        let faces = [face(0.0, 30.0), face(90.0, 20.0), face(160.0, 10.0)];
        let check = |choice: &str, nth: usize| {
            let choice: FaceChoice = choice.parse().unwrap();
            assert_eq!(choice.pick(&faces, [200, 100]), Some(&faces[nth]), "{choice:?}");
        };
        check("size", 0);
        check("centre", 1);
        check("0.9, 0.1", 2);
        assert_eq!(FaceChoice::Size.pick(&[], [200, 100]), None);
        for wrong in ["", "largest", "0.5", "0.5,2", "0.5,NaN", "0.5,0.5,0.5"] {
            assert!(wrong.parse::<FaceChoice>().is_err(), "{wrong}");
        }
    }
}
