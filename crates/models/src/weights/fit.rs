//! What a checkpoint and a module have and lack of each other, by names and shapes alone.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter as _, ModuleContext};
use burn::tensor::{Bool, DType, Int, Shape, Tensor};
use serde::Serialize;

use super::{Rename, listed};

/// Where a tensor of a checkpoint belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The parameter of the module with this name.
    At(String),
    /// Nowhere, and what it is: every file of this format may have it.
    Leftover(&'static str),
}

impl Place {
    /// That of `name` in a format whose leftovers begin as listed, and are what is said beside it.
    pub fn unless_leftover(name: &str, leftovers: &[(&str, &'static str)]) -> Self {
        let leftover = leftovers.iter().find(|(beginning, _)| name.starts_with(beginning));
        leftover.map_or_else(|| Self::At(name.to_owned()), |(_, what)| Self::Leftover(what))
    }

    /// The same place under the names of the module.
    #[must_use]
    pub fn renamed(self, renames: &[Rename]) -> Self {
        match self {
            Self::At(name) => Self::At(Rename::to_module(renames, &name)),
            leftover => leftover,
        }
    }
}

/// A tensor whose shape is not its parameter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misshapen {
    /// As the checkpoint has it.
    pub name: String,
    /// The parameter's.
    pub expected: Vec<usize>,
    /// The tensor's.
    pub found: Vec<usize>,
}

/// Tensors that a format is known to have besides weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// What they are.
    pub what: String,
    /// As the checkpoint has them.
    pub names: Vec<String>,
}

/// What a checkpoint and a module have and lack of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Tensors that are parameters of the module.
    pub n_mapped: usize,
    /// Numbers in them.
    pub n_values: usize,
    /// Parameters without a tensor, as the module has them.
    pub missing: Vec<String>,
    /// Tensors without a parameter, as the checkpoint has them.
    pub unexpected: Vec<String>,
    /// Tensors of another shape than their parameters.
    pub misshapen: Vec<Misshapen>,
    /// Tensors of other numbers than floats, quantized ones say, and what they hold.
    pub mistyped: Vec<String>,
    /// Tensors that nobody needs.
    pub leftovers: Vec<Leftovers>,
}

impl Fit {
    /// Whether every parameter has its tensor and every tensor its parameter, but for known leftovers.
    pub fn is_whole(&self) -> bool {
        self.n_problems() == 0
    }

    /// Tensors and parameters that do not fit.
    pub fn n_problems(&self) -> usize {
        self.missing.len() + self.unexpected.len() + self.misshapen.len() + self.mistyped.len()
    }

    /// What does not fit, in one line; nothing where all does.
    pub fn complaint(&self) -> Option<String> {
        let shapes: Vec<String> = self
            .misshapen
            .iter()
            .map(|Misshapen { name, expected, found }| {
                format!("{name} has the shape {found:?} instead of {expected:?}")
            })
            .collect();
        let complaints = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("misshapen", &shapes),
            ("of another type", &self.mistyped),
        ];
        let complaints: Vec<String> = complaints.into_iter().filter_map(|(what, names)| listed(what, names)).collect();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

/// Compares the tensors of a checkpoint with the parameters of `module`; also those of them that fit, under the module's names.
pub fn fit<M: Module>(module: &M, tensors: Vec<PackTensor>, place: impl Fn(&str) -> Place) -> (Fit, Vec<PackTensor>) {
    let mut expected = parameters(module);
    let mut fit = Fit::default();
    let mut leftovers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut placed = Vec::with_capacity(expected.len());
    for mut tensor in tensors {
        let name = match place(&tensor.name) {
            Place::Leftover(what) => {
                leftovers.entry(what).or_default().push(tensor.name);
                continue;
            }
            Place::At(name) => name,
        };
        // A second tensor for the same parameter is one too many.
        let Some(wanted) = expected.remove(&name) else {
            fit.unexpected.push(tensor.name);
            continue;
        };
        let found: Vec<usize> = tensor.shape.iter().copied().collect();
        if !tensor.dtype.is_float() {
            fit.mistyped.push(format!("{} holds {}, not floats", tensor.name, numbers(tensor.dtype)));
        } else if found == wanted || (found.is_empty() && wanted == [1]) {
            fit.n_mapped += 1;
            fit.n_values += wanted.iter().product::<usize>();
            tensor.name = name;
            placed.push(tensor);
        } else {
            fit.misshapen.push(Misshapen { name: tensor.name, expected: wanted, found });
        }
    }
    fit.missing = expected.into_keys().collect();
    fit.leftovers = leftovers.into_iter().map(|(what, names)| Leftovers { what: what.to_owned(), names }).collect();
    (fit, placed)
}

/// What a tensor that is not of floats holds.
fn numbers(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool(_) => "truth values",
        DType::I8 => "int8 numbers",
        DType::I16 => "int16 numbers",
        DType::I32 => "int32 numbers",
        DType::I64 => "int64 numbers",
        DType::U8 => "uint8 numbers",
        DType::U16 => "uint16 numbers",
        DType::U32 => "uint32 numbers",
        DType::U64 => "uint64 numbers",
        _ => "other numbers",
    }
}

/// Names and shapes of the parameters of a module, as PyTorch has them; none is given values for that.
pub(crate) fn parameters<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut visitor = Parameters::default();
    module.visit(&mut visitor);
    visitor.found
}

#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    containers: Vec<String>,
    found: BTreeMap<String, Vec<usize>>,
}

impl Parameters {
    fn add(&mut self, shape: Shape) {
        let n_bytes = shape.num_elements() * DType::F32.size();
        let unread = || Err(PackError::ValidationError("only its shape is asked for".into()));
        let tensor = PackTensor::deferred(self.path.join("."), DType::F32, shape, None, n_bytes, unread);
        // The same adapter as in an export, so that layouts are known in one place.
        let tensor = BurnToPyTorchAdapter.adapt(tensor, ModuleContext::new(&self.containers));
        self.found.insert(tensor.name, tensor.shape.iter().copied().collect());
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.containers.push(container.to_owned());
        // What an enum's variant is called does not show in a checkpoint.
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.containers.pop();
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(param.lazy_shape());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.add(param.lazy_shape());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.add(param.lazy_shape());
    }
}
