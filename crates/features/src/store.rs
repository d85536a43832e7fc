//! A file of features as named arrays and texts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::pickle::{Bytes, Fault};

use crate::hdf5::{self, Packed};
use crate::{Element, FeatureError, npy, npz, pickle, safetensors_file, table};

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
        let n = self.shape.iter().try_fold(self.element.n_bytes() as u64, |n, &side| n.checked_mul(side as u64));
        match n {
            Some(n) if n == self.bytes.n_bytes() => Ok(self),
            _ => Err(format!("an array of shape {:?} cannot have {} bytes", self.shape, self.bytes.n_bytes())),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Numbers(Layout),
    Packed(Packed),
    Texts(Arc<Texts>),
}

/// An open file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Entry>,
    /// The array whose rows were asked for last, by name, where a row cannot be had without the others.
    unpacked: Option<(String, Layout)>,
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
            "npz" => npz::entries(&mut file, n_bytes),
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
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Numbers(layout) => Some((name.as_str(), layout.shape.as_slice())),
            Entry::Packed(packed) => Some((name.as_str(), packed.shape.as_slice())),
            Entry::Texts(_) => None,
        })
    }

    /// Lengths of the axes of the array `name`.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        match self.entries.get(name)? {
            Entry::Numbers(layout) => Some(&layout.shape),
            Entry::Packed(packed) => Some(&packed.shape),
            Entry::Texts(texts) => Some(&texts.shape),
        }
    }

    /// The texts called `name`.
    pub fn texts(&self, name: &str) -> Option<&Texts> {
        match self.entries.get(name)? {
            Entry::Texts(texts) => Some(texts),
            Entry::Numbers(_) | Entry::Packed(_) => None,
        }
    }

    /// Reads the array `name`, or its `row` along the first axis.
    pub fn read(&mut self, name: &str, row: Option<usize>) -> Result<Array, FeatureError> {
        let whole;
        let layout = match self.entries.get(name) {
            Some(Entry::Numbers(layout)) => layout,
            Some(Entry::Packed(packed)) => {
                let unpack = || packed.unpack(name).map_err(|fault| failed(fault, &self.path));
                if row.is_none() {
                    whole = unpack()?;
                    &whole
                } else {
                    // The rows of a list are asked for one by one, each of which would unpack all of them.
                    let unpacked = match self.unpacked.take().filter(|(own, _)| own == name) {
                        Some(unpacked) => unpacked,
                        None => (name.to_owned(), unpack()?),
                    };
                    &self.unpacked.insert(unpacked).1
                }
            }
            Some(Entry::Texts(_)) | None => {
                let known = self.arrays().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                return Err(FeatureError::NoArray { name: name.to_owned(), known, path: self.path.clone() });
            }
        };
        let out_of_range =
            |what| FeatureError::OutOfRange { what, shape: layout.shape.clone(), path: self.path.clone() };
        let first = match row {
            None => 0,
            Some(row) if layout.shape.first().is_some_and(|&n| row < n) => row,
            Some(row) => return Err(out_of_range(format!("row {row} is asked for"))),
        };
        let shape = if row.is_some() { layout.shape[1..].to_vec() } else { layout.shape.clone() };
        let n_values: usize = shape.iter().product();
        let size = layout.element.n_bytes();
        // Column-major rows are scattered over the whole array.
        let is_scattered = layout.fortran && layout.shape.len() > 1;
        let (start, len) = if is_scattered {
            (0, layout.bytes.n_bytes())
        } else {
            ((first * n_values * size) as u64, (n_values * size) as u64)
        };
        let bytes = match &layout.bytes {
            Bytes::Here(bytes) => bytes[start as usize..(start + len) as usize].to_vec(),
            Bytes::InFile(at, _) => {
                let failed = |source| FeatureError::Read { path: self.path.clone(), source };
                let mut bytes = vec![0; len as usize];
                self.file.seek(SeekFrom::Start(at + start)).map_err(failed)?;
                self.file.read_exact(&mut bytes).map_err(failed)?;
                bytes
            }
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
}
