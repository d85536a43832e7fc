//! Media files to upright RGB images and mono samples, through FFmpeg.
//!
//! Files are read through their handle and recognized by content, never by name: a name like `http:x.mp4` or
//! `a%d.png` means something else to FFmpeg, and a playlist must not open other files.
//! Left out: hardware decoding; colour matrices other than BT.601 are read as BT.601.

use std::fs::File;
use std::path::Path;
use std::sync::Once;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec;
use ffmpeg::format::context::{Input, StreamIo};
use ffmpeg::format::{Pixel, Sample as SampleFormat};
use ffmpeg::media::Type as MediaType;
use ffmpeg::software::scaling;
use ffmpeg::util::frame;
use serde::{Deserialize, Serialize};

use crate::MediaError;
use crate::resample::Resampler;

/// A file with more broken packets in a row than this has ended.
const MAX_BROKEN_PACKETS: usize = 1000;
/// Frames beyond 100 megapixels come from a broken header, and would take the memory with them.
const MAX_PIXELS: &str = "100000000";
/// Pixels that are further from square than this are taken for a broken header.
const MAX_PIXEL_ASPECT: f64 = 4.0;

/// What is in a media file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipInfo {
    /// Length in seconds as the file states it; 0 where it does not.
    pub duration_secs: f64,
    /// The picture; `None` for sound alone. Cover art is no picture.
    pub video: Option<VideoInfo>,
    /// The sound; `None` for a silent film.
    pub audio: Option<AudioInfo>,
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

/// Reads what is in a file without decoding it.
pub fn probe(path: &Path) -> Result<ClipInfo, MediaError> {
    Ok(Source::open(path, Tracks::ALL)?.info)
}

/// A frame from the middle, at most `max_side_px` on its longer side.
pub fn thumbnail(path: &Path, max_side_px: usize) -> Result<Image, MediaError> {
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
            Some(Decoded::Video { pts_secs, frame }) => {
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

/// The whole sound, mixed to mono in -1..1 at `rate_hz`; `None` where there is no audio track.
///
/// An hour at 16 kHz takes 230 MB; [`prepare`](crate::prepare()) keeps only what a model needs.
pub fn decode_audio(path: &Path, rate_hz: u32) -> Result<Option<Vec<f32>>, MediaError> {
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
    Ok(Some(samples))
}

/// Sets FFmpeg up, once; its own messages are silenced, because errors carry what matters.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ffmpeg::init().expect("registering FFmpeg's devices cannot fail");
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    });
}

/// The tracks to decode; the others are skipped in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracks {
    pub(crate) video: bool,
    pub(crate) audio: bool,
}

impl Tracks {
    pub(crate) const ALL: Self = Self { video: true, audio: true };
}

/// The picture track of an open file.
pub(crate) struct VideoTrack {
    stream_idx: usize,
    decoder: codec::decoder::Video,
    secs_per_tick: f64,
    /// How the frames must be turned.
    pub(crate) turn: Turn,
    /// Decode only frames that need no others.
    pub(crate) only_key_frames: bool,
}

/// The sound track of an open file.
pub(crate) struct AudioTrack {
    stream_idx: usize,
    decoder: codec::decoder::Audio,
    secs_per_tick: f64,
    /// Decode only what lies between these times, in seconds.
    pub(crate) window_secs: Option<(f64, f64)>,
}

/// A decoded frame with its time after the start of the clip, where the file tells it.
pub(crate) enum Decoded {
    Video { pts_secs: Option<f64>, frame: frame::Video },
    Audio { pts_secs: Option<f64>, frame: frame::Audio },
}

/// An open media file, decoded in stream order.
pub(crate) struct Source {
    input: Input,
    pub(crate) info: ClipInfo,
    pub(crate) video: Option<VideoTrack>,
    pub(crate) audio: Option<AudioTrack>,
    /// What is wrong with the file without making it useless, for the user.
    pub(crate) notes: Vec<String>,
    start_secs: f64,
    state: State,
    n_broken: usize,
}

/// Where decoding stands.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    TakingVideo,
    TakingAudio,
    DrainingVideo,
    DrainingAudio,
    Done,
}

