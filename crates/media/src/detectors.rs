//! What finds faces and speech: built in, or from files that the user put into a folder.

use std::path::Path;
use std::sync::Arc;

use crate::{FaceModel, MediaError, SpeechModel};

/// The detectors that need no files.
pub static BUILT_IN: Detectors = Detectors { faces: FaceModel::Seeta, speech: None };

/// What finds faces and speech; cheap to clone.
#[derive(Clone, Default)]
pub struct Detectors {
    /// What finds faces.
    pub faces: FaceModel,
    /// What finds speech; without, the whole sound is taken for the voice.
    pub speech: Option<Arc<SpeechModel>>,
}

impl Detectors {
    /// YuNet and silero's voice activity detector from the ONNX files in `dir` that have `yunet` and `silero` in their
    /// names; what is not there is done by what is built in. A file that is there and cannot be used is an error.
    pub fn in_folder(dir: &Path) -> Result<Self, MediaError> {
        Ok(Self { faces: FaceModel::in_folder(dir)?, speech: SpeechModel::in_folder(dir)? })
    }

    /// Identifiers of the detectors for faces and speech; they differ where the samples may differ.
    pub(crate) fn ids(&self) -> (String, Option<String>) {
        (self.faces.id(), self.speech.as_ref().map(|model| model.id()))
    }
}

impl PartialEq for Detectors {
    fn eq(&self, other: &Self) -> bool {
        self.ids() == other.ids()
    }
}

impl std::fmt::Debug for Detectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detectors({self})")
    }
}

impl std::fmt::Display for Detectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "faces by {}", self.faces)?;
        match &self.speech {
            Some(model) => write!(f, "; speech by silero, {}", model.path().display()),
            None => f.write_str("; the whole sound is the voice"),
        }
    }
}
