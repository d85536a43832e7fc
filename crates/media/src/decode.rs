//! What is in a media file or a folder of pictures, one picture of it, all its sound.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::MediaError;
use crate::mono::Mono;
use crate::pictures::Pictures;
use crate::source::{Decoded, Source, Tracks};
use crate::upright::Scaler;

/// What is in a media file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClipInfo {
    /// Length in seconds as the file states it; 0 where it does not.
    pub duration_secs: f64,
    /// The picture; `None` for sound alone. Cover art is no picture.
    pub video: Option<VideoInfo>,
    /// The sound; `None` for a silent film.
    pub audio: Option<AudioInfo>,
    /// Whether it has a track of subtitles, which [`subtitles`](crate::subtitles()) reads if they are text.
    #[serde(default)]
    pub has_subtitles: bool,
}

/// The picture of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Width in pixels, upright and with square pixels.
    pub width_px: u32,
    /// Height in pixels, upright and with square pixels.
    pub height_px: u32,
    /// Mean frames per second; 0 where the file does not say.
    pub rate_hz: f64,
    /// Number of frames as the file states it.
    pub n_frames: Option<u64>,
}

/// The sound of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Sampling rate in hertz.
    pub rate_hz: u32,
    /// Channels.
    pub n_channels: u16,
}

/// An upright picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Width in pixels.
    pub width_px: usize,
    /// Height in pixels.
    pub height_px: usize,
    /// Bytes, `[height_px, width_px, 3]`.
    pub rgb: Vec<u8>,
}

/// Reads what is in a file, or a folder of pictures, without decoding it.
pub fn probe(path: &Path) -> Result<ClipInfo, MediaError> {
    if path.is_dir() {
        return Pictures::list(path)?.info();
    }
    Ok(Source::open(path, Tracks::ALL)?.info)
}

/// A frame from the middle, at most `max_side_px` on its longer side.
pub fn thumbnail(path: &Path, max_side_px: usize) -> Result<Image, MediaError> {
    if path.is_dir() {
        return thumbnail(Pictures::list(path)?.middle(), max_side_px);
    }
    let mut source = Source::open(path, Tracks { video: true, audio: false })?;
    let Some(turn) = source.video.as_ref().map(|video| video.turn) else {
        return Err(MediaError::NoPicture(path.to_owned()));
    };
    let middle_secs = source.info.duration_secs / 2.0;
    source.seek(middle_secs);
    let mut scaler = Scaler::new(turn, Some(max_side_px));
    let mut last = None;
    let mut from_start = false;
    loop {
        match source.next()? {
            Some(Decoded::Video { pts_secs, frame, .. }) => {
                let reached = from_start || pts_secs.is_none_or(|pts| pts >= middle_secs - 1e-6);
                last = Some(frame);
                if reached {
                    break;
                }
            }
            Some(Decoded::Audio { .. }) => {}
            None if last.is_none() && !from_start => {
                // Some files cannot be entered in the middle.
                from_start = true;
                source = Source::open(path, Tracks { video: true, audio: false })?;
            }
            None => break,
        }
    }
    let frame = last.ok_or_else(|| MediaError::decode(path, "no frame could be read"))?;
    scaler.image(&frame).map_err(|error| MediaError::decode(path, error))
}

/// All sound of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Mixed to mono, in -1..1.
    pub samples: Vec<f32>,
    /// What is wrong with the file, in words.
    pub notes: Vec<String>,
}