impl Source {
    /// Opens a regular file and the decoders of the tracks that are asked for.
    pub(crate) fn open(path: &Path, tracks: Tracks) -> Result<Self, MediaError> {
        let input = open_input(path)?;
        let mut notes = Vec::new();
        let found = |kind: MediaType| {
            let usable = |index: usize| {
                input.stream(index).is_some_and(|stream| {
                    stream.parameters().medium() == kind
                        && !stream.disposition().contains(ffmpeg::format::stream::Disposition::ATTACHED_PIC)
                })
            };
            input
                .streams()
                .best(kind)
                .map(|stream| stream.index())
                .filter(|&index| usable(index))
                .or_else(|| (0..input.nb_streams() as usize).find(|&index| usable(index)))
        };
        let (video_idx, audio_idx) = (found(MediaType::Video), found(MediaType::Audio));
        if video_idx.is_none() && audio_idx.is_none() {
            return Err(MediaError::NoStreams(path.to_owned()));
        }

        let mut info = ClipInfo { duration_secs: duration_secs(&input), video: None, audio: None };
        let mut reason = String::new();
        let video = video_idx.and_then(|stream_idx| match open_video(&input, stream_idx) {
            Ok((track, video_info)) => {
                info.video = Some(video_info);
                Some(track)
            }
            Err(error) => {
                reason = format!("the picture cannot be decoded: {error}");
                notes.push(reason.clone());
                None
            }
        });
        let audio = audio_idx.and_then(|stream_idx| match open_audio(&input, stream_idx) {
            Ok((track, audio_info)) => {
                info.audio = Some(audio_info);
                Some(track)
            }
            Err(error) => {
                reason = format!("the sound cannot be decoded: {error}");
                notes.push(reason.clone());
                None
            }
        });
        if video.is_none() && audio.is_none() {
            return Err(MediaError::decode(path, reason));
        }
        let start_secs = [video_idx, audio_idx]
            .into_iter()
            .flatten()
            .filter_map(|index| input.stream(index))
            .filter(|stream| stream.start_time() != i64::MIN)
            .map(|stream| stream.start_time() as f64 * f64::from(stream.time_base()))
            .fold(f64::INFINITY, f64::min);
        Ok(Self {
            input,
            info,
            video: video.filter(|_| tracks.video),
            audio: audio.filter(|_| tracks.audio),
            notes,
            start_secs: if start_secs.is_finite() { start_secs } else { 0.0 },
            state: State::Reading,
            n_broken: 0,
        })
    }

    /// Goes to the last key frame before `secs` after the start; stays where it is if the file cannot do that.
    pub(crate) fn seek(&mut self, secs: f64) {
        let micros = ((secs + self.start_secs) * 1e6) as i64;
        if self.input.seek(micros, ..micros).is_ok() {
            self.video.iter_mut().for_each(|video| video.decoder.flush());
            self.audio.iter_mut().for_each(|audio| audio.decoder.flush());
        }
    }

    /// Counts the packets of the picture track without decoding; the source is at its end afterwards.
    pub(crate) fn count_video_packets(&mut self) -> u64 {
        let Some(stream_idx) = self.video.as_ref().map(|video| video.stream_idx) else { return 0 };
        let mut n_packets = 0;
        while let Some(packet) = self.read_packet() {
            n_packets += u64::from(packet.stream() == stream_idx);
        }
        self.state = State::Done;
        n_packets
    }

