//! The frames of a clip: where somebody is, how the feeling grows and the head moves, what hides the face.

use std::f32::consts::TAU;

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::Mood;
use super::artist::{Artist, Pose};
use super::canvas::{Canvas, Colour, Point, at, mix, shade};
use super::expression::Expression;
use super::look::{Look, colour};
use crate::Image;

/// Side of a frame in pixels.
pub(super) const SIDE_PX: usize = 128;
/// Frames per second.
pub(super) const RATE_HZ: u32 = 16;

/// Why a face cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hiding {
    Turned,
    Hands,
    Book,
    Blurred,
    Backlit,
}

impl Hiding {
    const ALL: [Self; 5] = [Self::Turned, Self::Hands, Self::Book, Self::Blurred, Self::Backlit];
}

/// What is to be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub mood: Mood,
    /// 0.7..1 of the full expression.
    pub intensity: f32,
    /// Whether the face can be read at all.
    pub readable: bool,
}

/// The frames of one clip. `loudness` has one value in 0..1 per frame and moves the mouth.
pub(super) fn draw(look: &Look, shown: Shown, loudness: &[f32], rng: &mut Pcg64Mcg) -> Vec<Image> {
    // What still shines through a blur or beside a hand is kept faint, or it would tell the wrong thing.
    let peak = shown.intensity * look.liveliness * if shown.readable { 1.0 } else { 0.35 };
    let apex = Expression::of(shown.mood).scaled(|| peak * rng.random_range(0.82..1.12));
    let hiding = (!shown.readable).then(|| Hiding::ALL[rng.random_range(0..Hiding::ALL.len())]);
    let background = background(rng);
    let light = Light::random(rng);
    let stage = Stage {
        onset_secs: rng.random_range(0.02..0.2),
        rise_secs: if shown.mood == Mood::Surprise { 0.12 } else { rng.random_range(0.2..0.35) },
        blink_secs: rng.random_range(0.5..3.5),
        sway_hz: rng.random_range(0.25..0.6),
        phase: rng.random_range(0.0..TAU),
        yaw: rng.random_range(-0.2..0.2),
        pitch: rng.random_range(-0.07..0.07),
        roll: rng.random_range(-0.09..0.09),
        zoom: rng.random_range(0.93..1.05),
        shift: at(rng.random_range(-4.0..4.0), rng.random_range(-2.5..3.0)),
        trace: rng.random_bool(0.7),
    };
    loudness
        .iter()
        .enumerate()
        .map(|(frame_idx, &loudness)| {
            let secs = frame_idx as f32 / RATE_HZ as f32;
            let grown = smooth((secs - stage.onset_secs) / stage.rise_secs);
            let expression = apex.scaled(|| grown);
            let pose = stage.pose(look, &expression, secs, rng);
            let blink = secs > stage.blink_secs && secs < stage.blink_secs + 0.13;
            let mut canvas = background.clone();
            let mut artist =
                Artist { canvas: &mut canvas, look, pose, expression, loudness, blink, secs, trace: stage.trace };
            artist.person(hiding == Some(Hiding::Turned));
            match hiding {
                Some(Hiding::Hands) => artist.hands(),
                Some(Hiding::Book) => artist.book(),
                _ => {}
            }
            match hiding {
                Some(Hiding::Blurred) => canvas.blur(8),
                Some(Hiding::Backlit) => silhouette(&mut canvas, &background),
                _ => {}
            }
            light.shine(&mut canvas);
            Image { width_px: SIDE_PX, height_px: SIDE_PX, rgb: canvas.rgb() }
        })
        .collect()
}

/// 0 before 0, 1 after 1, without corners.
pub(super) fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn background(rng: &mut Pcg64Mcg) -> Canvas {
    const WALLS: [u32; 8] = [0xBFD7EA, 0xF7E1B5, 0xCDE7D0, 0xE6D3E9, 0xF5CFC4, 0xC9CED6, 0x9FB8AD, 0xDCC9A9];
    let wall = shade(colour(WALLS[rng.random_range(0..WALLS.len())]), rng.random_range(0.75..1.0));
    let (top, bottom) = (shade(wall, 1.08), shade(wall, 0.86));
    let mut canvas = Canvas::from_fn(SIDE_PX, |p| mix(top, bottom, p.y / SIDE_PX as f32));
    for _ in 0..rng.random_range(2..6) {
        let centre = at(rng.random_range(0.0..128.0), rng.random_range(0.0..100.0));
        let tint = mix(shade(wall, 1.3), [1.0, 0.95, 0.8], rng.random_range(0.0..0.6));
        canvas.glow(centre, rng.random_range(12.0..38.0), tint, rng.random_range(0.3..0.7));
    }
    canvas
}

fn silhouette(canvas: &mut Canvas, background: &Canvas) {
    let side = canvas.side_px;
    canvas.recolour(|p, colour| {
        let behind = background.pixels[p.y as usize * side + p.x as usize];
        if colour == behind { shade(behind, 1.1) } else { shade(mix(colour, [0.3, 0.3, 0.4], 0.6), 0.1) }
    });
}

/// Light in the room: brightness, warmth, and the side that it comes from.
struct Light {
    gain: Colour,
    from: (f32, f32),
}

impl Light {
    fn random(rng: &mut Pcg64Mcg) -> Self {
        let (gain, warmth) = (rng.random_range(0.82..1.06), rng.random_range(-0.05..0.05));
        let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
        let strength = rng.random_range(0.0..0.12) / 64.0;
        Self { gain: [gain + warmth, gain, gain - warmth], from: (sin * strength, cos * strength) }
    }

    fn shine(&self, canvas: &mut Canvas) {
        canvas.recolour(|p, colour| {
            let slope = 1.0 + (p.x - 64.0) * self.from.0 + (p.y - 64.0) * self.from.1;
            std::array::from_fn(|channel| colour[channel] * self.gain[channel] * slope)
        });
    }
}

/// Where and when: what a clip has beside its expression.
struct Stage {
    onset_secs: f32,
    rise_secs: f32,
    blink_secs: f32,
    sway_hz: f32,
    phase: f32,
    yaw: f32,
    pitch: f32,
    roll: f32,
    zoom: f32,
    shift: Point,
    /// Whether a tear or a drop of sweat is shown where the feeling has one.
    trace: bool,
}

impl Stage {
    fn pose(&self, look: &Look, expression: &Expression, secs: f32, rng: &mut Pcg64Mcg) -> Pose {
        let Expression { tremble, bob, shake, jump, pitch, roll, .. } = *expression;
        let sway = (TAU * self.sway_hz * secs + self.phase).sin();
        let beat = |hz: f32| (TAU * hz * secs + self.phase).sin();
        let jitter = |rng: &mut Pcg64Mcg| tremble * rng.random_range(-1.1..1.1);
        Pose {
            half_width: look.half_width,
            yaw: self.yaw + 0.05 * sway + 0.1 * shake * beat(2.6),
            pitch: self.pitch + pitch,
            roll: self.roll + 0.02 * sway + roll + 0.05 * bob * beat(1.3),
            scale_px: 47.0 * self.zoom,
            centre: at(
                64.0 + self.shift.x + 1.2 * sway + jitter(rng),
                67.0 + self.shift.y + 2.5 * bob * beat(2.4) - 3.5 * jump + 12.0 * pitch.max(0.0) + jitter(rng),
            ),
        }
    }
}
