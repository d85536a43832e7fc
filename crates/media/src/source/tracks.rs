//! The tracks of an open file, with their decoders.

use ffmpeg_next as ffmpeg;

use ffmpeg::codec;
use ffmpeg::format::context::Input;

use crate::mono::RATES_HZ;
use crate::timetable::Timetable;
use crate::upright::{Turn, square_pixels};
use crate::{AudioInfo, VideoInfo};

/// Frames beyond 100 megapixels come from a broken header, and would take the memory with them. libvpx has a limit of
/// its own, 268 megapixels as usually built, and is asked about this one afterwards.
const MAX_PIXELS: u64 = 100_000_000;

/// The number of frames that FFmpeg states where it writes AVI into a pipe, whose length it does not know.
pub(super) const N_UNSTATED: u64 = 1 << 30;

/// What the time stamps of sound that is all there may be off (measured: 10 ms in Ogg, 60 ms where sound begins late).
const MAX_JITTER_SECS: f64 = 0.15;
/// Where nobody speaks, calls recorded as Opus have one packet of 20 ms in 400 ms.
const MAX_PAUSE_SECS: f64 = 0.45;

/// Codecs whose decoders show what they can of a damaged picture and flag nothing, unless told to fail. Those of GIF,
/// BMP and WebP do not fail then either, and that of TIFF does so at good files with tags that it does not know.
const STRICT_IF_TOLD: [codec::Id; 3] = [codec::Id::MJPEG, codec::Id::PNG, codec::Id::APNG];

/// The picture track of an open file.
pub(crate) struct VideoTrack {
    pub(super) stream_idx: usize,
    pub(super) decoder: codec::decoder::Video,
    pub(super) secs_per_tick: f64,
    /// How the frames must be turned.
    pub(crate) turn: Turn,
    /// Decode only frames that need no others.
    pub(crate) only_key_frames: bool,
    /// Decode what it needs, and skip what no needed frame is made from.
    pub(crate) timetable: Option<Timetable>,
    /// Whether the decoder gave all it had before a gap.
    pub(super) is_drained: bool,
    /// Whether the newest packet could not be decoded.
    pub(super) is_lost: bool,
    pub(super) n_frames: usize,
}

impl VideoTrack {
    /// Notes that a packet could not be decoded; whether it is one more damaged piece. After one, libvpx refuses all up
    /// to the next key frame.
    pub(super) fn lose(&mut self) -> bool {
        let was_lost = std::mem::replace(&mut self.is_lost, true);
        !(was_lost && self.decoder.id() == codec::Id::VP9)
    }
}

/// The sound track of an open file.
pub(crate) struct AudioTrack {
    pub(super) stream_idx: usize,
    pub(super) decoder: codec::decoder::Audio,
    pub(super) secs_per_tick: f64,
    /// Decode only what lies between these times, in seconds.
    pub(crate) window_secs: Option<(f64, f64)>,
    /// Where the sound that was decoded ends, by its time stamps.
    pub(super) end_secs: Option<f64>,
    /// What its time stamps leave out.
    pub(super) lost_secs: f64,
}

impl AudioTrack {
    /// Notes that a frame of `secs` was decoded, which begins at `pts_secs` where that is known.
    pub(super) fn hear(&mut self, pts_secs: Option<f64>, secs: f64) {
        let end = self.end_secs.or(pts_secs).unwrap_or(0.0);
        let start = pts_secs.unwrap_or(end);
        let pause_secs = if self.decoder.id() == codec::Id::OPUS { MAX_PAUSE_SECS } else { 0.0 };
        if start - end > pause_secs.max(MAX_JITTER_SECS).max(2.0 * secs) {
            self.lost_secs += start - end;
        }
        self.end_secs = Some(end.max(start + secs));
    }
}

pub(super) fn open_video(input: &Input, stream_idx: usize, is_wary: bool) -> Result<(VideoTrack, VideoInfo), String> {
    video_track(input, stream_idx, is_wary).map_err(|error| match stated_size(input, stream_idx) {
        Some((width, height)) if u64::from(width) * u64::from(height) > MAX_PIXELS => {
            format!("it has {width} × {height} pixels, and at most {} million are read", MAX_PIXELS / 1_000_000)
        }
        _ => error.to_string(),
    })
}

/// Width and height as the file states them, whether or not they are believed.
fn stated_size(input: &Input, stream_idx: usize) -> Option<(u32, u32)> {
    let decoder =
        codec::Context::from_parameters(input.stream(stream_idx)?.parameters()).ok()?.decoder().video().ok()?;
    Some((decoder.width(), decoder.height()))
}

fn video_track(input: &Input, stream_idx: usize, is_wary: bool) -> Result<(VideoTrack, VideoInfo), ffmpeg::Error> {
    let stream = input.stream(stream_idx).ok_or(ffmpeg::Error::StreamNotFound)?;
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
    decoder.set_packet_time_base(stream.time_base());
    // FFmpeg's own decoder of VP9 shows pictures whose rest it could not decode, and flags nothing.
    let wary = match decoder.id() {
        codec::Id::VP9 if is_wary => codec::decoder::find_by_name("libvpx-vp9"),
        _ => None,
    };
    let known = wary.or_else(|| codec::decoder::find(decoder.id())).ok_or(ffmpeg::Error::DecoderNotFound)?;
    let mut options = ffmpeg::Dictionary::new();
    options.set("max_pixels", &MAX_PIXELS.to_string());
    if is_wary && STRICT_IF_TOLD.contains(&decoder.id()) {
        options.set("err_detect", "crccheck+explode");
    }
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
        n_frames: u64::try_from(stream.frames()).ok().filter(|n| (1..N_UNSTATED).contains(n)),
    };
    let secs_per_tick = f64::from(stream.time_base());
    Ok((
        VideoTrack {
            stream_idx,
            decoder,
            secs_per_tick,
            turn,
            only_key_frames: false,
            timetable: None,
            is_drained: false,
            is_lost: false,
            n_frames: 0,
        },
        info,
    ))
}

pub(super) fn open_audio(input: &Input, stream_idx: usize) -> Result<(AudioTrack, AudioInfo), String> {
    let (track, info) = audio_track(input, stream_idx).map_err(|error| error.to_string())?;
    match info {
        AudioInfo { rate_hz, .. } if !RATES_HZ.contains(&rate_hz) => Err(format!("{rate_hz} Hz is no sampling rate")),
        AudioInfo { n_channels: 0, .. } => Err("it has no channels".to_owned()),
        _ => Ok((track, info)),
    }
}

fn audio_track(input: &Input, stream_idx: usize) -> Result<(AudioTrack, AudioInfo), ffmpeg::Error> {
    let stream = input.stream(stream_idx).ok_or(ffmpeg::Error::StreamNotFound)?;
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let decoder = decoder.audio()?;
    let info = AudioInfo { rate_hz: decoder.rate(), n_channels: decoder.channels() };
    let secs_per_tick = f64::from(stream.time_base());
    Ok((AudioTrack { stream_idx, decoder, secs_per_tick, window_secs: None, end_secs: None, lost_secs: 0.0 }, info))
}