    /// The next decoded frame of either track; `None` at the end. Broken packets are skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Decoded>, MediaError> {
        loop {
            match self.state {
                State::Reading => self.feed(),
                State::TakingVideo | State::DrainingVideo => {
                    if let Some(decoded) = self.take_video() {
                        return Ok(Some(decoded));
                    }
                    self.state = if self.state == State::TakingVideo { State::Reading } else { self.drain_audio() };
                }
                State::TakingAudio | State::DrainingAudio => {
                    if let Some(decoded) = self.take_audio() {
                        return Ok(Some(decoded));
                    }
                    self.state = if self.state == State::TakingAudio { State::Reading } else { State::Done };
                }
                State::Done => return Ok(None),
            }
        }
    }

    fn read_packet(&mut self) -> Option<ffmpeg::Packet> {
        let mut packet = ffmpeg::Packet::empty();
        let mut n_failed = 0;
        loop {
            match packet.read(&mut self.input) {
                Ok(()) => return Some(packet),
                // A demuxer can find its way again after broken data; every other error repeats for ever.
                Err(ffmpeg::Error::InvalidData) if n_failed < MAX_BROKEN_PACKETS => n_failed += 1,
                Err(_) => return None,
            }
        }
    }

    fn feed(&mut self) {
        let Some(packet) = self.read_packet() else {
            self.state = match &mut self.video {
                Some(video) => {
                    // Sending the end twice is the only way this fails, and then there is nothing left to take.
                    let _ = video.decoder.send_eof();
                    State::DrainingVideo
                }
                None => self.drain_audio(),
            };
            return;
        };
        let sent = match (&mut self.video, &mut self.audio) {
            (Some(video), _) if video.stream_idx == packet.stream() => {
                if video.only_key_frames && !packet.is_key() {
                    return;
                }
                self.state = State::TakingVideo;
                video.decoder.send_packet(&packet)
            }
            (_, Some(audio)) if audio.stream_idx == packet.stream() => {
                if let (Some((from, to)), Some(pts)) = (audio.window_secs, packet.pts()) {
                    let secs = pts as f64 * audio.secs_per_tick - self.start_secs;
                    if secs < from || secs > to {
                        return;
                    }
                }
                self.state = State::TakingAudio;
                audio.decoder.send_packet(&packet)
            }
            _ => return,
        };
        if sent.is_err() {
            self.n_broken += 1;
        }
    }

    fn drain_audio(&mut self) -> State {
        match &mut self.audio {
            Some(audio) => {
                let _ = audio.decoder.send_eof();
                State::DrainingAudio
            }
            None => State::Done,
        }
    }

    fn take_video(&mut self) -> Option<Decoded> {
        let video = self.video.as_mut()?;
        let mut frame = frame::Video::empty();
        for _ in 0..MAX_BROKEN_PACKETS {
            match video.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    let pts_secs = frame.timestamp().map(|ticks| ticks as f64 * video.secs_per_tick - self.start_secs);
                    return Some(Decoded::Video { pts_secs, frame });
                }
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } | ffmpeg::Error::Eof) => return None,
                Err(_) => self.n_broken += 1,
            }
        }
        None
    }

    fn take_audio(&mut self) -> Option<Decoded> {
        let audio = self.audio.as_mut()?;
        let mut frame = frame::Audio::empty();
        for _ in 0..MAX_BROKEN_PACKETS {
            match audio.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    let pts_secs = frame.timestamp().map(|ticks| ticks as f64 * audio.secs_per_tick - self.start_secs);
                    return Some(Decoded::Audio { pts_secs, frame });
                }
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } | ffmpeg::Error::Eof) => return None,
                Err(_) => self.n_broken += 1,
            }
        }
        None
    }

    /// Packets that could not be decoded so far.
    pub(crate) fn n_broken(&self) -> usize {
        self.n_broken
    }
}

fn open_input(path: &Path) -> Result<Input, MediaError> {
    init();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => MediaError::Missing(path.to_owned()),
        _ => MediaError::io("opening the file", path, error),
    })?;
    // Opening a pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(MediaError::NotAFile(path.to_owned()));
    }
    if metadata.len() == 0 {
        return Err(MediaError::Empty(path.to_owned()));
    }
    let file = File::open(path).map_err(|error| MediaError::io("opening the file", path, error))?;
    let io = StreamIo::from_read_seek(file).map_err(|error| MediaError::not_media(path, error))?;
    let mut options = ffmpeg::Dictionary::new();
    options.set("protocol_whitelist", "none");
    ffmpeg::format::input_from_stream(io, None, Some(options)).map_err(|error| MediaError::not_media(path, error))
}

fn duration_secs(input: &Input) -> f64 {
    let whole = input.duration();
    if whole > 0 {
        return whole as f64 / 1e6;
    }
    input
        .streams()
        .filter(|stream| stream.duration() > 0)
        .map(|stream| stream.duration() as f64 * f64::from(stream.time_base()))
        .fold(0.0, f64::max)
}

