//! Cartoon faces that move: who somebody is (a look), what the face does (an expression), what hides it.
//!
//! A face is drawn in face units: the origin between eyes and nose, x to the right, y down, 1 is half the
//! height of the head. Features sit on a ball, so that turning the head moves them together.

use std::f32::consts::{PI, TAU};

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::Mood;
use super::canvas::{Canvas, Colour, Mask, Point, at, curve, ellipse, mix, shade, stroke};
use crate::Image;

/// Side of a frame in pixels.
pub(super) const SIDE_PX: usize = 128;
/// Frames per second.
pub(super) const RATE_HZ: u32 = 16;

/// What stays the same about a person.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    skin: Colour,
    hair: Colour,
    hair_style: HairStyle,
    iris: Colour,
    shirt: Colour,
    lips: Colour,
    /// Half the width of the head.
    half_width: f32,
    /// How much narrower the chin is than the temples.
    taper: f32,
    eye_size: f32,
    eye_distance: f32,
    brow_width: f32,
    nose_size: f32,
    mouth_size: f32,
    glasses: Option<Colour>,
    freckles: bool,
    stubble: bool,
    earrings: bool,
    lashes: bool,
    /// How far the face moves for the same feeling.
    liveliness: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum HairStyle {
    Short,
    Swept,
    Bob,
    Long,
    Bun,
    Curls,
    Buzz,
    Tails,
    Scarf,
}

impl Look {
    /// Somebody new. `speaker_idx` spreads skin, hair and style, so that a small cast is a varied one.
    pub fn random(speaker_idx: usize, rng: &mut Pcg64Mcg) -> Self {
        use HairStyle::{Bob, Bun, Buzz, Curls, Long, Scarf, Short, Swept, Tails};
        const SKINS: [u32; 7] = [0xF6D2B8, 0xE8B48E, 0xD39A6E, 0xB5794F, 0x8C5A3B, 0x6B4430, 0xFBE0D0];
        const HAIRS: [u32; 9] =
            [0x2B1D16, 0x5A3825, 0x8C5A2B, 0xD9A54A, 0xB5482A, 0x1F2430, 0x9A9AA2, 0x7A3E6E, 0x3D5A80];
        const IRISES: [u32; 5] = [0x5B3A1E, 0x3F6FA3, 0x4E7F4A, 0x6B6B73, 0x2E2118];
        const SHIRTS: [u32; 8] = [0xE4572E, 0x29335C, 0x3C887E, 0xF3A712, 0xA8577E, 0x5C80BC, 0x669BBC, 0x43464B];
        const STYLES: [HairStyle; 9] = [Short, Bob, Curls, Swept, Long, Buzz, Bun, Tails, Scarf];
        let mut pick = |palette: &[u32], idx: usize| {
            let jitter = rng.random_range(0.94..1.06);
            shade(colour(palette[idx % palette.len()]), jitter)
        };
        let skin = pick(&SKINS, speaker_idx * 3 + 1);
        let hair = pick(&HAIRS, speaker_idx * 4 + speaker_idx / 9);
        let hair_style = STYLES[speaker_idx * 2 % 9];
        let masculine = matches!(hair_style, Short | Swept | Buzz) && rng.random_bool(0.8);
        Self {
            skin,
            hair,
            hair_style,
            iris: colour(IRISES[rng.random_range(0..IRISES.len())]),
            shirt: colour(SHIRTS[rng.random_range(0..SHIRTS.len())]),
            lips: mix(skin, [0.72, 0.22, 0.26], rng.random_range(if masculine { 0.35..0.5 } else { 0.6..0.85 })),
            half_width: rng.random_range(0.78..0.9),
            taper: rng.random_range(0.1..0.34),
            eye_size: rng.random_range(0.92..1.12),
            eye_distance: rng.random_range(0.33..0.37),
            brow_width: rng.random_range(if masculine { 0.085..0.11 } else { 0.065..0.085 }),
            nose_size: rng.random_range(0.8..1.25),
            mouth_size: rng.random_range(0.92..1.1),
            glasses: rng.random_bool(0.2).then(|| colour(SHIRTS[rng.random_range(0..SHIRTS.len())])),
            freckles: rng.random_bool(0.25),
            stubble: masculine && rng.random_bool(0.4),
            earrings: !masculine && hair_style != Scarf && rng.random_bool(0.5),
            lashes: !masculine,
            liveliness: rng.random_range(0.9..1.1),
        }
    }
}

fn colour(hex: u32) -> Colour {
    [16, 8, 0].map(|shift| (hex >> shift & 0xFF) as f32 / 255.0)
}

