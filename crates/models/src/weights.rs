//! Weights from and to files: strict, under the names of the published checkpoints.
//!
//! A checkpoint is listed without reading its numbers, see [`checkpoints`]; [`fit()`] says what of it belongs where in
//! a module, for whoever only asks and before anything is filled. Every parameter of the module must be in the file
//! with its shape, and every tensor of the file must be a parameter; anything else is an error that lists names.
//! Nothing is ever left at a random value in silence.

pub(crate) mod fit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot as _, PyTorchToBurnAdapter};
use burn::tensor::{BoolStore, Bytes, DType, Shape};
use checkpoints::{Dtype, Fault};
use safetensors::tensor::TensorInfo;

pub use fit::{Fit, Leftovers, Misshapen, Place, Spelling, fit};

use crate::ModelError;

/// Names listed in an error before it says how many more there are.
const LISTED: usize = 5;

/// The beginning of names that a checkpoint spells differently from the module; with a dot first, any part of them. `*`
/// stands for a number, the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rename {
    /// As in the checkpoint.
    pub checkpoint: &'static str,
    /// As in the module.
    pub module: &'static str,
}

impl Rename {
    /// A name of the checkpoint as the module spells it.
    pub fn to_module(renames: &[Self], name: &str) -> String {
        renamed(name, renames.iter().map(|rename| (rename.checkpoint, rename.module)))
    }

    /// A name of the module as the checkpoint spells it.
    pub fn to_checkpoint(renames: &[Self], name: &str) -> String {
        renamed(name, renames.iter().map(|rename| (rename.module, rename.checkpoint)))
    }
}

/// `name` after the first of `pairs` that fits it.
fn renamed<'a>(name: &str, mut pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let replaced = |(from, to): (&str, &str)| {
        let at = if from.starts_with('.') { name.find(from) } else { Some(0) }?;
        let (numbers, rest) = numbers(from, &name[at..])?;
        let replaced = numbers.iter().fold(to.to_owned(), |to, number| to.replacen('*', number, 1));
        Some(format!("{}{replaced}{rest}", &name[..at]))
    };
    pairs.find_map(replaced).unwrap_or_else(|| name.to_owned())
}

/// What the stars of a pattern stand for in a name that begins like it, and what follows.
fn numbers<'a>(pattern: &str, name: &'a str) -> Option<(Vec<&'a str>, &'a str)> {
    let mut parts = pattern.split('*');
    let mut rest = name.strip_prefix(parts.next()?)?;
    let mut numbers = Vec::new();
    for part in parts {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        if number.is_empty() {
            return None;
        }
        numbers.push(number);
        rest = after.strip_prefix(part)?;
    }
    Some((numbers, rest))
}

/// A checkpoint of which no number was read.
pub type Contents = checkpoints::Contents<PackTensor>;

/// Opens a checkpoint of any kind that [`checkpoints`] reads; numbers are read when they are asked for.
///
/// Nothing in a file is ever run; one that asks for it is refused.
pub fn open_checkpoint(path: &Path) -> Result<Contents, ModelError> {
    if let Some(fault) = snapshot_fault(path) {
        return Err(fault);
    }
    let checkpoints::Contents { container, tensors, set_aside } =
        checkpoints::open(path).map_err(|fault| match fault {
            Fault::Io(source) => ModelError::Read { path: path.to_owned(), source },
            Fault::Damaged(reason) => ModelError::Damaged { reason, path: path.to_owned() },
            Fault::Refused(what) => ModelError::Refused { what, path: path.to_owned() },
        })?;
    Ok(Contents { container, tensors: tensors.into_iter().map(unread).collect(), set_aside })
}

/// What to say of a folder as Hugging Face has it, a snapshot or a clone of a repository; nothing of anything else.
pub(crate) fn snapshot_fault(path: &Path) -> Option<ModelError> {
    /// What the weights are called, the file that is safer first.
    const FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
    let files = FILES.map(|file| path.join(file)).into_iter().filter(|_| path.join("config.json").is_file());
    let file = { files }.find(|file| file.is_file())?;
    Some(ModelError::Snapshot { file, path: path.to_owned() })
}

