//! A small software rasterizer: filled polygons and thick curves with soft edges on a square picture.
//!
//! Everything is a polygon: an ellipse is one with many corners, a stroke is the outline of a thick line.
//! Coverage is exact along rows and sampled over four lines per row, which is enough for smooth edges.
//! Left out: gamma-correct blending, which nobody sees in flat colours.

/// A position in pixels, or in face units before the head is posed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub x: f32,
    pub y: f32,
}

/// The point at `x`, `y`.
pub(super) fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

/// Red, green, blue in 0..1.
pub(super) type Colour = [f32; 3];

/// `a` at 0, `b` at 1.
pub(super) fn mix(a: Colour, b: Colour, share_of_b: f32) -> Colour {
    std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * share_of_b)
}

/// Darker below 1, lighter above.
pub(super) fn shade(colour: Colour, factor: f32) -> Colour {
    colour.map(|channel| (channel * factor).clamp(0.0, 1.0))
}

/// Corners of an ellipse.
pub(super) fn ellipse(centre: Point, radius_x: f32, radius_y: f32) -> Vec<Point> {
    const N_CORNERS: usize = 28;
    (0..N_CORNERS)
        .map(|corner| {
            let (sin, cos) = (std::f32::consts::TAU * corner as f32 / N_CORNERS as f32).sin_cos();
            at(centre.x + radius_x * cos, centre.y + radius_y * sin)
        })
        .collect()
}

/// Points along the curve that starts at `from`, is pulled towards `pull` and ends at `to`.
pub(super) fn curve(from: Point, pull: Point, to: Point) -> Vec<Point> {
    const N_STEPS: usize = 10;
    (0..=N_STEPS)
        .map(|step| {
            let t = step as f32 / N_STEPS as f32;
            let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
            at(a * from.x + b * pull.x + c * to.x, a * from.y + b * pull.y + c * to.y)
        })
        .collect()
}

/// Outline of a line through `points` that is `width(t)` wide, `t` running from 0 to 1; its ends are round.
pub(super) fn stroke(points: &[Point], width: impl Fn(f32) -> f32) -> Vec<Point> {
    let last = points.len() - 1;
    let direction = |idx: usize| {
        let (a, b) = (points[idx.saturating_sub(1)], points[(idx + 1).min(last)]);
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let length = dx.hypot(dy).max(1e-6);
        (dx / length, dy / length)
    };
    let side = |idx: usize, sign: f32| {
        let (dx, dy) = direction(idx);
        let half = sign * 0.5 * width(idx as f32 / last.max(1) as f32);
        at(points[idx].x - dy * half, points[idx].y + dx * half)
    };
    let cap = |idx: usize, sign: f32| {
        let (dx, dy) = direction(idx);
        let half = 0.5 * width(idx as f32 / last.max(1) as f32);
        (1..6).map(move |step| {
            let (sin, cos) = (std::f32::consts::PI * step as f32 / 6.0).sin_cos();
            let (along, across) = (sign * half * sin, sign * half * cos);
            at(points[idx].x + dx * along - dy * across, points[idx].y + dy * along + dx * across)
        })
    };
    let mut outline: Vec<Point> = (0..=last).map(|idx| side(idx, 1.0)).collect();
    outline.extend(cap(last, 1.0));
    outline.extend((0..=last).rev().map(|idx| side(idx, -1.0)));
    outline.extend(cap(0, -1.0));
    outline
}

/// How much of each pixel a shape covers, over the shape's bounding box.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    left: usize,
    top: usize,
    width: usize,
    cover: Vec<f32>,
}

/// Lines sampled per pixel row.
const LINES_PER_ROW: usize = 4;

