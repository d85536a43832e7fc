//! The people of a clip to choose from: one of its pictures, and whose faces are in it.
//!
//! Found as in preparing, but in pictures all over the clip even where one face keeps its place. Left out: people who
//! are never seen together with whom the clip is taken to be about.

use std::path::Path;

use emotion::{FaceBox, FaceChoice, FaceSource};

use super::track::{Track, is_believed, merit_of, search, tracks};
use super::{FaceFinder, FaceModel, SEARCH_SIDE_PX, centre_of, overlap};
use crate::film::{self, Film};
use crate::prepare::is_face;
use crate::{Image, MediaError};

/// Pictures that are searched.
const N_SEARCHED: usize = 8;

/// Somebody in a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The face, in pixels of the picture.
    pub area: FaceBox,
    /// Where the face is on average: chooses this person when the clip is prepared.
    pub place: FaceChoice,
    track: Track,
}

/// A picture of a clip and who is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct People {
    /// The picture, upright.
    pub picture: Image,
    /// Who is in it, from left to right.
    pub people: Vec<Person>,
    /// Pixels of the picture for one of the file's.
    scale: f32,
}

impl People {
    /// Whom the clip is about: who is where an annotated face is, in pixels of the file's frames, or else whom the
    /// choice names; `None` where nobody is.
    pub fn chosen(&self, face: Option<FaceBox>, choice: FaceChoice) -> Option<usize> {
        let size_px = [self.picture.width_px, self.picture.height_px];
        let merit = |person: &Person| match face {
            Some(area) => overlap(&scaled(&area, self.scale), &person.area),
            None => merit_of(&person.track, choice, size_px),
        };
        (0..self.people.len()).rev().max_by(|&a, &b| merit(&self.people[a]).total_cmp(&merit(&self.people[b])))
    }
}

/// The people of the clip at `path`, a file or a folder of pictures, in the picture that shows whom `choice` names and
/// the most others; `None` where the whole picture is the face already.
pub fn people(
    path: &Path,
    faces: FaceSource,
    choice: FaceChoice,
    model: &FaceModel,
) -> Result<Option<People>, MediaError> {
    let Film { info, images, .. } =
        if path.is_dir() { film::leaf(path, N_SEARCHED)? } else { film::watch(path, N_SEARCHED, None, 0.0)? };
    let Some(first) = images.first().filter(|image| !is_face(faces, image)) else { return Ok(None) };
    let size_px = [first.width_px, first.height_px];
    let scale = info.video.map_or(1.0, |video| first.width_px as f32 / video.width_px.max(1) as f32);
    let mut finder = FaceFinder::new(model);
    let all: Vec<usize> = (0..images.len()).collect();
    let mut find = |side_px| -> Result<Vec<Track>, MediaError> {
        let found = search(&mut finder, &images, &all, side_px)?;
        Ok(tracks(&found).into_iter().filter(|track| is_believed(track, &|face| finder.is_sure(face))).collect())
    };
    let mut tracks = find(SEARCH_SIDE_PX)?;
    if tracks.is_empty() {
        tracks = find(2 * SEARCH_SIDE_PX)?;
    }
    let merit = |track: &Track| merit_of(track, choice, size_px);
    let main = tracks.iter().rev().max_by(|a, b| merit(a).total_cmp(&merit(b)));
    let middle = images.len() / 2;
    let shown = main.map_or(middle, |main| {
        let n_people = |at: usize| tracks.iter().filter(|track| track.iter().any(|&(own, _)| own == at)).count();
        let seen = main.iter().map(|&(at, _)| at);
        seen.max_by_key(|&at| (n_people(at), std::cmp::Reverse(at.abs_diff(middle)))).unwrap_or(middle)
    });
    let person = |track: Track| {
        let &(_, face) = track.iter().find(|&&(at, _)| at == shown)?;
        Some(Person { area: face.area, place: place(&track, size_px), track })
    };
    let mut people: Vec<Person> = tracks.into_iter().filter_map(person).collect();
    people.sort_by(|a, b| a.area.x_px.total_cmp(&b.area.x_px));
    let picture = images.into_iter().nth(shown).expect("the picture that is shown was searched");
    Ok(Some(People { picture, people, scale }))
}

