//! The names that checkpoints of PyTorch are made with, and what a call of each stands for.

use pickle::{Dialect, Fault, Fetch, Id, Value};
use safetensors::Dtype;

use crate::refused;
use crate::tensor::{Layout, MAX_EXPANDED, size};

/// All values of a checkpoint's pickle.
pub(crate) type Values = pickle::Values<Torch>;

/// The values that are more than plain.
#[derive(Debug, Clone)]
pub(crate) enum Torch {
    /// A name.
    Global(Global),
    /// An object of a class that means nothing here, and what it holds.
    Object(Option<Id>),
    /// What a call of an unknown name would have made, and that name.
    Opaque(String),
    Storage(Storage),
    Tensor(Layout),
    /// A tensor whose numbers are not read, and what it is.
    Unread(String),
}

/// Numbers in a row, outside the pickle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Storage {
    pub key: String,
    pub elements: Elements,
    /// Elements, as the pickle claims.
    pub n_elements: u64,
}

/// What a storage is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Elements {
    Numbers(Dtype),
    /// Bytes, whose type the tensor says.
    Bytes,
    /// What nothing here computes with: what a tensor of them is, and the bytes of an element.
    Other(&'static str, usize),
}

impl Elements {
    /// Bytes of an element.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Numbers(dtype) => size(dtype),
            Self::Bytes => Some(1),
            Self::Other(_, n_bytes) => Some(n_bytes),
        }
    }
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
    /// Makes a tensor whose numbers are not read, and what it is.
    Unread(String),
    /// `torch._tensor._rebuild_from_type_v2`, which makes a tensor with attributes by another of these.
    WithAttributes,
    /// Something that hands its first argument on, `torch._utils._rebuild_parameter` say.
    First,
    /// A dictionary.
    Dictionary,
    /// A list or a set.
    List,
    /// `torch.FloatStorage` and the like.
    Storage(Elements),
    /// `torch.float32` and the like.
    Type(Dtype),
    /// Makes a value that no weights depend on: a path, a date, a number of numpy's, an object of a class.
    Plain,
    /// Any other name: of a class whose objects are passed over, or of a function. It is never called.
    Class(String),
}

