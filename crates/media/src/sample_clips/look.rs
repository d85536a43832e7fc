//! Who somebody is to the eye: skin, hair, features. Drawn by the artist, in every clip the same.

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::canvas::{Colour, mix, shade};

/// What stays the same about a person.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub skin: Colour,
    pub hair: Colour,
    pub hair_style: HairStyle,
    pub iris: Colour,
    pub shirt: Colour,
    pub lips: Colour,
    /// Half the width of the head.
    pub half_width: f32,
    /// How much narrower the chin is than the temples.
    pub taper: f32,
    pub eye_size: f32,
    pub eye_distance: f32,
    pub brow_width: f32,
    pub nose_size: f32,
    pub mouth_size: f32,
    pub glasses: Option<Colour>,
    pub freckles: bool,
    pub stubble: bool,
    pub earrings: bool,
    pub lashes: bool,
    /// How far the face moves for the same feeling.
    pub liveliness: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum HairStyle {
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

/// From `0xRRGGBB`.
pub(super) fn colour(hex: u32) -> Colour {
    [16, 8, 0].map(|shift| (hex >> shift & 0xFF) as f32 / 255.0)
}