/// Where a face is on average.
fn place(track: &Track, size_px: [usize; 2]) -> FaceChoice {
    let (mut x, mut y) = (0.0, 0.0);
    for (_, face) in track {
        let (at_x, at_y) = centre_of(&face.area);
        (x, y) = (x + at_x, y + at_y);
    }
    let share = |sum: f32, side_px: usize| (sum / track.len() as f32 / side_px.max(1) as f32).clamp(0.0, 1.0);
    FaceChoice::Point { x: share(x, size_px[0]), y: share(y, size_px[1]) }
}

fn scaled(area: &FaceBox, factor: f32) -> FaceBox {
    FaceBox {
        x_px: area.x_px * factor,
        y_px: area.y_px * factor,
        width_px: area.width_px * factor,
        height_px: area.height_px * factor,
    }
}

#[cfg(test)]
mod tests {
    use emotion::{FaceInput, Inputs};

    use super::*;
    use crate::encode::{Recording, write_mp4};
    use crate::sample_clips::{SampleSet, create};
    use crate::{BUILT_IN, Request, prepare, test_media, thumbnail};

    /// Two of the sample's people side by side on grey, the right one smaller, over ten frames.
    fn two_people(dir: &Path) -> std::path::PathBuf {
        create(&dir.join("sample"), &SampleSet { n_clips: 12, n_classes: 2, seed: 1 }, &|| true, &|_, _| {}).unwrap();
        let face = |name: &str, side_px| {
            let image = thumbnail(&dir.join("sample/clips").join(name), 256).unwrap();
            crate::resize(&image, side_px, side_px, crate::Filter::Bilinear)
        };
        let mut picture = Image { width_px: 400, height_px: 224, rgb: vec![128; 400 * 224 * 3] };
        for (x_px, image) in [(0, face("clip_0004.mp4", 208)), (230, face("clip_0002.mp4", 160))] {
            for (y, row) in image.rgb.chunks(image.width_px * 3).enumerate() {
                let at = ((y + 8) * picture.width_px + x_px) * 3;
                picture.rgb[at..at + row.len()].copy_from_slice(row);
            }
        }
        let path = dir.join("two.mp4");
        let frames = vec![picture; 10];
        write_mp4(
            &path,
            &Recording {
                frames: &frames,
                frame_rate_hz: 25,
                n_b_frames: 0,
                samples: &[0.0; 6400],
                sample_rate_hz: 16000,
            },
        )
        .unwrap();
        path
    }

    #[test]
    fn each_person_of_a_clip_can_be_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let path = two_people(dir.path());
        let found = people(&path, FaceSource::Auto, FaceChoice::Size, &BUILT_IN.faces).unwrap().unwrap();
        assert_eq!(found.people.len(), 2, "{:?}", found.people);
        assert_eq!((found.picture.width_px, found.picture.height_px), (400, 224));
        let [left, right] = [0, 1].map(|at| found.people[at].area);
        assert!(left.x_px + left.width_px < 230.0 && right.x_px > 200.0, "{left:?} {right:?}");
        assert_eq!(found.chosen(None, FaceChoice::Size), Some(0));
        assert_eq!(found.chosen(Some(right), FaceChoice::Size), Some(1), "an annotated box is somebody's");
        // Who is chosen by place is who is prepared.
        let inputs = Inputs {
            face: Some(FaceInput { n_frames: 4, size_px: 32 }),
            voice: None,
            text: None,
            features: Vec::new(),
        };
        let seen = |choice| {
            let (faces, face, detectors) = (FaceSource::Auto, None, &BUILT_IN);
            let request =
                Request { path: &path, audio: None, text: None, faces, face, choice, detectors, inputs: &inputs };
            prepare(&request).unwrap().sample.face.unwrap().rgb
        };
        for (at, person) in found.people.iter().enumerate() {
            assert_eq!(found.chosen(None, person.place), Some(at));
        }
        assert_eq!(seen(found.people[0].place), seen(FaceChoice::Size));
        assert_ne!(seen(found.people[1].place), seen(FaceChoice::Size));
    }

    #[test]
    fn a_crop_has_nobody_to_choose() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 3, 0);
        let find = |faces| people(&path, faces, FaceChoice::Size, &BUILT_IN.faces).unwrap();
        assert_eq!(find(FaceSource::Cropped), None);
        assert!(find(FaceSource::Detect).unwrap().people.is_empty());
        assert!(people(Path::new("/nowhere"), FaceSource::Auto, FaceChoice::Size, &BUILT_IN.faces).is_err());
    }
}
