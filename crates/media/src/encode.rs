//! Frames and samples to an MP4 file.
//!
//! The file is put together in memory and appears under its name only when it is whole: clips are short, and a
//! full disk then has an error of the system's own instead of FFmpeg's.
//! Left out: anything long, several tracks, other containers.

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use atomic_write_file::AtomicWriteFile;
use ffmpeg_next as ffmpeg;

use ffmpeg::codec::{self, encoder, threading};
use ffmpeg::format::context::{Output, StreamIo};
use ffmpeg::format::{Pixel, Sample as SampleFormat, sample};
use ffmpeg::software::scaling;
use ffmpeg::util::channel_layout::ChannelLayout;
use ffmpeg::util::frame;
use ffmpeg::{Dictionary, Error, Packet, Rational};

use crate::{Image, MediaError};

/// Bits per second of the sound; enough that speech survives.
const AUDIO_BITS_PER_SEC: usize = 64_000;

/// What goes into a file. Both tracks start at 0.
pub(crate) struct Recording<'a> {
    /// Frames of one size, which is even.
    pub(crate) frames: &'a [Image],
    /// Frames per second.
    pub(crate) frame_rate_hz: u32,
    /// Mono, -1..1.
    pub(crate) samples: &'a [f32],
    /// Samples per second.
    pub(crate) sample_rate_hz: u32,
    /// Frames in a row that may be made from those before and after them.
    pub(crate) n_b_frames: usize,
}

/// Writes H.264, or MPEG-4 where FFmpeg has no libx264, and AAC. An existing file is replaced.
pub(crate) fn write_mp4(path: &Path, recording: &Recording<'_>) -> Result<(), MediaError> {
    let failed = |error: Error| MediaError::Encode { path: path.to_owned(), reason: error.to_string() };
    let bytes = mp4_bytes(recording).map_err(failed)?;
    write_whole(path, &bytes)
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), MediaError> {
    let written = AtomicWriteFile::open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.commit()
    });
    written.map_err(|error| MediaError::io("writing the file", path, error))
}

fn mp4_bytes(recording: &Recording<'_>) -> Result<Vec<u8>, Error> {
    crate::source::init();
    let memory = Memory::default();
    let io = StreamIo::from_write_seek(memory.clone())?;
    let mut output = ffmpeg::format::output_to_stream(io, None, Some("mp4"))?;
    let mut video = VideoTrack::add(&mut output, recording)?;
    let mut audio = AudioTrack::add(&mut output, recording)?;
    output.write_header()?;
    // One second of each in turn, as the muxer would have to hold back the track that is ahead.
    let n_secs = recording.frames.len().div_ceil(recording.frame_rate_hz as usize).max(1);
    for part in recording.frames.chunks(recording.frame_rate_hz as usize).zip(0..n_secs) {
        let (frames, second) = part;
        for image in frames {
            video.push(image, &mut output)?;
        }
        let end = (second + 1) * recording.sample_rate_hz as usize;
        audio.push_until(if second + 1 == n_secs { usize::MAX } else { end }, recording, &mut output)?;
    }
    video.finish(&mut output)?;
    audio.finish(&mut output)?;
    output.write_trailer()?;
    drop(output);
    Ok(std::mem::take(&mut *memory.0.lock().unwrap_or_else(PoisonError::into_inner)).into_inner())
}

/// Bytes in memory that FFmpeg writes to and we read afterwards.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Cursor<Vec<u8>>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seek(to)
    }
}

struct VideoTrack {
    encoder: encoder::video::Encoder,
    scaler: scaling::Context,
    stream_idx: usize,
    time_base: Rational,
    n_frames: i64,
}

impl VideoTrack {
    fn add(output: &mut Output, recording: &Recording<'_>) -> Result<Self, Error> {
        let first = recording.frames.first().ok_or(Error::InvalidData)?;
        let (width, height) = (first.width_px as u32, first.height_px as u32);
        let rate = Rational(recording.frame_rate_hz as i32, 1);
        let x264 = encoder::find_by_name("libx264");
        let codec = x264.or_else(|| encoder::find(codec::Id::MPEG4)).ok_or(Error::EncoderNotFound)?;
        let mut context = codec::Context::new_with_codec(codec);
        // A player can begin at every key frame.
        context.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT | codec::Flags::CLOSED_GOP);
        // Clips are encoded side by side, one thread each.
        context.set_threading(threading::Config { count: 1, ..threading::Config::default() });
        let mut setup = context.encoder().video()?;
        setup.set_width(width);
        setup.set_height(height);
        setup.set_format(Pixel::YUV420P);
        setup.set_time_base(rate.invert());
        setup.set_frame_rate(Some(rate));
        setup.set_gop(recording.frame_rate_hz);
        setup.set_max_b_frames(recording.n_b_frames);
        let mut options = Dictionary::new();
        if x264.is_some() {
            options.set("preset", "superfast");
            options.set("crf", "21");
        } else {
            setup.set_bit_rate(600_000);
        }
        let encoder = setup.open_with(options)?;
        let mut stream = output.add_stream(codec)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(rate.invert());
        stream.set_avg_frame_rate(rate);
        let stream_idx = stream.index();
        let flags = scaling::Flags::BILINEAR | scaling::Flags::ACCURATE_RND;
        let scaler = scaling::Context::get(Pixel::RGB24, width, height, Pixel::YUV420P, width, height, flags)?;
        Ok(Self { encoder, scaler, stream_idx, time_base: rate.invert(), n_frames: 0 })
    }

    fn push(&mut self, image: &Image, output: &mut Output) -> Result<(), Error> {
        let mut rgb = frame::Video::new(Pixel::RGB24, image.width_px as u32, image.height_px as u32);
        let (stride, row) = (rgb.stride(0), image.width_px * 3);
        for (to, from) in rgb.data_mut(0).chunks_mut(stride).zip(image.rgb.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
        }
        let mut yuv = frame::Video::empty();
        self.scaler.run(&rgb, &mut yuv)?;
        yuv.set_pts(Some(self.n_frames));
        self.n_frames += 1;
        self.encoder.send_frame(&yuv)?;
        self.write(output)
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Error> {
        self.encoder.send_eof()?;
        self.write(output)
    }

    fn write(&mut self, output: &mut Output) -> Result<(), Error> {
        let mut packet = Packet::empty();
        while received(self.encoder.receive_packet(&mut packet))? {
            // The muxer does not know how long the last frame is shown.
            packet.set_duration(1);
            write_packet(&mut packet, self.stream_idx, self.time_base, output)?;
        }
        Ok(())
    }
}

