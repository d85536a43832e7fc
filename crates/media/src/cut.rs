//! Files that were cut short, told by their bytes where FFmpeg takes what is there for all.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::opening::open_file;

/// Of a whole file at least this share can be read.
pub(crate) const WHOLE_SHARE: f64 = 0.9;
const TS_PACKET_BYTES: u64 = 188;
/// With a header of 27 bytes, 255 lengths, and 255 bytes for each.
const MAX_OGG_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;

/// Whether a JPEG file ends before its last scan does; decoders fill the rest with grey.
pub(crate) fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: &[u8]| bytes.windows(2).rposition(|two| two == marker);
    last(b"\xFF\xDA").is_some_and(|scan| last(b"\xFF\xD9").is_none_or(|end| end < scan))
}

/// What is missing of a WAV or AVI file by its first bytes; FFmpeg takes what is there for all.
pub(crate) fn cut_riff(path: &Path) -> Option<String> {
    let (mut file, n_bytes) = open_file(path).ok()?;
    let mut head = [0; 8];
    file.read_exact(&mut head).ok()?;
    let n_stated = u64::from(u32::from_le_bytes(head[4..].try_into().ok()?)) + 8;
    // Who writes into a pipe states the greatest length.
    let is_stated = head.starts_with(b"RIFF") && n_stated < 0x7FFF_0000;
    let is_cut = is_stated && (n_bytes as f64) < WHOLE_SHARE * n_stated as f64;
    is_cut.then(|| format!("only {n_bytes} of {n_stated} bytes are there"))
}

/// Whether a file of a format that does not say how long it is ends within a piece.
pub(crate) fn has_cut_end(path: &Path) -> bool {
    let read = || -> io::Result<(Vec<u8>, Vec<u8>, u64)> {
        let (mut file, n_bytes) = open_file(path).map_err(io::Error::other)?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        file.by_ref().take(TS_PACKET_BYTES + 1).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(n_bytes.saturating_sub(MAX_OGG_PAGE_BYTES)))?;
        file.take(MAX_OGG_PAGE_BYTES).read_to_end(&mut tail)?;
        Ok((head, tail, n_bytes))
    };
    read().is_ok_and(|(head, tail, n_bytes)| ends_early(&head, &tail, n_bytes))
}

/// Of the first and the last bytes.
fn ends_early(head: &[u8], tail: &[u8], n_bytes: u64) -> bool {
    const SYNC: Option<&u8> = Some(&0x47);
    if head.starts_with(b"OggS") {
        let page = tail.windows(4).rposition(|four| four == b"OggS").map(|at| &tail[at..]);
        // A page says at byte 26 how many lengths of parts follow.
        page.is_some_and(|page| {
            let n_parts = page.get(26).map_or(0, |&n| usize::from(n));
            let parts = page.get(27..27 + n_parts);
            parts.is_none_or(|parts| page.len() < 27 + n_parts + parts.iter().map(|&n| usize::from(n)).sum::<usize>())
        })
    } else if head.starts_with(b"GIF8") {
        tail.iter().rfind(|&&byte| byte != 0).is_some_and(|&byte| byte != b';')
    } else {
        // Of MPEG-TS all packets are equally long.
        head.first() == SYNC && head.get(TS_PACKET_BYTES as usize) == SYNC && !n_bytes.is_multiple_of(TS_PACKET_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_within_a_piece_are_noticed() {
        let mut page = [b"OggS".as_slice(), &[0; 22], &[2, 3, 4], &[7; 7]].concat();
        let ogg = |tail: &[u8]| ends_early(b"OggS", tail, tail.len() as u64);
        assert!(!ogg(&page) && ogg(&page[..page.len() - 1]) && ogg(&page[..20]));
        page.extend_from_slice(b"OggS");
        assert!(ogg(&page));
        assert!(!ends_early(b"GIF89a", b"\x01\0;\0", 9) && ends_early(b"GIF89a", b"\x01\x02", 9));
        let ts = [[0x47; 1].as_slice(), &[0; 187], &[0x47]].concat();
        assert!(!ends_early(&ts, &[], 376) && ends_early(&ts, &[], 300) && !ends_early(&ts[1..], &[], 300));
    }
}