/// What a face does, as differences from rest; 1 is as far as a cartoon goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Expression {
    brow_raise: f32,
    /// Inner ends up (worry) or down (rage).
    brow_inner: f32,
    brow_close: f32,
    eye_wide: f32,
    /// Lower lids up.
    squint: f32,
    /// Inner corners of the eyes up or down.
    eye_slant: f32,
    pupil: f32,
    gaze_down: f32,
    mouth_wide: f32,
    mouth_open: f32,
    /// Corners up or down.
    mouth_curve: f32,
    /// Square rather than oval opening, with the teeth shown.
    mouth_square: f32,
    mouth_wavy: f32,
    /// One side of the upper lip up.
    sneer: f32,
    tongue: f32,
    nose_wrinkle: f32,
    cheeks: f32,
    flush: f32,
    sickly: f32,
    pale: f32,
    tear: f32,
    sweat: f32,
    tremble: f32,
    bob: f32,
    shake: f32,
    jump: f32,
    pitch: f32,
    roll: f32,
    /// How much of the voice the mouth shows.
    talk: f32,
}

impl Expression {
    fn of(mood: Mood) -> Self {
        let rest = Self { talk: 0.3, ..Self::default() };
        match mood {
            Mood::Anger => Self {
                brow_raise: -0.8,
                brow_inner: -1.0,
                brow_close: 0.9,
                eye_wide: -0.12,
                squint: 0.3,
                eye_slant: -0.8,
                pupil: -0.25,
                mouth_wide: 0.05,
                mouth_open: 0.42,
                mouth_curve: -0.35,
                mouth_square: 1.0,
                flush: 0.8,
                shake: 1.0,
                pitch: 0.16,
                talk: 0.35,
                ..rest
            },
            Mood::Disgust => Self {
                brow_raise: -0.45,
                brow_inner: -0.3,
                brow_close: 0.4,
                eye_wide: -0.5,
                squint: 0.9,
                mouth_wide: -0.05,
                mouth_open: 0.22,
                mouth_curve: -0.5,
                sneer: 1.0,
                tongue: 1.0,
                nose_wrinkle: 1.0,
                sickly: 0.8,
                roll: 0.13,
                pitch: -0.1,
                talk: 0.15,
                ..rest
            },
            Mood::Fear => Self {
                brow_raise: 0.65,
                brow_inner: 0.8,
                brow_close: 0.4,
                eye_wide: 0.4,
                eye_slant: 0.3,
                pupil: -0.5,
                mouth_wide: -0.12,
                mouth_open: 0.28,
                mouth_curve: -0.55,
                mouth_wavy: 1.0,
                pale: 0.8,
                sweat: 1.0,
                tremble: 1.0,
                pitch: -0.08,
                talk: 0.2,
                ..rest
            },
            Mood::Happiness => Self {
                brow_raise: 0.25,
                eye_wide: -0.15,
                squint: 0.75,
                mouth_wide: 0.3,
                mouth_open: 0.5,
                mouth_curve: 1.0,
                cheeks: 1.0,
                bob: 1.0,
                roll: -0.06,
                talk: 0.3,
                ..rest
            },
            Mood::Neutral => rest,
            Mood::Sadness => Self {
                brow_raise: -0.1,
                brow_inner: 1.0,
                brow_close: 0.3,
                eye_wide: -0.42,
                eye_slant: 0.9,
                pupil: 0.15,
                gaze_down: 0.8,
                mouth_wide: -0.15,
                mouth_open: 0.02,
                mouth_curve: -1.0,
                tear: 1.0,
                pitch: 0.2,
                roll: 0.07,
                talk: 0.15,
                ..rest
            },
            Mood::Surprise => Self {
                brow_raise: 1.0,
                eye_wide: 0.38,
                pupil: -0.1,
                mouth_wide: -0.42,
                mouth_open: 0.95,
                jump: 1.0,
                pitch: -0.14,
                talk: 0.1,
                ..rest
            },
        }
    }

    /// Each movement by a factor of its own; talking stays.
    fn scaled(self, mut factor: impl FnMut() -> f32) -> Self {
        let Self { talk, .. } = self;
        macro_rules! scale {
            ($($field:ident)*) => { Self { $($field: self.$field * factor(),)* talk } };
        }
        scale!(brow_raise brow_inner brow_close eye_wide squint eye_slant pupil gaze_down mouth_wide mouth_open
            mouth_curve mouth_square mouth_wavy sneer tongue nose_wrinkle cheeks flush sickly pale tear sweat
            tremble bob shake jump pitch roll)
    }
}

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
    /// 0.6..1 of the full expression.
    pub intensity: f32,
    /// Whether the face can be read at all.
    pub readable: bool,
}

