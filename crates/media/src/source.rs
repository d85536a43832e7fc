//! An open media file, decoded in stream order, through FFmpeg.
//!
//! Files are read through their handle and recognized by content, never by name: a name like `http:x.mp4` or
//! `a%d.png` means something else to FFmpeg, and a playlist must not open other files.
//! Left out: hardware decoding; telling damage in HEVC, VP8, FFV1, Theora, GIF, WebP and TIFF, of which FFmpeg's
//! decoders flag nothing, and in a JPEG picture whose damaged bytes are codes of other colours.

mod packets;
mod tracks;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use ffmpeg_next as ffmpeg;

use ffmpeg::codec;
use ffmpeg::codec::discard::Discard;
use ffmpeg::format::context::Input;
use ffmpeg::media::Type as MediaType;
use ffmpeg::util::frame;

pub(crate) use self::packets::Packets;
use self::packets::read_packet;
use self::tracks::{AudioTrack, N_UNSTATED, VideoTrack, open_audio, open_video};
use crate::cut::{cut_file, has_cut_end, is_cut_jpeg, lacks_part};
use crate::h264;
use crate::opening::open_input;
use crate::orientation::turn_of_picture;
use crate::timetable::{Entry, Timetable, Use};
use crate::upright::Turn;
use crate::{ClipInfo, MediaError};

/// A file with more broken packets in a row than this has ended.
const MAX_BROKEN_PACKETS: usize = 1000;

/// Formats of pictures whose EXIF FFmpeg does not follow; what a newer one says with the frame counts.
const EXIF_APART: [&str; 2] = ["png_pipe", "webp_pipe"];

/// Formats that say how long a file is; of others FFmpeg guesses it from the bit rate, or looks for the last time.
const STATING: [&str; 17] = [
    "mov,mp4", "matroska", "wav", "w64", "flac", "avi", "flv", "asf", "aiff", "caf", "mp3", "ogg", "wv", "tta", "au",
    "mxf", "ivf",
];
/// Packets that are read ahead at most; the clips of corpora have a few megabytes.
const MAX_AHEAD_BYTES: usize = 32 << 20;

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

/// A decoded frame with its time after the start of the clip, where the file tells it.
pub(crate) enum Decoded {
    /// `number`: how many frames are shown before it; `None` where the timetable does not know it.
    Video {
        pts_secs: Option<f64>,
        number: Option<usize>,
        frame: frame::Video,
    },
    Audio {
        pts_secs: Option<f64>,
        frame: frame::Audio,
    },
}

/// An open media file, decoded in stream order.
pub(crate) struct Source {
    input: Input,
    pub(crate) info: ClipInfo,
    /// Whether the file is a picture by its format, and not a film of one frame.
    pub(crate) is_picture: bool,
    pub(crate) video: Option<VideoTrack>,
    pub(crate) audio: Option<AudioTrack>,
    /// What is wrong with the file without making it useless, for the user.
    pub(crate) notes: Vec<String>,
    start_secs: f64,
    state: State,
    ahead: VecDeque<ffmpeg::Packet>,
    n_broken: usize,
    n_damaged: usize,
    /// How far the packets of each track go.
    reached: Vec<Reached>,
    gave_up: Arc<AtomicBool>,
}

/// How far packets go, after the start.
#[derive(Clone, Copy, Default)]
struct Reached {
    /// Where the last of them ends.
    end_secs: Option<f64>,
    /// The longest time between the ends of two of them.
    step_secs: f64,
}

impl Reached {
    fn extend(&mut self, end_secs: f64) {
        let before = self.end_secs.unwrap_or(end_secs);
        self.step_secs = self.step_secs.max(end_secs - before);
        self.end_secs = Some(before.max(end_secs));
    }

    /// How long the last picture is shown is not always said, but as long as others at most: slides stand for minutes.
    fn secs(&self) -> f64 {
        self.end_secs.unwrap_or_default() + self.step_secs
    }
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
    /// Opens a regular file and the decoders of the tracks that are asked for; of damaged pictures they show what they
    /// can.
    pub(crate) fn open(path: &Path, tracks: Tracks) -> Result<Self, MediaError> {
        Self::open_with(path, tracks, false)
    }

