//! Pictures to what CLIP's image tower takes.

use std::collections::BTreeSet;

use media::{Image, clip_square, letterbox, umbenet_square};
use models::PixelScale;

use super::Case;

/// Side of the patch of the centre that is compared in full.
const CENTRE_PX: usize = 24;
/// Distance between the pixels of the grid that is compared, and its offset.
const GRID: (usize, usize) = (8, 3);

pub fn preparation(case: &mut Case) {
    let three =
        |name: &str| -> [f32; 3] { [0, 1, 2].map(|channel| case.config(name)[channel].as_f64().unwrap() as f32) };
    let pixels = PixelScale::Channels { mean: three("mean"), deviation: three("std") };
    let crop_px = case.size("crop");
    case.expects("canvas", vec![112, 168]);
    case.expects("fit", vec![110, 160]);
    case.expects("resize", 256);
    let parts = case.outputs();
    let squares: BTreeSet<&str> = parts.iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
    for (role, name) in case.roles() {
        let input = case.input(&name);
        let rgb = input.ints().into_iter().map(|byte| byte as u8).collect();
        let picture = Image { width_px: input.shape[1], height_px: input.shape[0], rgb };
        let own = if role == "item" { &name } else { &role };
        let own = own.strip_suffix(".rgb").unwrap_or(own);
        let canvas = format!("{own}.umbenet.canvas");
        if case.wants(&canvas) {
            let bytes: Vec<f32> = letterbox(&picture).rgb.into_iter().map(f32::from).collect();
            case.compare(&canvas, &bytes);
        }
        for way in squares.iter().filter_map(|square| square.strip_prefix(own)?.strip_prefix('.')) {
            let square = match way.strip_prefix("clip") {
                Some(side) => clip_square(&picture, side.parse().unwrap()),
                None => umbenet_square(&picture, crop_px),
            };
            compare(case, &format!("{own}.{way}"), &square, pixels);
        }
    }
}

fn compare(case: &mut Case, name: &str, square: &Image, pixels: PixelScale) {
    let side = square.width_px;
    let mut values = vec![0.0; square.rgb.len()];
    pixels.scale(&square.rgb, &mut values);
    let pick = |rows: &[usize]| -> Vec<f32> {
        let planes = values.chunks(side * side);
        planes
            .flat_map(|plane| {
                rows.iter().flat_map(move |row| rows.iter().map(move |column| plane[row * side + column]))
            })
            .collect()
    };
    let grid: Vec<usize> = (GRID.1..side).step_by(GRID.0).collect();
    case.compare(&format!("{name}.grid"), &pick(&grid));
    let first = (side - CENTRE_PX) / 2;
    case.compare(&format!("{name}.centre"), &pick(&(first..first + CENTRE_PX).collect::<Vec<_>>()));
    let moments = values.chunks(side * side).map(|plane| {
        let n = plane.len() as f64;
        let mean = plane.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = plane.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        (mean as f32, variance.sqrt() as f32)
    });
    let (means, deviations): (Vec<f32>, Vec<f32>) = moments.unzip();
    case.compare(&format!("{name}.mean"), &means);
    case.compare(&format!("{name}.std"), &deviations);
}
