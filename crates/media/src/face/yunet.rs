//! YuNet, a face detector of 76 thousand weights, from its ONNX file.
//!
//! The network takes BGR in 0..=255 with sides that are multiples of 32 and says, for each cell of three grids, how
//! much it looks like a face and where that face and five landmarks of it are. It sees faces from about 10 to 300 px.
//!
//! Wu, Peng and Yu, *YuNet: A Tiny Millisecond-level Face Detector*, 2023; decoding as OpenCV's `FaceDetectorYN` does
//! it.

use std::path::Path;

use emotion::FaceBox;
use rten::NodeId;

use super::crop::{Filter, Part, resized};
use super::{Face, overlap};
use crate::network::Network;
use crate::{Image, MediaError};

/// Least score of a face, and most overlap with a better one: what OpenCV's example uses.
pub const MIN_SCORE: f32 = 0.6;
/// See [`MIN_SCORE`].
pub const MAX_OVERLAP: f32 = 0.3;
/// Sides are multiples of the coarsest grid's stride.
const SIDE_PX: usize = 32;
/// What a grid says of a cell, as the outputs are called, and how many numbers that is.
const PARTS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// The detector.
pub struct Yunet {
    network: Network,
    input: NodeId,
    grids: Vec<(usize, [NodeId; 4])>,
    /// Height and width, where the file takes no others.
    fixed: Option<[usize; 2]>,
}

/// What the network says of one grid's cells, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Side of a cell in pixels.
    pub stride_px: usize,
    /// Cells in a row.
    pub n_columns: usize,
    /// Probability of a face, `[cells]`.
    pub classes: Vec<f32>,
    /// Probability of a thing at all, `[cells]`.
    pub objects: Vec<f32>,
    /// Centre from the cell's corner in strides, logarithm of width and height in strides, `[cells, 4]`.
    pub boxes: Vec<f32>,
    /// x and y of five landmarks from the cell's corner in strides, `[cells, 10]`.
    pub landmarks: Vec<f32>,
}

impl Yunet {
    /// Reads the network, and tries it.
    pub fn load(path: &Path) -> Result<Self, MediaError> {
        let network = Network::load(path)?;
        let mut strides: Vec<usize> =
            network.outputs().filter_map(|name| name.strip_prefix("cls_")?.parse().ok()).collect();
        strides.sort_unstable();
        if strides.is_empty() || strides.iter().any(|&stride| stride == 0 || !SIDE_PX.is_multiple_of(stride)) {
            return Err(MediaError::network(path, "it is not YuNet: there are no outputs cls_8, cls_16, cls_32"));
        }
        let grid = |stride: usize| -> Result<(usize, [NodeId; 4]), MediaError> {
            let node = |part: usize| network.node(&format!("{}_{stride}", PARTS[part].0));
            Ok((stride, [node(0)?, node(1)?, node(2)?, node(3)?]))
        };
        let grids = strides.into_iter().map(grid).collect::<Result<Vec<_>, _>>()?;
        let (input, shape) = network.first_input()?;
        let fixed = match shape[..] {
            [_, _, Some(height), Some(width)] => Some([height, width]),
            _ => None,
        };
        let yunet = Self { network, input, grids, fixed };
        let [height, width] = fixed.unwrap_or([SIDE_PX, 2 * SIDE_PX]);
        yunet.grids(&vec![0.0; 3 * height * width], height, width)?;
        Ok(yunet)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.network.path()
    }

    pub(crate) fn hash(&self) -> blake3::Hash {
        self.network.hash()
    }

    /// The faces in `image` at its own size, the surest first.
    pub fn find(&self, image: &Image) -> Result<Vec<Face>, MediaError> {
        self.find_at(image, usize::MAX)
    }

    /// The faces in `image` reduced to `side_px` on its longer side, and to the file's fixed size where it has one.
    pub fn find_at(&self, image: &Image, side_px: usize) -> Result<Vec<Face>, MediaError> {
        let (width, height) = (image.width_px, image.height_px);
        if width == 0 || height == 0 {
            return Ok(Vec::new());
        }
        let [most_high, most_wide] = self.fixed.unwrap_or([usize::MAX; 2]).map(|most| most.min(side_px));
        let factor = (most_wide as f32 / width as f32).min(most_high as f32 / height as f32).min(1.0);
        let grids = if factor < 1.0 {
            let smaller = |px: usize| ((px as f32 * factor).round() as usize).max(1);
            let (width, height) = (smaller(width), smaller(height));
            // As OpenCV does it, by which published scores come about; averaging would blur small faces away.
            let reduced = resized(image, Part::whole(image), [width, height], Filter::FourPixels);
            self.grids(&planes(&reduced), height, width)?
        } else {
            self.grids(&planes(&image.rgb), height, width)?
        };
        let mut faces = without_doubles(candidates(&grids, MIN_SCORE), MAX_OVERLAP);
        faces.iter_mut().for_each(|face| face.scale(1.0 / factor));
        Ok(faces)
    }

