//! `.safetensors`: a JSON header and raw numbers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use pickle::{Bytes, Fault};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::Element;
use crate::store::{Entry, Layout};

/// The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

pub(crate) fn entries(file: &mut File, n_bytes: u64) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length.saturating_add(8) > n_bytes {
        return Err(Fault::Damaged(format!("a header of {length} bytes")));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| Fault::Damaged(error.to_string()))?;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let element = match info.dtype {
            Dtype::BOOL => Element::Bool,
            Dtype::U8 => Element::Uint { n_bytes: 1 },
            Dtype::U16 => Element::Uint { n_bytes: 2 },
            Dtype::U32 => Element::Uint { n_bytes: 4 },
            Dtype::U64 => Element::Uint { n_bytes: 8 },
            Dtype::I8 => Element::Int { n_bytes: 1 },
            Dtype::I16 => Element::Int { n_bytes: 2 },
            Dtype::I32 => Element::Int { n_bytes: 4 },
            Dtype::I64 => Element::Int { n_bytes: 8 },
            Dtype::F16 => Element::Float { n_bytes: 2 },
            Dtype::BF16 => Element::Bfloat16,
            Dtype::F32 => Element::Float { n_bytes: 4 },
            Dtype::F64 => Element::Float { n_bytes: 8 },
            other => return Err(Fault::Refused(format!("the type {other:?} of {name:?} instead of numbers"))),
        };
        let (start, end) = info.data_offsets;
        let (start, len) = (8 + length + start as u64, end.saturating_sub(start) as u64);
        if start.checked_add(len).is_none_or(|end| end > n_bytes) {
            return Err(Fault::Damaged(format!("{name:?} ends after the file")));
        }
        let bytes = Bytes::InFile(start, len);
        let layout = Layout { element, big_endian: false, fortran: false, shape: info.shape.clone(), bytes };
        entries.insert(name, Entry::Numbers(layout.checked().map_err(Fault::Damaged)?));
    }
    Ok(entries)
}
