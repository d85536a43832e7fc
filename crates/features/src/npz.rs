//! `.npz`: several `.npy` files in a zip archive, compressed or not. Members that are no arrays of numbers are passed
//! over, as a file may hold texts beside its features. Of compressed ones only the headers are read until they are
//! asked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use pickle::{Bytes, Fault};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::npy::Header;
use crate::store::{Entry, MAX_INFLATION, Packed, check_length};

/// Of members that are arrays.
const SUFFIX: &str = ".npy";

impl Packed for ZipArchive<Arc<File>> {
    fn unpack(&self, name: &str, to: &mut dyn Write) -> Result<(), Fault> {
        let damaged = |error: ZipError| Fault::Damaged(error.to_string());
        let mut archive = self.clone();
        let mut member = archive.by_name(&format!("{name}{SUFFIX}")).map_err(damaged)?;
        Header::read(&mut member)?;
        // The archive says what the header says, which was checked; what goes on longer is an error.
        io::copy(&mut member, to).map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Fault::Damaged(format!("{name} cannot be unpacked: {error}"))
            }
            _ => error.into(),
        })
    }
}

pub(crate) fn entries(file: &File, n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let damaged = |error: ZipError| Fault::Damaged(error.to_string());
    let mut archive = ZipArchive::new(Arc::new(file.try_clone()?)).map_err(damaged)?;
    let packed: Arc<dyn Packed> = Arc::new(archive.clone());
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(damaged)?;
        let name = member.name().map_err(damaged)?.into_owned();
        let Some(name) = name.strip_suffix(SUFFIX).map(str::to_owned) else { continue };
        let header = match Header::read(&mut member) {
            Err(Fault::Refused(_)) => continue,
            header => header?,
        };
        let n_unpacked =
            header.n_bytes().filter(|_| member.size() <= member.compressed_size().saturating_mul(MAX_INFLATION));
        let Some(len) = n_unpacked else {
            return Err(Fault::Damaged(format!("{name} cannot be as large as it says")));
        };
        check_length(&name, member.size(), header.n_header.saturating_add(len))?;
        let is_stored = member.compression() == zip::CompressionMethod::Stored && !member.encrypted();
        let entry = match member.data_start() {
            Some(start) if is_stored => {
                let start = start.saturating_add(header.n_header);
                if start.checked_add(len).is_none_or(|end| end > n_bytes) {
                    return Err(Fault::Damaged(format!("{name} ends after the file")));
                }
                Entry::Numbers(header.layout(Bytes::InFile(start, len))?)
            }
            _ => Entry::Packed(header.layout(Bytes::InFile(0, len))?, packed.clone()),
        };
        entries.insert(name, entry);
    }
    Ok(entries)
}
