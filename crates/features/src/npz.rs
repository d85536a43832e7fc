//! `.npz`: several `.npy` files in a zip archive, compressed or not.
//! Members that are no arrays of numbers are passed over, as a file may hold texts beside its features.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use pickle::{Bytes, Fault};

use crate::npy::Header;
use crate::store::Entry;

pub(crate) fn entries(file: &mut File, n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let damaged = |error: zip::result::ZipError| Fault::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(damaged)?;
        let name = member.name().map_err(damaged)?.into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
        let header = match Header::read(&mut member) {
            Err(Fault::Refused(_)) => continue,
            header => header?,
        };
        let Some(len) = header.n_bytes() else {
            return Err(Fault::Damaged(format!("{name} cannot be as large as it says")));
        };
        let is_stored = member.compression() == zip::CompressionMethod::Stored && !member.encrypted();
        let bytes = match member.data_start() {
            Some(start) if is_stored => {
                if header.n_header.checked_add(len) != Some(member.size()) {
                    return Err(Fault::Damaged(format!("{name} does not have the length that it says")));
                }
                let start = start.saturating_add(header.n_header);
                if start.checked_add(len).is_none_or(|end| end > n_bytes) {
                    return Err(Fault::Damaged(format!("{name} ends after the file")));
                }
                Bytes::InFile(start, len)
            }
            _ => {
                // The archive's own word for the length is as little proof as the header's: both must agree with the bytes.
                let mut bytes = Vec::new();
                member
                    .by_ref()
                    .take(len.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| Fault::Damaged(format!("{name} cannot be unpacked: {error}")))?;
                Bytes::Here(bytes.into())
            }
        };
        entries.insert(name, Entry::Numbers(header.layout(bytes)?));
    }
    Ok(entries)
}