impl Global {
    pub fn named(module: &str, name: &str) -> Result<Self, Fault> {
        if refused::runs(module, name) {
            return Err(Fault::Refused(format!("{module}.{name}")));
        }
        if let ("torch" | "torch.storage", Some(elements)) = (module, storage_type(name)) {
            return Ok(Self::Storage(elements));
        }
        if let ("torch", Some(dtype)) = (module, tensor_type(name)) {
            return Ok(Self::Type(dtype));
        }
        Ok(match (module, name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TypedTensor,
            ("torch._tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => Self::WithAttributes,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | (
                "torch.jit._pickle",
                "build_boollist"
                | "build_doublelist"
                | "build_intlist"
                | "build_tensor_from_id"
                | "build_tensorlist"
                | "restore_type_tag",
            )
            | ("torch", "Size") => Self::First,
            ("torch._utils", "_rebuild_qtensor") => Self::Unread("a quantized tensor".to_owned()),
            ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor") => {
                Self::Unread("a sparse tensor".to_owned())
            }
            ("torch._utils", "_rebuild_meta_tensor_no_storage") => Self::Unread("a tensor without numbers".to_owned()),
            ("torch._utils", name) if name.starts_with("_rebuild_") => {
                Self::Unread(format!("a tensor made by {module}.{name}"))
            }
            ("collections", "OrderedDict" | "defaultdict" | "Counter") | ("builtins" | "__builtin__", "dict") => {
                Self::Dictionary
            }
            ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => Self::List,
            (
                "builtins" | "__builtin__",
                "bool" | "bytearray" | "bytes" | "complex" | "float" | "int" | "long" | "object" | "range" | "slice"
                | "str" | "type" | "unicode" | "xrange",
            )
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct" | "scalar")
            | ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer")
            | ("numpy.ma.core", "_mareconstruct")
            | ("numpy.random._pickle", "__bit_generator_ctor" | "__generator_ctor" | "__randomstate_ctor")
            | ("numpy", "dtype" | "ndarray")
            | ("copyreg" | "copy_reg", "__newobj__" | "__newobj_ex__" | "_reconstructor")
            | ("_codecs", "encode")
            | ("argparse", "Namespace")
            | ("collections", "deque")
            | ("datetime", "date" | "datetime" | "time" | "timedelta" | "timezone")
            | ("decimal", "Decimal")
            | ("fractions", "Fraction")
            | ("functools", "partial")
            | ("logging", "getLogger")
            | ("operator", "attrgetter" | "itemgetter" | "methodcaller")
            | (
                "pathlib" | "pathlib._local",
                "Path" | "PosixPath" | "PurePath" | "PurePosixPath" | "PureWindowsPath" | "WindowsPath",
            )
            | ("re", "_compile")
            | ("types", "SimpleNamespace")
            | ("uuid", "UUID")
            | ("torch", "device")
            | ("torch.serialization", "_get_layout") => Self::Plain,
            _ => Self::Class(format!("{module}.{name}")),
        })
    }

    /// What a call of this name stands for.
    fn call(&self, arguments: &[Id], values: &Values) -> Result<Value<Torch>, Fault> {
        let argument = |index: usize| arguments.get(index).copied();
        let damaged = |what: &str| Fault::Damaged(format!("its pickle has {what}"));
        match self {
            Self::Tensor | Self::TypedTensor => {
                let Some(Torch::Storage(storage)) = argument(0).and_then(|id| values.own(id)) else {
                    return Err(damaged("a tensor without a storage"));
                };
                let offset = argument(1).and_then(|id| values.size(id));
                let shape = argument(2).and_then(|id| values.sizes(id));
                let stride = argument(3).and_then(|id| values.sizes(id));
                let (kind, flags) = match self {
                    Self::TypedTensor => (argument(6).and_then(|id| values.own(id)), argument(7)),
                    _ => (None, argument(6)),
                };
                let unread = |what: &str| Ok(Value::own(Torch::Unread(what.to_owned())));
                let dtype = match (kind, storage.elements) {
                    (Some(Torch::Global(Self::Type(dtype))), _) => Some(*dtype),
                    (Some(Torch::Global(Self::Class(name))), _) => return unread(&format!("a tensor of {name}")),
                    (_, Elements::Numbers(dtype)) => Some(dtype),
                    (_, Elements::Other(what, _)) => return unread(what),
                    (_, Elements::Bytes) => None,
                };
                // Views may leave to the reader to turn the signs.
                let is_set = |flag: &str| {
                    let flag = flags.and_then(|flags| values.entry(flags, flag));
                    flag.is_some_and(|flag| matches!(values.get(flag), Value::Bool(true)))
                };
                if is_set("neg") || is_set("conj") {
                    return unread("a view with other signs");
                }
                let (Some(offset), Some(shape), Some(stride), Some(dtype)) = (offset, shape, stride, dtype) else {
                    return Err(damaged("a tensor without a shape or type"));
                };
                tensor(storage, dtype, offset, shape, stride).map(|layout| Value::own(Torch::Tensor(layout)))
            }
            Self::Unread(what) => Ok(Value::own(Torch::Unread(what.clone()))),
            Self::WithAttributes => {
                let arguments = argument(2).and_then(|id| values.items(id));
                match (argument(0).and_then(|id| values.own(id)), arguments) {
                    // A call of itself with its own arguments would have no end.
                    (Some(Torch::Global(rebuild)), Some(arguments)) if *rebuild != Self::WithAttributes => {
                        rebuild.call(arguments, values)
                    }
                    _ => Err(damaged("a tensor with attributes that nothing makes")),
                }
            }
            Self::First => Ok(match argument(0).map(|id| values.get(id)) {
                Some(Value::List(items) | Value::Tuple(items)) => Value::List(items.clone()),
                Some(Value::Dict(pairs)) => Value::Dict(pairs.clone()),
                Some(Value::Own(own)) if !matches!(**own, Torch::Global(_) | Torch::Storage(_)) => {
                    Value::Own(own.clone())
                }
                _ => Value::own(Torch::Object(None)),
            }),
            Self::Dictionary => {
                let pairs = argument(0).and_then(|id| values.items(id)).unwrap_or_default();
                let pair = |&id: &Id| match values.items(id) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                Ok(Value::Dict(pairs.iter().filter_map(pair).collect()))
            }
            Self::List => Ok(Value::List(argument(0).and_then(|id| values.items(id)).unwrap_or_default().to_vec())),
            Self::Plain => Ok(Value::own(Torch::Object(None))),
            Self::Class(name) => Ok(Value::own(Torch::Opaque(name.clone()))),
            Self::Storage(_) | Self::Type(_) => Err(damaged("a call of a type")),
        }
    }
}

