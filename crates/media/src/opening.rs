//! Files opened for FFmpeg: regular ones alone, and read no further than a whole file needs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ffmpeg_next as ffmpeg;

use ffmpeg::format::context::{Input, StreamIo};

use crate::MediaError;
use crate::source::init;

/// A file is read at most this many times over, counted in bytes. Tracks that lie one behind the other in the file have
/// their packets fetched in turn, each with all that fills a buffer.
const MAX_READINGS: u64 = 64;
/// What may be read of any file, however short.
const MIN_BUDGET_BYTES: u64 = 64 << 20;
/// What a reading counts at least.
const MIN_READ_BYTES: u64 = 512;

/// Opens a regular file; with its length in bytes.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), MediaError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => MediaError::Missing(path.to_owned()),
        _ => MediaError::io("opening the file", path, error),
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    // Opening a pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(MediaError::NotAFile(path.to_owned()));
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

/// Opens a file as media; `gave_up` is set where reading went in circles.
pub(crate) fn open_input(path: &Path, gave_up: &Arc<AtomicBool>) -> Result<Input, MediaError> {
    init();
    let (mut file, n_bytes) = open_file(path)?;
    if n_bytes == 0 {
        return Err(MediaError::Empty(path.to_owned()));
    }
    let failed = |error| MediaError::io("reading the file", path, error);
    let mut head = Vec::new();
    file.by_ref().take(MIN_READ_BYTES).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if let Some(what) = unsupported(&head) {
        return Err(MediaError::Unsupported { path: path.to_owned(), what });
    }
    let n_left = n_bytes.saturating_mul(MAX_READINGS).saturating_add(MIN_BUDGET_BYTES);
    let io = StreamIo::from_read_seek(Bounded { file, n_left, gave_up: gave_up.clone() })
        .map_err(|error| MediaError::not_media(path, error))?;
    let mut options = ffmpeg::Dictionary::new();
    options.set("protocol_whitelist", "none");
    ffmpeg::format::input_from_stream(io, None, Some(options)).map_err(|error| MediaError::not_media(path, error))
}

/// What a file that begins with `head` is, where FFmpeg would only say that something is wrong with it.
fn unsupported(head: &[u8]) -> Option<&'static str> {
    // The second bit of the first byte after the header of the extended format says that there are several frames.
    let is_animated =
        |head: &[u8]| head.get(8..16) == Some(b"WEBPVP8X") && head.get(20).is_some_and(|flags| flags & 2 != 0);
    if head.starts_with(b"RIFF") && is_animated(head) {
        Some("an animated WebP picture")
    } else if head.starts_with(b"#EXTM3U") {
        Some("a playlist and not the film itself")
    } else {
        None
    }
}

/// A file that is read only so far: a damaged index can send a reader in circles.
struct Bounded {
    file: File,
    n_left: u64,
    gave_up: Arc<AtomicBool>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_left == 0 {
            self.gave_up.store(true, Ordering::Relaxed);
            return Err(io::Error::other("read too often"));
        }
        let n_read = self.file.read(buffer)?;
        // At the end of the file nothing comes any more, and it is still a way to go in circles.
        self.n_left = self.n_left.saturating_sub((n_read as u64).max(MIN_READ_BYTES));
        Ok(n_read)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
