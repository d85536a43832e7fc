//! Cameras, through FFmpeg's capture devices: v4l2 on Linux, DirectShow on Windows, AVFoundation on macOS.
//!
//! Any other device of FFmpeg's opens the same way under `FORMAT:SPEC`, so a file or a screen can stand in for a
//! camera.
//! Left out: listing on Windows and macOS, where FFmpeg tells the names only in its log; a name typed in works.

use std::path::Path;
use std::time::Duration;

use ffmpeg_next as ffmpeg;

use ffmpeg::format::context::Input;
use ffmpeg::util::frame;
use ffmpeg::{Dictionary, Error, Format, Packet, codec, error, media};

use crate::source::init;
use crate::upright::{Scaler, Turn};
use crate::{Image, MediaError};

/// A camera that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraInfo {
    /// For [`Camera::open`].
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// AVFoundation does not wait for a frame but says that there is none yet. Cameras take 16 ms for one and more.
const POLL_EVERY: Duration = Duration::from_millis(4);
/// More broken frames in a row than this, and the camera counts as gone.
const MAX_BROKEN: usize = 100;

/// The cameras of this machine, without opening any.
pub fn cameras() -> Vec<CameraInfo> {
    if cfg!(target_os = "linux") {
        return linux_cameras();
    }
    if cfg!(target_os = "macos") {
        return vec![CameraInfo { id: "default".into(), name: "Default camera".into() }];
    }
    Vec::new()
}

/// Video4linux lists a camera's metadata as a device of its own, with a higher index.
fn linux_cameras() -> Vec<CameraInfo> {
    let Ok(entries) = std::fs::read_dir("/sys/class/video4linux") else { return Vec::new() };
    let mut found: Vec<(u32, CameraInfo)> = entries
        .flatten()
        .filter_map(|entry| {
            let file_name = entry.file_name();
            let node = file_name.to_str()?;
            let number = node.strip_prefix("video")?.parse().ok()?;
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
            if read("index").is_some_and(|index| index.trim() != "0") {
                return None;
            }
            let name = read("name").map_or_else(|| node.to_owned(), |name| name.trim().to_owned());
            Some((number, CameraInfo { id: format!("/dev/{node}"), name }))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, camera)| camera).collect()
}

/// An open camera.
pub struct Camera {
    id: String,
    input: Input,
    stream_idx: usize,
    decoder: codec::decoder::Video,
    scaler: Scaler,
}

impl Camera {
    /// Opens a device path (`/dev/video0`), a name that DirectShow or AVFoundation knows, or `FORMAT:SPEC` for any
    /// capture device of FFmpeg's: `lavfi:movie=clip.mp4:loop=0,realtime`, `x11grab::99`.
    pub fn open(id: &str) -> Result<Self, MediaError> {
        init();
        let unusable = |reason: String| MediaError::Device { device: id.to_owned(), reason };
        if id.trim().is_empty() || id.contains('\0') {
            return Err(unusable("this is no name of a camera".into()));
        }
        let (format, spec) = format_and_spec(id).ok_or_else(|| unusable("FFmpeg has no such capture device".into()))?;
        if format.name().contains("v4l2") && !Path::new(&spec).exists() {
            return Err(unusable("there is no such device".into()));
        }
        let mut last = Error::Unknown;
        for options in wishes(format.name()) {
            let options: Dictionary<'_> = options.iter().copied().collect();
            match ffmpeg::format::open_with(&spec, &format, options) {
                Ok(context) => return Self::from_input(id, context.input()).map_err(|error| unusable(said(error))),
                Err(error) => last = error,
            }
            // Fewer wishes do not help against these.
            if matches!(last, Error::Other { errno: error::ENOENT | error::EACCES | error::EPERM | error::EBUSY }) {
                break;
            }
        }
        Err(unusable(said(last)))
    }

    fn from_input(id: &str, input: Input) -> Result<Self, Error> {
        let stream = input.streams().best(media::Type::Video).ok_or(Error::StreamNotFound)?;
        let stream_idx = stream.index();
        let decoder = codec::Context::from_parameters(stream.parameters())?.decoder().video()?;
        Ok(Self { id: id.to_owned(), stream_idx, decoder, scaler: Scaler::new(Turn::default(), None), input })
    }