    /// Runs the network on BGR planes `[3, height, width]` in 0..=255, which are continued by zeros at the bottom and
    /// right.
    pub fn grids(&self, bgr: &[f32], height: usize, width: usize) -> Result<Vec<Grid>, MediaError> {
        assert_eq!(bgr.len(), 3 * height * width, "three planes");
        let whole = |px: usize| px.next_multiple_of(SIDE_PX);
        let [full_height, full_width] = self.fixed.unwrap_or([whole(height), whole(width)]);
        assert!(height <= full_height && width <= full_width, "a picture within the fixed size");
        let mut padded = vec![0.0; 3 * full_height * full_width];
        for (row_idx, row) in bgr.chunks_exact(width).enumerate() {
            let (plane, y) = (row_idx / height, row_idx % height);
            padded[(plane * full_height + y) * full_width..][..width].copy_from_slice(row);
        }
        let input = self.network.tensor(&[1, 3, full_height, full_width], padded)?;
        let outputs: Vec<NodeId> = self.grids.iter().flat_map(|(_, outputs)| *outputs).collect();
        let mut values = self.network.run(vec![(self.input, input)], &outputs)?.into_iter();
        let mut grids = Vec::with_capacity(self.grids.len());
        for &(stride_px, _) in &self.grids {
            let n_columns = full_width / stride_px;
            let n_cells = n_columns * (full_height / stride_px);
            let parts: [Vec<f32>; 4] = std::array::from_fn(|_| values.next().unwrap_or_default());
            if parts.iter().zip(PARTS).any(|(part, (_, n_numbers))| part.len() != n_cells * n_numbers) {
                return Err(MediaError::network(self.path(), "it is not YuNet: its outputs have other sizes"));
            }
            let [classes, objects, boxes, landmarks] = parts;
            grids.push(Grid { stride_px, n_columns, classes, objects, boxes, landmarks });
        }
        Ok(grids)
    }
}

/// The faces that the grids' cells speak of, in pixels, the surest first; many cells speak of the same one.
pub fn candidates(grids: &[Grid], min_score: f32) -> Vec<Face> {
    let mut faces = Vec::new();
    for grid in grids {
        let stride = grid.stride_px as f32;
        for (cell, (class, object)) in grid.classes.iter().zip(&grid.objects).enumerate() {
            let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
            // What is not a number is no face.
            if !matches!(score.partial_cmp(&min_score), Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal)) {
                continue;
            }
            let (column, row) = ((cell % grid.n_columns) as f32, (cell / grid.n_columns) as f32);
            let place = &grid.boxes[4 * cell..4 * cell + 4];
            let (width_px, height_px) = (place[2].exp() * stride, place[3].exp() * stride);
            let area = FaceBox {
                x_px: (column + place[0]) * stride - width_px / 2.0,
                y_px: (row + place[1]) * stride - height_px / 2.0,
                width_px,
                height_px,
            };
            let points = &grid.landmarks[10 * cell..10 * cell + 10];
            let landmarks =
                std::array::from_fn(|nth| [(column + points[2 * nth]) * stride, (row + points[2 * nth + 1]) * stride]);
            if (area.x_px + area.y_px + width_px + height_px).is_finite() {
                faces.push(Face { area, score, landmarks: Some(landmarks) });
            }
        }
    }
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    faces
}

/// Keeps of faces that overlap by more than `max_overlap` (shared over joint area) the first.
pub fn without_doubles(faces: Vec<Face>, max_overlap: f32) -> Vec<Face> {
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.iter().all(|better| overlap(&better.area, &face.area) <= max_overlap) {
            kept.push(face);
        }
    }
    kept
}