/// The frames of one clip. `loudness` has one value in 0..1 per frame and moves the mouth.
pub(super) fn draw(look: &Look, shown: Shown, loudness: &[f32], rng: &mut Pcg64Mcg) -> Vec<Image> {
    let peak = shown.intensity * look.liveliness;
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
        yaw: rng.random_range(-0.24..0.24),
        pitch: rng.random_range(-0.07..0.07),
        roll: rng.random_range(-0.09..0.09),
        zoom: rng.random_range(0.93..1.05),
        shift: at(rng.random_range(-5.0..5.0), rng.random_range(-3.0..4.0)),
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
                Some(Hiding::Blurred) => canvas.blur(7),
                Some(Hiding::Backlit) => silhouette(&mut canvas, &background),
                _ => {}
            }
            light.shine(&mut canvas);
            Image { width_px: SIDE_PX, height_px: SIDE_PX, rgb: canvas.rgb() }
        })
        .collect()
}

/// 0 before 0, 1 after 1, without corners.
fn smooth(t: f32) -> f32 {
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
        if colour == behind { shade(behind, 1.1) } else { shade(mix(colour, [0.3, 0.3, 0.4], 0.6), 0.16) }
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

/// From face units to pixels.
#[derive(Debug, Clone, Copy)]
struct Pose {
    half_width: f32,
    yaw: f32,
    pitch: f32,
    roll: f32,
    scale_px: f32,
    centre: Point,
}

impl Pose {
    /// A point on the front of the head, which is a ball.
    fn front(&self, p: Point) -> Point {
        let depth = 0.75 * (1.0 - (p.x / self.half_width).powi(2) - p.y * p.y).max(0.05).sqrt();
        self.flat(at(p.x * self.yaw.cos() + depth * self.yaw.sin(), p.y * self.pitch.cos() + depth * self.pitch.sin()))
    }

    /// A point on the outline of the head, which turning does not move.
    fn flat(&self, p: Point) -> Point {
        const NECK: f32 = 0.9;
        let (sin, cos) = self.roll.sin_cos();
        let (x, y) = (p.x * cos - (p.y - NECK) * sin, p.x * sin + (p.y - NECK) * cos + NECK);
        at(self.centre.x + self.scale_px * x, self.centre.y + self.scale_px * y)
    }

    /// A point on the body, which follows the head by half.
    fn body(&self, p: Point) -> Point {
        at(64.0 + 0.5 * (self.centre.x - 64.0) + self.scale_px * p.x, 67.0 + self.scale_px * p.y)
    }
}

const WHITE: Colour = [0.98, 0.98, 0.96];
const INK: Colour = [0.16, 0.1, 0.1];
const MOUTH_INSIDE: Colour = [0.36, 0.07, 0.1];
const TONGUE: Colour = [0.9, 0.42, 0.45];
const WATER: Colour = [0.55, 0.82, 0.98];

/// Paints one person on one frame.
struct Artist<'a> {
    canvas: &'a mut Canvas,
    look: &'a Look,
    pose: Pose,
    expression: Expression,
    loudness: f32,
    blink: bool,
    secs: f32,
    trace: bool,
}

impl Artist<'_> {
    fn person(&mut self, turned: bool) {
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
    fn skin(&self) -> Colour {
        let Expression { flush, sickly, pale, .. } = self.expression;
        let red = mix(self.look.skin, [0.93, 0.3, 0.22], 0.27 * flush.max(0.0));
        let green = mix(red, [0.62, 0.72, 0.35], 0.3 * sickly.max(0.0));
        mix(green, [0.83, 0.88, 0.96], 0.3 * pale.max(0.0))
    }

    fn front(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|&p| self.pose.front(p)).collect()
    }

    fn flat(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|&p| self.pose.flat(p)).collect()
    }

    fn fill_flat(&mut self, points: &[Point], colour: Colour) {
        let corners = self.flat(points);
        self.canvas.fill(&corners, colour);
    }

    fn fill_front(&mut self, points: &[Point], colour: Colour) {
        let corners = self.front(points);
        self.canvas.fill(&corners, colour);
    }

    fn mask_front(&self, points: &[Point]) -> Mask {
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
    fn outline(&self, grow: f32) -> Vec<Point> {
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

    fn line(&mut self, points: &[Point], width: f32, colour: Colour, opacity: f32) {
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

    fn hair_behind(&mut self) {
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
    fn hair_in_front(&mut self) {
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

    fn back_of_head(&mut self) {
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

    fn hands(&mut self) {
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

    fn book(&mut self) {
        let cover = mix(self.look.iris, [0.75, 0.35, 0.25], 0.6);
        let sway = 0.02 * (2.4 * self.secs).sin();
        let page = |grow: f32| {
            vec![
                at(-0.86 - grow, -0.52 + sway - grow),
                at(0.0, -0.44 + sway - grow),
                at(0.86 + grow, -0.52 + sway - grow),
                at(0.86 + grow, 0.92 + grow),
                at(0.0, 1.0 + grow),
                at(-0.86 - grow, 0.92 + grow),
            ]
        };
        self.fill_flat(&page(0.05), WHITE);
        self.fill_flat(&page(0.0), cover);
        self.fill_flat(&stroke(&[at(0.0, -0.44 + sway), at(0.0, 1.0)], |_| 0.08), shade(cover, 0.7));
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