impl Dialect for Torch {
    fn global(module: &str, name: &str) -> Result<Self, Fault> {
        Global::named(module, name).map(Self::Global)
    }

    fn call(&self, arguments: &[Id], values: &Values, _fetch: Fetch<'_>) -> Result<Value<Self>, Fault> {
        match self {
            Self::Global(function) => function.call(arguments, values),
            _ => Err(Fault::Refused("a call of something that is no function".to_owned())),
        }
    }

    /// Tensors and dictionaries may carry hooks and metadata, which no weights depend on.
    fn build(
        object: &Value<Self>,
        state: Id,
        _values: &Values,
        _fetch: Fetch<'_>,
    ) -> Result<Option<Value<Self>>, Fault> {
        let is_object = matches!(object, Value::Own(own) if own.may_hold_items());
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
        matches!(self, Self::Object(_) | Self::Opaque(_))
    }

    /// What `('storage', type, key, device, elements)` and the older `('module', class, file, source)` refer to.
    fn persistent(id: Id, values: &Values) -> Result<Value<Self>, Fault> {
        let no_storage =
            || Fault::Damaged("its pickle has a reference to something that is no tensor's storage".into());
        referred(id, values).map(Value::own).ok_or_else(no_storage)
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Global(Global::Class(name) | Global::Unread(name)) | Self::Opaque(name) | Self::Unread(name) => {
                name.len()
            }
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
            let Torch::Global(Global::Storage(elements)) = values.own(class)? else { return None };
            // Early files had views of storages.
            if view.iter().any(|&view| !matches!(values.get(view), Value::None)) {
                return None;
            }
            let n_elements = values.size(n_elements)? as u64;
            Some(Torch::Storage(Storage { key: key(values, key_id)?, elements: *elements, n_elements }))
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
    let room = match storage.elements {
        Elements::Bytes => storage.n_elements / size(dtype).unwrap_or(1) as u64,
        _ => storage.n_elements,
    };
    let fits = last.is_some_and(|last| last < room) && n_elements <= room.max(MAX_EXPANDED as u64);
    if shape.len() != stride.len() || (n_elements > 0 && !fits) {
        return Err(outside());
    }
    if !matches!(storage.elements, Elements::Bytes) && storage.elements != Elements::Numbers(dtype) {
        return Err(Fault::Damaged(format!("a tensor has another type than its storage {:?}", storage.key)));
    }
    Ok(Layout { storage: storage.key.clone(), dtype, offset, shape, stride })
}

/// A storage's elements by the name of its class, `FloatStorage` say.
fn storage_type(name: &str) -> Option<Elements> {
    Some(Elements::Numbers(match name {
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
        "UntypedStorage" => return Some(Elements::Bytes),
        "ComplexFloatStorage" => return Some(Elements::Other("a tensor of complex numbers", 8)),
        "ComplexDoubleStorage" => return Some(Elements::Other("a tensor of complex numbers", 16)),
        "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => {
            return Some(Elements::Other("a quantized tensor", 1));
        }
        "QInt32Storage" => return Some(Elements::Other("a quantized tensor", 4)),
        _ => return None,
    }))
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
