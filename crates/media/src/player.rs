//! A file in stream order, picture and sound with their times, as live use needs it.
//! Left out: keeping pace with the clock, which is for whoever plays.

use std::path::Path;

use crate::mono::Mono;
use crate::source::{Decoded, Source, Tracks};
use crate::upright::Scaler;
use crate::{ClipInfo, Image, MediaError};

/// Sound whose time is off by more than this follows the file's time from then on.
const MAX_DRIFT_SECS: f64 = 0.1;

/// A piece of a clip; times are in seconds after its start.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// One frame.
    Video {
        /// When it is shown.
        pts_secs: f64,
        /// The upright frame.
        image: Image,
    },
    /// Some sound.
    Audio {
        /// Time of the first sample.
        pts_secs: f64,
        /// Mono in -1..1 at the rate that was asked for.
        samples: Vec<f32>,
    },
}

impl Chunk {
    /// When it is shown or heard, in seconds after the start of the clip.
    pub fn pts_secs(&self) -> f64 {
        match *self {
            Self::Video { pts_secs, .. } | Self::Audio { pts_secs, .. } => pts_secs,
        }
    }
}

/// Decodes a file piece by piece, in the order in which the file has them; memory does not grow with its length.
pub struct Player {
    source: Source,
    scaler: Option<Scaler>,
    mono: Mono,
    rate_hz: u32,
    next_video_secs: f64,
    /// Time of the next sample that the resampler gives; `None` before the first.
    next_audio_secs: Option<f64>,
    /// End of what went into the resampler.
    audio_end_secs: f64,
    path: std::path::PathBuf,
    ended: bool,
}

impl Player {
    /// Opens a file; its sound comes at `rate_hz`.
    pub fn open(path: &Path, rate_hz: u32) -> Result<Self, MediaError> {
        let source = Source::open(path, Tracks::ALL)?;
        let scaler = source.video.as_ref().map(|video| Scaler::new(video.turn, None));
        Ok(Self {
            source,
            scaler,
            mono: Mono::new(rate_hz),
            rate_hz,
            next_video_secs: 0.0,
            next_audio_secs: None,
            audio_end_secs: 0.0,
            path: path.to_owned(),
            ended: false,
        })
    }

    /// What is in the file.
    pub fn info(&self) -> &ClipInfo {
        &self.source.info
    }

    fn audio_chunk(&mut self, samples: Vec<f32>) -> Option<Chunk> {
        let pts_secs = self.next_audio_secs.filter(|_| !samples.is_empty())?;
        self.next_audio_secs = Some(pts_secs + samples.len() as f64 / f64::from(self.rate_hz));
        Some(Chunk::Audio { pts_secs, samples })
    }

    fn step(&mut self) -> Result<Option<Chunk>, MediaError> {
        while let Some(decoded) = self.source.next()? {
            match decoded {
                Decoded::Video { pts_secs, frame, .. } => {
                    let pts_secs = pts_secs.unwrap_or(self.next_video_secs);
                    let rate_hz = self.source.info.video.map_or(0.0, |video| video.rate_hz);
                    self.next_video_secs = pts_secs + if rate_hz > 0.0 { 1.0 / rate_hz } else { 0.04 };
                    let Some(scaler) = &mut self.scaler else { continue };
                    let image = scaler.image(&frame).map_err(|error| MediaError::decode(&self.path, error))?;
                    return Ok(Some(Chunk::Video { pts_secs, image }));
                }
                Decoded::Audio { pts_secs, frame } => {
                    let pts_secs = pts_secs.unwrap_or(self.audio_end_secs);
                    let drift_secs = pts_secs - self.audio_end_secs;
                    self.next_audio_secs = match self.next_audio_secs {
                        None => Some(pts_secs),
                        Some(next) if drift_secs.abs() > MAX_DRIFT_SECS => Some(next + drift_secs),
                        next => next,
                    };
                    self.audio_end_secs = match frame.rate() {
                        0 => pts_secs,
                        rate_hz => pts_secs + frame.samples() as f64 / f64::from(rate_hz),
                    };
                    let mut samples = Vec::new();
                    self.mono.push(&frame, &mut samples);
                    if let Some(chunk) = self.audio_chunk(samples) {
                        return Ok(Some(chunk));
                    }
                }
            }
        }
        self.ended = true;
        let mut rest = Vec::new();
        self.mono.finish(&mut rest);
        Ok(self.audio_chunk(rest))
    }
}

impl Iterator for Player {
    type Item = Result<Chunk, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let chunk = self.step().transpose();
        self.ended |= !matches!(chunk, Some(Ok(_)));
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Recording, write_mp4};

    #[test]
    fn picture_and_sound_keep_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash.mp4");
        // From 1.0 s on it is bright and loud.
        let frames: Vec<Image> = (0..32)
            .map(|n| Image { width_px: 32, height_px: 32, rgb: vec![if n < 16 { 10 } else { 240 }; 32 * 32 * 3] })
            .collect();
        let samples: Vec<f32> =
            (0..32_000).map(|n| if n < 16_000 { 0.0 } else { 0.6 * (n as f32 * 0.3).sin() }).collect();
        let recording =
            Recording { frames: &frames, frame_rate_hz: 16, samples: &samples, sample_rate_hz: 16_000, n_b_frames: 0 };
        write_mp4(&path, &recording).unwrap();

        let player = Player::open(&path, 8000).unwrap();
        assert_eq!(player.info().video.unwrap().n_frames, Some(32));
        let (mut bright_secs, mut loud_secs, mut n_frames, mut n_samples) = (None, None, 0, 0);
        for chunk in player {
            match chunk.unwrap() {
                Chunk::Video { pts_secs, image } => {
                    n_frames += 1;
                    if image.rgb[0] > 128 {
                        bright_secs.get_or_insert(pts_secs);
                    }
                }
                Chunk::Audio { pts_secs, samples } => {
                    n_samples += samples.len();
                    if let Some(first) = samples.iter().position(|sample| sample.abs() > 0.2) {
                        loud_secs.get_or_insert(pts_secs + first as f64 / 8000.0);
                    }
                }
            }
        }
        assert_eq!(n_frames, 32);
        assert!(n_samples.abs_diff(16_000) <= 512, "{n_samples}");
        assert!((bright_secs.unwrap() - 1.0).abs() < 0.01, "{bright_secs:?}");
        assert!((loud_secs.unwrap() - 1.0).abs() < 0.03, "{loud_secs:?}");
    }
}