impl Mask {
    /// Coverage of the polygon with `corners` on a picture of `side_px`; overlapping parts count once.
    pub fn polygon(corners: &[Point], side_px: usize) -> Self {
        let span = |values: &mut dyn Iterator<Item = f32>| {
            let (low, high) = values.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
            let clip = |v: f32| v.clamp(0.0, side_px as f32) as usize;
            (clip(low.floor()), clip(high.ceil()))
        };
        let (left, right) = span(&mut corners.iter().map(|corner| corner.x));
        let (top, bottom) = span(&mut corners.iter().map(|corner| corner.y));
        let width = right.saturating_sub(left);
        let mut cover = vec![0.0; width * bottom.saturating_sub(top)];
        let mut crossings: Vec<(f32, i32)> = Vec::new();
        for (row_idx, row) in cover.chunks_mut(width.max(1)).enumerate() {
            for line in 0..LINES_PER_ROW {
                let y = (top + row_idx) as f32 + (line as f32 + 0.5) / LINES_PER_ROW as f32;
                crossings.clear();
                for (idx, &a) in corners.iter().enumerate() {
                    let b = corners[(idx + 1) % corners.len()];
                    if (a.y <= y) != (b.y <= y) {
                        let x = a.x + (b.x - a.x) * (y - a.y) / (b.y - a.y);
                        crossings.push((x - left as f32, if a.y < b.y { 1 } else { -1 }));
                    }
                }
                crossings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                let mut winding = 0;
                for pair in crossings.windows(2) {
                    winding += pair[0].1;
                    if winding != 0 {
                        add_span(row, pair[0].0, pair[1].0);
                    }
                }
            }
        }
        Self { left, top, width, cover }
    }

    /// What both shapes cover.
    pub fn within(mut self, other: &Self) -> Self {
        for (idx, cover) in self.cover.iter_mut().enumerate() {
            *cover *= other.cover_at(self.left + idx % self.width, self.top + idx / self.width);
        }
        self
    }

    fn cover_at(&self, x: usize, y: usize) -> f32 {
        if x < self.left || y < self.top || x >= self.left + self.width {
            return 0.0;
        }
        self.cover.get((y - self.top) * self.width + x - self.left).copied().unwrap_or(0.0)
    }
}

/// Adds one sampled line's worth of coverage between `start` and `end`, pixels from the left of `row`.
fn add_span(row: &mut [f32], start: f32, end: f32) {
    const SHARE: f32 = 1.0 / LINES_PER_ROW as f32;
    let (start, end) = (start.max(0.0), end.min(row.len() as f32));
    if end <= start {
        return;
    }
    let (first, last) = (start as usize, (end as usize).min(row.len() - 1));
    if first == last {
        row[first] += SHARE * (end - start);
        return;
    }
    row[first] += SHARE * (first as f32 + 1.0 - start);
    for cover in &mut row[first + 1..last] {
        *cover += SHARE;
    }
    row[last] += SHARE * (end - last as f32);
}

/// A square picture that is painted back to front.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Canvas {
    /// Side in pixels.
    pub side_px: usize,
    /// Rows from the top.
    pub pixels: Vec<Colour>,
}

impl Canvas {
    /// Every pixel by its centre, in pixels.
    pub fn from_fn(side_px: usize, colour_at: impl Fn(Point) -> Colour) -> Self {
        let centre = |idx: usize| at((idx % side_px) as f32 + 0.5, (idx / side_px) as f32 + 0.5);
        Self { side_px, pixels: (0..side_px * side_px).map(|idx| colour_at(centre(idx))).collect() }
    }

    /// Paints the polygon with `corners` in one colour.
    pub fn fill(&mut self, corners: &[Point], colour: Colour) {
        self.paint(&Mask::polygon(corners, self.side_px), colour, 1.0);
    }

    /// Paints what `mask` covers in one colour.
    pub fn paint(&mut self, mask: &Mask, colour: Colour, opacity: f32) {
        self.paint_with(mask, |_, _| (colour, opacity));
    }

