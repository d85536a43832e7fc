//! What a face does when somebody feels something: brows, lids, mouth, head.
//!
//! The movements follow how people describe faces (raised inner brows for worry, a wrinkled nose for disgust),
//! larger than life as in cartoons.

use super::Mood;

/// What a face does, as differences from rest; 1 is as far as a cartoon goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Expression {
    pub brow_raise: f32,
    /// Inner ends up (worry) or down (rage).
    pub brow_inner: f32,
    pub brow_close: f32,
    pub eye_wide: f32,
    /// Lower lids up.
    pub squint: f32,
    /// Inner corners of the eyes up or down.
    pub eye_slant: f32,
    pub pupil: f32,
    pub gaze_down: f32,
    pub mouth_wide: f32,
    pub mouth_open: f32,
    /// Corners up or down.
    pub mouth_curve: f32,
    /// Square rather than oval opening, with the teeth shown.
    pub mouth_square: f32,
    pub mouth_wavy: f32,
    /// One side of the upper lip up.
    pub sneer: f32,
    pub tongue: f32,
    pub nose_wrinkle: f32,
    pub cheeks: f32,
    pub flush: f32,
    pub sickly: f32,
    pub pale: f32,
    pub tear: f32,
    pub sweat: f32,
    pub tremble: f32,
    pub bob: f32,
    pub shake: f32,
    pub jump: f32,
    pub pitch: f32,
    pub roll: f32,
    /// How much of the voice the mouth shows.
    pub talk: f32,
}

impl Expression {
    /// The full expression of a feeling.
    pub fn of(mood: Mood) -> Self {
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
    pub fn scaled(self, mut factor: impl FnMut() -> f32) -> Self {
        let Self { talk, .. } = self;
        macro_rules! scale {
            ($($field:ident)*) => { Self { $($field: self.$field * factor(),)* talk } };
        }
        scale!(brow_raise brow_inner brow_close eye_wide squint eye_slant pupil gaze_down mouth_wide mouth_open
            mouth_curve mouth_square mouth_wavy sneer tongue nose_wrinkle cheeks flush sickly pale tear sweat
            tremble bob shake jump pitch roll)
    }
}