    /// Waits for the next frame; an error when the camera goes away.
    pub fn next_frame(&mut self) -> Result<Image, MediaError> {
        let gone = |reason: String| MediaError::DeviceGone { device: self.id.clone(), reason };
        let mut frame = frame::Video::empty();
        let mut n_broken = 0;
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => return self.scaler.image(&frame).map_err(|error| gone(said(error))),
                Err(Error::Other { errno: error::EAGAIN }) => {}
                Err(Error::Eof) => return Err(gone("it sends no more pictures".into())),
                Err(_) => n_broken += 1,
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.stream_idx => {
                    n_broken += usize::from(self.decoder.send_packet(&packet).is_err());
                }
                Ok(()) | Err(Error::Other { errno: error::EINTR }) => {}
                Err(Error::Other { errno: error::EAGAIN }) => std::thread::sleep(POLL_EVERY),
                Err(Error::InvalidData) => n_broken += 1,
                Err(Error::Eof) => {
                    // What the decoder still holds comes first; sending the end twice changes nothing.
                    let _ = self.decoder.send_eof();
                }
                Err(error) => return Err(gone(said(error))),
            }
            if n_broken > MAX_BROKEN {
                return Err(gone("its pictures are damaged".into()));
            }
        }
    }
}

/// The capture device of FFmpeg's and what it is to open.
fn format_and_spec(id: &str) -> Option<(Format, String)> {
    let named = |wanted: &str| {
        // The list starts with a null entry where FFmpeg was built without devices.
        let devices = ffmpeg::device::input::video();
        devices.into_iter().find(|format| format.name().split(',').any(|name| name == wanted))
    };
    if let Some((name, spec)) = id.split_once(':')
        && let Some(format) = named(name)
    {
        return Some((format, spec.to_owned()));
    }
    if cfg!(target_os = "windows") {
        let spec = if id.starts_with("video=") { id.to_owned() } else { format!("video={id}") };
        Some((named("dshow")?, spec))
    } else if cfg!(target_os = "macos") {
        Some((named("avfoundation")?, id.to_owned()))
    } else {
        Some((named("v4l2")?, id.to_owned()))
    }
}

/// What to ask of a device, most wanted first: a size at which every camera is fast, then whatever it gives.
fn wishes(format: &str) -> &'static [&'static [(&'static str, &'static str)]] {
    const SIZE: (&str, &str) = ("video_size", "640x480");
    // AVFoundation's own default, 29.97, is a rate that most cameras refuse.
    const RATE: (&str, &str) = ("framerate", "30");
    match format {
        "avfoundation" => &[&[SIZE, RATE], &[RATE], &[]],
        "dshow" => &[&[SIZE, RATE], &[SIZE], &[]],
        name if name.contains("v4l2") => &[&[SIZE, RATE], &[SIZE], &[]],
        _ => &[&[]],
    }
}

/// FFmpeg's errors in words that help.
fn said(error: Error) -> String {
    match error {
        Error::Other { errno: error::EACCES | error::EPERM } => {
            let hint = if cfg!(target_os = "linux") { "; add yourself to the group \"video\"" } else { "" };
            format!("access is not permitted{hint}")
        }
        Error::Other { errno: error::EBUSY } => "another program uses it".into(),
        Error::Other { errno: error::ENODEV | error::ENXIO } => "it was unplugged".into(),
        Error::Other { errno: error::ENOENT } => "there is no such device".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_picture_stands_in_for_a_camera() {
        let mut camera = Camera::open("lavfi:testsrc=size=64x48:rate=10:duration=0.3").unwrap();
        let frames: Vec<_> = std::iter::repeat_with(|| camera.next_frame()).take(4).collect();
        for frame in &frames[..3] {
            let image = frame.as_ref().unwrap();
            assert_eq!((image.width_px, image.height_px, image.rgb.len()), (64, 48, 64 * 48 * 3));
            assert!(image.rgb.iter().any(|&value| value > 200) && image.rgb.iter().any(|&value| value < 50));
        }
        let error = frames[3].as_ref().unwrap_err();
        assert!(matches!(error, MediaError::DeviceGone { .. }), "{error}");
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        for id in ["/dev/video-that-is-not-there", "lavfi:nonsense=1", "lavfi:movie=/no/such/clip.mp4", "", "a\0b"] {
            match Camera::open(id) {
                Err(MediaError::Device { device, reason }) => {
                    assert!(device == id && !reason.is_empty(), "{id}: {reason}");
                }
                Err(other) => panic!("{id}: {other}"),
                Ok(_) => panic!("{id} opened"),
            }
        }
    }
}