    /// The same with decoders that leave damaged pictures out, for those that can tell.
    pub(crate) fn open_wary(path: &Path, tracks: Tracks) -> Result<Self, MediaError> {
        Self::open_with(path, tracks, true)
    }

    fn open_with(path: &Path, tracks: Tracks, is_wary: bool) -> Result<Self, MediaError> {
        let gave_up = Arc::new(AtomicBool::new(false));
        let input = open_input(path, &gave_up)?;
        let is_picture = input.format().name() == "image2" || input.format().name().ends_with("_pipe");
        let mut notes = Vec::from_iter(cut_file(path));
        if has_cut_end(path) {
            notes.push("its end is cut off".to_owned());
        }
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

        let has_subtitles = input.streams().any(|stream| stream.parameters().medium() == MediaType::Subtitle);
        let mut info = ClipInfo { duration_secs: duration_secs(&input), has_subtitles, ..ClipInfo::default() };
        let mut reason = String::new();
        let video = video_idx.and_then(|stream_idx| match open_video(&input, stream_idx, is_wary) {
            Ok((mut track, mut video_info)) => {
                if track.turn == Turn::default()
                    && EXIF_APART.contains(&input.format().name())
                    && let Some(turn) = turn_of_picture(path)
                {
                    track.turn = turn;
                    if turn.transposed {
                        (video_info.width_px, video_info.height_px) = (video_info.height_px, video_info.width_px);
                    }
                }
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
            is_picture,
            video: video.filter(|_| tracks.video),
            audio: audio.filter(|_| tracks.audio),
            notes,
            start_secs: if start_secs.is_finite() { start_secs } else { 0.0 },
            state: State::Reading,
            ahead: VecDeque::new(),
            n_broken: 0,
            n_damaged: 0,
            reached: Vec::new(),
            gave_up,
        })
    }

    /// Goes to the last key frame before `secs` after the start; stays where it is if the file cannot do that.
    pub(crate) fn seek(&mut self, secs: f64) {
        let micros = ((secs + self.start_secs) * 1e6) as i64;
        if self.input.seek(micros, ..micros).is_ok() {
            self.video.iter_mut().for_each(|video| video.decoder.flush());
            self.audio.iter_mut().for_each(|audio| {
                audio.decoder.flush();
                audio.end_secs = None;
            });
        }
    }

    /// Reads the file to its end without decoding, to know when each frame is shown. `None` where the file is large or
    /// does not say. Decoding starts at the beginning either way.
    pub(crate) fn read_ahead(&mut self) -> Option<Timetable> {
        let video = self.video.as_ref()?;
        let (stream_idx, is_h264) = (video.stream_idx, video.decoder.id() == codec::Id::H264);
        // What an edit list cuts off is decoded, because the rest is made from it, and not shown.
        let first = self.input.stream(stream_idx)?.start_time();
        let (mut entries, mut n_bytes) = (Vec::new(), 0);
        while let Some(packet) = read_packet(&mut self.input) {
            n_bytes += packet.size();
            if packet.stream() == stream_idx {
                let ticks = packet.pts();
                let is_key = packet.is_key() && (!is_h264 || packet.data().is_some_and(h264::begins_anew));
                entries.push(Entry { ticks, is_key, is_shown: ticks.is_none_or(|ticks| ticks >= first) });
            }
            self.ahead.push_back(packet);
            if n_bytes > MAX_AHEAD_BYTES {
                return None;
            }
        }
        Timetable::new(&entries)
    }

    /// Counts the packets of the picture track without decoding; the source is at its end afterwards.
    pub(crate) fn count_video_packets(&mut self) -> u64 {
        let Some(stream_idx) = self.video.as_ref().map(|video| video.stream_idx) else { return 0 };
        let mut n_packets = 0;
        while let Some(packet) = read_packet(&mut self.input) {
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

    fn feed(&mut self) {
        let Some(packet) = self.ahead.pop_front().or_else(|| read_packet(&mut self.input)) else {
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
        if let Some(video) = self.video.as_mut().filter(|video| video.stream_idx == packet.stream())
            && let Some(timetable) = &video.timetable
        {
            let good_for = timetable.use_of(packet.pts());
            if good_for == Use::Nothing {
                self.note_progress(&packet);
                return;
            }
            if timetable.starts_at(packet.pts()) && !video.is_drained {
                // The frames from before the gap are taken first.
                let _ = video.decoder.send_eof();
                video.is_drained = true;
                self.state = State::TakingVideo;
                self.ahead.push_front(packet);
                return;
            }
            if std::mem::take(&mut video.is_drained) {
                video.decoder.flush();
            }
            video.decoder.skip_frame(if good_for == Use::Frame { Discard::Default } else { Discard::NonReference });
        }
        self.note_progress(&packet);
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
            let is_new = match &mut self.video {
                Some(video) if video.stream_idx == packet.stream() => video.lose(),
                _ => true,
            };
            self.n_broken += usize::from(is_new);
        }
    }

    fn note_progress(&mut self, packet: &ffmpeg::Packet) {
        let Some(stream) = self.input.stream(packet.stream()) else { return };
        let end = packet.pts().or(packet.dts()).map(|start| start.saturating_add(packet.duration()));
        let end_secs = end.map_or(0.0, |end| end as f64 * f64::from(stream.time_base()) - self.start_secs);
        if self.reached.len() <= packet.stream() {
            self.reached.resize(packet.stream() + 1, Reached::default());
        }
        self.reached[packet.stream()].extend(end_secs);
        let is_cut_picture = self.is_picture
            && self.video.as_ref().is_some_and(|video| video.decoder.id() == codec::Id::MJPEG)
            && packet.data().is_some_and(is_cut_jpeg);
        self.n_damaged += usize::from(is_cut_picture);
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
                    let number = match &mut video.timetable {
                        Some(timetable) => timetable.came(frame.pts()),
                        None => Some(video.n_frames),
                    };
                    video.n_frames += 1;
                    video.is_lost = false;
                    // Between key frames alone something is always missing.
                    let is_damaged = !video.only_key_frames && (frame.is_corrupt() || frame.has_decode_errors());
                    self.n_damaged += usize::from(is_damaged);
                    return Some(Decoded::Video { pts_secs, number, frame });
                }
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } | ffmpeg::Error::Eof) => return None,
                Err(_) => self.n_broken += usize::from(video.lose()),
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
                    audio.hear(pts_secs, frame.samples() as f64 / f64::from(frame.rate().max(1)));
                    self.n_damaged += usize::from(frame.is_corrupt() || frame.has_decode_errors());
                    return Some(Decoded::Audio { pts_secs, frame });
                }
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } | ffmpeg::Error::Eof) => return None,
                Err(_) => self.n_broken += 1,
            }
        }
        None
    }

    /// Whether pieces could not be decoded, so that frames may be missing.
    pub(crate) fn is_damaged(&self) -> bool {
        self.n_broken > 0
    }

    /// The frames of the film, as far as it was decoded; `None` where the timetable turned out to be wrong.
    pub(crate) fn n_frames(&self) -> Option<usize> {
        match &self.video {
            Some(VideoTrack { timetable: Some(timetable), .. }) => {
                (timetable.is_complete() && self.n_broken == 0).then(|| timetable.n_frames())
            }
            Some(video) => Some(video.n_frames),
            None => Some(0),
        }
    }

    /// What turned out to be wrong with the file while it was decoded to its end, for the user.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some((read_secs, stated_secs)) =
            self.lengths().into_iter().find(|&(read, stated)| lacks_part(read, stated))
        {
            complaints.push(format!("only {read_secs:.1} of {stated_secs:.1} s could be read"));
        } else if let Some(audio) = self.audio.as_ref().filter(|audio| audio.lost_secs > 0.0) {
            complaints.push(format!("{:.1} s are missing within the sound", audio.lost_secs));
        }
        if self.n_broken > 0 {
            let are = if self.n_broken == 1 { " is" } else { "s are" };
            complaints.push(format!("{} piece{are} damaged", self.n_broken));
        } else if self.n_damaged > 0 {
            let are = if self.n_damaged == 1 { " is" } else { "s are" };
            complaints.push(format!("{} frame{are} damaged", self.n_damaged));
        }
        // A reader in circles.
        if self.gave_up.load(Ordering::Relaxed) {
            complaints.push("its index leads in circles, so reading was given up".to_owned());
        }
        complaints
    }

    /// Seconds that were read and that the file states, for each track that is decoded and has a length of its own; for
    /// the file as a whole where none has.
    fn lengths(&self) -> Vec<(f64, f64)> {
        if !self.states_length() {
            return Vec::new();
        }
        let reached_secs = |stream_idx: usize| self.reached.get(stream_idx).map_or(0.0, Reached::secs);
        let stated_secs = |stream_idx: usize| {
            let stream = self.input.stream(stream_idx)?;
            // Of CAF FFmpeg takes what is there for all, and says how many samples there should be.
            let counted = self.info.audio.filter(|_| self.is_format("caf") && stream.frames() > 0);
            counted
                .map(|audio| stream.frames() as f64 / f64::from(audio.rate_hz))
                .or_else(|| (stream.duration() > 0).then(|| stream.duration() as f64 * f64::from(stream.time_base())))
        };
        let video = self.video.as_ref().map(|video| (video.stream_idx, reached_secs(video.stream_idx)));
        // AVI counts the time before late sound as sound, and has no time stamps that would tell.
        let audio = self.audio.as_ref().filter(|_| video.is_none() || !self.is_format("avi")).map(|audio| {
            let is_whole = audio.window_secs.is_none();
            let heard_secs = audio.end_secs.unwrap_or_default() - audio.lost_secs;
            (audio.stream_idx, if is_whole { heard_secs } else { reached_secs(audio.stream_idx) })
        });
        let tracks = video.into_iter().chain(audio);
        let mut lengths: Vec<(f64, f64)> =
            tracks.filter_map(|(stream_idx, read_secs)| Some((read_secs, stated_secs(stream_idx)?))).collect();
        if self.is_format("asf") {
            // It states one length, that of the longest track.
            let longest = |a: (f64, f64), b: (f64, f64)| (a.0.max(b.0), a.1.max(b.1));
            lengths = lengths.into_iter().reduce(longest).into_iter().collect();
        }
        if lengths.is_empty() && self.info.duration_secs > 0.0 {
            lengths.push((self.reached.iter().map(Reached::secs).fold(0.0, f64::max), self.info.duration_secs));
        }
        lengths
    }

    fn is_format(&self, name: &str) -> bool {
        self.input.format().name().split(',').any(|own| own == name)
    }

    fn states_length(&self) -> bool {
        let name = self.input.format().name().to_owned();
        // Of an MP3 file only the frame that also says how much of the sound is padding.
        let is_counted = name != "mp3" || self.input.streams().any(|stream| stream.start_time() > 0);
        is_counted && !is_unstated(&self.input) && STATING.iter().any(|stating| name.starts_with(stating))
    }
}

/// Whether the file is an AVI or IVF whose writer did not know its length and put the greatest number there.
fn is_unstated(input: &Input) -> bool {
    match input.format().name() {
        "avi" => input.streams().any(|stream| stream.frames() >= N_UNSTATED as i64),
        "ivf" => input.streams().any(|stream| stream.duration() >= i64::from(u32::MAX)),
        _ => false,
    }
}

fn duration_secs(input: &Input) -> f64 {
    if is_unstated(input) {
        return 0.0;
    }
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

#[cfg(test)]
mod tests {
    use super::Reached;

    #[test]
    fn the_last_slide_may_be_shown_as_long_as_another() {
        for (ends_secs, expected_secs) in
            [(&[][..], 0.0), (&[2.5], 2.5), (&[0.5, 1.5, 1.0, 2.0], 3.0), (&[0.5, 30.5, 50.5], 80.5)]
        {
            let mut reached = Reached::default();
            ends_secs.iter().for_each(|&end_secs| reached.extend(end_secs));
            assert_eq!(reached.secs(), expected_secs, "{ends_secs:?}");
        }
    }
}
