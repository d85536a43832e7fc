//! Histograms of oriented gradients of a face crop (Dalal & Triggs 2005), a row of numbers a frame.
//!
//! Gradients and normalization are those that the paper found best: `[-1, 0, 1]` without smoothing, of the colour in
//! which it is strongest, nine orientations without sign, L2-Hys. Left out: blocks that overlap, which would make a row
//! four times as long, and votes for neighbouring cells.

use std::f64::consts::PI;

/// Side of the crops that rows are made of, in pixels.
pub const HOG_SIDE_PX: usize = 64;
/// Values of a row.
pub const HOG_WIDTH: usize = (HOG_SIDE_PX / CELL_PX / BLOCK_CELLS).pow(2) * BLOCK_WIDTH;

/// Side of a cell in pixels (§6.4).
const CELL_PX: usize = 8;
/// Orientations, evenly over half a turn (§6.3).
const N_ORIENTATIONS: usize = 9;
/// Cells along a side of a block (§6.4).
const BLOCK_CELLS: usize = 2;
const BLOCK_WIDTH: usize = BLOCK_CELLS * BLOCK_CELLS * N_ORIENTATIONS;
/// What no value of a normalized block exceeds (§6.4, Lowe 2004).
const LARGEST: f64 = 0.2;
/// The paper's ε where a block is first normalized, in grey levels a pixel (choice): of blocks that are nearly flat,
/// less is cut.
const EPSILON: f64 = 1.0;

/// The row of a picture, `[HOG_SIDE_PX, HOG_SIDE_PX, 3]` bytes: block by block, cell by cell, orientation by
/// orientation.
///
/// Orientation 0 is a gradient along a row of pixels, which is what an upright edge has.
pub fn hog(rgb: &[u8]) -> Vec<f32> {
    assert_eq!(rgb.len(), HOG_SIDE_PX * HOG_SIDE_PX * 3, "crops are prepared for these histograms");
    let n_cells = HOG_SIDE_PX / CELL_PX;
    let mut cells = vec![[0.0; N_ORIENTATIONS]; n_cells * n_cells];
    for y in 0..HOG_SIDE_PX {
        for x in 0..HOG_SIDE_PX {
            let (across, down) = gradient(rgb, x, y);
            let strength = across.hypot(down) / (CELL_PX * CELL_PX) as f64;
            let place = down.atan2(across).rem_euclid(PI) / PI * N_ORIENTATIONS as f64;
            let (lower, share) = (place.floor(), place.fract());
            let cell = &mut cells[y / CELL_PX * n_cells + x / CELL_PX];
            cell[lower as usize % N_ORIENTATIONS] += strength * (1.0 - share);
            cell[(lower as usize + 1) % N_ORIENTATIONS] += strength * share;
        }
    }
    let mut row = Vec::with_capacity(HOG_WIDTH);
    for top in (0..n_cells).step_by(BLOCK_CELLS) {
        for left in (0..n_cells).step_by(BLOCK_CELLS) {
            let places = (0..BLOCK_CELLS).flat_map(|y| (0..BLOCK_CELLS).map(move |x| (top + y) * n_cells + left + x));
            let mut block: Vec<f64> = places.flat_map(|place| cells[place]).collect();
            scale(&mut block, EPSILON);
            block.iter_mut().for_each(|value| *value = value.min(LARGEST));
            scale(&mut block, f64::EPSILON);
            row.extend(block.iter().map(|&value| value as f32));
        }
    }
    row
}

/// Half the difference of the neighbours to the right and left, and below and above, in the colour where it is
/// strongest; beyond the border, the border is repeated.
fn gradient(rgb: &[u8], x: usize, y: usize) -> (f64, f64) {
    let last = HOG_SIDE_PX - 1;
    let at = |x: usize, y: usize, colour: usize| f64::from(rgb[(y * HOG_SIDE_PX + x) * 3 + colour]);
    let of = |colour: usize| {
        let across = at((x + 1).min(last), y, colour) - at(x.saturating_sub(1), y, colour);
        let down = at(x, (y + 1).min(last), colour) - at(x, y.saturating_sub(1), colour);
        (across / 2.0, down / 2.0)
    };
    let strength = |(across, down): (f64, f64)| across * across + down * down;
    let stronger = |a, b| if strength(b) > strength(a) { b } else { a };
    stronger(stronger(of(0), of(1)), of(2))
}

/// Divides `values` by their length, to whose square that of `epsilon` is added.
fn scale(values: &mut [f64], epsilon: f64) {
    let length = (values.iter().map(|value| value * value).sum::<f64>() + epsilon * epsilon).sqrt();
    values.iter_mut().for_each(|value| *value /= length);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(level: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let pixels = (0..HOG_SIDE_PX).flat_map(|y| (0..HOG_SIDE_PX).map(move |x| (x, y)));
        pixels.flat_map(|(x, y)| [level(x, y); 3]).collect()
    }

    #[test]
    fn an_edge_is_where_it_is_and_as_it_lies() {
        assert_eq!(HOG_WIDTH, 576);
        // From dark to bright between columns 3 and 4, then between rows 3 and 4: the first cell of the first blocks.
        for (row, orientation) in [
            (hog(&picture(|x, _| if x < 4 { 40 } else { 200 })), 0..=0),
            (hog(&picture(|_, y| if y < 4 { 40 } else { 200 })), 4..=5),
        ] {
            assert_eq!(row.len(), HOG_WIDTH);
            let edge: f32 = orientation.clone().map(|at| row[at].powi(2)).sum();
            let cell: f32 = row[..N_ORIENTATIONS].iter().map(|value| value.powi(2)).sum();
            assert!((edge - cell).abs() < 1e-6 && edge > 0.4, "{:?}", &row[..BLOCK_WIDTH]);
            let block: f32 = row[..BLOCK_WIDTH].iter().map(|value| value.powi(2)).sum();
            assert!((block - 1.0).abs() < 1e-6, "a block has length 1: {block}");
            assert!(row[5 * BLOCK_WIDTH..6 * BLOCK_WIDTH].iter().all(|&value| value == 0.0), "flat in the middle");
        }
    }

    #[test]
    fn the_brighter_side_does_not_matter_and_one_colour_is_zero() {
        let edge = |dark: u8, bright: u8| hog(&picture(|x, _| if x < 20 { dark } else { bright }));
        assert_eq!(edge(40, 200), edge(200, 40));
        assert!(edge(90, 90).into_iter().all(|value| value == 0.0));
    }
}
