//! Finding faces, and cutting them out as squares.
//! The detector is SeetaFace's frontal one as `rustface` carries it; its model is part of the program.
//! Left out: alignment by landmarks, faces in profile.

mod crop;
pub mod yunet;

use std::sync::OnceLock;

use emotion::FaceBox;
use rustface::{Detector, ImageData, Model};

pub use self::crop::crop_face;
use self::crop::{Part, resized};
use crate::Image;

/// From rustface 0.1.7 (BSD-2-Clause, see `assets/README.md`).
const MODEL: &[u8] = include_bytes!("../assets/seeta_fd_frontal_v1.0.bin");
/// Longer side of the picture that is searched: the time goes with its area.
pub(crate) const SEARCH_SIDE_PX: usize = 320;
/// Smallest face in the searched picture, a sixteenth of its longer side.
const MIN_FACE_PX: u32 = 20;
/// SeetaFace's own suggestions are 0.95, 2.8 and 4.5; lower finds more, also where there is nothing.
const MIN_SCORE: f64 = 2.8;

/// Finds faces in pictures.
pub struct FaceFinder {
    detector: Box<dyn Detector>,
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

/// Shared area over joint area of two boxes, 0..=1.
pub fn overlap(a: &FaceBox, b: &FaceBox) -> f32 {
    let width = (a.x_px + a.width_px).min(b.x_px + b.width_px) - a.x_px.max(b.x_px);
    let height = (a.y_px + a.height_px).min(b.y_px + b.height_px) - a.y_px.max(b.y_px);
    let shared = width.max(0.0) * height.max(0.0);
    let joint = a.width_px * a.height_px + b.width_px * b.height_px - shared;
    if joint > 0.0 { shared / joint } else { 0.0 }
}

impl Default for FaceFinder {
    fn default() -> Self {
        Self::new()
    }
}

impl FaceFinder {
    /// A detector with the built-in model.
    pub fn new() -> Self {
        static PARSED: OnceLock<Model> = OnceLock::new();
        let model = PARSED.get_or_init(|| rustface::read_model(MODEL).expect("the built-in model is whole"));
        let mut detector = rustface::create_detector_with_model(model.clone());
        detector.set_min_face_size(MIN_FACE_PX);
        detector.set_score_thresh(MIN_SCORE);
        detector.set_pyramid_scale_factor(0.8);
        detector.set_slide_window_step(4, 4);
        Self { detector }
    }

    /// The faces in `image`, largest first; those smaller than a sixteenth of its longer side are overlooked.
    pub fn find(&mut self, image: &Image) -> Vec<Face> {
        self.find_at(image, SEARCH_SIDE_PX)
    }

    /// Searches `image` reduced to `side_px` on its longer side.
    pub(crate) fn find_at(&mut self, image: &Image, side_px: usize) -> Vec<Face> {
        let longer = image.width_px.max(image.height_px);
        let factor = (side_px as f32 / longer.max(1) as f32).min(1.0);
        let width = (image.width_px as f32 * factor).round() as usize;
        let height = (image.height_px as f32 * factor).round() as usize;
        // The detector's window must fit.
        if width.min(height) < 2 * MIN_FACE_PX as usize {
            return Vec::new();
        }
        let rgb = resized(image, Part::whole(image), width, height);
        let grey: Vec<u8> = rgb
            .chunks_exact(3)
            .map(|pixel| {
                ((299 * u32::from(pixel[0]) + 587 * u32::from(pixel[1]) + 114 * u32::from(pixel[2])) / 1000) as u8
            })
            .collect();
        let found = self.detector.detect(&ImageData::new(&grey, width as u32, height as u32));
        let mut faces: Vec<Face> = found
            .iter()
            .map(|info| Face {
                area: FaceBox {
                    x_px: info.bbox().x() as f32 / factor,
                    y_px: info.bbox().y() as f32 / factor,
                    width_px: info.bbox().width() as f32 / factor,
                    height_px: info.bbox().height() as f32 / factor,
                },
                score: info.score() as f32,
                landmarks: None,
            })
            .collect();
        faces.sort_by(|a, b| (b.area.width_px * b.area.height_px).total_cmp(&(a.area.width_px * a.area.height_px)));
        faces
    }
}
