//! Files that were cut short, told by their bytes where FFmpeg takes what is there for all.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::opening::open_file;

/// Of a whole file at least this share can be read.
const WHOLE_SHARE: f64 = 0.9;
/// What may be missing however short a file is: a last frame's length is not always known.
const WHOLE_SECS: f64 = 0.25;
/// What may be missing however long a file is (choice): writers of Matroska close a cluster after as long, and who
/// loses the last one has lost something. Of whole files of up to ten minutes at most 0.2 s was missing, but for AVI
/// that states a wrong length.
const MAX_LACK_SECS: f64 = 5.0;
/// Where the lengths of WAV are looked for, which may follow descriptions.
const MAX_HEAD_BYTES: u64 = 64 << 10;
/// Packets of MPEG-TS, and of Blu-ray, where a time stamp of four bytes comes before each.
const TS_PACKETS: [(u64, usize); 2] = [(188, 0), (192, 4)];
/// Frames of DV in 30 and in 25 pictures a second.
const DV_FRAME_BYTES: [u64; 2] = [120_000, 144_000];
/// With a header of 27 bytes, 255 lengths, and 255 bytes for each.
const MAX_OGG_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;

/// Whether so much less than stated could be read that a part of the clip is missing.
pub(crate) fn lacks_part(read_secs: f64, stated_secs: f64) -> bool {
    let lack_secs = stated_secs - read_secs;
    lack_secs > WHOLE_SECS && (read_secs < WHOLE_SHARE * stated_secs || lack_secs > MAX_LACK_SECS)
}

/// Whether a JPEG file ends before its last scan does; decoders fill the rest with grey.
pub(crate) fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: &[u8]| bytes.windows(2).rposition(|two| two == marker);
    last(b"\xFF\xDA").is_some_and(|scan| last(b"\xFF\xD9").is_none_or(|end| end < scan))
}

/// What is missing of a WAV, Sony Wave64, AVI, WMV or WMA file by its first bytes; FFmpeg takes what is there for all.
pub(crate) fn cut_file(path: &Path) -> Option<String> {
    let (file, n_bytes) = open_file(path).ok()?;
    let mut head = Vec::new();
    file.take(MAX_HEAD_BYTES).read_to_end(&mut head).ok()?;
    let (n_stated, bytes_per_sec) = stated_bytes(&head)?;
    let is_cut = (n_bytes as f64) < WHOLE_SHARE * n_stated as f64
        || n_stated.saturating_sub(n_bytes) as f64 > MAX_LACK_SECS * bytes_per_sec;
    is_cut.then(|| format!("only {n_bytes} of {n_stated} bytes are there"))
}

