//! Weights from and to files: strict, under the names of the published checkpoints.
//!
//! Every parameter of the module must be in the file with its shape, and every tensor of the file must be a parameter;
//! anything else is an error that lists names. Nothing is ever left at a random value in silence.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{
    BurnToPyTorchAdapter, ModuleSnapshot as _, ModuleStore as _, PyTorchToBurnAdapter, PytorchStore, SafetensorsStore,
};

use crate::ModelError;

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

/// Reads all tensors of a `.safetensors`, `.pt` or `.pth` file, without building any module.
pub fn read_checkpoint(path: &Path) -> Result<Vec<PackTensor>, ModelError> {
    // Opened here first, so that a missing file is told from a damaged one.
    std::fs::File::open(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let damaged = |reason: String| ModelError::Weights { reason, path: path.to_owned() };
    let tensors = match path.extension().and_then(|extension| extension.to_str()) {
        Some("pt" | "pth" | "ckpt") => {
            let mut store = PytorchStore::from_file(path).map_indices_contiguous(false);
            store.get_all_tensors().map_err(|error| damaged(error.to_string()))?.values().cloned().collect()
        }
        _ => {
            let mut store = SafetensorsStore::from_file(path).map_indices_contiguous(false);
            store.get_all_tensors().map_err(|error| damaged(error.to_string()))?.values().cloned().collect()
        }
    };
    Ok(tensors)
}

/// Fills `module` from a checkpoint with PyTorch's names and layouts.
pub fn import<M: Module>(module: &mut M, path: &Path, renames: &[Rename]) -> Result<(), ModelError> {
    import_tensors(module, read_checkpoint(path)?, renames, path)
}

/// Fills `module` from the tensors of a checkpoint, chosen or converted by who knows its format; `path` names it in errors.
pub fn import_tensors<M: Module>(
    module: &mut M,
    mut tensors: Vec<PackTensor>,
    renames: &[Rename],
    path: &Path,
) -> Result<(), ModelError> {
    for tensor in &mut tensors {
        tensor.name = Rename::to_module(renames, &tensor.name);
    }
    fill(module, tensors, path)
}

/// The same for formats that are a set of files, whose names differ in more than their beginning, or that hold more than
/// anybody reads.
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
    fill(module, tensors, blamed)
}

/// Gives every parameter of the module its tensor.
fn fill<M: Module>(module: &mut M, mut tensors: Vec<PackTensor>, path: &Path) -> Result<(), ModelError> {
    let bad = |reason: String| ModelError::Weights { reason, path: path.to_owned() };
    for tensor in &mut tensors {
        if tensor.shape.num_dims() == 0 {
            // A scalar parameter is a vector of one here.
            let bytes = tensor.to_bytes().map_err(|error| bad(error.to_string()))?;
            *tensor = PackTensor::new(tensor.name.clone(), tensor.dtype, [1], None, bytes);
        }
    }
    let result = module.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    let missing: Vec<String> = result.missing.into_iter().map(|(name, _)| name).collect();
    let errors: Vec<String> = result.errors.iter().map(ToString::to_string).collect();
    let complaints: Vec<String> = [("missing", missing), ("unexpected", result.unused), ("unfit", errors)]
        .into_iter()
        .filter_map(|(what, names)| listed(what, &names))
        .collect();
    if complaints.is_empty() { Ok(()) } else { Err(bad(complaints.join("; "))) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_rename_is_a_number() {
        let renames = [
            Rename { checkpoint: "net.*.up.*.", module: "layers.*.bends.*." },
            Rename { checkpoint: "net.", module: "rest." },
        ];
        for (checkpoint, module) in [
            ("net.3.up.12.weight", "layers.3.bends.12.weight"),
            ("net.3.down.weight", "rest.3.down.weight"),
            ("net.x.up.1.weight", "rest.x.up.1.weight"),
            ("head.weight", "head.weight"),
        ] {
            assert_eq!(Rename::to_module(&renames, checkpoint), module);
            assert_eq!(Rename::to_checkpoint(&renames, module), checkpoint);
        }
    }

    #[test]
    fn a_rename_with_a_dot_first_is_of_any_part() {
        let renames = [
            Rename { checkpoint: "token_embedding.weight", module: "table" },
            Rename { checkpoint: ".self.", module: ".own." },
        ];
        for (checkpoint, module) in [
            ("token_embedding.weight", "table"),
            ("layers.0.self.weight", "layers.0.own.weight"),
            ("clip.token_embedding.weight", "clip.token_embedding.weight"),
            ("self.weight", "self.weight"),
        ] {
            assert_eq!(Rename::to_module(&renames, checkpoint), module);
            assert_eq!(Rename::to_checkpoint(&renames, module), checkpoint);
        }
    }
}
