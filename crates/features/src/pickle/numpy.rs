//! What numpy's pickles are made of, built in: no name is ever looked up anywhere.

use super::machine::{Id, Value, Values};
use crate::Element;
use crate::store::{Bytes, Fault, Layout, Texts};

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

impl Global {
    pub fn named(module: &str, name: &str) -> Option<Self> {
        // numpy 2 moved its inner modules.
        Some(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy", "ndarray") => Self::NdArray,
            ("numpy", "dtype") => Self::Dtype,
            ("_codecs", "encode") => Self::Encode,
            ("collections", "OrderedDict") => Self::OrderedDict,
            _ => return None,
        })
    }
}

/// A type of numpy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dtype {
    /// Such as `f4`, `O8`, `U12`.
    code: String,
    big_endian: bool,
}

/// Reads bytes that were left in the file.
type Fetch<'a> = &'a mut dyn FnMut(&Bytes) -> Result<Vec<u8>, Fault>;

/// What a call of `function` stands for.
pub(super) fn call(function: Global, arguments: &[Id], values: &Values, fetch: Fetch<'_>) -> Result<Value, Fault> {
    let argument = |index: usize| arguments.get(index).map(|&id| values.get(id));
    match (function, argument(0), argument(1)) {
        (Global::Reconstruct, Some(Value::Global(Global::NdArray)), _) => Ok(Value::Unfilled),
        (Global::Dtype, Some(Value::Text(_) | Value::Bytes(_)), _) => {
            let code = values.text(arguments[0]).ok_or_else(|| refused("a type without a name"))?;
            let big_endian = code.starts_with('>');
            Ok(Value::Dtype(Dtype { code: code.trim_start_matches(['<', '>', '|', '=']).to_owned(), big_endian }))
        }
        (Global::Scalar, Some(Value::Dtype(dtype)), Some(Value::Bytes(bytes))) => {
            array(dtype, Vec::new(), false, bytes, fetch)
        }
        (Global::FromBuffer, Some(Value::Bytes(bytes)), Some(Value::Dtype(dtype))) => {
            let shape = argument(2)
                .and_then(|shape| sides(shape, values))
                .ok_or_else(|| refused("an array without a shape"))?;
            let fortran = arguments.get(3).and_then(|&order| values.text(order)).is_some_and(|order| order == "F");
            array(dtype, shape, fortran, bytes, fetch)
        }
        (Global::Encode, Some(Value::Text(text)), Some(Value::Text(encoding))) if is_latin_1(encoding) => {
            let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            bytes
                .map(|bytes| Value::Bytes(Bytes::Here(bytes.into())))
                .ok_or_else(|| Fault::Damaged("bytes beyond 255".to_owned()))
        }
        (Global::OrderedDict, None, _) => Ok(Value::Dict(Vec::new())),
        (function, ..) => Err(refused(&format!("a call of {function:?} with other arguments than numpy's"))),
    }
}

/// What `object` becomes by its `state`.
pub(super) fn build(object: &Value, state: Id, values: &Values, fetch: Fetch<'_>) -> Result<Value, Fault> {
    let Value::Tuple(state) = values.get(state) else { return Err(refused("a state that is no tuple")) };
    let part = |index: usize| state.get(index).map(|&id| values.get(id));
    match object {
        // (version, byte order, part of each element, names, fields, …)
        Value::Dtype(dtype) => {
            let order = state.get(1).and_then(|&order| values.text(order)).unwrap_or_default();
            let is_plain = (2..5).all(|index| matches!(part(index), None | Some(Value::None)));
            match is_plain {
                true => Ok(Value::Dtype(Dtype { big_endian: order == ">", ..dtype.clone() })),
                false => Err(refused("an array of records")),
            }
        }
        // (version, shape, type, column-major, content)
        Value::Unfilled => {
            let shape =
                part(1).and_then(|shape| sides(shape, values)).ok_or_else(|| refused("an array without a shape"))?;
            let (Some(Value::Dtype(dtype)), Some(fortran)) = (part(2), part(3)) else {
                return Err(refused("an array without a type"));
            };
            let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
            match part(4) {
                Some(Value::Bytes(bytes)) => array(dtype, shape, fortran, bytes, fetch),
                Some(Value::List(items)) if dtype.code.starts_with('O') => {
                    let n = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
                    if n != Some(items.len()) {
                        return Err(Fault::Damaged(format!("{} objects in an array of shape {shape:?}", items.len())));
                    }
                    Ok(Value::Objects { shape, items: items.clone() })
                }
                _ => Err(refused("an array with other content than numpy's")),
            }
        }
        _ => Err(refused("a state for something that has none")),
    }
}

fn array(dtype: &Dtype, shape: Vec<usize>, fortran: bool, bytes: &Bytes, fetch: Fetch<'_>) -> Result<Value, Fault> {
    if let Some(element) = Element::from_numpy(&dtype.code) {
        let layout = Layout { element, big_endian: dtype.big_endian, fortran, shape, bytes: bytes.clone() };
        return layout.checked().map(Value::Array).map_err(Fault::Damaged);
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
    if n != Some(bytes.len()) {
        return Err(Fault::Damaged(format!("texts of shape {shape:?} in {} bytes", bytes.len())));
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
    Ok(Value::Texts(Texts { shape, values: content.chunks_exact(size).map(text).collect() }.into()))
}

fn character(bytes: [u8; 4], big_endian: bool) -> char {
    let code = if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Lengths of axes from a tuple of whole numbers.
fn sides(shape: &Value, values: &Values) -> Option<Vec<usize>> {
    let Value::Tuple(sides) = shape else { return None };
    let side = |&id: &Id| match values.get(id) {
        Value::Int(side) => usize::try_from(*side).ok(),
        _ => None,
    };
    sides.iter().map(side).collect()
}

fn is_latin_1(encoding: &str) -> bool {
    matches!(encoding, "latin1" | "latin-1" | "iso-8859-1")
}

fn refused(what: &str) -> Fault {
    Fault::Refused(what.to_owned())
}
