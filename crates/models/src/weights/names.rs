//! The names that checkpoints of PyTorch are made with, and what a call of each stands for.

use burn::tensor::{BoolStore, DType};

use super::pickle::{Fault, Id, Layout, Storage, Value, Values, storage_type};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Global {
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
    Storage(Option<DType>),
    /// `torch.float32` and the like.
    Type(DType),
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

    /// Whether objects of this class are dictionaries.
    pub fn is_dictionary(&self) -> bool {
        *self == Self::Dictionary
    }
}

/// What a call of `function` stands for; nothing is run.
pub(super) fn call(function: &Global, arguments: Id, values: &Values) -> Result<Value, Fault> {
    let ids = values.items(arguments).unwrap_or_default();
    let argument = |index: usize| ids.get(index).copied();
    let damaged = |what: &str| Fault::Damaged(format!("its pickle has {what}"));
    match function {
        Global::Tensor | Global::TypedTensor => {
            let Some(Value::Storage(storage)) = argument(0).map(|id| values.get(id)) else {
                return Err(damaged("a tensor without a storage"));
            };
            let offset = argument(1).and_then(|id| values.size(id));
            let shape = argument(2).and_then(|id| values.sizes(id));
            let stride = argument(3).and_then(|id| values.sizes(id));
            let dtype = match argument(6).map(|id| values.get(id)) {
                Some(Value::Global(Global::Type(dtype))) if *function == Global::TypedTensor => Some(*dtype),
                _ => storage.dtype,
            };
            let (Some(offset), Some(shape), Some(stride), Some(dtype)) = (offset, shape, stride, dtype) else {
                return Err(damaged("a tensor without a shape or type"));
            };
            tensor(storage, dtype, offset, shape, stride).map(Value::Tensor)
        }
        Global::First => match argument(0).map(|id| values.get(id)) {
            Some(value @ (Value::Tensor(_) | Value::Object(_) | Value::Dict(_))) => Ok(value.clone()),
            Some(Value::List(items) | Value::Tuple(items)) => Ok(Value::List(items.clone())),
            _ => Ok(Value::Other),
        },
        Global::Dictionary => {
            let pairs = argument(0).and_then(|id| values.items(id)).unwrap_or_default();
            let pair = |&id: &Id| match values.items(id) {
                Some(&[key, value]) => Some((key, value)),
                _ => None,
            };
            Ok(Value::Dict(pairs.iter().filter_map(pair).collect()))
        }
        Global::List => Ok(Value::List(argument(0).and_then(|id| values.items(id)).unwrap_or_default().to_vec())),
        Global::Plain => Ok(Value::Object(None)),
        Global::Class(name) => Err(Fault::Refused(format!("a call of {name}"))),
        Global::Storage(_) | Global::Type(_) => Err(damaged("a call of a type")),
    }
}

/// Which numbers a tensor has, if its storage can have them.
fn tensor(
    storage: &Storage,
    dtype: DType,
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
        None => storage.n_elements / dtype.size() as u64,
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

/// What `('storage', type, key, device, elements)` and the older `('module', class, file, source)` refer to.
pub(super) fn persistent(id: Id, values: &Values) -> Option<Value> {
    let ids = values.items(id)?;
    match (values.text(*ids.first()?)?.as_str(), ids) {
        ("storage", &[_, class, key, _, n_elements, ref view @ ..]) => {
            let Value::Global(Global::Storage(dtype)) = values.get(class) else { return None };
            // Early files had views of storages.
            if view.iter().any(|&view| !matches!(values.get(view), Value::Other)) {
                return None;
            }
            let n_elements = values.size(n_elements)? as u64;
            Some(Value::Storage(Storage { key: values.key(key)?, dtype: *dtype, n_elements }))
        }
        ("module", &[_, class, ..]) => match values.get(class) {
            Value::Global(class) => Some(Value::Global(class.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn tensor_type(name: &str) -> Option<DType> {
    Some(match name {
        "float32" | "float" => DType::F32,
        "float64" | "double" => DType::F64,
        "float16" | "half" => DType::F16,
        "bfloat16" => DType::BF16,
        "int64" | "long" => DType::I64,
        "int32" | "int" => DType::I32,
        "int16" | "short" => DType::I16,
        "int8" => DType::I8,
        "uint8" => DType::U8,
        "uint16" => DType::U16,
        "uint32" => DType::U32,
        "uint64" => DType::U64,
        "bool" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
