//! The packets of a file as they are, without decoders.

use std::path::Path;
use std::sync::Arc;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec;
use ffmpeg::format::context::Input;

use super::MAX_BROKEN_PACKETS;
use crate::MediaError;
use crate::opening::open_input;

/// An open file, packet by packet.
pub(crate) struct Packets {
    input: Input,
}

/// A track by what the file says of it.
pub(crate) struct Track {
    pub(crate) stream_idx: usize,
    pub(crate) codec: codec::Id,
    /// As in `eng`; empty where it is not said.
    pub(crate) language: String,
}

impl Packets {
    pub(crate) fn open(path: &Path) -> Result<Self, MediaError> {
        Ok(Self { input: open_input(path, &Arc::default())? })
    }

    pub(crate) fn tracks(&self) -> Vec<Track> {
        let track = |stream: ffmpeg::Stream<'_>| Track {
            stream_idx: stream.index(),
            codec: stream.parameters().id(),
            language: stream.metadata().get("language").unwrap_or_default().to_owned(),
        };
        self.input.streams().map(track).collect()
    }

    /// The next packet's track and bytes.
    pub(crate) fn next(&mut self) -> Option<(usize, Vec<u8>)> {
        let packet = read_packet(&mut self.input)?;
        Some((packet.stream(), packet.data().unwrap_or_default().to_vec()))
    }
}

/// The next packet; `None` at the end, and where nothing but errors comes any more.
pub(super) fn read_packet(input: &mut Input) -> Option<ffmpeg::Packet> {
    let mut packet = ffmpeg::Packet::empty();
    let mut n_failed = 0;
    loop {
        match packet.read(input) {
            Ok(()) => return Some(packet),
            // A demuxer can find its way again after broken data; every other error repeats for ever.
            Err(ffmpeg::Error::InvalidData) if n_failed < MAX_BROKEN_PACKETS => n_failed += 1,
            Err(_) => return None,
        }
    }
}