/// The length that a file of pieces states, by its own and by that of its sound, and bytes of sound in a second, which
/// are infinite where it does not say.
fn stated_bytes(head: &[u8]) -> Option<(u64, f64)> {
    // Before each piece come its name and its length, and it begins at a multiple of some bytes. In Wave64 names begin
    // with those of RIFF, and lengths count what is before the piece.
    let (n_name, n_number, align, n_counted) = match head {
        [b'R', b'I', b'F', b'F', ..] => (4, 4, 2, 0),
        [b'r', b'i', b'f', b'f', ..] => (16, 8, 8, 24),
        _ => return stated_asf_bytes(head),
    };
    let number = |at: usize, n_bytes: usize| {
        let bytes = head.get(at..at + n_bytes)?;
        Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    // Who writes into a pipe states the greatest length.
    let n_unstated = if n_number == 4 { 0x7FFF_0000 } else { 1 << 62 };
    let end = |at: usize| {
        let len = number(at + n_name, n_number).filter(|&len| len < n_unstated)?;
        Some(at as u64 + (n_name + n_number) as u64 + len.saturating_sub(n_counted))
    };
    let (mut n_stated, mut bytes_per_sec) = (end(0), f64::INFINITY);
    let mut at = 2 * n_name + n_number;
    while let Some(name) = head.get(at..at + 4) {
        match name {
            b"fmt " => bytes_per_sec = number(at + n_name + n_number + 8, 4).map_or(f64::INFINITY, |rate| rate as f64),
            b"data" => n_stated = n_stated.max(end(at)),
            _ => {}
        }
        let Some(end) = end(at).and_then(|end| usize::try_from(end.next_multiple_of(align)).ok()) else { break };
        at = end;
    }
    Some((n_stated?, bytes_per_sec))
}

/// The same of an ASF file (WMV, WMA), by the piece of its header that describes the file.
fn stated_asf_bytes(head: &[u8]) -> Option<(u64, f64)> {
    const HEADER: &[u8] = b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C";
    const FILE_PROPERTIES: &[u8] = b"\xA1\xDC\xAB\x8C\x47\xA9\xCF\x11\x8E\xE4\x00\xC0\x0C\x20\x53\x65";
    /// Set where the writer could not go back to say how long the file became.
    const BROADCAST: u32 = 1;
    let at = head.starts_with(HEADER).then(|| head.windows(16).position(|name| name == FILE_PROPERTIES))??;
    let four = |offset: usize| Some(u32::from_le_bytes(head.get(at + offset..at + offset + 4)?.try_into().ok()?));
    let n_stated = u64::from(four(44)?) << 32 | u64::from(four(40)?);
    let is_known = four(88)? & BROADCAST == 0 && n_stated > 0;
    is_known.then_some((n_stated, f64::from(four(100)?.max(1)) / 8.0))
}

/// Whether a file of a format that does not say how long it is ends within a piece.
pub(crate) fn has_cut_end(path: &Path) -> bool {
    let read = || -> io::Result<(Vec<u8>, Vec<u8>, u64)> {
        let (mut file, n_bytes) = open_file(path).map_err(io::Error::other)?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        file.by_ref().take(256).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(n_bytes.saturating_sub(MAX_OGG_PAGE_BYTES)))?;
        file.take(MAX_OGG_PAGE_BYTES).read_to_end(&mut tail)?;
        Ok((head, tail, n_bytes))
    };
    read().is_ok_and(|(head, tail, n_bytes)| ends_early(&head, &tail, n_bytes))
}