/// Pixels `[height, width, 3]` as BGR planes.
fn planes(rgb: &[u8]) -> Vec<f32> {
    let mut planes = vec![0.0; rgb.len()];
    let (blue, rest) = planes.split_at_mut(rgb.len() / 3);
    let (green, red) = rest.split_at_mut(rgb.len() / 3);
    for (((pixel, blue), green), red) in rgb.chunks_exact(3).zip(blue).zip(green).zip(red) {
        (*red, *green, *blue) = (f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2]));
    }
    planes
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::test_media::shared;

    fn network() -> Option<PathBuf> {
        shared("data/models/yunet/yunet_n_dynamic.onnx")
    }

    /// A grid of two columns and one row of cells of 8 px, with one number for all that is not said.
    fn grid(classes: [f32; 2]) -> Grid {
        let mut landmarks = vec![0.5; 20];
        landmarks[12..14].copy_from_slice(&[1.0, 2.0]);
        let boxes = [0.5, 0.5, 0.0, 2.0_f32.ln(), 0.5, 0.5, 0.0, 2.0_f32.ln()].to_vec();
        Grid { stride_px: 8, n_columns: 2, classes: classes.to_vec(), objects: vec![0.81; 2], boxes, landmarks }
    }

    #[test]
    fn cells_become_faces_in_pixels() {
        let faces = candidates(&[grid([1.0, 1.5])], 0.6);
        assert_eq!(faces.len(), 2);
        assert!(faces.iter().all(|face| (face.score - 0.9).abs() < 1e-6), "{faces:?}");
        let want = FaceBox { x_px: 8.0, y_px: -4.0, width_px: 8.0, height_px: 16.0 };
        assert!(overlap(&faces[1].area, &want) > 0.999, "{faces:?}");
        assert_eq!(faces[1].landmarks.unwrap()[0..2], [[12.0, 4.0], [16.0, 16.0]]);
        assert_eq!(candidates(&[grid([0.4, f32::NAN])], 0.6), []);
        let endless = Grid { boxes: vec![0.0, 0.0, 1e9, 0.0, 0.0, 0.0, f32::NAN, 0.0], ..grid([1.0, 1.0]) };
        assert_eq!(candidates(&[endless], 0.6), []);
    }

    #[test]
    fn of_doubles_the_surest_stays() {
        let face = |x_px, score| Face {
            area: FaceBox { x_px, y_px: 0.0, width_px: 10.0, height_px: 10.0 },
            score,
            landmarks: None,
        };
        // 4 and 5 px of 10 shared with the first: 0.25 and 0.33 of the joint areas.
        let kept = without_doubles(vec![face(0.0, 0.9), face(6.0, 0.8), face(0.0, 0.7), face(5.0, 0.65)], 0.3);
        assert_eq!(kept, [face(0.0, 0.9), face(6.0, 0.8)]);
    }

    #[test]
    fn other_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yunet.onnx");
        assert!(matches!(Yunet::load(&path), Err(MediaError::Io { .. })));
        std::fs::write(&path, b"no network").unwrap();
        assert!(matches!(Yunet::load(&path), Err(MediaError::Network { .. })));
        let Some(other) = shared("data/models/silero_vad/silero_vad_16k_op15.onnx") else { return };
        assert!(matches!(Yunet::load(&other), Err(MediaError::Network { .. })));
    }

    #[test]
    fn all_faces_of_the_photographs_are_found() {
        let (Some(network), Some(folder)) = (network(), shared("data/faces/dlib")) else { return };
        let yunet = Yunet::load(&network).unwrap();
        let (mut n_annotated, mut n_missed, mut n_extra) = (0, 0, 0);
        let xml = std::fs::read_to_string(folder.join("training.xml")).unwrap();
        for photograph in xml.split("<image ").skip(1) {
            let quoted = |text: &str, name: &str| -> String {
                text.split(&format!("{name}='")).nth(1).unwrap().split('\'').next().unwrap().to_owned()
            };
            let image = crate::thumbnail(&folder.join(quoted(photograph, "file")), usize::MAX).unwrap();
            let boxes: Vec<FaceBox> = photograph
                .split("<box ")
                .skip(1)
                .map(|text| {
                    let [x_px, y_px, width_px, height_px] =
                        ["left", "top", "width", "height"].map(|name| quoted(text, name).parse().unwrap());
                    FaceBox { x_px, y_px, width_px, height_px }
                })
                .collect();
            let faces = yunet.find(&image).unwrap();
            let is_one = |face: &Face, area: &FaceBox| overlap(&face.area, area) >= 0.5;
            n_annotated += boxes.len();
            n_missed += boxes.iter().filter(|area| !faces.iter().any(|face| is_one(face, area))).count();
            n_extra += faces.iter().filter(|face| !boxes.iter().any(|area| is_one(face, area))).count();
        }
        assert_eq!((n_annotated, n_missed), (18, 0));
        assert!(n_extra <= 2, "{n_extra}");
    }
}
