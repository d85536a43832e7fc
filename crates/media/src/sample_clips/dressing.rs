//! What an artist paints around a face or before it: hair, the back of a head, hands, a book.

use std::f32::consts::PI;

use super::artist::{Artist, WHITE};
use super::canvas::{Mask, Point, at, curve, ellipse, mix, shade, stroke};
use super::face::SIDE_PX;
use super::look::HairStyle;

impl Artist<'_> {
    pub fn hair_behind(&mut self) {
        let (hair, half) = (shade(self.look.hair, 0.8), self.look.half_width);
        match self.look.hair_style {
            HairStyle::Bob => {
                self.fill_flat(&ellipse(at(0.0, -0.08), half + 0.24, 1.1), hair);
                self.fill_flat(&stroke(&[at(-half + 0.1, 0.0), at(-half + 0.1, 0.62)], |_| 0.62), hair);
                self.fill_flat(&stroke(&[at(half - 0.1, 0.0), at(half - 0.1, 0.62)], |_| 0.62), hair);
            }
            HairStyle::Long => {
                self.fill_flat(&ellipse(at(0.0, -0.06), half + 0.22, 1.12), hair);
                self.fill_flat(
                    &[at(-half - 0.2, 0.0), at(half + 0.2, 0.0), at(half + 0.3, 1.5), at(-half - 0.3, 1.5)],
                    hair,
                );
            }
            HairStyle::Bun => self.fill_flat(&ellipse(at(0.0, -1.16), 0.34, 0.32), hair),
            HairStyle::Curls => {
                for ball in 0..11 {
                    let (sin, cos) = (PI * (0.06 + 0.088 * ball as f32)).sin_cos();
                    self.fill_flat(&ellipse(at(-cos * (half + 0.1), -0.2 - 0.8 * sin), 0.33, 0.33), hair);
                }
            }
            HairStyle::Tails => {
                for side in [-1.0, 1.0] {
                    let tail =
                        curve(at(side * half, -0.25), at(side * (half + 0.55), -0.2), at(side * (half + 0.3), 0.75));
                    self.fill_flat(&stroke(&tail, |t| 0.2 + 0.3 * (PI * t).sin()), hair);
                    self.fill_flat(&ellipse(at(side * (half + 0.06), -0.27), 0.11, 0.13), shade(self.look.shirt, 1.1));
                }
            }
            HairStyle::Scarf => {
                self.fill_flat(&ellipse(at(0.0, -0.02), half + 0.2, 1.15), self.look.hair);
                self.fill_flat(
                    &[at(-half - 0.12, 0.3), at(half + 0.12, 0.3), at(half + 0.35, 1.4), at(-half - 0.35, 1.4)],
                    self.look.hair,
                );
            }
            HairStyle::Short | HairStyle::Swept | HairStyle::Buzz => {}
        }
    }

    /// The cap of hair over the forehead; it ends above the highest brows.
    pub fn hair_in_front(&mut self) {
        let (hair, half) = (self.look.hair, self.look.half_width);
        let arc = |grow: f32, reach: f32| -> Vec<Point> {
            (0..=24)
                .map(|step| {
                    let (sin, cos) = (reach * (step as f32 / 12.0 - 1.0)).sin_cos();
                    at(grow * half * sin.signum() * sin.abs().powf(0.9), -grow * cos)
                })
                .collect()
        };
        let cap = |grow: f32, reach: f32, fringe: Vec<Point>| -> Vec<Point> {
            arc(grow, reach).into_iter().chain(fringe).collect()
        };
        let temple = half * 0.98;
        let parts: Vec<Vec<Point>> = match self.look.hair_style {
            HairStyle::Short => {
                vec![cap(
                    1.1,
                    1.5,
                    [
                        curve(at(temple, -0.1), at(temple - 0.12, -0.66), at(0.25, -0.68)),
                        curve(at(0.25, -0.68), at(-temple + 0.1, -0.74), at(-temple, -0.1)),
                    ]
                    .concat(),
                )]
            }
            HairStyle::Swept => {
                vec![cap(
                    1.13,
                    1.45,
                    [
                        curve(at(temple, -0.2), at(temple, -0.6), at(0.42, -0.88)),
                        curve(at(0.42, -0.88), at(-0.3, -0.5), at(-temple, -0.2)),
                    ]
                    .concat(),
                )]
            }
            HairStyle::Bob => vec![cap(
                1.12,
                1.7,
                [
                    curve(at(half, 0.3), at(half - 0.1, -0.64), at(0.0, -0.66)),
                    curve(at(0.0, -0.66), at(-half + 0.1, -0.64), at(-half, 0.3)),
                ]
                .concat(),
            )],
            HairStyle::Long => vec![cap(
                1.12,
                1.75,
                [
                    curve(at(half, 0.4), at(half - 0.08, -0.6), at(0.0, -0.95)),
                    curve(at(0.0, -0.95), at(-half + 0.08, -0.6), at(-half, 0.4)),
                ]
                .concat(),
            )],
            HairStyle::Bun | HairStyle::Tails => {
                vec![cap(
                    1.07,
                    1.4,
                    [
                        curve(at(temple, -0.15), at(temple - 0.1, -0.8), at(0.0, -0.84)),
                        curve(at(0.0, -0.84), at(-temple + 0.1, -0.8), at(-temple, -0.15)),
                    ]
                    .concat(),
                )]
            }
            HairStyle::Curls => (0..8)
                .map(|ball| {
                    let (sin, cos) = (PI * (0.08 + 0.12 * ball as f32)).sin_cos();
                    ellipse(at(-cos * half * 0.96, -0.34 - 0.58 * sin), 0.2, 0.19)
                })
                .collect(),
            HairStyle::Buzz => {
                vec![cap(1.02, 1.35, curve(at(temple * 0.97, -0.2), at(0.0, -1.12), at(-temple * 0.97, -0.2)))]
            }
            HairStyle::Scarf => {
                let mut band = arc(1.12, 2.6);
                band.extend(arc(0.9, 2.6).into_iter().rev().map(|p| at(p.x * 1.02, p.y + 0.06)));
                vec![band]
            }
        };
        for part in parts {
            let corners = self.flat(&part);
            let mask = Mask::polygon(&corners, SIDE_PX);
            let (pose, top) = (self.pose, self.pose.flat(at(-0.2, -0.95)));
            self.canvas.paint_with(&mask, |p, _| {
                let far = (p.x - top.x).hypot(p.y - top.y) / pose.scale_px;
                (shade(hair, 1.15 - 0.22 * far), 1.0)
            });
        }
    }

    pub fn back_of_head(&mut self) {
        let hair = self.look.hair;
        let bald = self.look.hair_style == HairStyle::Buzz;
        let skin = shade(self.skin(), 0.93);
        for side in [-1.0, 1.0] {
            self.fill_flat(&ellipse(at(side * self.look.half_width, 0.06), 0.13, 0.2), skin);
        }
        self.fill_flat(&self.outline(1.0), skin);
        let cut = if bald { 0.25 } else { 0.72 };
        let cap: Vec<Point> = self.outline(1.06).into_iter().map(|p| at(p.x, p.y.min(cut))).collect();
        self.fill_flat(&cap, hair);
        for strand in 0..7 {
            let x = (strand as f32 - 3.0) * 0.2;
            let line = curve(at(x * 0.4, -0.95), at(x * 1.5, -0.4), at(x * 1.2, cut - 0.12));
            let outline = stroke(&self.flat(&line), |t| 2.2 * (1.0 - t) + 0.6);
            self.canvas.paint(
                &Mask::polygon(&outline, SIDE_PX),
                shade(hair, if strand % 2 == 0 { 0.78 } else { 1.25 }),
                0.6,
            );
        }
    }

    /// Two hands over the face.
    pub fn hands(&mut self) {
        let skin = self.look.skin;
        let sway = 0.02 * (3.0 * self.secs).sin();
        for side in [-1.0, 1.0] {
            let sleeve = stroke(&[at(side * 0.5, 0.75), at(side * 0.85, 1.7)], |_| 0.5);
            self.fill_flat(&sleeve, shade(self.look.shirt, 0.92));
            for (grow, tone) in [(0.05, 0.7), (0.0, 0.97)] {
                let palm = stroke(&[at(side * 0.33, 0.1 + sway), at(side * 0.3, 0.68)], |_| 0.66 + grow);
                self.fill_flat(&palm, shade(skin, tone));
                for finger in 0..4 {
                    let x = side * (0.09 + 0.165 * finger as f32);
                    let tip = -0.6 + 0.06 * (finger as f32 - 1.4).powi(2) + sway;
                    self.fill_flat(&stroke(&[at(x, 0.2), at(x * 0.96, tip)], |_| 0.17 + grow), shade(skin, tone));
                }
            }
        }
    }

    /// A book held before the face.
    pub fn book(&mut self) {
        let cover = mix(self.look.iris, [0.75, 0.35, 0.25], 0.6);
        let sway = 0.02 * (2.4 * self.secs).sin();
        let page = |grow: f32| {
            vec![
                at(-0.86 - grow, -0.62 + sway - grow),
                at(0.0, -0.54 + sway - grow),
                at(0.86 + grow, -0.62 + sway - grow),
                at(0.86 + grow, 0.92 + grow),
                at(0.0, 1.0 + grow),
                at(-0.86 - grow, 0.92 + grow),
            ]
        };
        self.fill_flat(&page(0.05), WHITE);
        self.fill_flat(&page(0.0), cover);
        self.fill_flat(&stroke(&[at(0.0, -0.54 + sway), at(0.0, 1.0)], |_| 0.08), shade(cover, 0.7));
        for side in [-1.0, 1.0] {
            self.fill_flat(&stroke(&[at(side * 0.25, -0.1), at(side * 0.65, -0.13)], |_| 0.07), mix(cover, WHITE, 0.6));
            for finger in 0..3 {
                let y = 0.45 + 0.14 * finger as f32;
                self.fill_flat(
                    &stroke(&[at(side * 0.95, y), at(side * 0.66, y - 0.02)], |_| 0.13),
                    shade(self.look.skin, 0.94),
                );
            }
        }
    }
}
