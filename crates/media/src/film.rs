//! One pass through a media file, or through a folder of pictures, that keeps what stands for the clip.

use std::path::Path;

use emotion::VoiceInput;

use crate::hearing::{Hearing, needed_samples};
use crate::picker::Picker;
use crate::pictures::{self, Pictures};
use crate::source::{Decoded, Source, Tracks};
use crate::upright::Scaler;
use crate::{ClipInfo, Image, MediaError};

/// Longer clips are sampled at their key frames and heard only around the middle: minutes become seconds.
const LONG_SECS: f64 = 120.0;
/// Kept frames are no larger than this on the longer side, until the face is cut out.
const MAX_SIDE_PX: usize = 1280;

/// What stands for a clip.
#[derive(Default)]
pub(crate) struct Film {
    /// What is in the file.
    pub(crate) info: ClipInfo,
    /// Frames in order, at most as many as were asked for.
    pub(crate) images: Vec<Image>,
    /// The middle of the sound, at the rate that was asked for.
    pub(crate) samples: Vec<f32>,
    /// What is wrong with the file, in words.
    pub(crate) notes: Vec<String>,
}

/// Decodes a file to `n_segments` frames and the sound that `voice` needs, or `searched_secs` of it if that is more;
/// neither is looked at where it is not asked for.
pub(crate) fn watch(
    path: &Path,
    n_segments: usize,
    voice: Option<&VoiceInput>,
    searched_secs: f64,
) -> Result<Film, MediaError> {
    let mut source = Source::open_wary(path, Tracks { video: n_segments > 0, audio: voice.is_some() })?;
    let mut info = source.info.clone();
    let mut notes = std::mem::take(&mut source.notes);
    let (has_video, voice) = (source.video.is_some(), voice.filter(|_| source.audio.is_some()));

    let n_segments = if has_video { n_segments } else { 0 };
    let is_long = info.duration_secs > LONG_SECS;
    if is_long {
        // What is left out of its few key frames is not looked for again.
        source = Source::open(path, Tracks { video: n_segments > 0, audio: voice.is_some() })?;
    }
    let stated = || info.video.and_then(|video| video.n_frames).map_or_else(|| count_frames(path), Ok);
    let mut picker = if n_segments == 0 {
        Picker::none()
    } else if is_long {
        Picker::over_time(n_segments, info.duration_secs)
    } else if let Some(mut timetable) = source.read_ahead() {
        let picker = Picker::at(n_segments, timetable.n_frames());
        timetable.need(picker.numbers());
        if let Some(video) = &mut source.video {
            video.timetable = Some(timetable);
        }
        picker
    } else {
        Picker::at(n_segments, stated()? as usize)
    };
    if is_long {
        let needed_secs = voice.map_or(0.0, |input| needed_samples(input) as f64 / f64::from(input.rate_hz()));
        let half_secs = needed_secs.max(searched_secs) / 2.0 + 1.0;
        let middle_secs = info.duration_secs / 2.0;
        source.video.iter_mut().for_each(|video| video.only_key_frames = true);
        source
            .audio
            .iter_mut()
            .for_each(|audio| audio.window_secs = Some((middle_secs - half_secs, middle_secs + half_secs)));
    }
    let mut hearing = voice.map(|input| Hearing::new(input, searched_secs));
    let mut seen = run(&mut source, &mut picker, hearing.as_mut())?;
    notes.extend(source.complaints());
    let again = |picker: &mut Picker| run(&mut Source::open(path, Tracks { video: true, audio: false })?, picker, None);
    if has_video && !is_long && (source.n_frames().is_none() || source.is_damaged()) {
        // Frames did not come at the times of their packets, or are damaged and shown as far as they can be.
        picker = Picker::at(n_segments, stated()? as usize);
        seen = again(&mut picker)?;
    }
    if !picker.is_right(seen.n_frames) {
        // The file stated another number of frames, or has too few key frames.
        let n_frames = if is_long { count_frames(path)? as usize } else { seen.n_frames };
        picker = Picker::at(n_segments, n_frames);
        seen = again(&mut picker)?;
    }
    if let (Some(input), Some(first)) = (voice, &mut hearing) {
        let listen = |hearing: &mut Hearing| {
            let tracks = Tracks { video: false, audio: true };
            run(&mut Source::open(path, tracks)?, &mut Picker::none(), Some(hearing))
        };
        if is_long && first.is_short() {
            // The file stated another length.
            *first = Hearing::new(input, searched_secs);
            listen(first)?;
        }
        if let Some(mut again) = first.again() {
            listen(&mut again)?;
            *first = again;
        }
    }
    if n_segments > 1 && seen.n_frames == 1 && !source.is_picture {
        notes.push("only one frame, in which nothing moves".to_owned());
    }
    if info.duration_secs <= 0.0 {
        info.duration_secs = seen.last_secs;
    }
    let images = picker.into_images();
    let flaws = hearing.as_ref().map(Hearing::flaws).unwrap_or_default();
    let complaint = flaws.complaint();
    let mut samples = hearing.map(Hearing::into_samples).unwrap_or_default();
    if flaws.spoil_all() {
        samples.clear();
    }
    if (has_video || voice.is_some()) && images.is_empty() && samples.is_empty() {
        return Err(MediaError::decode(path, complaint.as_deref().unwrap_or("nothing in it could be read")));
    }
    notes.extend(complaint);
    Ok(Film { info, images, samples, notes })
}

