//! A file of features as named arrays and texts.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::pickle::{Bytes, Fault};

use crate::{Element, FeatureError, hdf5, npy, npz, pickle, safetensors_file, table};

/// Deflate makes no more than so many bytes of one.
pub(crate) const MAX_INFLATION: u64 = 1032;

/// Numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub values: Vec<f32>,
}

/// Texts in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub values: Vec<String>,
}

/// An array that was not read yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub element: Element,
    pub big_endian: bool,
    /// Column-major, as numpy calls Fortran's order.
    pub fortran: bool,
    pub shape: Vec<usize>,
    pub bytes: Bytes,
}

impl Layout {
    /// Checks that there are exactly the bytes that the shape needs.
    pub fn checked(self) -> Result<Self, String> {
        match self.element.n_bytes_of(&self.shape) {
            Some(n) if n == self.bytes.n_bytes() => Ok(self),
            _ => Err(format!("an array of shape {:?} cannot have {} bytes", self.shape, self.bytes.n_bytes())),
        }
    }
}

/// A file whose arrays are compressed, so that no part of one can be had without the rest.
pub(crate) trait Packed: Send + Sync {
    /// Writes the numbers of the array `name`; no more than were checked against the length of the file.
    fn unpack(&self, name: &str, to: &mut dyn Write) -> Result<(), Fault>;
}

impl fmt::Debug for dyn Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packed")
    }
}

#[derive(Debug)]
pub(crate) enum Entry {
    Numbers(Layout),
    /// The places of its bytes are those among what it is unpacked to.
    Packed(Layout, Arc<dyn Packed>),
    /// The places of its bytes are those in the temporary file.
    Unpacked(Layout, Arc<File>),
    Texts(Arc<Texts>),
}

impl Entry {
    fn layout(&self) -> Option<&Layout> {
        match self {
            Self::Numbers(layout) | Self::Packed(layout, _) | Self::Unpacked(layout, _) => Some(layout),
            Self::Texts(_) => None,
        }
    }
}

/// An open file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Entry>,
    /// Arrays whose rows are asked for, unpacked one behind the other; and the bytes that they take.
    unpacked: Option<(Arc<File>, u64)>,
}

/// The error of a format, for the file at `path`.
fn failed(fault: Fault, path: &Path) -> FeatureError {
    let path = path.to_owned();
    match fault {
        Fault::Io(source) => FeatureError::Read { path, source },
        Fault::Damaged(reason) => FeatureError::Damaged { reason, path },
        Fault::Refused(what) => FeatureError::Refused { what, path },
    }
}

impl Store {
    /// Opens a file by its extension and lists what is in it. A file that is one array has one entry without a name;
    /// dictionaries in dictionaries of a pickle, and groups in groups of HDF5, have names such as `train/audio`.
    pub fn open(path: &Path) -> Result<Self, FeatureError> {
        let read = |source| FeatureError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(read)?;
        // Opening a pipe would wait for a writer.
        if !metadata.is_file() {
            return Err(FeatureError::NotAFile(path.to_owned()));
        }
        let mut file = File::open(path).map_err(read)?;
        let n_bytes = metadata.len();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
        let entries = match extension.as_str() {
            "npy" => npy::entries(&mut file, n_bytes),
            "npz" => npz::entries(&file, n_bytes),
            "safetensors" => safetensors_file::entries(&mut file, n_bytes),
            "pkl" | "pickle" => pickle::entries(&mut file, n_bytes),
            "csd" | "h5" | "hdf5" => hdf5::entries(&file, n_bytes),
            "csv" | "tsv" => table::entries(&mut file),
            _ => return Err(FeatureError::UnknownFormat(path.to_owned())),
        };
        let entries = entries.map_err(|fault| failed(fault, path))?;
        Ok(Self { path: path.to_owned(), file, entries, unpacked: None })
    }