fn open_video(input: &Input, stream_idx: usize) -> Result<(VideoTrack, VideoInfo), ffmpeg::Error> {
    let stream = input.stream(stream_idx).ok_or(ffmpeg::Error::StreamNotFound)?;
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let known = codec::decoder::find(decoder.id()).ok_or(ffmpeg::Error::DecoderNotFound)?;
    let mut options = ffmpeg::Dictionary::new();
    options.set("max_pixels", MAX_PIXELS);
    let decoder = decoder.open_as_with(known, options)?.video()?;
    if decoder.width() == 0 || decoder.height() == 0 {
        return Err(ffmpeg::Error::InvalidData);
    }
    let turn = stream
        .side_data()
        .find(|data| data.kind() == codec::packet::side_data::Type::DisplayMatrix)
        .map_or(Turn::default(), |data| Turn::from_display_matrix(data.data()));
    let rate_hz = f64::from(stream.avg_frame_rate());
    let (width, height) = square_pixels(decoder.width(), decoder.height(), decoder.aspect_ratio());
    let (width_px, height_px) = if turn.transposed { (height, width) } else { (width, height) };
    let info = VideoInfo {
        width_px,
        height_px,
        rate_hz: if rate_hz.is_finite() { rate_hz } else { 0.0 },
        n_frames: u64::try_from(stream.frames()).ok().filter(|&n| n > 0),
    };
    let secs_per_tick = f64::from(stream.time_base());
    Ok((VideoTrack { stream_idx, decoder, secs_per_tick, turn, only_key_frames: false }, info))
}

fn open_audio(input: &Input, stream_idx: usize) -> Result<(AudioTrack, AudioInfo), ffmpeg::Error> {
    let stream = input.stream(stream_idx).ok_or(ffmpeg::Error::StreamNotFound)?;
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let decoder = decoder.audio()?;
    let info = AudioInfo { rate_hz: decoder.rate(), n_channels: decoder.channels() };
    if info.rate_hz == 0 || info.n_channels == 0 {
        return Err(ffmpeg::Error::InvalidData);
    }
    let secs_per_tick = f64::from(stream.time_base());
    Ok((AudioTrack { stream_idx, decoder, secs_per_tick, window_secs: None }, info))
}

/// Size in square pixels: wide pixels widen the picture, tall ones heighten it.
fn square_pixels(width: u32, height: u32, aspect: ffmpeg::Rational) -> (u32, u32) {
    let aspect = f64::from(aspect);
    if !aspect.is_finite() || !(1.0 / MAX_PIXEL_ASPECT..=MAX_PIXEL_ASPECT).contains(&aspect) {
        (width, height)
    } else if aspect >= 1.0 {
        ((f64::from(width) * aspect).round() as u32, height)
    } else {
        (width, (f64::from(height) / aspect).round() as u32)
    }
}

/// How a stored picture becomes upright: transposed first, then mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    transposed: bool,
    mirrored_x: bool,
    mirrored_y: bool,
}

impl Turn {
    /// Reads FFmpeg's display matrix: nine native-endian 32-bit integers, of which the upper left four turn.
    /// Angles between the right ones are taken for the nearest.
    fn from_display_matrix(bytes: &[u8]) -> Self {
        let entry = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4)?;
            Some(i64::from(i32::from_ne_bytes(bytes.try_into().ok()?)))
        };
        let (Some(a), Some(b), Some(c), Some(d)) = (entry(0), entry(1), entry(3), entry(4)) else {
            return Self::default();
        };
        // A point (x, y) is shown at (a x + c y, b x + d y).
        if a.abs() + d.abs() >= b.abs() + c.abs() {
            Self { transposed: false, mirrored_x: a < 0, mirrored_y: d < 0 }
        } else {
            Self { transposed: true, mirrored_x: c < 0, mirrored_y: b < 0 }
        }
    }

    /// `rgb` is `[height, width, 3]`.
    fn apply(self, width: usize, height: usize, rgb: Vec<u8>) -> Image {
        if self == Self::default() {
            return Image { width_px: width, height_px: height, rgb };
        }
        let (width_px, height_px) = if self.transposed { (height, width) } else { (width, height) };
        let mut turned = Vec::with_capacity(rgb.len());
        for y in 0..height_px {
            for x in 0..width_px {
                let from_x = if self.mirrored_x { width_px - 1 - x } else { x };
                let from_y = if self.mirrored_y { height_px - 1 - y } else { y };
                let (from_x, from_y) = if self.transposed { (from_y, from_x) } else { (from_x, from_y) };
                let start = (from_y * width + from_x) * 3;
                turned.extend_from_slice(&rgb[start..start + 3]);
            }
        }
        Image { width_px, height_px, rgb: turned }
    }
}