/// Reads `n_segments` pictures of a folder; those that cannot be read are left out and noted.
pub(crate) fn leaf(folder: &Path, n_segments: usize) -> Result<Film, MediaError> {
    let pictures = Pictures::list(folder)?;
    let info = pictures.info()?;
    let picked = pictures.picked(n_segments);
    let mut images = Vec::new();
    let (mut n_damaged, mut first_damaged) = (0, None);
    let mut first_error = None;
    for path in &picked {
        match pictures::read(path, MAX_SIDE_PX) {
            Ok((image, is_damaged)) => {
                images.push(image);
                n_damaged += usize::from(is_damaged);
                first_damaged = first_damaged.or(is_damaged.then_some(path));
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let mut notes = Vec::new();
    if let Some(error) = first_error {
        if images.is_empty() {
            return Err(error);
        }
        let (n_lost, n) = (picked.len() - images.len(), picked.len());
        notes.push(format!("{n_lost} of {n} pictures cannot be read and are left out, the first: {error}"));
    }
    if let Some(path) = first_damaged {
        notes.push(format!("{n_damaged} of {} pictures are damaged, the first: {}", picked.len(), path.display()));
    }
    Ok(Film { info, images, samples: Vec::new(), notes })
}

/// The frames that a file has, where it does not state them: as many as there are packets.
fn count_frames(path: &Path) -> Result<u64, MediaError> {
    Ok(Source::open(path, Tracks { video: true, audio: false })?.count_video_packets())
}

/// What passed by while decoding.
#[derive(Default)]
struct Seen {
    n_frames: usize,
    last_secs: f64,
}

fn run(source: &mut Source, picker: &mut Picker, mut hearing: Option<&mut Hearing>) -> Result<Seen, MediaError> {
    let turn = source.video.as_ref().map_or_else(Default::default, |video| video.turn);
    let mut scaler = Scaler::new(turn, Some(MAX_SIDE_PX));
    let mut seen = Seen::default();
    while let Some(decoded) = source.next()? {
        match decoded {
            Decoded::Video { pts_secs, number, frame } => {
                if let Some(slot) = number.and_then(|number| picker.wants(number, pts_secs)) {
                    // A frame that cannot be converted is as good as not there.
                    if let Ok(image) = scaler.image(&frame) {
                        picker.put(slot, image);
                    }
                }
                seen.last_secs = seen.last_secs.max(pts_secs.unwrap_or(0.0));
            }
            Decoded::Audio { pts_secs, frame } => {
                if let Some(hearing) = &mut hearing {
                    hearing.push(&frame);
                }
                seen.last_secs = seen.last_secs.max(pts_secs.unwrap_or(0.0));
            }
        }
    }
    if let Some(hearing) = hearing {
        hearing.finish();
    }
    seen.n_frames = source.n_frames().unwrap_or_default();
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Recording, write_mp4};
    use crate::test_media;

    const VOICE: VoiceInput = VoiceInput::Waveform { rate_hz: 16000, n_samples: 1600 };

    #[test]
    fn what_is_cut_off_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let named = |name: &str| dir.path().join(name);
        let (wav, caf, mkv, jpg) = (named("a.wav"), named("a.caf"), named("a.mkv"), named("a.jpg"));
        test_media::wav(&wav, 16000, 1, &[900; 32000]);
        test_media::caf(&caf, 16000, &[900; 32000]);
        test_media::mkv(&[&test_media::mp4(dir.path(), 50, 0), &wav], &[], &mkv);
        image::RgbImage::from_fn(200, 200, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8])).save(&jpg).unwrap();
        for (path, note) in [
            (&wav, "only 32022 of 64044 bytes are there"),
            (&caf, "only 1.0 of 2.0 s"),
            (&mkv, "only 1.0 of 2.0 s"),
            (&jpg, "1 piece is damaged"),
        ] {
            let notes = || watch(path, 4, Some(&VOICE), 0.0).unwrap().notes;
            assert_eq!(notes(), &[] as &[String], "{}", path.display());
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            let cut = notes();
            assert!(cut[0].starts_with(note), "{}: {cut:?}", path.display());
        }
        let heard = crate::decode_audio(&wav, 16000).unwrap().unwrap();
        assert_eq!(heard.notes[..1], ["only 32022 of 64044 bytes are there"]);
    }

    #[test]
    fn lengths_of_avi_are_believed_as_far_as_its_writer_knew_them() {
        let dir = tempfile::tempdir().unwrap();
        let (y4m, wav, avi) = (dir.path().join("a.y4m"), dir.path().join("a.wav"), dir.path().join("a.avi"));
        test_media::y4m(&y4m, (16, 16), 50, |frame_idx, x, y| (frame_idx + x + y) as u8);
        test_media::wav(&wav, 16000, 1, &[900; 32000]);
        test_media::avi(&[&y4m, &wav], &avi);
        let whole = std::fs::read(&avi).unwrap();
        let check = |bytes: &[u8], expected: Option<&str>| {
            std::fs::write(&avi, bytes).unwrap();
            let film = watch(&avi, 4, Some(&VOICE), 0.0).unwrap();
            assert_eq!(film.notes.first().map(String::as_str), expected);
            assert!(expected.is_some() || (film.info.duration_secs - 2.0).abs() < 0.1, "{:?}", film.info);
        };
        check(&whole, None);
        let n_bytes = whole.len();
        check(&whole[..n_bytes / 2], Some(&format!("only {} of {n_bytes} bytes are there", n_bytes / 2)));
        // Where the header of each track states its length.
        let lengths: Vec<usize> =
            (0..n_bytes - 4).filter(|&at| &whole[at..at + 4] == b"strh").map(|at| at + 40).collect();
        let patched = |places: &[usize], number: u32| {
            let mut bytes = whole.clone();
            places.iter().for_each(|&at| bytes[at..at + 4].copy_from_slice(&number.to_le_bytes()));
            bytes
        };
        // Sound that begins two seconds late.
        check(&patched(&lengths[1..], 64000), None);
        // What is written into a pipe.
        let mut piped = patched(&lengths, 1 << 30);
        piped[4..8].fill(0xFF);
        check(&piped, None);
    }

    #[test]
    fn an_ivf_that_was_written_into_a_pipe_is_as_long_as_its_frames() {
        let dir = tempfile::tempdir().unwrap();
        let (webm, ivf) = (dir.path().join("a.webm"), dir.path().join("a.ivf"));
        if test_media::vp9(&webm, 50).is_none() {
            return;
        }
        test_media::ivf(&[&webm], &ivf);
        let mut bytes = std::fs::read(&ivf).unwrap();
        // The number of frames.
        bytes[24..28].fill(0xFF);
        std::fs::write(&ivf, bytes).unwrap();
        let film = watch(&ivf, 4, None, 0.0).unwrap();
        assert_eq!((film.images.len(), film.notes), (4, Vec::new()));
        assert!((film.info.duration_secs - 2.0).abs() < 0.1, "{:?}", film.info);
    }

    #[test]
    fn what_is_missing_within_the_sound_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (wav, mkv, ogg) = (dir.path().join("a.wav"), dir.path().join("a.mkv"), dir.path().join("a.ogg"));
        test_media::wav(&wav, 16000, 1, &[900; 16000 * 9]);
        test_media::mkv(&[&test_media::mp4(dir.path(), 225, 0), &wav], &[], &mkv);
        test_media::flac_in_ogg(&ogg, 15);
        let check = |path: &Path, bytes: &[u8], said: Option<&str>| {
            std::fs::write(path, bytes).unwrap();
            let notes = watch(path, 4, Some(&VOICE), 0.0).unwrap().notes;
            assert_eq!(
                notes.iter().any(|note| said.is_some_and(|said| note.contains(said))),
                said.is_some(),
                "{notes:?}"
            );
            assert!(said.is_some() || notes.is_empty(), "{notes:?}");
        };
        let without = |bytes: &[u8], part: std::ops::Range<usize>| [&bytes[..part.start], &bytes[part.end..]].concat();

        let film = std::fs::read(&mkv).unwrap();
        check(&mkv, &film, None);
        check(&mkv, &without(&film, film.len() / 2..film.len() * 2 / 3), Some(" s are missing within the sound"));
        let sound = std::fs::read(&ogg).unwrap();
        let pages: Vec<usize> = (0..sound.len()).filter(|&at| sound[at..].starts_with(b"OggS")).collect();
        check(&ogg, &sound, None);
        check(&ogg, &without(&sound, pages[7]..pages[8]), Some("1.0 s are missing within the sound"));
        // What follows is the last page alone, which does not say when it begins.
        check(&ogg, &without(&sound, pages[pages.len() - 4]..pages[pages.len() - 1]), Some("only 12."));
    }

    #[test]
    fn sound_that_is_none_is_left_out_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let (path, film) = (dir.path().join("a.wav"), dir.path().join("a.mkv"));
        let tone = test_media::tone(16000, 16000);
        let check = |scale: f32, n_unreal: usize, said: Option<&str>| {
            let mut samples: Vec<f32> = tone.iter().map(|value| value * scale).collect();
            samples[..n_unreal].fill(f32::NAN);
            test_media::float_wav(&path, 16000, &samples);
            test_media::mkv(&[&test_media::mp4(dir.path(), 25, 0), &path], &[], &film);
            let film = watch(&film, 4, Some(&VOICE), 0.0).unwrap();
            assert_eq!(film.notes.first().map(String::as_str), said);
            assert!(film.samples.iter().all(|value| value.abs() <= 1.0), "{said:?}");
            let is_used = said.is_none_or(|said| !said.ends_with("it is not used"));
            assert_eq!(film.samples.is_empty(), !is_used, "{said:?}");
            // Alone it is no clip.
            assert_eq!(watch(&path, 4, Some(&VOICE), 0.0).is_ok(), is_used, "{said:?}");
            assert_eq!(crate::decode_audio(&path, 16000).is_ok(), is_used, "{said:?}");
        };
        check(1.0, 0, None);
        check(3.0, 0, None);
        check(1.0, 9, Some("9 of 16000 samples of the sound are not numbers: they are silent"));
        check(1.0, 9000, Some("9000 of 16000 samples of the sound are not numbers: it is not used"));
        check(32768.0, 0, Some("the sound goes up to 16384 times full scale, which is -1 to 1: it is not used"));
    }

    #[test]
    fn what_an_edit_list_leaves_out_is_not_missed() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 50, 0);
        let mut bytes = std::fs::read(&path).unwrap();
        let after = |name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap() + 4;
        // After version, flags and a count: the length, in thousandths, and the time in the track where it begins.
        let (edit, rate_at) = (after(b"elst") + 8, after(b"mdhd") + 12);
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let start = number(edit + 4) + number(rate_at) * 4 / 5;
        bytes[edit..edit + 4].copy_from_slice(&1200_u32.to_be_bytes());
        bytes[edit + 4..edit + 8].copy_from_slice(&start.to_be_bytes());
        std::fs::write(&path, bytes).unwrap();
        let film = watch(&path, 4, None, 0.0).unwrap();
        assert_eq!((film.images.len(), film.notes), (4, Vec::new()));
    }

    #[test]
    fn frames_that_nobody_looks_at_are_skipped_and_the_others_stay_as_they_are() {
        const N_FRAMES: usize = 60;
        let frame = |frame_idx: usize| {
            let luma = |place: usize| (place * 7 + frame_idx * 3 + place / 64 * frame_idx) as u8;
            Image { width_px: 64, height_px: 64, rgb: (0..64 * 64 * 3).map(|i| luma(i / 3)).collect() }
        };
        let frames: Vec<Image> = (0..N_FRAMES).map(frame).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.mp4");
        let recording =
            Recording { frames: &frames, frame_rate_hz: 25, samples: &[], sample_rate_hz: 16000, n_b_frames: 3 };
        write_mp4(&path, &recording).unwrap();
        let open = || Source::open(&path, Tracks { video: true, audio: false }).unwrap();

        for n_segments in [1, 2, 4, 16] {
            let mut every = Picker::at(n_segments, N_FRAMES);
            assert_eq!(run(&mut open(), &mut every, None).unwrap().n_frames, N_FRAMES);
            let film = watch(&path, n_segments, None, 0.0).unwrap();
            assert!(film.notes.is_empty() && film.images == every.into_images(), "{n_segments}: {:?}", film.notes);
        }

        let mut source = open();
        let mut timetable = source.read_ahead().unwrap();
        timetable.need(&[30]);
        source.video.as_mut().unwrap().timetable = Some(timetable);
        let mut numbers = Vec::new();
        while let Some(Decoded::Video { number, .. }) = source.next().unwrap() {
            numbers.push(number.unwrap());
        }
        // There is a key frame every second, and the first and the last are always looked at.
        let is_near = |number: &usize| [0..1, 25..35, 50..60].iter().any(|near| near.contains(number));
        assert!([0, 30, 59].iter().all(|needed| numbers.contains(needed)), "{numbers:?}");
        assert!(numbers.iter().all(is_near) && numbers.len() < 20, "{numbers:?}");
        assert_eq!(source.n_frames(), Some(N_FRAMES));
    }
}
