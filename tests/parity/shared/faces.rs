//! The face detector: raw outputs, decoding, and faces in photographs.

use emotion::FaceBox;
use media::yunet::{Grid, MAX_OVERLAP, MIN_SCORE, Yunet, candidates, without_doubles};
use media::{Face, Image, overlap};
use serde_json::Value;

use super::{Case, at_most, data_file, list, number, text};

pub fn yunet(case: &mut Case) {
    let yunet = Yunet::load(&data_file(case, case.text("model_file"))).unwrap();
    let noise = case.by_role("noise");
    let [.., height, width] = noise.shape[..] else { panic!("{} is no picture", noise.name) };
    let grids = yunet.grids(&noise.floats(), height, width).unwrap();
    compare_grids(case, "noise", &grids);

    let face = case.by_role("face_bgr");
    let [height, width, 3] = face.shape[..] else { panic!("{} is no picture", face.name) };
    let bytes: Vec<f32> = face.floats();
    let planes: Vec<f32> = (0..3).flat_map(|plane| bytes.iter().skip(plane).step_by(3).copied()).collect();
    let grids = yunet.grids(&planes, height, width).unwrap();
    compare_grids(case, "face", &grids);
    let (min_score, max_overlap) = (case.number("score_threshold") as f32, case.number("nms_threshold") as f32);
    let found = candidates(&grids, min_score);
    case.compare("face.candidates", &rows(&found));
    let found = without_doubles(found, max_overlap);
    case.compare("face.detections", &rows(&found));
    // What the app calls does the same to a picture.
    if (min_score, max_overlap) == (MIN_SCORE, MAX_OVERLAP) {
        let rgb = bytes.chunks_exact(3).flat_map(|bgr| [bgr[2] as u8, bgr[1] as u8, bgr[0] as u8]).collect();
        assert_eq!(yunet.find(&Image { width_px: width, height_px: height, rgb }).unwrap(), found);
    }

    for photograph in list(case.json(), "images").to_vec() {
        compare_photograph(case, &yunet, &photograph);
    }
}

fn compare_grids(case: &mut Case, input: &str, grids: &[Grid]) {
    assert_eq!(grids.iter().map(|grid| grid.stride_px).collect::<Vec<_>>(), case.sizes("strides"));
    for grid in grids {
        let parts = [("cls", &grid.classes), ("obj", &grid.objects), ("bbox", &grid.boxes), ("kps", &grid.landmarks)];
        for (part, values) in parts {
            let output = format!("{input}.{part}_{}", grid.stride_px);
            if case.wants(&output) {
                // Of a fine grid only the first rows are stored.
                let n_stored = case.stored(&output).len();
                case.compare(&output, &values[..n_stored]);
            }
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
            let length = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            case.compare(&format!("{output}.stats"), &[mean as f32, length as f32]);
        }
    }
}

/// Box, landmarks and score, a row each.
fn rows(faces: &[Face]) -> Vec<f32> {
    let row = |face: &Face| {
        let FaceBox { x_px, y_px, width_px, height_px } = face.area;
        let landmarks = face.landmarks.unwrap().into_iter().flatten();
        [x_px, y_px, width_px, height_px].into_iter().chain(landmarks).chain([face.score]).collect::<Vec<_>>()
    };
    faces.iter().flat_map(row).collect()
}

fn compare_photograph(case: &mut Case, yunet: &Yunet, photograph: &Value) {
    let file = text(photograph, "file");
    let pixels = image::open(data_file(case, file)).unwrap().to_rgb8();
    let (width_px, height_px) = (pixels.width() as usize, pixels.height() as usize);
    assert_eq!((width_px as f64, height_px as f64), (number(photograph, "width"), number(photograph, "height")));
    let picture = Image { width_px, height_px, rgb: pixels.into_raw() };
    let native = yunet.find(&picture).unwrap();
    compare_faces(case, &format!("{file} at its own size"), &native, list(photograph, "native"), "native");

    let fit = &photograph["fit320"];
    let side_px = list(fit, "resized").iter().map(|side| side.as_u64().unwrap() as usize).max().unwrap();
    let small = yunet.find_at(&picture, side_px).unwrap();
    compare_faces(case, &format!("{file} within {side_px} px"), &small, list(fit, "detections"), "fit320");

    if let Some(annotated) = photograph["annotated"].as_array() {
        let is_found = |area: &FaceBox| native.iter().any(|face| overlap(&face.area, area) > 0.3);
        let n_missed = annotated.iter().map(area_of).filter(|area| !is_found(area)).count();
        let n_allowed = annotated.len() as f64 - number(photograph, "annotated_found");
        at_most(case, &format!("annotated faces missed in {file}"), n_missed as f64, n_allowed);
    }
}

/// Each face that is certain must be found, and no other surely.
fn compare_faces(case: &mut Case, place: &str, found: &[Face], wanted: &[Value], kind: &str) {
    let bounds = case.json()["match"].clone();
    let bound = |name: &str| number(&bounds[kind], name);
    let mut is_wanted = vec![false; found.len()];
    for want in wanted {
        let area = area_of(want);
        let best =
            (0..found.len()).max_by(|&a, &b| overlap(&found[a].area, &area).total_cmp(&overlap(&found[b].area, &area)));
        let best = best.filter(|&best| f64::from(overlap(&found[best].area, &area)) >= bound("iou"));
        let what = |what: &str| format!("{what} of the face at {:.0}, {:.0} of {place}", area.x_px, area.y_px);
        let Some(best) = best else {
            let is_needed = want["certain"] == true || number(want, "score") > number(&bounds, "extra_below");
            at_most(case, &what("absence"), f64::from(u8::from(is_needed)), 0.0);
            continue;
        };
        is_wanted[best] = true;
        let face = &found[best];
        if want["certain"] != true {
            continue;
        }
        at_most(case, &what("box"), 1.0 - f64::from(overlap(&face.area, &area)), 1.0 - bound("iou"));
        at_most(case, &what("score"), (f64::from(face.score) - number(want, "score")).abs(), bound("score"));
        let unit = f64::from(area.width_px.max(area.height_px));
        for (got, want) in face.landmarks.unwrap().iter().zip(list(want, "landmarks")) {
            let away = (0..2).map(|axis| (f64::from(got[axis]) - want[axis].as_f64().unwrap()).abs() / unit);
            at_most(case, &what("landmarks"), away.fold(0.0, f64::max), bound("landmark"));
        }
    }
    for (face, _) in found.iter().zip(is_wanted).filter(|(_, is_wanted)| !is_wanted) {
        at_most(
            case,
            &format!("score of an extra face in {place}"),
            f64::from(face.score),
            number(&bounds, "extra_below"),
        );
    }
}

/// A box that stands alone or in a detection.
fn area_of(value: &Value) -> FaceBox {
    let sides = value.as_array().or(value["box"].as_array()).unwrap_or_else(|| panic!("no box in {value}"));
    let [x_px, y_px, width_px, height_px] = [0, 1, 2, 3].map(|side| sides[side].as_f64().unwrap() as f32);
    FaceBox { x_px, y_px, width_px, height_px }
}