/// Turns decoded frames into upright RGB images with square pixels, whatever their format; the format may change
/// from frame to frame.
pub(crate) struct Scaler {
    turn: Turn,
    max_side_px: Option<usize>,
    context: Option<(scaling::context::Definition, scaling::Context)>,
}

impl Scaler {
    /// Images are at most `max_side_px` on the longer side.
    pub(crate) fn new(turn: Turn, max_side_px: Option<usize>) -> Self {
        Self { turn, max_side_px, context: None }
    }

    pub(crate) fn image(&mut self, frame: &frame::Video) -> Result<Image, ffmpeg::Error> {
        let (width, height) = (frame.width(), frame.height());
        if width == 0 || height == 0 || frame.planes() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        let (full_width, full_height) = square_pixels(width, height, frame.aspect_ratio());
        let longer = full_width.max(full_height) as usize;
        let factor = self.max_side_px.map_or(1.0, |max| (max.max(1) as f64 / longer as f64).min(1.0));
        let out_width = ((f64::from(full_width) * factor).round() as u32).max(1);
        let out_height = ((f64::from(full_height) * factor).round() as u32).max(1);

        let wanted = scaling::context::Definition { format: frame.format(), width, height };
        let same = |(source, context): &(scaling::context::Definition, scaling::Context)| {
            *source == wanted && (context.output().width, context.output().height) == (out_width, out_height)
        };
        if !self.context.as_ref().is_some_and(same) {
            let flags = if factor < 1.0 { scaling::Flags::AREA } else { scaling::Flags::BICUBIC };
            let context =
                scaling::Context::get(frame.format(), width, height, Pixel::RGB24, out_width, out_height, flags)?;
            self.context = Some((wanted, context));
        }
        let (_, context) = self.context.as_mut().expect("it was made above");
        let mut out = frame::Video::empty();
        context.run(frame, &mut out)?;
        if out.planes() == 0 {
            return Err(ffmpeg::Error::InvalidData);
        }
        let (stride, row) = (out.stride(0), out_width as usize * 3);
        let rgb: Vec<u8> =
            out.data(0).chunks(stride).take(out_height as usize).flat_map(|line| &line[..row]).copied().collect();
        // A frame may carry its own orientation, as photographs do.
        let turn = frame
            .side_data(frame::side_data::Type::DisplayMatrix)
            .map_or(self.turn, |data| Turn::from_display_matrix(data.data()));
        Ok(turn.apply(out_width as usize, out_height as usize, rgb))
    }
}

/// Turns decoded audio frames into mono samples at one rate, whatever their format, channels and rate; all three may
/// change from frame to frame.
pub(crate) struct Mono {
    rate_hz: u32,
    resampler: Option<Resampler>,
}

impl Mono {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { rate_hz, resampler: None }
    }

    /// Appends what is ready to `out`, in -1..1.
    pub(crate) fn push(&mut self, frame: &frame::Audio, out: &mut Vec<f32>) {
        if frame.rate() == 0 {
            return;
        }
        let samples = mixed_down(frame);
        if self.resampler.as_ref().is_none_or(|resampler| resampler.input_hz() != frame.rate()) {
            self.finish(out);
            self.resampler = Some(Resampler::new(frame.rate(), self.rate_hz));
        }
        let resampler = self.resampler.as_mut().expect("it was made above");
        resampler.push(&samples, out);
    }

    /// Appends what the filter still holds.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(out);
        }
    }
}

