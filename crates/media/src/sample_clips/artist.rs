//! Paints a person as look, pose and expression say, back to front.
//!
//! A face is drawn in face units: the origin between eyes and nose, x to the right, y down, 1 is half the
//! height of the head. Features sit on a ball, so that turning the head moves them together.

use std::f32::consts::{PI, TAU};

use super::canvas::{Canvas, Colour, Mask, Point, at, curve, ellipse, mix, shade, stroke};
use super::expression::Expression;
use super::face::{SIDE_PX, smooth};
use super::look::{HairStyle, Look};

/// From face units to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    pub half_width: f32,
    pub yaw: f32,
    pub pitch: f32,
    pub roll: f32,
    pub scale_px: f32,
    pub centre: Point,
}

impl Pose {
    /// A point on the front of the head, which is a ball.
    pub fn front(&self, p: Point) -> Point {
        let depth = 0.75 * (1.0 - (p.x / self.half_width).powi(2) - p.y * p.y).max(0.05).sqrt();
        self.flat(at(p.x * self.yaw.cos() + depth * self.yaw.sin(), p.y * self.pitch.cos() + depth * self.pitch.sin()))
    }

    /// A point on the outline of the head, which turning does not move.
    pub fn flat(&self, p: Point) -> Point {
        const NECK: f32 = 0.9;
        let (sin, cos) = self.roll.sin_cos();
        let (x, y) = (p.x * cos - (p.y - NECK) * sin, p.x * sin + (p.y - NECK) * cos + NECK);
        at(self.centre.x + self.scale_px * x, self.centre.y + self.scale_px * y)
    }

    /// A point on the body, which follows the head by half.
    pub fn body(&self, p: Point) -> Point {
        at(64.0 + 0.5 * (self.centre.x - 64.0) + self.scale_px * p.x, 67.0 + self.scale_px * p.y)
    }
}

pub(super) const WHITE: Colour = [0.98, 0.98, 0.96];
const INK: Colour = [0.16, 0.1, 0.1];
const MOUTH_INSIDE: Colour = [0.36, 0.07, 0.1];
const TONGUE: Colour = [0.9, 0.42, 0.45];
const WATER: Colour = [0.55, 0.82, 0.98];

/// Paints one person on one frame.
pub(super) struct Artist<'a> {
    pub canvas: &'a mut Canvas,
    pub look: &'a Look,
    pub pose: Pose,
    pub expression: Expression,
    pub loudness: f32,
    pub blink: bool,
    pub secs: f32,
    pub trace: bool,
}