struct AudioTrack {
    encoder: encoder::audio::Encoder,
    stream_idx: usize,
    n_pushed: usize,
}

impl AudioTrack {
    fn add(output: &mut Output, recording: &Recording<'_>) -> Result<Self, Error> {
        let codec = encoder::find(codec::Id::AAC).ok_or(Error::EncoderNotFound)?;
        let rate_hz = recording.sample_rate_hz as i32;
        let mut context = codec::Context::new_with_codec(codec);
        context.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT);
        let mut setup = context.encoder().audio()?;
        setup.set_rate(rate_hz);
        setup.set_format(SampleFormat::F32(sample::Type::Planar));
        setup.set_channel_layout(ChannelLayout::MONO);
        setup.set_bit_rate(AUDIO_BITS_PER_SEC);
        setup.set_time_base(Rational(1, rate_hz));
        let encoder = setup.open()?;
        let mut stream = output.add_stream(codec)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(Rational(1, rate_hz));
        Ok(Self { stream_idx: stream.index(), encoder, n_pushed: 0 })
    }

    /// Encodes samples up to `end`; the encoder takes blocks of its own size, and only the last may be shorter.
    fn push_until(&mut self, end: usize, recording: &Recording<'_>, output: &mut Output) -> Result<(), Error> {
        let block = (self.encoder.frame_size() as usize).max(1);
        let is_last = end >= recording.samples.len();
        let end = end.min(recording.samples.len());
        while self.n_pushed < end && (is_last || self.n_pushed + block <= end) {
            let samples = &recording.samples[self.n_pushed..(self.n_pushed + block).min(end)];
            let format = SampleFormat::F32(sample::Type::Planar);
            let mut audio = frame::Audio::new(format, samples.len(), ChannelLayout::MONO);
            audio.set_rate(recording.sample_rate_hz);
            audio.plane_mut::<f32>(0).copy_from_slice(samples);
            audio.set_pts(Some(self.n_pushed as i64));
            self.n_pushed += samples.len();
            self.encoder.send_frame(&audio)?;
            self.write(recording.sample_rate_hz, output)?;
        }
        Ok(())
    }

    fn finish(&mut self, output: &mut Output) -> Result<(), Error> {
        self.encoder.send_eof()?;
        self.write(self.encoder.rate(), output)
    }

    fn write(&mut self, rate_hz: u32, output: &mut Output) -> Result<(), Error> {
        let mut packet = Packet::empty();
        while received(self.encoder.receive_packet(&mut packet))? {
            write_packet(&mut packet, self.stream_idx, Rational(1, rate_hz as i32), output)?;
        }
        Ok(())
    }
}

/// Whether there was a packet; "not yet" and "no more" are no errors.
fn received(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(Error::Eof | Error::Other { errno: ffmpeg::error::EAGAIN }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_packet(packet: &mut Packet, stream_idx: usize, time_base: Rational, output: &mut Output) -> Result<(), Error> {
    let stream_base = output.stream(stream_idx).ok_or(Error::StreamNotFound)?.time_base();
    packet.set_stream(stream_idx);
    packet.rescale_ts(time_base, stream_base);
    packet.set_position(-1);
    packet.write_interleaved(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let frames: Vec<Image> =
            (0..24_u8).map(|level| Image { width_px: 64, height_px: 48, rgb: vec![level * 10; 64 * 48 * 3] }).collect();
        let samples: Vec<f32> = (0..24_000).map(|n| 0.5 * (n as f32 * 0.17).sin()).collect();
        let recording =
            Recording { frames: &frames, frame_rate_hz: 16, samples: &samples, sample_rate_hz: 16_000, n_b_frames: 0 };
        write_mp4(&path, &recording).unwrap();
        let info = crate::probe(&path).unwrap();
        let (video, audio) = (info.video.unwrap(), info.audio.unwrap());
        assert_eq!((video.width_px, video.height_px, video.n_frames), (64, 48, Some(24)));
        assert_eq!((video.rate_hz, audio.rate_hz, audio.n_channels), (16.0, 16_000, 1));
        assert!((info.duration_secs - 1.5).abs() < 0.08, "{}", info.duration_secs);
        let heard = crate::decode_audio(&path, 16_000).unwrap().unwrap().samples;
        assert!(heard.len().abs_diff(24_000) <= 1024, "{}", heard.len());
        let error: f32 =
            samples[4000..20_000].iter().zip(&heard[4000..]).map(|(a, b)| (a - b).abs()).sum::<f32>() / 16_000.0;
        assert!(error < 0.05, "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_whole(Path::new("/nowhere/at/all/clip.mp4"), b"x").unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all/clip.mp4"), "{error}");
    }
}
