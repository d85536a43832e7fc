//! Where the parts of a zip archive lie. PyTorch compresses only TorchScript's code, which nobody reads here. Left out:
//! compression, encryption, several volumes, checksums, which PyTorch may leave at zero.
//!
//! Follows PKWARE's APPNOTE 6.3.10, with the 64-bit records that PyTorch always writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use pickle::Fault;

/// The end record without its comment, and the longest comment.
const END_BYTES: usize = 22;
const MAX_COMMENT: u64 = 0xFFFF;
/// The record that says where the 64-bit end record is.
const LOCATOR_BYTES: usize = 20;
const END_64_BYTES: u64 = 56;
/// A directory larger than this has more entries than any checkpoint.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// Stands for a number that is in the 64-bit field instead.
const ELSEWHERE: u64 = 0xFFFF_FFFF;

/// First byte and length of each part, by name; `None` for one that is compressed or encrypted.
pub(crate) type Parts = BTreeMap<String, Option<(u64, u64)>>;

/// Lists the parts of an archive of `n_bytes` bytes.
pub(crate) fn parts(file: &mut File, n_bytes: u64) -> Result<Parts, Fault> {
    let directory = directory(file, n_bytes)?;
    let mut parts = Parts::new();
    let mut rest = directory.as_slice();
    while rest.starts_with(b"PK\x01\x02") {
        let (entry, after) = entry(rest)?;
        rest = after;
        if !entry.is_stored {
            parts.insert(entry.name, None);
            continue;
        }
        // Name and extra field of the local header may be of other lengths than those in the directory.
        let header = read_at(file, entry.header, 30, n_bytes)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(broken());
        }
        let start = entry.header + 30 + number(&header, 26, 2)? + number(&header, 28, 2)?;
        if start.checked_add(entry.length).is_none_or(|end| end > n_bytes) {
            return Err(Fault::Damaged(format!("{} in its archive ends after the file", entry.name)));
        }
        parts.insert(entry.name, Some((start, entry.length)));
    }
    Ok(parts)
}

/// Where the part `name` lies, of which [`Parts`] say `place`; an error where its bytes are not there as they are.
pub(crate) fn stored(name: &str, place: Option<(u64, u64)>) -> Result<(u64, u64), Fault> {
    let compressed = || format!("{name} in its archive is compressed, which PyTorch's never is; save it again");
    place.ok_or_else(|| Fault::Damaged(compressed()))
}

/// Reads the bytes of a part.
pub(crate) fn read(file: &mut File, (start, length): (u64, u64)) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The archive's list of entries.
fn directory(file: &mut File, n_bytes: u64) -> Result<Vec<u8>, Fault> {
    let tail_start = n_bytes.saturating_sub((END_BYTES + LOCATOR_BYTES) as u64 + MAX_COMMENT);
    let tail = read_at(file, tail_start, n_bytes - tail_start, n_bytes)?;
    let at = tail.windows(END_BYTES).rposition(|bytes| bytes.starts_with(b"PK\x05\x06")).ok_or_else(broken)?;
    let (mut length, mut start) = (number(&tail, at + 12, 4)?, number(&tail, at + 16, 4)?);
    let locator = at.checked_sub(LOCATOR_BYTES).filter(|&at| tail[at..].starts_with(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let end = read_at(file, number(&tail, locator + 8, 8)?, END_64_BYTES, n_bytes)?;
        if !end.starts_with(b"PK\x06\x06") {
            return Err(broken());
        }
        (length, start) = (number(&end, 40, 8)?, number(&end, 48, 8)?);
    }
    if length > MAX_DIRECTORY_BYTES {
        return Err(broken());
    }
    read_at(file, start, length, n_bytes)
}

struct Entry {
    name: String,
    is_stored: bool,
    length: u64,
    /// Where its local header is.
    header: u64,
}

/// The first entry of a directory, and the rest.
fn entry(directory: &[u8]) -> Result<(Entry, &[u8]), Fault> {
    let [name_bytes, extra_bytes, comment_bytes] = [28, 30, 32].map(|at| number(directory, at, 2));
    let name_end = 46 + name_bytes? as usize;
    let extra_end = name_end + extra_bytes? as usize;
    let end = extra_end + comment_bytes? as usize;
    let (Some(name), Some(extra), Some(rest)) =
        (directory.get(46..name_end), directory.get(name_end..extra_end), directory.get(end..))
    else {
        return Err(broken());
    };
    let [flags, method] = [8, 10].map(|at| number(directory, at, 2));
    let (packed, mut length) = (number(directory, 20, 4)?, number(directory, 24, 4)?);
    let mut header = number(directory, 42, 4)?;
    if let Some(mut wide) = extra_field(extra, 1) {
        // Only those numbers that did not fit are there, in this order.
        let mut next = |narrow: u64| -> Result<u64, Fault> {
            if narrow != ELSEWHERE {
                return Ok(narrow);
            }
            let value = number(wide, 0, 8)?;
            wide = &wide[8..];
            Ok(value)
        };
        length = next(length)?;
        next(packed)?;
        header = next(header)?;
    }
    // The first flag is encryption.
    let is_stored = method? == 0 && flags? & 1 == 0;
    let entry = Entry { name: String::from_utf8_lossy(name).into_owned(), is_stored, length, header };
    Ok((entry, rest))
}

/// What an extra field with this number holds.
fn extra_field(mut extra: &[u8], wanted: u64) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, length) = (number(extra, 0, 2).ok()?, number(extra, 2, 2).ok()? as usize);
        let content = extra.get(4..4 + length)?;
        if id == wanted {
            return Some(content);
        }
        extra = &extra[4 + length..];
    }
    None
}

fn read_at(file: &mut File, start: u64, length: u64, n_bytes: u64) -> Result<Vec<u8>, Fault> {
    match start.checked_add(length).is_some_and(|end| end <= n_bytes) {
        true => read(file, (start, length)),
        false => Err(broken()),
    }
}

/// A whole number of `n` bytes.
fn number(bytes: &[u8], at: usize, n: usize) -> Result<u64, Fault> {
    let mut wide = [0; 8];
    wide[..n].copy_from_slice(bytes.get(at..at + n).ok_or_else(broken)?);
    Ok(u64::from_le_bytes(wide))
}

fn broken() -> Fault {
    Fault::Damaged("its archive is broken or not all there".into())
}
