//! Weights from and to files: strict, under the names of the published checkpoints.
//!
//! A checkpoint is listed without reading its numbers; [`fit()`] says what of it belongs where in a module, for whoever only asks
//! and before anything is filled. Every parameter of the module must be in the file with its shape, and every tensor of the file must be a parameter;
//! anything else is an error that lists names. Nothing is ever left at a random value in silence.

mod archive;
pub(crate) mod fit;
mod names;
mod pickle;
#[cfg(test)]
mod tests;
mod torch;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{
    BurnToPyTorchAdapter, ModuleSnapshot as _, ModuleStore as _, PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::{DType, Shape, TensorData};
use serde::Serialize;

pub use fit::{Fit, Leftovers, Misshapen, Place, fit};

use crate::ModelError;
use pickle::Fault;

/// Names listed in an error before it says how many more there are.
const LISTED: usize = 5;

/// The beginning of names that a checkpoint spells differently from the module; with a dot first, any part of them. `*` stands
/// for a number, the same in both.
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

/// What a checkpoint is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// `.safetensors`
    Safetensors,
    /// `torch.save` since 1.6.
    Torch,
    /// `torch.save` before.
    TorchLegacy,
    /// `torch.jit.save`, as OpenAI publishes CLIP; its code is not read.
    TorchScript,
}

impl Container {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "PyTorch archive",
            Self::TorchLegacy => "PyTorch file of before 1.6",
            Self::TorchScript => "TorchScript archive",
        }
    }
}

/// All that is known of a checkpoint without reading its numbers.
#[derive(Debug)]
pub struct Contents {
    /// What it is packed in.
    pub container: Container,
    /// The weights; numbers are read when they are asked for.
    pub tensors: Vec<PackTensor>,
    /// Names of the tensors beside the weights, an optimizer's say.
    pub set_aside: Vec<String>,
}

/// Bytes by which a format is recognized.
const HEAD_BYTES: u64 = 64;
/// What a module wrapped in another for several devices has before every name.
const PARALLEL: &str = "module.";

/// Opens a checkpoint of any kind that is read here: `.safetensors`, or what PyTorch saves, by what is in it.
///
/// Nothing in a file is ever run; one that asks for it is refused.
pub fn open_checkpoint(path: &Path) -> Result<Contents, ModelError> {
    let read = |source| ModelError::Read { path: path.to_owned(), source };
    let mut head = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).map_err(read)?;
    let mut contents = match torch::is_torch(&head) {
        true => torch::contents(path, &head).map_err(|fault| match fault {
            Fault::Io(source) => read(source),
            Fault::Damaged(reason) => ModelError::Damaged { reason, path: path.to_owned() },
            Fault::Refused(what) => ModelError::Refused { what, path: path.to_owned() },
        })?,
        // The header's length, then JSON.
        false if head.get(8) == Some(&b'{') => {
            let damaged = |reason| ModelError::Damaged { reason, path: path.to_owned() };
            let mut store = SafetensorsStore::from_file(path).map_indices_contiguous(false);
            let tensors = store.get_all_tensors().map_err(|error| damaged(error.to_string()))?;
            let tensors = tensors.values().cloned().collect();
            Contents { container: Container::Safetensors, tensors, set_aside: Vec::new() }
        }
        false => {
            let reason = "it is neither .safetensors nor what torch.save writes".into();
            return Err(ModelError::Damaged { reason, path: path.to_owned() });
        }
    };
    if !contents.tensors.is_empty() && contents.tensors.iter().all(|tensor| tensor.name.starts_with(PARALLEL)) {
        for tensor in &mut contents.tensors {
            tensor.name.drain(..PARALLEL.len());
        }
    }
    Ok(contents)
}

/// The weights of a checkpoint, see [`open_checkpoint`].
pub fn read_checkpoint(path: &Path) -> Result<Vec<PackTensor>, ModelError> {
    Ok(open_checkpoint(path)?.tensors)
}

/// Fills `module` from a checkpoint with PyTorch's names and layouts.
pub fn import<M: Module>(module: &mut M, path: &Path, renames: &[Rename]) -> Result<(), ModelError> {
    import_tensors(module, read_checkpoint(path)?, renames, path)
}

/// Fills `module` from the tensors of a checkpoint, chosen or converted by who knows its format; `path` names it in errors.
pub fn import_tensors<M: Module>(
    module: &mut M,
    tensors: Vec<PackTensor>,
    renames: &[Rename],
    path: &Path,
) -> Result<(), ModelError> {
    import_placed(module, tensors, |name| Place::At(Rename::to_module(renames, name)), path)
}

