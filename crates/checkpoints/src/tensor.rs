//! A tensor whose numbers are in a file.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;

use crate::Fault;

/// The largest tensor that has numbers more than once, as an expanded one does: more than any parameter of a model
/// here.
pub(crate) const MAX_EXPANDED: usize = 1 << 26;

/// A tensor of a file of weights.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// As the file has it, with dots.
    pub name: String,
    /// Type of its numbers: of bits, whole numbers or floats, none narrower than a byte.
    pub dtype: Dtype,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    stride: Vec<usize>,
    path: Arc<Path>,
    /// First byte of the first number.
    start: u64,
    /// From the first number to the last one.
    n_spanned: usize,
}

/// Which numbers of a storage a tensor has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Name of the storage.
    pub storage: String,
    pub dtype: Dtype,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// Bytes of a number; `None` for types that nothing here computes with.
pub(crate) fn size(dtype: Dtype) -> Option<usize> {
    Some(match dtype {
        Dtype::BOOL | Dtype::U8 | Dtype::I8 => 1,
        Dtype::U16 | Dtype::I16 | Dtype::F16 | Dtype::BF16 => 2,
        Dtype::U32 | Dtype::I32 | Dtype::F32 => 4,
        Dtype::U64 | Dtype::I64 | Dtype::F64 => 8,
        _ => return None,
    })
}

/// Steps along the axes of a tensor whose numbers are in order.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    // An axis of length zero makes the others meaningless, however long they say they are.
    (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().fold(1, |step: usize, &side| step.saturating_mul(side)))
        .collect()
}

impl Tensor {
    /// With numbers in `place`, the first byte of its storage and how many there are.
    pub(crate) fn located(name: String, layout: Layout, path: &Arc<Path>, place: (u64, u64)) -> Result<Self, Fault> {
        let Layout { dtype, offset, shape, stride, .. } = layout;
        let size =
            size(dtype).ok_or_else(|| Fault::Damaged(format!("{name} is of type {dtype:?}, which is not read")))?;
        let n_elements = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        let n_spanned = match n_elements {
            Some(0) => Some(0),
            _ => shape
                .iter()
                .zip(&stride)
                .try_fold(1_usize, |n, (&side, &step)| n.checked_add((side - 1).checked_mul(step)?)),
        };
        // A file may claim more than there is, or the same numbers a billion times.
        let fits =
            |n: Option<usize>| n.and_then(|n| n.checked_mul(size)).is_some_and(|n_bytes| n_bytes as u64 <= place.1);
        let is_small = n_elements.is_some_and(|n| n <= MAX_EXPANDED);
        match n_spanned.filter(|&n| (is_small || fits(n_elements)) && fits(offset.checked_add(n))) {
            Some(n_spanned) => {
                let start = place.0 + (offset * size) as u64;
                Ok(Self { name, dtype, shape, stride, path: Arc::clone(path), start, n_spanned })
            }
            None => Err(Fault::Damaged(format!("the numbers of {name} end after their storage"))),
        }
    }

    /// Bytes of all its numbers.
    pub fn n_bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }

    /// Its numbers in row-major order, little-endian.
    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        let size = self.dtype.bitsize() / 8;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.start))?;
        let mut bytes = vec![0; self.n_spanned * size];
        file.read_exact(&mut bytes)?;
        let in_order = row_major(&self.shape);
        let steps = self.shape.iter().zip(self.stride.iter().zip(in_order));
        if bytes.is_empty() || steps.into_iter().all(|(&side, (&stride, step))| side == 1 || stride == step) {
            return Ok(bytes);
        }
        let mut ordered = Vec::with_capacity(self.n_bytes());
        for index in 0..self.shape.iter().product() {
            let mut rest = index;
            let mut at = 0;
            for (&side, &stride) in self.shape.iter().zip(&self.stride).rev() {
                at += rest % side * stride;
                rest /= side;
            }
            ordered.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        }
        Ok(ordered)
    }
}
