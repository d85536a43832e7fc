//! `.npy`: one array of numpy, version 1 to 3.
//! Left out: arrays of records and of objects; the latter would be a pickle.

use std::io::{Read, Seek, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;
use pickle::{Bytes, Fault};

use crate::store::{Entry, Layout};
use crate::{Element, FeatureError};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Numpy's own are below one kilobyte.
const MAX_HEADER: u64 = 1 << 20;

pub(crate) fn entries(
    file: &mut (impl Read + Seek),
    n_bytes: u64,
) -> Result<std::collections::BTreeMap<String, Entry>, Fault> {
    let header = Header::read(file)?;
    let start = file.stream_position()?;
    let bytes = Bytes::InFile(start, n_bytes.saturating_sub(start));
    Ok([(String::new(), Entry::Numbers(header.layout(bytes)?))].into())
}

/// Writes `values` of `shape` as an array of 32-bit floats, under a temporary name first; numpy reads it with
/// `numpy.load`.
///
/// Errors where the file cannot be written.
///
/// # Panics
///
/// Where there are not as many values as the shape says.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), FeatureError> {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "as many values as the shape says");
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}");
    // Numbers begin at a multiple of 64 bytes, after a line end.
    let n_before = MAGIC.len() + 4;
    header.push_str(&" ".repeat(63 - (n_before + header.len()) % 64));
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    write(path, &bytes).map_err(|source| FeatureError::Write { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = AtomicWriteFile::open(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// What stands before the numbers.
pub(crate) struct Header {
    element: Element,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes before the first number.
    pub n_header: u64,
}

impl Header {
    /// Reads up to the first number.
    pub fn read(file: &mut impl Read) -> Result<Self, Fault> {
        let mut start = [0; 8];
        file.read_exact(&mut start)?;
        if !start.starts_with(MAGIC) {
            return Err(Fault::Damaged("it does not begin like an .npy file".to_owned()));
        }
        let mut length = [0; 4];
        let n_length = if start[6] == 1 { 2 } else { 4 };
        file.read_exact(&mut length[..n_length])?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > MAX_HEADER {
            return Err(Fault::Damaged(format!("a header of {length} bytes")));
        }
        let mut header = Vec::new();
        if file.take(length).read_to_end(&mut header)? as u64 != length {
            return Err(Fault::Damaged("the header is cut off".to_owned()));
        }
        let header = String::from_utf8_lossy(&header);
        let parsed = Self::parse(&header)
            .ok_or_else(|| Fault::Damaged(format!("the header cannot be read: {}", header.trim())))??;
        Ok(Self { n_header: (start.len() + n_length) as u64 + length, ..parsed })
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`; `None`: no such thing.
    fn parse(header: &str) -> Option<Result<Self, Fault>> {
        let after = |key: &str| {
            let at = header.find(&format!("'{key}'")).or_else(|| header.find(&format!("\"{key}\"")))?;
            Some(header[at + key.len() + 2..].trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = after("descr")?;
        let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"' | '['))?;
        let descr = &descr[1..];
        let code = if quote == '[' { "records" } else { &descr[..descr.find(quote)?] };
        let fortran = after("fortran_order")?.starts_with("True");
        let shape = after("shape")?.strip_prefix('(')?;
        let sides = shape[..shape.find(')')?].split(',').map(str::trim).filter(|side| !side.is_empty());
        let shape = sides.map(|side| side.trim_end_matches('L').parse().ok()).collect::<Option<Vec<usize>>>()?;
        let order = code.trim_start_matches(['<', '>', '|', '=']);
        Some(match Element::from_numpy(order) {
            Some(element) => Ok(Self { element, big_endian: code.starts_with('>'), fortran, shape, n_header: 0 }),
            None => Err(Fault::Refused(format!("the type {code:?} instead of numbers"))),
        })
    }

    /// The array, of which `bytes` are the numbers.
    pub fn layout(self, bytes: Bytes) -> Result<Layout, Fault> {
        let Self { element, big_endian, fortran, shape, .. } = self;
        Layout { element, big_endian, fortran, shape, bytes }.checked().map_err(Fault::Damaged)
    }

    /// Bytes that the numbers take; `None` where no memory could hold them.
    pub fn n_bytes(&self) -> Option<u64> {
        self.element.n_bytes_of(&self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        for (shape, values) in [(vec![2, 3], vec![1.0, -2.5, f32::MIN_POSITIVE, 4.0, 5.0, 1e30]), (vec![0, 7], vec![])]
        {
            write_npy(&path, &shape, &values).unwrap();
            let array = Store::open(&path).unwrap().read("", None).unwrap();
            assert_eq!((array.shape, array.values), (shape, values));
        }
        // Several at once are in nobody's way.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| write_npy(&path, &[1], &[7.0]).unwrap()));
            }
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing temporary is left");
        let error = write_npy(&dir.path().join("missing/a.npy"), &[0], &[]).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
