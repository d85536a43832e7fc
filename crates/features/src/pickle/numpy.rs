//! What numpy's pickles are made of.

use std::sync::Arc;

use pickle::{Bytes, Dialect, Fault, Fetch, Id, Value, Values};

use crate::Element;
use crate::store::{Layout, Texts};

/// The values that are more than plain.
#[derive(Debug, Clone)]
pub(super) enum Numpy {
    /// A name.
    Global(Global),
    Dtype(Dtype),
    /// An array whose content comes later.
    Unfilled,
    Array(Layout),
    /// An array of fixed-length strings.
    Texts(Arc<Texts>),
    /// An array of Python's objects.
    Objects {
        shape: Vec<usize>,
        items: Vec<Id>,
    },
}

/// The names that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `numpy.core.multiarray._reconstruct`: an array that is filled later.
    Reconstruct,
    /// `numpy.ndarray`, which is only handed to the former.
    NdArray,
    Dtype,
    /// `numpy.core.multiarray.scalar`
    Scalar,
    /// `numpy.core.numeric._frombuffer`, of protocol 5.
    FromBuffer,
    /// `_codecs.encode`, by which Python 3 writes bytes in old protocols.
    Encode,
    OrderedDict,
}

/// A type of numpy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dtype {
    /// Such as `f4`, `O8`, `U12`.
    code: String,
    big_endian: bool,
}

impl Dialect for Numpy {
    fn global(module: &str, name: &str) -> Result<Self, Fault> {
        // numpy 2 moved its inner modules.
        Ok(Self::Global(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Global::Reconstruct,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Global::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Global::FromBuffer,
            ("numpy", "ndarray") => Global::NdArray,
            ("numpy", "dtype") => Global::Dtype,
            ("_codecs", "encode") => Global::Encode,
            ("collections", "OrderedDict") => Global::OrderedDict,
            _ => return Err(refused(&format!("the global {module}.{name}"))),
        }))
    }

    fn call(&self, arguments: &[Id], values: &Values<Self>, fetch: Fetch<'_>) -> Result<Value<Self>, Fault> {
        let Self::Global(function) = self else { return Err(refused("a call of something that is no function")) };
        let plain = |index: usize| arguments.get(index).map(|&id| values.get(id));
        let own = |index: usize| arguments.get(index).and_then(|&id| values.own(id));
        match (function, plain(0), plain(1)) {
            (Global::Reconstruct, ..) if matches!(own(0), Some(Self::Global(Global::NdArray))) => {
                Ok(Value::own(Self::Unfilled))
            }
            (Global::Dtype, Some(Value::Text(_) | Value::Bytes(_)), _) => {
                let code = values.text(arguments[0]).ok_or_else(|| refused("a type without a name"))?;
                let big_endian = code.starts_with('>');
                let code = code.trim_start_matches(['<', '>', '|', '=']).to_owned();
                Ok(Value::own(Self::Dtype(Dtype { code, big_endian })))
            }
            (Global::Scalar, _, Some(Value::Bytes(bytes))) if let Some(Self::Dtype(dtype)) = own(0) => {
                array(dtype, Vec::new(), false, bytes, fetch)
            }
            (Global::FromBuffer, Some(Value::Bytes(bytes)), _) if let Some(Self::Dtype(dtype)) = own(1) => {
                let shape = arguments.get(2).and_then(|&shape| values.sizes(shape));
                let shape = shape.ok_or_else(|| refused("an array without a shape"))?;
                let fortran = arguments.get(3).and_then(|&order| values.text(order)).is_some_and(|order| order == "F");
                array(dtype, shape, fortran, bytes, fetch)
            }
            (Global::Encode, Some(Value::Text(text)), Some(Value::Text(encoding))) if is_latin_1(encoding) => {
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                let bytes = bytes.ok_or_else(|| Fault::Damaged("its pickle has bytes beyond 255".to_owned()))?;
                Ok(Value::Bytes(Bytes::Here(bytes.into())))
            }
            (Global::OrderedDict, None, _) => Ok(Value::Dict(Vec::new())),
            (function, ..) => Err(refused(&format!("a call of {function:?} with other arguments than numpy's"))),
        }
    }

    fn build(
        object: &Value<Self>,
        state: Id,
        values: &Values<Self>,
        fetch: Fetch<'_>,
    ) -> Result<Option<Value<Self>>, Fault> {
        let Value::Tuple(state) = values.get(state) else { return Err(refused("a state that is no tuple")) };
        let part = |index: usize| state.get(index).map(|&id| values.get(id));
        let Value::Own(object) = object else { return Err(refused("a state for something that has none")) };
        match object.as_ref() {
            // (version, byte order, part of each element, names, fields, …)
            Self::Dtype(dtype) => {
                let order = state.get(1).and_then(|&order| values.text(order)).unwrap_or_default();
                let is_plain = (2..5).all(|index| matches!(part(index), None | Some(Value::None)));
                match is_plain {
                    true => Ok(Some(Value::own(Self::Dtype(Dtype { big_endian: order == ">", ..dtype.clone() })))),
                    false => Err(refused("an array of records")),
                }
            }
            // (version, shape, type, column-major, content)
            Self::Unfilled => {
                let shape = state.get(1).and_then(|&shape| values.sizes(shape));
                let shape = shape.ok_or_else(|| refused("an array without a shape"))?;
                let (Some(Self::Dtype(dtype)), Some(fortran)) = (state.get(2).and_then(|&id| values.own(id)), part(3))
                else {
                    return Err(refused("an array without a type"));
                };
                let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
                match part(4) {
                    Some(Value::Bytes(bytes)) => array(dtype, shape, fortran, bytes, fetch).map(Some),
                    Some(Value::List(items)) if dtype.code.starts_with('O') => {
                        let n = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
                        if n != Some(items.len()) {
                            let what = format!("{} objects in an array of shape {shape:?}", items.len());
                            return Err(Fault::Damaged(format!("its pickle has {what}")));
                        }
                        Ok(Some(Value::own(Self::Objects { shape, items: items.clone() })))
                    }
                    _ => Err(refused("an array with other content than numpy's")),
                }
            }
            _ => Err(refused("a state for something that has none")),
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.values.iter().map(|text| text.len() + size_of::<String>()).sum(),
            Self::Objects { items, .. } => items.len() * size_of::<Id>(),
            _ => 0,
        }
    }
}

