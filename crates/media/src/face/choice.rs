//! Who of several people is the chosen one.

use emotion::FaceChoice;

use super::{Face, centre_of, side_px_of};

/// The chosen one of the faces in a picture of `size_px`, width and height.
pub fn chosen_face(choice: FaceChoice, faces: &[Face], size_px: [usize; 2]) -> Option<&Face> {
    faces.iter().max_by(|a, b| merit(choice, a, size_px).total_cmp(&merit(choice, b, size_px)))
}

/// How much a face in a picture of `size_px` is the chosen one; not at all if it is not there: 0 is for absence.
pub(super) fn merit(choice: FaceChoice, face: &Face, size_px: [usize; 2]) -> f32 {
    let [width, height] = size_px.map(|side_px| side_px.max(1) as f32);
    let (x, y) = match choice {
        FaceChoice::Size => return side_px_of(&face.area) / width.max(height),
        FaceChoice::Centre => (0.5, 0.5),
        FaceChoice::Point { x, y } => (x, y),
    };
    let (at_x, at_y) = centre_of(&face.area);
    // From corner to corner it is the root of 2.
    (1.5 - (at_x / width - x).hypot(at_y / height - y)).max(0.0)
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
        let check = |choice, nth: usize| {
            assert_eq!(chosen_face(choice, &faces, [200, 100]), Some(&faces[nth]), "{choice}");
        };
        check(FaceChoice::Size, 0);
        check(FaceChoice::Centre, 1);
        check(FaceChoice::Point { x: 0.9, y: 0.1 }, 2);
        assert_eq!(chosen_face(FaceChoice::Size, &[], [200, 100]), None);
    }
}
