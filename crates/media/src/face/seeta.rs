//! SeetaFace's frontal detector as `rustface` carries it; its model is part of the program.

use std::sync::OnceLock;

use emotion::FaceBox;
use rustface::{Detector, ImageData, Model};

use super::Face;
use super::crop::{Filter, Part, resized};
use crate::Image;

/// From rustface 0.1.7 (BSD-2-Clause, see `assets/README.md`).
const MODEL: &[u8] = include_bytes!("../../assets/seeta_fd_frontal_v1.0.bin");
/// Smallest face in the searched picture, a sixteenth of its longer side.
const MIN_FACE_PX: u32 = 20;
/// SeetaFace's own suggestions are 0.95, 2.8 and 4.5; lower finds more, also where there is nothing.
const MIN_SCORE: f64 = 2.8;

/// The detector, which keeps state between two pictures.
pub(super) struct Seeta {
    detector: Box<dyn Detector>,
}

impl Seeta {
    pub(super) fn new() -> Self {
        static PARSED: OnceLock<Model> = OnceLock::new();
        let model = PARSED.get_or_init(|| rustface::read_model(MODEL).expect("the built-in model is whole"));
        let mut detector = rustface::create_detector_with_model(model.clone());
        detector.set_min_face_size(MIN_FACE_PX);
        detector.set_score_thresh(MIN_SCORE);
        detector.set_pyramid_scale_factor(0.8);
        detector.set_slide_window_step(4, 4);
        Self { detector }
    }

    /// The faces in `image` reduced to `side_px` on its longer side.
    pub(super) fn find_at(&mut self, image: &Image, side_px: usize) -> Vec<Face> {
        let longer = image.width_px.max(image.height_px);
        let factor = (side_px as f32 / longer.max(1) as f32).min(1.0);
        let width = (image.width_px as f32 * factor).round() as usize;
        let height = (image.height_px as f32 * factor).round() as usize;
        // The detector's window must fit.
        if width.min(height) < 2 * MIN_FACE_PX as usize {
            return Vec::new();
        }
        let rgb = resized(image, Part::whole(image), [width, height], Filter::Averaging);
        let grey: Vec<u8> = rgb
            .chunks_exact(3)
            .map(|pixel| {
                ((299 * u32::from(pixel[0]) + 587 * u32::from(pixel[1]) + 114 * u32::from(pixel[2])) / 1000) as u8
            })
            .collect();
        let found = self.detector.detect(&ImageData::new(&grey, width as u32, height as u32));
        found
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
            .collect()
    }
}