fn array(
    dtype: &Dtype,
    shape: Vec<usize>,
    fortran: bool,
    bytes: &Bytes,
    fetch: Fetch<'_>,
) -> Result<Value<Numpy>, Fault> {
    if let Some(element) = Element::from_numpy(&dtype.code) {
        let layout = Layout { element, big_endian: dtype.big_endian, fortran, shape, bytes: bytes.clone() };
        return layout.checked().map(|layout| Value::own(Numpy::Array(layout))).map_err(Fault::Damaged);
    }
    let n_chars = dtype.code.get(1..).and_then(|n| n.parse::<usize>().ok());
    let size = match (dtype.code.as_bytes().first(), n_chars) {
        (Some(b'S'), Some(n)) => Some(n),
        (Some(b'U'), Some(n)) => n.checked_mul(4),
        _ => None,
    };
    let size = size
        .filter(|&size| size > 0 && !fortran)
        .ok_or_else(|| refused(&format!("an array of type {:?}", dtype.code)))?;
    let n = shape.iter().try_fold(size as u64, |n, &side| n.checked_mul(side as u64));
    if n != Some(bytes.n_bytes()) {
        return Err(Fault::Damaged(format!("texts of shape {shape:?} in {} bytes", bytes.n_bytes())));
    }
    let content = fetch(bytes)?;
    let text = |cell: &[u8]| -> String {
        let text: String = match dtype.code.starts_with('S') {
            true => String::from_utf8_lossy(cell).into_owned(),
            false => cell
                .chunks_exact(4)
                .map(|quad| character([quad[0], quad[1], quad[2], quad[3]], dtype.big_endian))
                .collect(),
        };
        text.trim_end_matches('\0').to_owned()
    };
    let values = content.chunks_exact(size).map(text).collect();
    Ok(Value::own(Numpy::Texts(Texts { shape, values }.into())))
}

fn character(bytes: [u8; 4], big_endian: bool) -> char {
    let code = if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_latin_1(encoding: &str) -> bool {
    matches!(encoding, "latin1" | "latin-1" | "iso-8859-1")
}

fn refused(what: &str) -> Fault {
    Fault::Refused(what.to_owned())
}
