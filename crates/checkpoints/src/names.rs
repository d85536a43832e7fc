//! The names that checkpoints of PyTorch are made with, and what a call of each stands for.

use pickle::{Dialect, Fault, Fetch, Id, Value};
use safetensors::Dtype;

use crate::tensor::{Layout, size};

/// All values of a checkpoint's pickle.
pub(crate) type Values = pickle::Values<Torch>;

/// The values that are more than plain.
#[derive(Debug, Clone)]
pub(crate) enum Torch {
    /// A name.
    Global(Global),
    /// An object of a class that means nothing here, and what it holds.
    Object(Option<Id>),
    Storage(Storage),
    Tensor(Layout),
}

/// Numbers in a row, outside the pickle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Storage {
    pub key: String,
    /// `None` for bytes whose type the tensor says.
    pub dtype: Option<Dtype>,
    /// Elements, as the pickle claims.
    pub n_elements: u64,
}

/// All storages that were referred to, some of them several times.
pub(crate) fn storages(values: &Values) -> impl Iterator<Item = &Storage> {
    values.iter().filter_map(|value| match value {
        Value::Own(own) => match own.as_ref() {
            Torch::Storage(storage) => Some(storage),
            _ => None,
        },
        _ => None,
    })
}

/// A text or a whole number, as names of tensors and storages are.
pub(crate) fn key(values: &Values, id: Id) -> Option<String> {
    match values.get(id) {
        Value::Int(number) => Some(number.to_string()),
        _ => values.text(id).map(Into::into),
    }
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Global {
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`
    Tensor,
    /// `torch._utils._rebuild_tensor_v3`, whose type is an argument.
    TypedTensor,
    /// Something that hands its first argument on, `torch._utils._rebuild_parameter` say.
    First,
    /// A dictionary.
    Dictionary,
    /// A list or a set.
    List,
    /// `torch.FloatStorage` and the like.
    Storage(Option<Dtype>),
    /// `torch.float32` and the like.
    Type(Dtype),
    /// Makes a value that no weights depend on: a path, a date, a number of numpy's, an object of a class.
    Plain,
    /// Any other name: a class whose objects are passed over. It is never called.
    Class(String),
}

/// Modules of which no checkpoint needs a name: by them a pickle reaches the system.
const REFUSED: [&str; 18] = [
    "__builtin__",
    "asyncio",
    "builtins",
    "ctypes",
    "importlib",
    "marshal",
    "multiprocessing",
    "nt",
    "os",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "webbrowser",
];

impl Global {
    pub fn named(module: &str, name: &str) -> Result<Self, Fault> {
        if let ("torch" | "torch.storage", Some(dtype)) = (module, storage_type(name)) {
            return Ok(Self::Storage(Some(dtype)));
        }
        if let ("torch", Some(dtype)) = (module, tensor_type(name)) {
            return Ok(Self::Type(dtype));
        }
        Ok(match (module, name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TypedTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | ("torch.jit._pickle", _)
            | ("torch", "Size") => Self::First,
            ("torch" | "torch.storage", "UntypedStorage") => Self::Storage(None),
            ("collections", "OrderedDict" | "defaultdict" | "Counter") | ("builtins" | "__builtin__", "dict") => {
                Self::Dictionary
            }
            ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => Self::List,
            (
                "builtins" | "__builtin__",
                "bool" | "bytearray" | "bytes" | "complex" | "float" | "int" | "long" | "object" | "range" | "slice"
                | "str" | "unicode",
            )
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct" | "scalar")
            | ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer")
            | ("numpy", "dtype" | "ndarray")
            | ("copyreg" | "copy_reg", "_reconstructor")
            | ("_codecs", "encode")
            | ("argparse", "Namespace")
            | ("functools", "partial")
            | ("datetime", _)
            | ("torch", "device")
            | ("torch.serialization", "_get_layout") => Self::Plain,
            ("pathlib" | "pathlib._local", name) if name.ends_with("Path") => Self::Plain,
            _ => {
                let root = module.split('.').next().unwrap_or(module);
                if REFUSED.contains(&root) {
                    return Err(Fault::Refused(format!("{module}.{name}")));
                }
                Self::Class(format!("{module}.{name}"))
            }
        })
    }
}

impl Dialect for Torch {
    fn global(module: &str, name: &str) -> Result<Self, Fault> {
        Global::named(module, name).map(Self::Global)
    }

    fn call(&self, arguments: &[Id], values: &Values, _fetch: Fetch<'_>) -> Result<Value<Self>, Fault> {
        let Self::Global(function) = self else {
            return Err(Fault::Refused("a call of something that is no function".to_owned()));
        };
        let argument = |index: usize| arguments.get(index).copied();
        let damaged = |what: &str| Fault::Damaged(format!("its pickle has {what}"));
        match function {
            Global::Tensor | Global::TypedTensor => {
                let Some(Self::Storage(storage)) = argument(0).and_then(|id| values.own(id)) else {
                    return Err(damaged("a tensor without a storage"));
                };
                let offset = argument(1).and_then(|id| values.size(id));
                let shape = argument(2).and_then(|id| values.sizes(id));
                let stride = argument(3).and_then(|id| values.sizes(id));
                let dtype = match argument(6).and_then(|id| values.own(id)) {
                    Some(Self::Global(Global::Type(dtype))) if *function == Global::TypedTensor => Some(*dtype),
                    _ => storage.dtype,
                };
                let (Some(offset), Some(shape), Some(stride), Some(dtype)) = (offset, shape, stride, dtype) else {
                    return Err(damaged("a tensor without a shape or type"));
                };
                tensor(storage, dtype, offset, shape, stride).map(|layout| Value::own(Self::Tensor(layout)))
            }
            Global::First => Ok(match argument(0).map(|id| values.get(id)) {
                Some(Value::List(items) | Value::Tuple(items)) => Value::List(items.clone()),
                Some(Value::Dict(pairs)) => Value::Dict(pairs.clone()),
                Some(Value::Own(own)) if matches!(**own, Self::Tensor(_) | Self::Object(_)) => Value::Own(own.clone()),
                _ => Value::own(Self::Object(None)),
            }),
            Global::Dictionary => {
                let pairs = argument(0).and_then(|id| values.items(id)).unwrap_or_default();
                let pair = |&id: &Id| match values.items(id) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                Ok(Value::Dict(pairs.iter().filter_map(pair).collect()))
            }
            Global::List => Ok(Value::List(argument(0).and_then(|id| values.items(id)).unwrap_or_default().to_vec())),
            Global::Plain => Ok(Value::own(Self::Object(None))),
            Global::Class(name) => Err(Fault::Refused(format!("a call of {name}"))),
            Global::Storage(_) | Global::Type(_) => Err(damaged("a call of a type")),
        }
    }

    /// Tensors and dictionaries may carry hooks and metadata, which no weights depend on.
    fn build(
        object: &Value<Self>,
        state: Id,
        _values: &Values,
        _fetch: Fetch<'_>,
    ) -> Result<Option<Value<Self>>, Fault> {
        let is_object = matches!(object, Value::Own(own) if matches!(**own, Self::Object(_)));
        Ok(is_object.then(|| Value::own(Self::Object(Some(state)))))
    }

    fn object(&self) -> Option<Value<Self>> {
        match self {
            Self::Global(Global::Dictionary) => Some(Value::Dict(Vec::new())),
            Self::Global(Global::Class(_) | Global::Plain) => Some(Value::own(Self::Object(None))),
            _ => None,
        }
    }

    fn may_hold_items(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// What `('storage', type, key, device, elements)` and the older `('module', class, file, source)` refer to.
    fn persistent(id: Id, values: &Values) -> Result<Value<Self>, Fault> {
        let no_storage =
            || Fault::Damaged("its pickle has a reference to something that is no tensor's storage".into());
        referred(id, values).map(Value::own).ok_or_else(no_storage)
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Global(Global::Class(name)) => name.len(),
            Self::Storage(storage) => storage.key.len(),
            Self::Tensor(layout) => layout.storage.len() + 2 * size_of_val(layout.shape.as_slice()),
            Self::Global(_) | Self::Object(_) => 0,
        }
    }
}

/// What a reference to something outside the pickle is.
fn referred(id: Id, values: &Values) -> Option<Torch> {
    let ids = values.items(id)?;
    match (values.text(*ids.first()?)?.as_ref(), ids) {
        ("storage", &[_, class, key_id, _, n_elements, ref view @ ..]) => {
            let Torch::Global(Global::Storage(dtype)) = values.own(class)? else { return None };
            // Early files had views of storages.
            if view.iter().any(|&view| !matches!(values.get(view), Value::None)) {
                return None;
            }
            let n_elements = values.size(n_elements)? as u64;
            Some(Torch::Storage(Storage { key: key(values, key_id)?, dtype: *dtype, n_elements }))
        }
        ("module", &[_, class, ..]) => match values.own(class)? {
            class @ Torch::Global(_) => Some(class.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Which numbers a tensor has, if its storage can have them.
fn tensor(
    storage: &Storage,
    dtype: Dtype,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
) -> Result<Layout, Fault> {
    let outside =
        || Fault::Damaged(format!("a tensor of shape {shape:?} is larger than its storage {:?}", storage.key));
    let n_elements = shape.iter().try_fold(1_u64, |n, &side| n.checked_mul(side as u64)).ok_or_else(outside)?;
    let last = shape.iter().zip(&stride).try_fold(offset as u64, |last, (&side, &step)| {
        last.checked_add((side.saturating_sub(1) as u64).checked_mul(step as u64)?)
    });
    let room = match storage.dtype {
        Some(_) => storage.n_elements,
        None => storage.n_elements / size(dtype).unwrap_or(1) as u64,
    };
    let fits = last.is_some_and(|last| last < room) && n_elements <= room;
    if shape.len() != stride.len() || (n_elements > 0 && !fits) {
        return Err(outside());
    }
    if storage.dtype.is_some_and(|own| own != dtype) {
        return Err(Fault::Damaged(format!("a tensor has another type than its storage {:?}", storage.key)));
    }
    Ok(Layout { storage: storage.key.clone(), dtype, offset, shape, stride })
}

/// The type of a storage's elements by the name of its class, `FloatStorage` say.
fn storage_type(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

fn tensor_type(name: &str) -> Option<Dtype> {
    Some(match name {
        "float32" | "float" => Dtype::F32,
        "float64" | "double" => Dtype::F64,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "bool" => Dtype::BOOL,
        _ => return None,
    })
}
