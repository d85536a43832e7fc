//! What a checkpoint and a module have and lack of each other, by names and shapes alone.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter as _, ModuleContext};
use burn::tensor::{Bool, Bytes, DType, Int, Shape, Tensor, TensorData};
use serde::Serialize;

use super::{Rename, listed};

/// Where a tensor of a checkpoint belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The parameter of the module with this name.
    At(String),
    /// The same, rows and columns exchanged.
    Transposed(String),
    /// The same, of which it is the first, second or third part of the rows, counted from 0.
    Third(String, usize),
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
            Self::Transposed(name) => Self::Transposed(Rename::to_module(renames, &name)),
            Self::Third(name, part) => Self::Third(Rename::to_module(renames, &name), part),
            leftover => leftover,
        }
    }

    /// The parameter that it fills or is a part of.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::At(name) | Self::Transposed(name) | Self::Third(name, _) => Some(name),
            Self::Leftover(_) => None,
        }
    }
}

/// How a file spells the parameters of a module: where its tensors belong, and the other way round.
pub struct Spelling<'a> {
    place: Box<Told<'a, Place>>,
    names: Box<Told<'a, Vec<String>>>,
}

/// What a name tells.
type Told<'a, T> = dyn Fn(&str) -> T + 'a;

impl<'a> Spelling<'a> {
    /// A file with a tensor for every parameter: where one belongs, and how the file calls a parameter.
    pub fn new(place: impl Fn(&str) -> Place + 'a, name: impl Fn(&str) -> String + 'a) -> Self {
        Self::in_parts(place, move |parameter| vec![name(parameter)])
    }

    /// A file in which a parameter may be three tensors, in the order of [`Place::Third`].
    pub fn in_parts(place: impl Fn(&str) -> Place + 'a, names: impl Fn(&str) -> Vec<String> + 'a) -> Self {
        Self { place: Box::new(place), names: Box::new(names) }
    }

    /// A file whose names differ by `renames`, with the leftovers that begin as listed.
    pub fn renamed(renames: &'a [Rename], leftovers: &'a [(&'a str, &'static str)]) -> Self {
        let place = move |name: &str| Place::unless_leftover(name, leftovers).renamed(renames);
        Self::new(place, move |parameter| Rename::to_checkpoint(renames, parameter))
    }

    /// The same file, all names of which begin with `prefix`.
    #[must_use]
    pub fn behind(self, prefix: &'a str) -> Self {
        let Self { place, names } = self;
        let names = move |parameter: &str| names(parameter).into_iter().map(|name| format!("{prefix}{name}")).collect();
        Self::in_parts(move |name| place(name.strip_prefix(prefix).unwrap_or(name)), names)
    }

    /// The same file for a module that lacks some of the parameters: what these are.
    #[must_use]
    pub fn without(self, lacks: impl Fn(&str) -> bool + 'a, what: &'static str) -> Self {
        let Self { place, names } = self;
        let place = move |name: &str| match place(name) {
            place if place.parameter().is_some_and(&lacks) => Place::Leftover(what),
            place => place,
        };
        Self::in_parts(place, names)
    }

    /// Where a tensor belongs.
    pub fn place(&self, name: &str) -> Place {
        (self.place)(name)
    }
}

/// A tensor whose shape is not its parameter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misshapen {
    /// As the checkpoint has it.
    pub name: String,
    /// What the parameter needs.
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
    /// Tensors that are parameters of the module, or parts of one.
    pub n_mapped: usize,
    /// Numbers in them.
    pub n_values: usize,
    /// Parameters without a tensor, as the checkpoint would have them.
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