/// A tensor whose numbers are read when somebody asks.
fn unread(tensor: checkpoints::Tensor) -> PackTensor {
    let dtype = match tensor.dtype {
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        Dtype::U8 => DType::U8,
        Dtype::U16 => DType::U16,
        Dtype::U32 => DType::U32,
        Dtype::U64 => DType::U64,
        Dtype::I8 => DType::I8,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F64 => DType::F64,
        _ => DType::F32,
    };
    let (name, shape) = (tensor.name.clone(), Shape::from(tensor.shape.clone()));
    PackTensor::deferred(name, dtype, shape, None, tensor.n_bytes(), move || {
        let bytes = tensor.read().map_err(|error| PackError::IoError(error.to_string()))?;
        Ok(Bytes::from_bytes_vec(bytes))
    })
}

/// The weights of a checkpoint, see [`open_checkpoint`].
pub fn read_checkpoint(path: &Path) -> Result<Vec<PackTensor>, ModelError> {
    Ok(open_checkpoint(path)?.tensors)
}

/// Fills `module` from a checkpoint with PyTorch's names and layouts.
pub fn import<M: Module>(module: &mut M, path: &Path, renames: &[Rename]) -> Result<(), ModelError> {
    import_tensors(module, read_checkpoint(path)?, renames, path)
}

/// Fills `module` from the tensors of a checkpoint, chosen or converted by who knows its format; `path` names it in
/// errors.
pub fn import_tensors<M: Module>(
    module: &mut M,
    tensors: Vec<PackTensor>,
    renames: &[Rename],
    path: &Path,
) -> Result<(), ModelError> {
    import_spelled(module, tensors, &Spelling::renamed(renames, &[]), path)
}

/// The same for formats whose names differ in more than their beginning, or that hold more than anybody reads.
pub fn import_spelled<M: Module>(
    module: &mut M,
    tensors: Vec<PackTensor>,
    spelling: &Spelling<'_>,
    path: &Path,
) -> Result<(), ModelError> {
    let (fit, tensors) = fit(module, tensors, spelling);
    match fit.complaint() {
        Some(reason) => Err(ModelError::Weights { reason, path: path.to_owned() }),
        None => fill(module, tensors, path),
    }
}

/// Gives every parameter of the module its tensor, of which there is one each.
fn fill<M: Module>(module: &mut M, tensors: Vec<PackTensor>, path: &Path) -> Result<(), ModelError> {
    let result = module.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    let missing = result.missing.into_iter().map(|(name, _)| format!("{name} is missing"));
    let failed: Vec<String> = missing.chain(result.errors.iter().map(ToString::to_string)).collect();
    match listed("unreadable", &failed) {
        Some(reason) => Err(ModelError::Damaged { reason, path: path.to_owned() }),
        None => Ok(()),
    }
}

/// Writes `module` with PyTorch's names and layouts, to be read by [`import`] or by PyTorch users.
///
/// One tensor after the other, so that the model is in memory once.
pub fn export<M: Module>(module: &M, path: &Path, renames: &[Rename]) -> Result<(), ModelError> {
    let failed = |source| ModelError::Write { path: path.to_owned(), source };
    let tensors = module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    let named = |tensor: PackTensor| (Rename::to_checkpoint(renames, &tensor.name), tensor);
    let tensors: BTreeMap<String, PackTensor> = tensors.into_iter().map(named).collect();
    let mut end = 0;
    let mut header = BTreeMap::new();
    for (name, tensor) in &tensors {
        let start = end;
        end += tensor.shape.num_elements() * DType::F32.size();
        let shape = tensor.shape.iter().copied().collect();
        header.insert(name, TensorInfo { dtype: Dtype::F32, shape, data_offsets: (start, end) });
    }
    let mut header = serde_json::to_vec(&header).map_err(|error| failed(error.into()))?;
    // The format aligns the numbers with spaces.
    header.resize(header.len().next_multiple_of(8), b' ');
    crate::bundle::write_atomically_with(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for (name, tensor) in tensors {
            let bytes = tensor.to_bytes().map_err(|error| std::io::Error::other(error.to_string()))?;
            if bytes.len() != tensor.shape.num_elements() * DType::F32.size() {
                return Err(std::io::Error::other(format!("{name} is not of 32-bit floats")));
            }
            file.write_all(&bytes)?;
        }
        Ok(())
    })
}

fn listed(what: &str, names: &[String]) -> Option<String> {
    let first = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        n if n <= LISTED => Some(format!("{n} {what}: {first}")),
        n => Some(format!("{n} {what}: {first}, and {} more", n - LISTED)),
    }
}