    /// Names of arrays and texts, in order of name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Names of arrays of numbers with their shapes, in order of name.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().filter_map(|(name, entry)| Some((name.as_str(), entry.layout()?.shape.as_slice())))
    }

    /// Lengths of the axes of the array `name`.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        match self.entries.get(name)? {
            Entry::Texts(texts) => Some(&texts.shape),
            numbers => numbers.layout().map(|layout| layout.shape.as_slice()),
        }
    }

    /// The texts called `name`.
    pub fn texts(&self, name: &str) -> Option<&Texts> {
        match self.entries.get(name)? {
            Entry::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Reads the array `name`, or its `row` along the first axis.
    pub fn read(&mut self, name: &str, row: Option<usize>) -> Result<Array, FeatureError> {
        let Some(layout) = self.entries.get(name).and_then(Entry::layout) else {
            let known = self.arrays().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            return Err(FeatureError::NoArray { name: name.to_owned(), known, path: self.path.clone() });
        };
        if let Some(row) = row
            && layout.shape.first().is_none_or(|&n| row >= n)
        {
            let (what, shape) = (format!("row {row} is asked for"), layout.shape.clone());
            return Err(FeatureError::OutOfRange { what, shape, path: self.path.clone() });
        }
        self.numbers(name, row).map_err(|fault| failed(fault, &self.path))
    }

    /// Reads an array that is there, or a row that it has.
    fn numbers(&mut self, name: &str, row: Option<usize>) -> Result<Array, Fault> {
        if row.is_some() {
            self.unpack(name)?;
        }
        let entry = &self.entries[name];
        let layout = entry.layout().expect("it is an array");
        let first = row.unwrap_or_default();
        let shape = layout.shape[usize::from(row.is_some())..].to_vec();
        let n_values: usize = shape.iter().product();
        let size = layout.element.n_bytes();
        // Column-major rows are scattered over the whole array.
        let is_scattered = layout.fortran && layout.shape.len() > 1;
        let (start, len) = if is_scattered {
            (0, layout.bytes.n_bytes())
        } else {
            ((first * n_values * size) as u64, (n_values * size) as u64)
        };
        let bytes = match (entry, &layout.bytes) {
            (Entry::Packed(_, packed), _) => {
                let mut bytes = Vec::new();
                packed.unpack(name, &mut bytes)?;
                check_length(name, bytes.len() as u64, len)?;
                bytes
            }
            (_, Bytes::Here(bytes)) => bytes[start as usize..(start + len) as usize].to_vec(),
            (Entry::Unpacked(_, file), Bytes::InFile(at, _)) => read_at(file, at + start, len)?,
            (_, Bytes::InFile(at, _)) => read_at(&self.file, at + start, len)?,
        };
        let value = |at: usize| layout.element.value(&bytes[at * size..(at + 1) * size], layout.big_endian);
        let values = if is_scattered {
            // Axis k steps over the product of the axes before it; with a row, the first axis is fixed.
            let strides: Vec<usize> =
                (0..layout.shape.len()).map(|axis| layout.shape[..axis].iter().product()).collect();
            let (fixed, strides) = if row.is_some() { (first, &strides[1..]) } else { (0, &strides[..]) };
            let position = |index: usize| {
                let mut rest = index;
                let mut at = fixed;
                for (side, stride) in shape.iter().zip(strides).rev() {
                    at += rest % side * stride;
                    rest /= side;
                }
                at
            };
            (0..n_values).map(|index| value(position(index))).collect()
        } else {
            (0..n_values).map(value).collect()
        };
        Ok(Array { shape, values })
    }

    /// Unpacks the array `name`, if it is packed, to a file that is gone with the store: its rows are asked for one by
    /// one, and memory may not hold all of them.
    fn unpack(&mut self, name: &str) -> Result<(), Fault> {
        let Some(Entry::Packed(layout, packed)) = self.entries.get(name) else { return Ok(()) };
        let (file, start) = match &self.unpacked {
            Some((file, n_bytes)) => (file.clone(), *n_bytes),
            None => (Arc::new(tempfile::tempfile()?), 0),
        };
        let n_bytes = layout.bytes.n_bytes();
        // Over what a failure may have left there.
        (&*file).seek(SeekFrom::Start(start))?;
        packed.unpack(name, &mut &*file)?;
        check_length(name, (&*file).stream_position()? - start, n_bytes)?;
        let layout = Layout { bytes: Bytes::InFile(start, n_bytes), ..layout.clone() };
        self.entries.insert(name.to_owned(), Entry::Unpacked(layout, file.clone()));
        self.unpacked = Some((file, start + n_bytes));
        Ok(())
    }
}

/// Whether an array has the length that it is said to have.
pub(crate) fn check_length(name: &str, n_bytes: u64, n_stated: u64) -> Result<(), Fault> {
    if n_bytes == n_stated {
        return Ok(());
    }
    Err(Fault::Damaged(format!("{name} does not have the length that it says")))
}

fn read_at(mut file: &File, at: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
