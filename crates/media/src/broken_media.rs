//! Files as they come out of broken downloads, dying disks and careless programs: each gives a sample or a reason in
//! words, soon. What is broken follows from fixed seeds.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use emotion::{FaceChoice, FaceInput, FaceSource, Inputs, TextInput, VoiceInput};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::encode::{Recording, write_mp4};
use crate::{BUILT_IN, Image, MediaError, Prepared, Request, prepare, probe, subtitles, test_media, thumbnail};

static INPUTS: Inputs = Inputs {
    face: Some(FaceInput { n_frames: 4, size_px: 8 }),
    voice: Some(VoiceInput::Waveform { rate_hz: 16000, n_samples: 1600 }),
    text: Some(TextInput { max_tokens: 8 }),
    features: Vec::new(),
};
/// Longer than any clip here may take, on a busy machine, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that is done with a clip between import and training.
fn use_up(path: &Path) -> Result<Prepared, MediaError> {
    // Their errors are those of `prepare`.
    let _ = (probe(path), thumbnail(path, 64), subtitles(path));
    let faces = FaceSource::Cropped;
    prepare(&Request {
        path,
        audio: None,
        text: None,
        faces,
        face: None,
        choice: FaceChoice::Size,
        detectors: &BUILT_IN,
        inputs: &INPUTS,
    })
}

/// The sample of a broken file and its notes, or why there is none.
#[track_caller]
fn check(path: &Path, what: &str) -> Result<Prepared, String> {
    let (tell, told) = mpsc::channel();
    let own = path.to_owned();
    std::thread::spawn(move || tell.send(use_up(&own)).is_ok());
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(prepared)) => {
            let Prepared { sample, notes, .. } = &prepared;
            assert!(sample.face.as_ref().is_none_or(|frames| frames.n_frames() == 4), "{what}");
            assert!(sample.face.is_some() || sample.voice.is_some(), "{what}: {notes:?}");
            let is_whole = sample.face.is_some() && sample.voice.is_some();
            assert!(is_whole || !notes.is_empty(), "{what}: nobody says what is missing");
            Ok(prepared)
        }
        Ok(Err(error)) => {
            let reason = error.to_string();
            assert!(reason.len() > 30 && reason.ends_with(&path.display().to_string()), "{what}: {reason}");
            Err(reason)
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: no end after {} s", PATIENCE.as_secs()),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: panicked"),
    }
}

#[track_caller]
fn check_bytes(path: &Path, bytes: &[u8], what: &str) -> Result<Prepared, String> {
    std::fs::write(path, bytes).unwrap();
    check(path, what)
}

fn film(folder: &Path, (width_px, height_px): (usize, usize), n_frames: usize, n_samples: usize) -> PathBuf {
    let path = folder.join(format!("film-{width_px}-{n_frames}-{n_samples}.mp4"));
    let rgb = |frame_idx: usize| (0..width_px * height_px * 3).map(|at| (at / 7 + frame_idx * 9) as u8).collect();
    let frames: Vec<Image> =
        (0..n_frames).map(|frame_idx| Image { width_px, height_px, rgb: rgb(frame_idx) }).collect();
    let samples = test_media::tone(n_samples, 16000);
    write_mp4(
        &path,
        &Recording { frames: &frames, frame_rate_hz: 25, samples: &samples, sample_rate_hz: 16000, n_b_frames: 0 },
    )
    .unwrap();
    path
}

/// Small whole files of several formats.
fn whole(folder: &Path) -> Vec<PathBuf> {
    let mp4 = film(folder, (64, 48), 12, 8000);
    let (mkv, y4m, wav, png, jpg) =
        ["film.mkv", "film.y4m", "sound.wav", "photo.png", "photo.jpg"].map(|name| folder.join(name)).into();
    test_media::y4m(&y4m, (16, 12), 5, |frame_idx, x, y| (frame_idx * 20 + x + y) as u8);
    let samples: Vec<i16> = test_media::tone(8000, 22050).iter().map(|x| (x * 32767.0) as i16).collect();
    test_media::wav(&wav, 22050, 2, &samples);
    test_media::mkv(&[&y4m, &wav], &[("eng", "Hello")], &mkv);
    for picture in [&png, &jpg] {
        image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 77])).save(picture).unwrap();
    }
    vec![mp4, mkv, y4m, wav, png, jpg]
}

#[test]
fn files_cut_off_anywhere_give_a_sample_or_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    for path in whole(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(check(&path, "whole").is_ok());
        let broken = dir.path().join("cut");
        for nth in 0..40 {
            let length = bytes.len() * nth / 40;
            let outcome = check_bytes(&broken, &bytes[..length], &format!("{} cut to {length}", path.display()));
            assert!(nth > 0 || outcome.unwrap_err().contains("empty"));
        }
    }
}

#[test]
fn flipped_bits_give_a_sample_or_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    for path in whole(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let broken = dir.path().join("flipped");
        for seed in 0..60 {
            let mut random = Pcg64Mcg::seed_from_u64(seed);
            let mut flipped = bytes.clone();
            for _ in 0..1 << random.random_range(0..7) {
                let at = random.random_range(0..bytes.len());
                flipped[at] ^= 1 << random.random_range(0..8);
            }
            // The outcome is up to the decoders.
            let _ = check_bytes(&broken, &flipped, &format!("{} with seed {seed}", path.display()));
        }
    }
}

