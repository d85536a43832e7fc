//! Finds the face in each picture and cuts it out, once.
//!
//! Searching is slow and heads are not: a few times a second is enough, and in between the place is kept.

use emotion::{FaceBox, FaceChoice, FaceInput, FaceSource};
use media::{FaceFinder, FaceModel, Image, MediaError, chosen_face, crop_face, overlap};

use crate::Settings;

/// Seconds between two searches.
const SEARCH_EVERY_SECS: f64 = 0.25;
/// Seconds for which a lost face is still believed to be where it was.
const HOLD_SECS: f64 = 1.0;
/// Square pictures of at most this side are crops already, as in preparing for training.
const MAX_CROP_SIDE_PX: usize = 256;

/// What was seen in a picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sight {
    /// A face, as `[size_px, size_px, 3]` bytes, and where; no place if the whole picture is the face.
    Face { crop: Vec<u8>, area: Option<FaceBox> },
    /// None at the moment.
    Nothing,
    /// None for so long that there is none.
    NoFace,
}

/// Looks for one face.
pub(crate) struct Eye {
    input: FaceInput,
    faces: FaceSource,
    choice: FaceChoice,
    model: FaceModel,
    // Made when first needed: crops need none.
    finder: Option<FaceFinder>,
    held: Option<FaceBox>,
    searched_secs: Option<f64>,
    found_secs: Option<f64>,
}

impl Eye {
    pub fn new(input: FaceInput, settings: &Settings) -> Self {
        let (faces, choice, model) = (settings.faces, settings.choice, settings.detectors.faces.clone());
        Self { input, faces, choice, model, finder: None, held: None, searched_secs: None, found_secs: None }
    }

    /// Looks at the picture of time `at_secs`; times rise.
    pub fn look(&mut self, image: &Image, at_secs: f64) -> Result<Sight, MediaError> {
        let is_crop = image.width_px == image.height_px && image.width_px <= MAX_CROP_SIDE_PX;
        if self.faces == FaceSource::Cropped || self.faces == FaceSource::Auto && is_crop {
            return Ok(Sight::Face { crop: crop_face(image, None, self.input.size_px), area: None });
        }
        if self.searched_secs.is_none_or(|secs| at_secs - secs >= SEARCH_EVERY_SECS) {
            self.searched_secs = Some(at_secs);
            let found = self.finder.get_or_insert_with(|| FaceFinder::new(&self.model)).find(image)?;
            // The face that was followed so far, or else the chosen one.
            let same = self.held.and_then(|held| {
                let near = found.iter().filter(|face| overlap(&face.area, &held) > 0.0);
                near.max_by(|a, b| overlap(&a.area, &held).total_cmp(&overlap(&b.area, &held)))
            });
            if let Some(face) = same.or_else(|| chosen_face(self.choice, &found, [image.width_px, image.height_px])) {
                self.held = Some(face.area);
                self.found_secs = Some(at_secs);
            }
        }
        let lost_secs = at_secs - *self.found_secs.get_or_insert(at_secs);
        Ok(match self.held {
            _ if lost_secs > HOLD_SECS => {
                self.held = None;
                Sight::NoFace
            }
            Some(area) => Sight::Face { crop: crop_face(image, Some(&area), self.input.size_px), area: Some(area) },
            None => Sight::Nothing,
        })
    }
}