/// The same for formats whose names differ in more than their beginning, or that hold more than anybody reads.
pub fn import_placed<M: Module>(
    module: &mut M,
    tensors: Vec<PackTensor>,
    place: impl Fn(&str) -> Place,
    path: &Path,
) -> Result<(), ModelError> {
    let (fit, tensors) = fit(module, tensors, place);
    match fit.complaint() {
        Some(reason) => Err(ModelError::Weights { reason, path: path.to_owned() }),
        None => fill(module, tensors, path),
    }
}

/// The same for formats that are a set of files.
///
/// `module_path` says where in the module a tensor of a file belongs; `None` leaves it out.
pub fn import_files<M: Module>(
    module: &mut M,
    paths: &[PathBuf],
    module_path: impl Fn(&Path, &str) -> Option<String>,
) -> Result<(), ModelError> {
    let mut tensors = Vec::new();
    for path in paths {
        for mut tensor in read_checkpoint(path)? {
            if let Some(name) = module_path(path, &tensor.name) {
                tensor.name = name;
                tensors.push(tensor);
            }
        }
    }
    // Blame falls on the folder where several files must fit together.
    let blamed = match paths {
        [path] => path.as_path(),
        paths => paths.first().and_then(|path| path.parent()).unwrap_or(Path::new("")),
    };
    import_placed(module, tensors, |name| Place::At(name.to_owned()), blamed)
}

/// Gives every parameter of the module its tensor, of which there is one each.
fn fill<M: Module>(module: &mut M, tensors: Vec<PackTensor>, path: &Path) -> Result<(), ModelError> {
    let tensors = tensors.into_iter().map(single_precision).collect();
    let result = module.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    let missing = result.missing.into_iter().map(|(name, _)| format!("{name} is missing"));
    let failed: Vec<String> = missing.chain(result.errors.iter().map(ToString::to_string)).collect();
    match listed("unreadable", &failed) {
        Some(reason) => Err(ModelError::Damaged { reason, path: path.to_owned() }),
        None => Ok(()),
    }
}

/// The same tensor of 32-bit floats, from halves or doubles, and with an axis at least: a scalar parameter is a vector of one
/// here. Numbers are read and converted when they are asked for.
fn single_precision(tensor: PackTensor) -> PackTensor {
    let shape = if tensor.shape.num_dims() == 0 { Shape::from([1]) } else { tensor.shape.clone() };
    let is_wide = !tensor.dtype.is_float() || tensor.dtype == DType::F32;
    let (dtype, n_bytes) = match is_wide {
        true => (tensor.dtype, tensor.byte_len()),
        false => (DType::F32, shape.num_elements() * DType::F32.size()),
    };
    PackTensor::deferred(tensor.name.clone(), dtype, shape.clone(), tensor.param_id, n_bytes, move || {
        let bytes = tensor.to_bytes()?;
        match is_wide {
            true => Ok(bytes),
            false => Ok(TensorData::from_bytes(bytes, shape.clone(), tensor.dtype).convert::<f32>().into_bytes()),
        }
    })
}

/// Writes `module` with PyTorch's names and layouts, to be read by [`import`] or by PyTorch users.
pub fn export<M: Module>(module: &M, path: &Path, renames: &[Rename]) -> Result<(), ModelError> {
    let failed = |reason: String| ModelError::Write { path: path.to_owned(), source: std::io::Error::other(reason) };
    let tensors = module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    let mut named = Vec::with_capacity(tensors.len());
    for tensor in &tensors {
        let name = Rename::to_checkpoint(renames, &tensor.name);
        let bytes = tensor.to_bytes().map_err(|error| failed(error.to_string()))?;
        named.push((name, tensor.shape.iter().copied().collect::<Vec<usize>>(), bytes));
    }
    let views: Vec<(&str, safetensors::tensor::TensorView<'_>)> = named
        .iter()
        .map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)
                .map_err(|error| failed(error.to_string()))?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<_, ModelError>>()?;
    let bytes = safetensors::serialize(views, None).map_err(|error| failed(error.to_string()))?;
    crate::bundle::write_atomically(path, &bytes)
}

fn listed(what: &str, names: &[String]) -> Option<String> {
    let first = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        n if n <= LISTED => Some(format!("{n} {what}: {first}")),
        n => Some(format!("{n} {what}: {first}, and {} more", n - LISTED)),
    }
}
