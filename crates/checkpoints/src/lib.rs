//! Files of weights as lists of tensors, without running or reading them: where in the file the numbers of each lie.
//!
//! Read are `.safetensors` and what PyTorch saves, told apart by their content. Nothing in a file is ever run, see [`pickle`]; one
//! that names what reaches the system is refused, and what a call of another name would make is passed over. Names are those of the file, but for the `module.` before all of them that training on several
//! devices leaves. Left out: PyTorch's TAR of before 0.1.10, which is told so, compression, quantized tensors.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod archive;
mod names;
mod refused;
mod tensor;
#[cfg(test)]
mod tests;
mod torch;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

pub use pickle::Fault;
pub use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use tensor::Layout;
pub use tensor::Tensor;

/// What a file of weights is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `.safetensors`
    Safetensors,
    /// `torch.save` since 1.6.
    Torch,
    /// `torch.save` before.
    TorchLegacy,
    /// `torch.jit.save`, as OpenAI publishes CLIP; its code is not read.
    TorchScript,
}

impl Container {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "PyTorch archive",
            Self::TorchLegacy => "PyTorch file of before 1.6",
            Self::TorchScript => "TorchScript archive",
        }
    }
}

/// All that is known of a file without reading its numbers.
#[derive(Debug)]
pub struct Contents<T = Tensor> {
    /// What it is packed in.
    pub container: Container,
    /// The weights.
    pub tensors: Vec<T>,
    /// Names of the tensors beside the weights, an optimizer's say, and of values that are passed over, with what they are.
    pub set_aside: Vec<String>,
}

/// Bytes by which a format is recognized: a block of a TAR.
const HEAD_BYTES: u64 = 512;
/// What a module wrapped in another for several devices has before every name.
const PARALLEL: &str = "module.";
/// The format's own limit of a header's length.
const MAX_HEADER: u64 = 100_000_000;

/// Opens a file of any kind that is read here.
pub fn open(path: &Path) -> Result<Contents, Fault> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let path: Arc<Path> = path.into();
    let mut contents = if torch::is_torch(&head) {
        torch::contents(&path, file, n_bytes, &head)?
    } else if head.get(8) == Some(&b'{') {
        Contents { container: Container::Safetensors, tensors: listed(&path, file, n_bytes)?, set_aside: Vec::new() }
    } else if head.get(257..262) == Some(b"ustar") {
        let reason = "it is a TAR as PyTorch wrote them before 0.1.10: open it with torch.load and write it again with \
                      torch.save, in any PyTorch that still reads it, then use that file";
        return Err(Fault::Damaged(reason.to_owned()));
    } else {
        return Err(Fault::Damaged("it is neither .safetensors nor what torch.save writes".to_owned()));
    };
    if !contents.tensors.is_empty() && contents.tensors.iter().all(|tensor| tensor.name.starts_with(PARALLEL)) {
        for tensor in &mut contents.tensors {
            tensor.name.drain(..PARALLEL.len());
        }
    }
    Ok(contents)
}

/// Lists the tensors of a `.safetensors` file by name: the header's length, a header of JSON, the numbers.
fn listed(path: &Arc<Path>, mut file: File, n_bytes: u64) -> Result<Vec<Tensor>, Fault> {
    let damaged = |reason: String| Fault::Damaged(format!("its header cannot be read: {reason}"));
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER.min(n_bytes - 8) {
        return Err(damaged(format!("it would be {length} bytes long")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)?;
    // Shapes, types and places are checked against each other there.
    let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    let mut tensors: Vec<(String, &TensorInfo)> = header.tensors().into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let start = 8 + length;
    let tensor = |(name, info): (String, &TensorInfo)| {
        let (shape, stride) = (info.shape.clone(), tensor::row_major(&info.shape));
        let (first, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        if end > n_bytes - start {
            return Err(Fault::Damaged(format!("the numbers of {name} end after the file")));
        }
        let layout = Layout { storage: String::new(), dtype: info.dtype, offset: 0, shape, stride };
        Tensor::located(name, layout, path, (start + first, end - first))
    };
    tensors.into_iter().map(tensor).collect()
}