    /// Paints what `mask` covers; `paint` says colour and opacity by position and what is there.
    pub fn paint_with(&mut self, mask: &Mask, paint: impl Fn(Point, Colour) -> (Colour, f32)) {
        if mask.width == 0 {
            return;
        }
        for (row_idx, row) in mask.cover.chunks(mask.width).enumerate() {
            let y = mask.top + row_idx;
            for (column, &cover) in row.iter().enumerate() {
                if cover > 0.0 {
                    let x = mask.left + column;
                    let pixel = &mut self.pixels[y * self.side_px + x];
                    let (colour, opacity) = paint(at(x as f32 + 0.5, y as f32 + 0.5), *pixel);
                    *pixel = mix(*pixel, colour, (cover * opacity).min(1.0));
                }
            }
        }
    }

    /// A glow that fades to nothing at `radius_px`.
    pub fn glow(&mut self, centre: Point, radius_px: f32, colour: Colour, opacity: f32) {
        let mask = Mask::polygon(&ellipse(centre, radius_px, radius_px), self.side_px);
        self.paint_with(&mask, |p, _| {
            let share = 1.0 - ((p.x - centre.x).hypot(p.y - centre.y) / radius_px).min(1.0);
            (colour, opacity * share * share * (3.0 - 2.0 * share))
        });
    }

    /// Changes every pixel.
    pub fn recolour(&mut self, change: impl Fn(Point, Colour) -> Colour) {
        for (idx, pixel) in self.pixels.iter_mut().enumerate() {
            let centre = at((idx % self.side_px) as f32 + 0.5, (idx / self.side_px) as f32 + 0.5);
            *pixel = change(centre, *pixel);
        }
    }

    /// Blurs by three box means of `2 * reach_px + 1` pixels, nearly a Gaussian.
    pub fn blur(&mut self, reach_px: usize) {
        let side = self.side_px;
        let mut sums = vec![[0.0; 3]; side + 1];
        for _ in 0..3 {
            for (line_step, step) in [(side, 1), (1, side)] {
                for start in (0..side).map(|line_idx| line_idx * line_step) {
                    for idx in 0..side {
                        sums[idx + 1] = std::array::from_fn(|c| sums[idx][c] + self.pixels[start + idx * step][c]);
                    }
                    for idx in 0..side {
                        let (from, to) = (idx.saturating_sub(reach_px), (idx + reach_px + 1).min(side));
                        let n_pixels = (to - from) as f32;
                        self.pixels[start + idx * step] =
                            std::array::from_fn(|c| (sums[to][c] - sums[from][c]) / n_pixels);
                    }
                }
            }
        }
    }

    /// Bytes, `side_px * side_px * 3`.
    pub fn rgb(&self) -> Vec<u8> {
        self.pixels.iter().flatten().map(|channel| (channel.clamp(0.0, 1.0) * 255.0 + 0.5) as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_adds_up_to_the_area() {
        let area = |corners: &[Point]| Mask::polygon(corners, 64).cover.iter().sum::<f32>();
        for (corners, expected, slack) in [
            (vec![at(10.25, 10.0), at(20.75, 10.0), at(20.75, 20.0), at(10.25, 20.0)], 105.0, 0.01),
            (ellipse(at(32.0, 32.0), 20.0, 10.0), 628.3, 8.0),
            (stroke(&[at(10.0, 30.0), at(30.0, 30.0)], |_| 4.0), 80.0 + 12.6, 1.5),
            (vec![at(-10.0, -10.0), at(5.0, -10.0), at(5.0, 5.0), at(-10.0, 5.0)], 25.0, 0.01),
        ] {
            assert!((area(&corners) - expected).abs() < slack, "{} for {expected}", area(&corners));
        }
    }

    #[test]
    fn blurring_keeps_the_mean() {
        let mut canvas = Canvas::from_fn(16, |_| [0.5; 3]);
        canvas.blur(3);
        assert!(canvas.pixels.iter().all(|pixel| (pixel[0] - 0.5).abs() < 1e-4));
    }
}