/// The whole sound at `rate_hz`; `None` where there is no audio track.
///
/// An hour at 16 kHz takes 230 MB; [`prepare`](crate::prepare()) keeps only what a model needs.
pub fn decode_audio(path: &Path, rate_hz: u32) -> Result<Option<Sound>, MediaError> {
    let mut source = Source::open(path, Tracks { video: false, audio: true })?;
    if source.audio.is_none() {
        return Ok(None);
    }
    let mut mono = Mono::new(rate_hz);
    let mut samples = Vec::new();
    while let Some(decoded) = source.next()? {
        if let Decoded::Audio { frame, .. } = decoded {
            mono.push(&frame, &mut samples);
        }
    }
    mono.finish(&mut samples);
    let complaint = mono.flaws().complaint();
    if let Some(reason) = complaint.as_deref().filter(|_| mono.flaws().spoil_all()) {
        return Err(MediaError::decode(path, reason));
    }
    let mut notes = std::mem::take(&mut source.notes);
    notes.extend(source.complaints());
    notes.extend(complaint);
    Ok(Some(Sound { samples, notes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_media;

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.mp4");
        std::fs::write(&text, "Dear diary,\n".repeat(200)).unwrap();
        let playlist = dir.path().join("playlist.mp4");
        std::fs::write(&playlist, "#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n#EXT-X-ENDLIST\n").unwrap();
        let empty = dir.path().join("empty.mp4");
        std::fs::write(&empty, "").unwrap();
        let whole = std::fs::read(test_media::mp4(dir.path(), 5, 3200)).unwrap();
        let cut = dir.path().join("cut.mp4");
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(probe(&text), Err(MediaError::NotMedia { .. })));
        assert!(matches!(probe(&playlist), Err(MediaError::Unsupported { .. })));
        let animated = dir.path().join("animated.webp");
        std::fs::write(&animated, b"RIFF\x50\0\0\0WEBPVP8X\x0A\0\0\0\x02\0\0\0\x0F\0\0\x0F\0\0ANIM").unwrap();
        assert!(matches!(probe(&animated), Err(MediaError::Unsupported { .. })));
        assert!(matches!(probe(&empty), Err(MediaError::Empty(_))));
        assert!(matches!(probe(&cut), Err(MediaError::NotMedia { .. })));
        assert!(matches!(probe(&dir.path().join("a.mp4")), Err(MediaError::Missing(_))));
        let message = probe(&text).unwrap_err().to_string();
        assert!(message.starts_with("this is not a media file") && message.ends_with("text.mp4"), "{message}");
    }

    #[test]
    fn names_mean_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let clip = test_media::mp4(dir.path(), 2, 1600);
        for name in ["http:a%02d.jpg", "concat:x|y.txt", "-i", "clip"] {
            let path = dir.path().join(name);
            std::fs::copy(&clip, &path).unwrap();
            assert!(probe(&path).unwrap().audio.is_some(), "{name}");
        }
    }

    #[test]
    fn a_clip_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let info = probe(&test_media::mp4(dir.path(), 25, 16000)).unwrap();
        let video = VideoInfo { width_px: 16, height_px: 16, rate_hz: 25.0, n_frames: Some(25) };
        assert_eq!(info.video, Some(video));
        assert_eq!(info.audio, Some(AudioInfo { rate_hz: 16000, n_channels: 1 }));
        assert!((info.duration_secs - 1.0).abs() < 0.1, "{}", info.duration_secs);
    }

    #[test]
    fn rotation_in_the_container_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        // Left half dark, right half bright, 32 × 16.
        let row: Vec<u8> = (0..32).flat_map(|x| [if x < 16 { 20 } else { 230 }; 3]).collect();
        let frames = vec![Image { width_px: 32, height_px: 16, rgb: row.repeat(16) }];
        let plain = dir.path().join("plain.mp4");
        let recording = crate::encode::Recording {
            frames: &frames,
            frame_rate_hz: 25,
            samples: &[],
            sample_rate_hz: 16000,
            n_b_frames: 0,
        };
        crate::encode::write_mp4(&plain, &recording).unwrap();
        let bytes = std::fs::read(&plain).unwrap();
        let one = 0x1_0000_i32;
        // Shown at (a x + c y, b x + d y): where the dark half ends up.
        type Place = fn(usize, usize) -> bool;
        let turns: [([i32; 4], (usize, usize), Place); 4] = [
            ([one, 0, 0, one], (32, 16), |x, _| x < 16),
            ([0, one, -one, 0], (16, 32), |_, y| y < 16), // a quarter to the right
            ([-one, 0, 0, -one], (32, 16), |x, _| x >= 16),
            ([0, -one, one, 0], (16, 32), |_, y| y >= 16), // a quarter to the left
        ];
        for ([a, b, c, d], size, is_dark) in turns {
            let mut turned = bytes.clone();
            let header = turned.windows(4).position(|four| four == b"tkhd").unwrap();
            for (value, place) in [(a, 0), (b, 1), (c, 3), (d, 4)] {
                let at = header + 4 + 40 + place * 4;
                turned[at..at + 4].copy_from_slice(&value.to_be_bytes());
            }
            let path = dir.path().join("turned.mp4");
            std::fs::write(&path, &turned).unwrap();
            let video = probe(&path).unwrap().video.unwrap();
            assert_eq!((video.width_px as usize, video.height_px as usize), size);
            let image = thumbnail(&path, 64).unwrap();
            assert_eq!((image.width_px, image.height_px), size);
            for (x, y) in [(2, 2), (size.0 - 3, 2), (2, size.1 - 3), (size.0 - 3, size.1 - 3)] {
                let dark = image.rgb[(y * image.width_px + x) * 3] < 120;
                assert_eq!(dark, is_dark(x, y), "pixel {x}, {y} of {a} {b} {c} {d}");
            }
        }
    }

    #[test]
    fn a_thumbnail_is_the_middle_and_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.y4m");
        test_media::y4m(&path, (40, 20), 50, |frame_idx, _, _| (frame_idx * 5) as u8);
        let image = thumbnail(&path, 10).unwrap();
        assert_eq!((image.width_px, image.height_px, image.rgb.len()), (10, 5, 150));
        let sound = dir.path().join("sound.wav");
        test_media::wav(&sound, 8000, 1, &[0; 800]);
        assert!(matches!(thumbnail(&sound, 10), Err(MediaError::NoPicture(_))));
    }

    #[test]
    fn odd_and_tiny_frames_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        for (width, height) in [(1, 1), (1, 9), (9, 1), (3, 3), (17, 31), (641, 7)] {
            let path = dir.path().join("odd.y4m");
            test_media::y4m(
                &path,
                (width, height),
                1,
                |_, x, y| if (x + 1, y + 1) == (width, height) { 235 } else { 16 },
            );
            let image = thumbnail(&path, 1000).unwrap();
            assert_eq!((image.width_px, image.height_px, image.rgb.len()), (width, height, width * height * 3));
            assert!(
                image.rgb[image.rgb.len() - 3] > 200,
                "{width} × {height}: {:?}",
                &image.rgb[image.rgb.len() - 3..]
            );
        }
    }

    #[test]
    fn any_rate_and_channels_become_mono_in_place() {
        let dir = tempfile::tempdir().unwrap();
        for (rate_hz, n_channels) in [(8000, 1), (11025, 2), (22050, 1), (44100, 2), (48000, 6)] {
            let path = dir.path().join("sound.wav");
            let tone = test_media::tone(rate_hz as usize, rate_hz);
            let samples: Vec<i16> =
                tone.iter().flat_map(|&x| vec![(x * 32767.0) as i16; usize::from(n_channels)]).collect();
            test_media::wav(&path, rate_hz, n_channels, &samples);
            assert_eq!(probe(&path).unwrap().audio, Some(AudioInfo { rate_hz, n_channels }));
            let heard = decode_audio(&path, 16000).unwrap().unwrap().samples;
            assert!(heard.len().abs_diff(16000) <= 1, "{} samples", heard.len());
            let wanted = test_media::tone(16000, 16000);
            let worst = heard.iter().zip(&wanted).skip(400).take(15200).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.005, "{rate_hz} Hz, {n_channels} channels: off by {worst}");
        }
    }

    #[test]
    fn no_sound_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("silent.y4m");
        test_media::y4m(&path, (8, 8), 2, |_, _, _| 100);
        assert_eq!(decode_audio(&path, 16000).unwrap(), None);
    }
}