#[test]
fn headers_that_lie_give_a_sample_or_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(film(dir.path(), (64, 48), 12, 8000)).unwrap();
    let broken = dir.path().join("lies.mp4");
    let mut n_samples = 0;
    for name in
        ["mvhd", "tkhd", "mdhd", "hdlr", "stsd", "stts", "stsz", "stsc", "stco", "ctts", "elst", "stss", "mdat", "avcC"]
    {
        for (at, _) in bytes.windows(4).enumerate().filter(|(_, four)| *four == name.as_bytes()) {
            for offset in (0..40).step_by(4).chain([at]).map(|offset| if offset == at { 0 } else { offset + 8 }) {
                // Eight bytes before: the length of the box itself.
                let place = (at + offset).saturating_sub(4);
                for value in [0, 1, 0x7FFF_FFFF, u32::MAX] {
                    let mut lies = bytes.clone();
                    let Some(four) = lies.get_mut(place..place + 4) else { continue };
                    four.copy_from_slice(&value.to_be_bytes());
                    let outcome = check_bytes(&broken, &lies, &format!("{name} + {offset} = {value:#x}"));
                    n_samples += usize::from(outcome.is_ok());
                }
            }
        }
    }
    assert!(n_samples > 100, "most of these files can still be used: {n_samples}");
}

#[test]
fn a_film_that_states_another_length_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(film(dir.path(), (64, 48), 12, 8000)).unwrap();
    let places = |name: &[u8; 4]| -> Vec<usize> {
        bytes.windows(4).enumerate().filter(|(_, four)| four == name).map(|(at, _)| at).collect()
    };
    // Version, flags and two dates come before the rate and the length.
    for value in [1, 0x7FFF_FFFF] {
        let mut lies = bytes.clone();
        for at in places(b"mvhd").into_iter().chain(places(b"mdhd")) {
            lies[at + 20..at + 24].copy_from_slice(&u32::to_be_bytes(value));
        }
        for at in places(b"tkhd") {
            lies[at + 24..at + 28].copy_from_slice(&u32::to_be_bytes(value));
        }
        let prepared = check_bytes(&dir.path().join("lies.mp4"), &lies, &format!("length {value}")).unwrap();
        assert_eq!(prepared.sample.face.unwrap().valid, [true; 4], "length {value}");
        assert!(prepared.sample.voice.is_some(), "length {value}");
    }
}

#[test]
fn odd_rates_and_channels_of_sound_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sound.wav");
    test_media::wav(&path, 16000, 1, &[500; 16000]);
    let bytes = std::fs::read(&path).unwrap();
    let with = |place: usize, value: &[u8]| {
        let mut lies = bytes.clone();
        lies[place..place + value.len()].copy_from_slice(value);
        check_bytes(&dir.path().join("lies.wav"), &lies, &format!("{value:?} at {place}"))
    };
    for rate_hz in [0, 1, 100, 1_000_000, 0x7FFF_FFFF, u32::MAX] {
        let reason = with(24, &rate_hz.to_le_bytes()).unwrap_err();
        assert!(reason.contains("sampling rate") || reason.contains("not a media file"), "{rate_hz}: {reason}");
    }
    for rate_hz in [2_000, 192_000, 768_000_u32] {
        assert!(with(24, &rate_hz.to_le_bytes()).is_ok(), "{rate_hz}");
    }
    for n_channels in [0, 3, 255, u16::MAX] {
        let _ = with(22, &n_channels.to_le_bytes());
    }
    for length in [0, 1, u32::MAX] {
        let _ = with(40, &length.to_le_bytes());
        let _ = with(4, &length.to_le_bytes());
    }
}

#[test]
fn extreme_sizes_and_missing_tracks_are_samples() {
    let dir = tempfile::tempdir().unwrap();
    let frames = |path: &Path| check(path, "extreme").unwrap().sample.face.map(|frames| frames.valid);
    for (size, n_frames) in [((1, 1), 1), ((1, 1), 7), ((4000, 1), 2), ((1, 4000), 2), ((7680, 4320), 2)] {
        let path = dir.path().join("sized.y4m");
        test_media::y4m(&path, size, n_frames, |_, x, _| x as u8);
        let valid: Vec<bool> = (0..4).map(|frame_idx| frame_idx < n_frames).collect();
        assert_eq!(frames(&path), Some(valid), "{size:?}");
    }
    let first = [true, false, false, false];
    assert_eq!(frames(&film(dir.path(), (7680, 4320), 1, 1600)).unwrap(), first);
    let single = check(&film(dir.path(), (64, 48), 1, 0), "one frame").unwrap();
    assert_eq!(single.sample.face.unwrap().valid, first);
    assert_eq!(single.notes, ["only one frame, in which nothing moves", "no audio track"]);
    let picture = dir.path().join("picture.png");
    image::RgbImage::new(8, 8).save(&picture).unwrap();
    assert_eq!(check(&picture, "a picture").unwrap().notes, ["no audio track"], "a picture is meant to stand still");
    let silent = check(&film(dir.path(), (64, 48), 9, 0), "no sound").unwrap();
    assert!(silent.sample.voice.is_none() && silent.notes == ["no audio track"]);
    let sound = dir.path().join("sound.wav");
    test_media::wav(&sound, 8000, 1, &[9; 8000]);
    assert_eq!(check(&sound, "no picture").unwrap().notes, ["no video track"]);
    for (name, content) in
        [("empty.mp4", ""), ("text.mp4", "Dear diary, today was a day."), ("zeros.mp4", "\0\0\0\0\0\0\0\0")]
    {
        assert!(check_bytes(&dir.path().join(name), content.as_bytes(), name).is_err());
    }
}