/// Of the first and the last bytes.
fn ends_early(head: &[u8], tail: &[u8], n_bytes: u64) -> bool {
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
    } else if let [0x1F, 0x07, 0x00, more, ..] = head {
        !n_bytes.is_multiple_of(DV_FRAME_BYTES[usize::from(more >> 7)])
    } else {
        // Packets are equally long, and each begins with the same byte.
        let begins = |at: usize| head.get(at) == Some(&0x47);
        let packet = TS_PACKETS.iter().find(|&&(len, at)| begins(at) && begins(at + len as usize));
        packet.is_some_and(|&(len, _)| !n_bytes.is_multiple_of(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_missing_is_a_tenth_or_some_seconds() {
        for (read_secs, stated_secs, expected) in [
            (1.0, 1.2, false),
            (1.0, 1.3, true),
            (9.1, 10.0, false),
            (8.9, 10.0, true),
            (596.0, 600.0, false),
            (594.0, 600.0, true),
            (601.0, 600.0, false),
        ] {
            assert_eq!(lacks_part(read_secs, stated_secs), expected, "{read_secs} of {stated_secs}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_file_and_of_its_sound() {
        let riff = |n_bytes: u32, n_data: u32| {
            let format = [&b"fmt "[..], &16_u32.to_le_bytes(), &[0; 8], &32000_u32.to_le_bytes(), &[0; 4]].concat();
            [b"RIFF", &n_bytes.to_le_bytes()[..], b"WAVE", &format, b"data", &n_data.to_le_bytes()].concat()
        };
        // Names of sixteen bytes, and lengths that count 24 before the piece; pieces begin at multiples of eight.
        let w64 = |n_bytes: u64, n_data: u64| {
            let name = |name: &[u8]| [name, &[0xF3; 12]].concat();
            let format = [&[0; 8][..], &32000_u32.to_le_bytes(), &[0; 6]].concat();
            let pieces = [name(b"fmt "), 42_u64.to_le_bytes().to_vec(), format, vec![0; 6], name(b"data")].concat();
            [name(b"riff"), n_bytes.to_le_bytes().to_vec(), name(b"wave"), pieces, n_data.to_le_bytes().to_vec()]
                .concat()
        };
        let asf = |n_bytes: u64, flags: u32| {
            let header = b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C";
            let properties = b"\xA1\xDC\xAB\x8C\x47\xA9\xCF\x11\x8E\xE4\x00\xC0\x0C\x20\x53\x65";
            let sizes = [flags.to_le_bytes(), [0; 4], [0; 4], 64000_u32.to_le_bytes()].concat();
            [&header[..], &[0; 14], properties, &[0; 24], &n_bytes.to_le_bytes(), &[0; 40], &sizes].concat()
        };
        for (head, expected) in [
            (riff(32036, 32000), Some((32044, 32000.0))),
            (riff(36, 64000), Some((64044, 32000.0))),
            (riff(u32::MAX, u32::MAX), None),
            (riff(u32::MAX, 64000), Some((64044, 32000.0))),
            (riff(32036, 0), Some((32044, 32000.0))),
            (w64(32112, 32024), Some((32112, 32000.0))),
            (w64(0, 32024), Some((32112, 32000.0))),
            (w64(u64::MAX, u64::MAX / 2), None),
            (b"RIFF\x10\0\0\0AVI LIST\x04\0\0\0movi".to_vec(), Some((24, f64::INFINITY))),
            (asf(500_191, 0), Some((500_191, 8000.0))),
            (asf(500_191, 1), None),
            (asf(0, 0), None),
            (asf(500_191, 0)[..100].to_vec(), None),
            (b"RIFF".to_vec(), None),
            (b"OggS\x10\0\0\0".to_vec(), None),
        ] {
            assert_eq!(stated_bytes(&head), expected, "{head:?}");
        }
    }

    #[test]
    fn sound_that_states_more_than_its_file_has_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sound.wav");
        crate::test_media::wav(&path, 16000, 1, &[0; 16000]);
        assert_eq!(cut_file(&path), None);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40..44].copy_from_slice(&64000_u32.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(cut_file(&path).as_deref(), Some("only 32044 of 64044 bytes are there"));
    }

    #[test]
    fn ends_within_a_piece_are_noticed() {
        let mut page = [b"OggS".as_slice(), &[0; 22], &[2, 3, 4], &[7; 7]].concat();
        let ogg = |tail: &[u8]| ends_early(b"OggS", tail, tail.len() as u64);
        assert!(!ogg(&page) && ogg(&page[..page.len() - 1]) && ogg(&page[..20]));
        page.extend_from_slice(b"OggS");
        assert!(ogg(&page));
        assert!(!ends_early(b"GIF89a", b"\x01\0;\0", 9) && ends_early(b"GIF89a", b"\x01\x02", 9));
        let (ntsc, pal) = ([0x1F, 0x07, 0x00, 0x3F], [0x1F, 0x07, 0x00, 0xBF]);
        assert!(!ends_early(&ntsc, &[], 240_000) && ends_early(&ntsc, &[], 288_000));
        assert!(!ends_early(&pal, &[], 288_000) && ends_early(&pal, &[], 240_000));
        let m2ts = [[1; 4].as_slice(), &[0x47], &[0; 191], &[0x47]].concat();
        assert!(!ends_early(&m2ts, &[], 384) && ends_early(&m2ts, &[], 376));
        let ts = [[0x47; 1].as_slice(), &[0; 187], &[0x47]].concat();
        assert!(!ends_early(&ts, &[], 376) && ends_early(&ts, &[], 300) && !ends_early(&ts[1..], &[], 300));
    }
}