impl Artist<'_> {
    /// The whole person, from the front or from behind.
    pub fn person(&mut self, turned: bool) {
        self.hair_behind();
        self.body();
        if turned {
            self.back_of_head();
            return;
        }
        self.head();
        self.cheeks();
        self.nose();
        for side in [-1.0, 1.0] {
            self.eye(side);
        }
        self.mouth();
        self.hair_in_front();
        for side in [-1.0, 1.0] {
            self.brow(side);
        }
        self.glasses();
        self.drops();
    }

    /// Skin as the feeling tints it.
    pub fn skin(&self) -> Colour {
        let Expression { flush, sickly, pale, .. } = self.expression;
        let red = mix(self.look.skin, [0.93, 0.3, 0.22], 0.27 * flush.max(0.0));
        let green = mix(red, [0.62, 0.72, 0.35], 0.3 * sickly.max(0.0));
        mix(green, [0.83, 0.88, 0.96], 0.3 * pale.max(0.0))
    }

    pub fn front(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|&p| self.pose.front(p)).collect()
    }

    pub fn flat(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|&p| self.pose.flat(p)).collect()
    }

    pub fn fill_flat(&mut self, points: &[Point], colour: Colour) {
        let corners = self.flat(points);
        self.canvas.fill(&corners, colour);
    }

    pub fn fill_front(&mut self, points: &[Point], colour: Colour) {
        let corners = self.front(points);
        self.canvas.fill(&corners, colour);
    }

    pub fn mask_front(&self, points: &[Point]) -> Mask {
        Mask::polygon(&self.front(points), SIDE_PX)
    }

    fn body(&mut self) {
        let pose = self.pose;
        let place = |points: Vec<Point>| points.into_iter().map(|p| pose.body(p)).collect::<Vec<_>>();
        let covered = self.look.hair_style == HairStyle::Scarf;
        let shirt = self.look.shirt;
        self.canvas.fill(&place(ellipse(at(0.0, 1.95), 1.35, 0.88)), shirt);
        self.canvas.fill(&place(ellipse(at(0.0, 1.14), 0.46, 0.24)), shade(shirt, 0.82));
        let neck = if covered { shade(self.look.hair, 0.9) } else { shade(self.skin(), 0.86) };
        let top = self.pose.flat(at(0.0, 0.6));
        let bottom = self.pose.body(at(0.0, 1.12));
        let width_px = 0.62 * self.pose.scale_px;
        self.canvas.fill(&stroke(&[top, bottom], |_| width_px), neck);
    }

    /// Outline of the head, `grow` times as large.
    pub fn outline(&self, grow: f32) -> Vec<Point> {
        (0..44)
            .map(|corner| {
                let (sin, cos) = (TAU * corner as f32 / 44.0).sin_cos();
                let y = -cos;
                let narrow = 1.0 - self.look.taper * y.max(0.0).powi(2) + 0.05 * (PI * y).sin().max(0.0);
                at(grow * self.look.half_width * sin.signum() * sin.abs().powf(0.9) * narrow, grow * y)
            })
            .collect()
    }

    fn head(&mut self) {
        let skin = self.skin();
        for side in [-1.0, 1.0] {
            let shift = -0.12 * self.pose.yaw.sin();
            let x = side * self.look.half_width + shift;
            self.fill_flat(&ellipse(at(x, 0.06), 0.14, 0.2), shade(skin, 0.93));
            self.fill_flat(&ellipse(at(x, 0.06), 0.07, 0.11), shade(skin, 0.8));
            if self.look.earrings {
                self.fill_flat(&ellipse(at(x, 0.32), 0.055, 0.055), [0.96, 0.8, 0.3]);
            }
        }
        let pose = self.pose;
        let centre = pose.flat(at(-0.25, -0.25));
        let mask = Mask::polygon(&self.flat(&self.outline(1.0)), SIDE_PX);
        self.canvas.paint_with(&mask, |p, _| {
            let far = (p.x - centre.x).hypot(p.y - centre.y) / pose.scale_px;
            (shade(skin, 1.05 - 0.11 * far * far), 1.0)
        });
        if self.look.stubble {
            let (hair, mouth) = (self.look.hair, pose.flat(at(0.0, 0.62)));
            self.canvas.paint_with(&mask, |p, there| {
                let height = (p.y - mouth.y) / pose.scale_px;
                (mix(there, hair, 0.5), 0.32 * smooth(1.0 + 2.2 * height))
            });
        }
    }

    fn cheeks(&mut self) {
        let Expression { cheeks, flush, pale, .. } = self.expression;
        let strength = (0.16 + 0.42 * cheeks + 0.25 * flush - 0.15 * pale).clamp(0.0, 0.7);
        let skin = self.skin();
        for side in [-1.0, 1.0] {
            let centre = self.pose.front(at(side * 0.5, 0.3 - 0.05 * cheeks));
            self.canvas.glow(
                centre,
                (0.26 + 0.04 * cheeks) * self.pose.scale_px,
                mix(skin, [0.95, 0.3, 0.3], 0.6),
                strength,
            );
            if self.look.freckles {
                for (x, y) in [(0.4, 0.22), (0.5, 0.28), (0.58, 0.2), (0.48, 0.17)] {
                    self.fill_front(
                        &ellipse(at(side * x, y), 0.018, 0.018),
                        shade(mix(skin, [0.6, 0.3, 0.1], 0.3), 0.85),
                    );
                }
            }
        }
    }

    pub fn line(&mut self, points: &[Point], width: f32, colour: Colour, opacity: f32) {
        let width_px = width * self.pose.scale_px;
        let outline = stroke(&self.front(points), |_| width_px);
        self.canvas.paint(&Mask::polygon(&outline, SIDE_PX), colour, opacity);
    }

    fn nose(&mut self) {
        let (skin, size) = (self.skin(), self.look.nose_size);
        let wrinkle = self.expression.nose_wrinkle.max(0.0);
        let tip = 0.28 - 0.06 * wrinkle;
        let dark = shade(skin, 0.72);
        self.fill_front(&ellipse(at(0.0, tip - 0.02), 0.1 * size, 0.085 * size), shade(skin, 0.94));
        let line = curve(at(-0.1 * size, tip), at(0.0, tip + 0.13 * size), at(0.1 * size, tip));
        self.line(&line, 0.04, dark, 0.9);
        if wrinkle > 0.15 {
            for side in [-1.0, 1.0] {
                for row in 0..3 {
                    let y = -0.02 + 0.075 * row as f32;
                    let crease = curve(at(side * 0.03, y), at(side * 0.08, y - 0.05), at(side * 0.14, y + 0.01));
                    self.line(&crease, 0.032, shade(skin, 0.6), wrinkle.min(1.0));
                }
                let fold = curve(at(side * 0.15, 0.2), at(side * 0.3, 0.26), at(side * 0.36, 0.46));
                self.line(&fold, 0.035, shade(skin, 0.68), 0.9 * wrinkle.min(1.0));
            }
        }
        let cheeks = self.expression.cheeks;
        if cheeks > 0.3 {
            for side in [-1.0, 1.0] {
                let fold = curve(at(side * 0.2, 0.3), at(side * 0.4, 0.34), at(side * 0.44, 0.5));
                self.line(&fold, 0.028, shade(skin, 0.76), 0.8 * cheeks.min(1.0));
            }
        }
        let close = self.expression.brow_close * -self.expression.brow_inner.min(0.0);
        if close > 0.2 {
            for side in [-1.0, 1.0] {
                let crease = curve(at(side * 0.05, -0.3), at(side * 0.02, -0.22), at(side * 0.06, -0.14));
                self.line(&crease, 0.032, shade(skin, 0.62), close.min(1.0));
            }
        }
    }

    fn eye(&mut self, side: f32) {
        let Expression { eye_wide, squint, eye_slant, pupil, gaze_down, .. } = self.expression;
        let Look { eye_size, eye_distance, iris, lashes, .. } = *self.look;
        let skin = self.skin();
        let centre = at(side * eye_distance, -0.06);
        let half = 0.205 * eye_size;
        let full = 0.2 * eye_size;
        let wide = if self.blink { -0.85 } else { eye_wide };
        let upper = full * (1.0 + wide).max(0.12);
        let lower = full * (0.85 + 0.5 * wide.max(0.0) - 1.0 * squint).max(0.02);
        let outer = at(centre.x + side * half, centre.y + 0.075 * eye_slant);
        let inner = at(centre.x - side * half, centre.y - 0.03 * eye_slant);
        // A quadratic curve reaches half as far as it is pulled; 1.9 leaves the lid a little flat.
        let lift = 0.06 * eye_slant;
        let lid = curve(inner, at(centre.x - side * 0.05, centre.y - 1.9 * upper - lift), outer);
        let floor = curve(outer, at(centre.x, centre.y + 1.9 * lower), inner);
        self.fill_front(
            &ellipse(at(centre.x, centre.y - 0.01), half * 1.08, full * (1.05 + 0.5 * wide.max(0.0))),
            shade(skin, 0.87),
        );
        let opening: Vec<Point> = lid.iter().chain(&floor).copied().collect();
        let opening = self.mask_front(&opening);
        self.canvas.paint(&opening, WHITE, 1.0);
        let look_at = at(centre.x - side * 0.015, centre.y + 0.07 * gaze_down);
        for (radius, colour) in [(0.13, shade(iris, 0.75)), (0.115, iris), (0.068 * (1.0 + pupil), [0.05, 0.04, 0.05])]
        {
            let ball = ellipse(
                look_at,
                radius * eye_size * (1.0 + 0.35 * pupil.min(0.0)),
                radius * eye_size * (1.0 + 0.35 * pupil.min(0.0)),
            );
            let mask = self.mask_front(&ball).within(&opening);
            self.canvas.paint(&mask, colour, 1.0);
        }
        let spark = self.mask_front(&ellipse(at(look_at.x - 0.045, look_at.y - 0.05), 0.036, 0.036)).within(&opening);
        self.canvas.paint(&spark, [1.0; 3], 0.95);
        let width_px = self.pose.scale_px * if lashes { 0.06 } else { 0.045 };
        let lash_line = stroke(&self.front(&lid), |t| width_px * (0.6 + 0.4 * t));
        self.canvas.fill(&lash_line, INK);
        if lashes {
            let tip = at(outer.x + side * 0.07, outer.y - 0.06);
            self.line(&[outer, tip], 0.04, INK, 1.0);
        }
        self.line(&floor, 0.022, shade(skin, 0.6), 0.8);
        if squint > 0.2 {
            let pouch = curve(at(inner.x, centre.y + 0.12), at(centre.x, centre.y + 0.27), at(outer.x, centre.y + 0.1));
            self.line(&pouch, 0.025, shade(skin, 0.74), squint.min(1.0));
        }
    }

    fn brow(&mut self, side: f32) {
        let Expression { brow_raise, brow_inner, brow_close, .. } = self.expression;
        let distance = self.look.eye_distance;
        let inner = at(side * (distance - 0.21 - 0.07 * brow_close), -0.37 - 0.15 * brow_raise - 0.13 * brow_inner);
        let outer = at(side * (distance + 0.24), -0.34 - 0.11 * brow_raise + 0.1 * brow_inner);
        let arch = at(
            side * (distance + 0.06),
            -0.47 - 0.23 * brow_raise - 0.05 * brow_inner.max(0.0) + 0.05 * brow_inner.min(0.0),
        );
        let width_px = self.look.brow_width * self.pose.scale_px;
        let outline = stroke(&self.front(&curve(inner, arch, outer)), |t| width_px * (1.15 - 0.6 * t * t));
        let hair = match self.look.hair_style {
            HairStyle::Scarf => [0.2, 0.13, 0.1],
            _ => shade(mix(self.look.hair, INK, 0.45), 0.75),
        };
        self.canvas.fill(&outline, hair);
    }

    fn mouth(&mut self) {
        let Expression { mouth_wide, mouth_curve, mouth_square, mouth_wavy, sneer, tongue, .. } = self.expression;
        let mouth_open = (self.expression.mouth_open + self.expression.talk * self.loudness).max(0.0);
        let half = 0.29 * self.look.mouth_size * (1.0 + mouth_wide) * (1.0 - 0.12 * mouth_open);
        let middle = 0.56 - 0.05 * mouth_curve.max(0.0) - 0.03 * sneer;
        let roundness = 2.0 + 2.5 * mouth_square.max(0.0);
        const N_STEPS: usize = 16;
        let edge = |up: f32| {
            (0..=N_STEPS)
                .map(|step| {
                    let t = 2.0 * step as f32 / N_STEPS as f32 - 1.0;
                    let bend = mouth_curve * (0.09 - 0.24 * t * t);
                    let bulge = (1.0 - t.abs().powf(roundness)).max(0.0).powf(1.0 / roundness);
                    let share =
                        if up < 0.0 { 0.42 - 0.3 * mouth_curve.max(0.0) } else { 0.58 + 0.2 * mouth_curve.max(0.0) };
                    let wave = 0.035 * mouth_wavy * (9.0 * t + 14.0 * self.secs).sin();
                    let lip = (-((t - 0.55) / 0.42).powi(2)).exp();
                    let curl = if up < 0.0 { 0.17 } else { 0.05 };
                    at(t * half, middle + bend + wave + up * share * 0.42 * mouth_open * bulge - curl * sneer * lip)
                })
                .collect::<Vec<_>>()
        };
        let (top, bottom) = (edge(-1.0), edge(1.0));
        let ring: Vec<Point> = top.iter().chain(bottom.iter().rev()).copied().collect();
        let inside = self.mask_front(&ring);
        let skin = self.skin();
        self.canvas.paint(&inside, MOUTH_INSIDE, 1.0);
        if mouth_open > 0.12 {
            let depth = 0.42 * mouth_open;
            let lick =
                self.mask_front(&ellipse(at(0.0, middle + 0.72 * depth), 0.6 * half, 0.34 * depth)).within(&inside);
            self.canvas.paint(&lick, TONGUE, 1.0);
            let bite = |from: f32, to: f32| -> Vec<Point> {
                let row = |share: f32| (0..=N_STEPS).map(move |step| (step, share));
                let between = |(step, share): (usize, f32)| {
                    let (a, b) = (top[step], bottom[step]);
                    at(a.x, a.y + (b.y - a.y) * share)
                };
                row(from).map(between).chain(row(to).rev().map(between)).collect()
            };
            if mouth_square > 0.3 {
                let rows = self.mask_front(&bite(0.0, 1.0)).within(&inside);
                self.canvas.paint(&rows, WHITE, 1.0);
                self.line(
                    &top.iter().zip(&bottom).map(|(a, b)| at(a.x, 0.5 * (a.y + b.y))).collect::<Vec<_>>(),
                    0.03,
                    shade(WHITE, 0.6),
                    1.0,
                );
                for column in [5, 8, 11] {
                    self.line(&[top[column], bottom[column]], 0.018, shade(WHITE, 0.72), 1.0);
                }
            } else if mouth_curve > -0.2 && mouth_open < 0.8 {
                let rows = self.mask_front(&bite(0.0, 0.36)).within(&inside);
                self.canvas.paint(&rows, WHITE, 1.0);
            }
        }
        let width_px = (0.055 + 0.012 * self.look.mouth_size) * self.pose.scale_px;
        let lips = if mouth_open < 0.06 { shade(self.look.lips, 0.78) } else { self.look.lips };
        let lips = mix(lips, skin, 0.1);
        for line in [&top, &bottom] {
            let outline = stroke(&self.front(line), |t| width_px * (0.55 + 0.45 * (PI * t).sin()));
            self.canvas.fill(&outline, lips);
        }
        if tongue > 0.2 {
            let length = 0.2 * tongue.min(1.1);
            let root = middle + 0.02;
            let shape: Vec<Point> = stroke(&[at(-0.03, root), at(-0.05, root + length)], |_| 0.2);
            self.fill_front(&shape, TONGUE);
            self.line(&[at(-0.03, root), at(-0.045, root + 0.8 * length)], 0.025, shade(TONGUE, 0.75), 1.0);
        }
        if mouth_curve < -0.4 && mouth_open < 0.3 && tongue < 0.2 {
            let chin = curve(at(-0.09, 0.79), at(0.0, 0.73), at(0.09, 0.79));
            self.line(&chin, 0.028, shade(skin, 0.75), 0.8);
        }
    }

    fn drops(&mut self) {
        if !self.trace {
            return;
        }
        let Expression { tear, sweat, .. } = self.expression;
        let drop = |x: f32, y: f32, size: f32| {
            let mut corners = vec![at(x, y - 2.1 * size)];
            corners.extend((0..=12).map(|corner| {
                let (sin, cos) = (PI * (corner as f32 / 12.0 * 1.3 - 0.15)).sin_cos();
                at(x + size * cos, y + size * sin)
            }));
            corners
        };
        for (strength, x, y) in [(tear, 0.36, 0.3 + 0.28 * (self.secs * 0.6).fract()), (sweat, -0.62, -0.42)] {
            if strength > 0.35 {
                self.fill_front(&drop(x, y, 0.075), shade(WATER, 0.8));
                self.fill_front(&drop(x, y, 0.055), WATER);
            }
        }
    }

    fn glasses(&mut self) {
        let Some(frame) = self.look.glasses else { return };
        let frame = shade(frame, 0.7);
        for side in [-1.0, 1.0] {
            let mut rim = ellipse(at(side * self.look.eye_distance, -0.04), 0.29, 0.27);
            rim.push(rim[0]);
            self.line(&rim, 0.035, frame, 1.0);
            self.line(&[at(side * (self.look.eye_distance + 0.29), -0.06), at(side * 0.8, -0.08)], 0.035, frame, 1.0);
        }
        self.line(&curve(at(-0.07, -0.05), at(0.0, -0.11), at(0.07, -0.05)), 0.035, frame, 1.0);
    }
}