/// Weighted mean of the channels in -1..1.
fn mixed_down(frame: &frame::Audio) -> Vec<f32> {
    let (n_channels, n_samples) = (usize::from(frame.channels()), frame.samples());
    if n_channels == 0 || n_samples == 0 || frame.planes() == 0 {
        return Vec::new();
    }
    let weights = channel_weights(frame.channel_layout().bits(), n_channels);
    macro_rules! mix {
        ($kind:ty, $to_f32:expr) => {{
            let to_f32 = $to_f32;
            let mut mixed = vec![0.0_f32; n_samples];
            if frame.is_planar() {
                for (channel, &weight) in weights.iter().enumerate().take(frame.planes()) {
                    for (sum, &value) in mixed.iter_mut().zip(frame.plane::<$kind>(channel)) {
                        *sum += weight * to_f32(value);
                    }
                }
            } else {
                for (sum, values) in mixed.iter_mut().zip(frame.plane::<$kind>(0).chunks_exact(n_channels)) {
                    *sum = values.iter().zip(&weights).map(|(&value, &weight)| weight * to_f32(value)).sum();
                }
            }
            mixed
        }};
    }
    let mut mixed = match frame.format() {
        SampleFormat::U8(_) => mix!(u8, |value: u8| (f32::from(value) - 128.0) / 128.0),
        SampleFormat::I16(_) => mix!(i16, |value: i16| f32::from(value) / 32768.0),
        SampleFormat::I32(_) => mix!(i32, |value: i32| value as f32 / 2_147_483_648.0),
        SampleFormat::F32(_) => mix!(f32, |value: f32| value),
        SampleFormat::F64(_) => mix!(f64, |value: f64| value as f32),
        // No decoder gives 64-bit integers.
        SampleFormat::I64(_) | SampleFormat::None => Vec::new(),
    };
    for value in &mut mixed {
        // Damaged floating-point audio can hold anything.
        *value = if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 };
    }
    mixed
}

/// Weights that sum to one: speech is in the front, mostly in the centre, and the low-frequency channel has none.
fn channel_weights(layout: u64, n_channels: usize) -> Vec<f32> {
    const FRONT_CENTRE: u64 = 0x4;
    const LOW_FREQUENCY: u64 = 0x8 | 0x8_0000_0000;
    const FRONT: u64 = 0x3 | 0xC0;
    let mut weights = vec![1.0; n_channels];
    if n_channels > 2 && layout.count_ones() as usize == n_channels {
        let channels = (0..64).map(|bit| 1_u64 << bit).filter(|bit| layout & bit != 0);
        for (weight, channel) in weights.iter_mut().zip(channels) {
            *weight = match channel {
                FRONT_CENTRE => 1.0,
                _ if channel & LOW_FREQUENCY != 0 => 0.0,
                _ if channel & FRONT != 0 => std::f32::consts::FRAC_1_SQRT_2,
                _ => 0.5,
            };
        }
    }
    let total: f32 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
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
        assert!(matches!(probe(&playlist), Err(MediaError::NotMedia { .. } | MediaError::NoStreams(_))));
        assert!(matches!(probe(&empty), Err(MediaError::Empty(_))));
        assert!(matches!(probe(&cut), Err(MediaError::NotMedia { .. })));
        assert!(matches!(probe(dir.path()), Err(MediaError::NotAFile(_))));
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
        let recording =
            crate::encode::Recording { frames: &frames, frame_rate_hz: 25, samples: &[], sample_rate_hz: 16000 };
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
            let heard = decode_audio(&path, 16000).unwrap().unwrap();
            assert!(heard.len().abs_diff(16000) <= 1, "{} samples", heard.len());
            let wanted = test_media::tone(16000, 16000);
            let worst = heard.iter().zip(&wanted).skip(400).take(15200).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.005, "{rate_hz} Hz, {n_channels} channels: off by {worst}");
        }
    }

    #[test]
    fn the_low_frequency_channel_is_left_out_and_the_centre_leads() {
        let weights = channel_weights(0x3F, 6);
        assert_eq!(weights[3], 0.0);
        assert!(weights[2] > weights[0] && weights[0] > weights[4]);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(channel_weights(0x3, 2), [0.5, 0.5]);
        assert_eq!(channel_weights(0, 4), [0.25; 4]);
    }

    #[test]
    fn no_sound_is_none_and_turns_without_a_matrix_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("silent.y4m");
        test_media::y4m(&path, (8, 8), 2, |_, _, _| 100);
        assert_eq!(decode_audio(&path, 16000).unwrap(), None);
        assert_eq!(Turn::from_display_matrix(&[1, 2, 3]), Turn::default());
    }
}