/// Compares the tensors of a checkpoint with the parameters of `module`; also those of them that fit, under the names
/// of the module, in its layout and in single precision.
pub fn fit<M: Module>(module: &M, tensors: Vec<PackTensor>, spelling: &Spelling<'_>) -> (Fit, Vec<PackTensor>) {
    let expected = parameters(module);
    let mut fit = Fit::default();
    let mut leftovers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // The tensors of each parameter, one or three; of one that does not fit there is only that it is there.
    let mut found: BTreeMap<String, Vec<Option<Option<PackTensor>>>> = BTreeMap::new();
    for tensor in tensors {
        let (name, part, n_parts, is_turned) = match spelling.place(&tensor.name) {
            Place::Leftover(what) => {
                leftovers.entry(what).or_default().push(tensor.name);
                continue;
            }
            Place::At(name) => (name, 0, 1, false),
            Place::Transposed(name) => (name, 0, 1, true),
            Place::Third(name, part) => (name, part, 3, false),
        };
        let Some(whole) = expected.get(&name) else {
            fit.unexpected.push(tensor.name);
            continue;
        };
        let parts = found.entry(name).or_insert_with(|| vec![None; n_parts]);
        // A second tensor for the same place is one too many.
        if parts.len() != n_parts || parts[part].is_some() {
            fit.unexpected.push(tensor.name);
            continue;
        }
        let mut wanted = whole.clone();
        if let Some(rows) = wanted.first_mut() {
            *rows /= n_parts;
        }
        if is_turned {
            wanted.reverse();
        }
        let shape: Vec<usize> = tensor.shape.iter().copied().collect();
        parts[part] = Some(if !tensor.dtype.is_float() {
            fit.mistyped.push(format!("{} holds {}, not floats", tensor.name, numbers(tensor.dtype)));
            None
        } else if shape == wanted || (shape.is_empty() && wanted == [1]) {
            fit.n_mapped += 1;
            fit.n_values += wanted.iter().product::<usize>();
            let tensor = single_precision(tensor);
            Some(if is_turned { transposed(tensor) } else { tensor })
        } else {
            fit.misshapen.push(Misshapen { name: tensor.name, expected: wanted, found: shape });
            None
        });
    }
    let mut placed = Vec::with_capacity(expected.len());
    for name in expected.into_keys() {
        let names = (spelling.names)(&name);
        let parts = found.remove(&name).unwrap_or_else(|| vec![None; names.len()]);
        let lacking = names.into_iter().zip(&parts).filter(|(_, part)| part.is_none());
        fit.missing.extend(lacking.map(|(name, _)| name));
        let parts: Option<Vec<PackTensor>> = parts.into_iter().map(Option::flatten).collect();
        placed.extend(parts.map(|parts| stacked(name, parts)));
    }
    fit.leftovers = leftovers.into_iter().map(|(what, names)| Leftovers { what: what.to_owned(), names }).collect();
    (fit, placed)
}

/// The same tensor of 32-bit floats, from halves or doubles, and with an axis at least: a scalar parameter is a vector
/// of one here. Numbers are read and converted when they are asked for; an error where one is not finite, with which a
/// model would say nothing but NaN.
fn single_precision(tensor: PackTensor) -> PackTensor {
    let shape = if tensor.shape.num_dims() == 0 { Shape::from([1]) } else { tensor.shape.clone() };
    let n_bytes = shape.num_elements() * DType::F32.size();
    PackTensor::deferred(tensor.name.clone(), DType::F32, shape.clone(), tensor.param_id, n_bytes, move || {
        let bytes = match tensor.dtype {
            DType::F32 => tensor.to_bytes()?,
            dtype => TensorData::from_bytes(tensor.to_bytes()?, shape.clone(), dtype).convert::<f32>().into_bytes(),
        };
        let (floats, _) = bytes.as_chunks();
        if floats.iter().any(|&float| !f32::from_le_bytes(float).is_finite()) {
            return Err(PackError::ValidationError(format!("{} holds NaN or infinity", tensor.name)));
        }
        Ok(bytes)
    })
}

/// A matrix of 32-bit floats whose rows become columns; what is no matrix stays.
fn transposed(tensor: PackTensor) -> PackTensor {
    let &[n_rows, n_columns] = tensor.shape.as_slice() else { return tensor };
    let (name, n_bytes) = (tensor.name.clone(), tensor.byte_len());
    PackTensor::deferred(name, DType::F32, [n_columns, n_rows], None, n_bytes, move || {
        let bytes = tensor.to_bytes()?;
        let (floats, _) = bytes.as_chunks::<4>();
        let turned =
            (0..n_columns).flat_map(|column| (0..n_rows).flat_map(move |row| floats[row * n_columns + column]));
        Ok(Bytes::from_bytes_vec(turned.collect()))
    })
}

/// The parameter `name` of 32-bit floats, of one tensor or of several on top of one another.
fn stacked(name: String, mut parts: Vec<PackTensor>) -> PackTensor {
    if let [_] = parts.as_slice() {
        let mut only = parts.remove(0);
        only.name = name;
        return only;
    }
    let mut shape: Vec<usize> = parts[0].shape.iter().copied().collect();
    shape[0] *= parts.len();
    let n_bytes = parts.iter().map(PackTensor::byte_len).sum();
    PackTensor::deferred(name, DType::F32, shape, None, n_bytes, move || {
        let mut bytes = Vec::with_capacity(n_bytes);
        for part in &parts {
            bytes.extend_from_slice(&part.to_bytes()?);
        }
        Ok(Bytes::from_bytes_vec(bytes))
    })
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
