//! Files opened for reading: regular ones alone.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::DatasetError;

/// Opens a regular file, or what a link to one leads to.
pub(crate) fn open(path: &Path) -> Result<File, DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    // Opening a pipe would wait for a writer, and some devices never end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(DatasetError::NotAFile(path.to_owned()));
    }
    File::open(path).map_err(failed)
}

/// All bytes of a regular file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let mut bytes = Vec::new();
    let read = open(path)?.read_to_end(&mut bytes);
    read.map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}
