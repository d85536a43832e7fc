//! HDF5, as CMU's Multimodal SDK publishes computational sequences (`.csd`): arrays and texts by their path in the
//! file.
//!
//! Old and new groups, contiguous and chunked arrays, deflate, shuffle and checksums. Left out: links to other files,
//! arrays of records, and what is neither a number nor a text; members of these kinds are passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::{Dataset, Datatype, FileStorage, Hdf5File, OpenOptions};
use pickle::{Budget, Bytes, Fault};

use crate::Element;
use crate::store::{Entry, Layout, MAX_INFLATION, Packed, Texts};

/// Groups in groups that are looked into: sequence, data, video, and some to spare.
const DEPTH: usize = 6;

impl Packed for Hdf5File {
    fn unpack(&self, name: &str, to: &mut dyn Write) -> Result<(), Fault> {
        let bytes = self.dataset(name).and_then(|array| array.read_native_bytes()).map_err(fault)?;
        Ok(to.write_all(&bytes)?)
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Io(error) => error.into(),
        other => Fault::Damaged(other.to_string()),
    }
}

pub(crate) fn entries(file: &File, n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    // Arrays that were never written are zeros without a byte in the file.
    let limit = usize::try_from(n_bytes.saturating_mul(MAX_INFLATION)).unwrap_or(usize::MAX);
    // What was read is kept by whoever needs it, not here, too.
    let options = OpenOptions { max_read_bytes: limit, chunk_cache_bytes: 0, ..OpenOptions::default() };
    let storage = FileStorage::from_file(file.try_clone()?).map_err(fault)?;
    let file = Arc::new(Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(fault)?);
    let mut entries = BTreeMap::new();
    // Groups may be members of each other.
    let mut budget = Budget::of(n_bytes);
    let mut waiting = vec![(file.root_group().map_err(fault)?, String::new(), 0)];
    while let Some((group, path, depth)) = waiting.pop() {
        let (groups, arrays) = group.members().map_err(fault)?;
        let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for array in arrays {
            let name = inner(array.name());
            budget.spend(name.len() + size_of::<Entry>())?;
            if let Some(entry) = entry(&array, &file, &mut budget)? {
                entries.insert(name, entry);
            }
        }
        for group in groups {
            let name = inner(group.name());
            budget.spend(name.len() + size_of::<Entry>())?;
            if depth < DEPTH {
                waiting.push((group, name, depth + 1));
            }
        }
    }
    Ok(entries)
}

/// An array of numbers, still in the file, or texts; `None` for others.
fn entry(array: &Dataset, file: &Arc<Hdf5File>, budget: &mut Budget) -> Result<Option<Entry>, Fault> {
    let sides: Result<Vec<usize>, _> = array.shape().iter().map(|&side| usize::try_from(side)).collect();
    let shape = sides.map_err(|_| Fault::Damaged(format!("{} cannot be as large as it says", array.name())))?;
    let element = match array.dtype() {
        Datatype::FixedPoint { size, signed: true, .. } => Element::from_numpy(&format!("i{size}")),
        Datatype::FixedPoint { size, signed: false, .. } => Element::from_numpy(&format!("u{size}")),
        Datatype::FloatingPoint { size, .. } => Element::from_numpy(&format!("f{size}")),
        Datatype::String { .. } | Datatype::VarLen { .. } => {
            // Descriptions may be of kinds that are not read; features of that kind are missed by name later.
            let Ok(values) = array.read_strings() else { return Ok(None) };
            budget.spend(values.iter().map(|value| value.len() + size_of::<String>()).sum())?;
            return Ok(Some(Entry::Texts(Arc::new(Texts { shape, values }))));
        }
        _ => None,
    };
    let Some(element) = element else { return Ok(None) };
    let too_large = || Fault::Damaged(format!("{} cannot be as large as it says", array.name()));
    let n_bytes = element.n_bytes_of(&shape).ok_or_else(too_large)?;
    let (big_endian, bytes) = (cfg!(target_endian = "big"), Bytes::InFile(0, n_bytes));
    let layout = Layout { element, big_endian, fortran: false, shape, bytes };
    Ok(Some(Entry::Packed(layout, file.clone())))
}
