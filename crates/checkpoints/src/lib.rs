//! Files of weights as lists of tensors, without running or reading them: where in the file the numbers of each lie.
//!
//! Read are `.safetensors` and what PyTorch saves, told apart by their content. Nothing in a file is ever run, see
//! [`pickle`]; one that names what reaches the system is refused, and what a call of another name would make is passed
//! over. Names are those of the file, but for the `module.` before all of them that training on several devices leaves.
//! Left out: PyTorch's TAR of before 0.1.10, which is told so, compression, quantized tensors.
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
    /// Names of the tensors beside the weights, an optimizer's say, and of values that are passed over, with what they
    /// are.
    pub set_aside: Vec<String>,
}

/// Bytes by which a format is recognized: a block of a TAR.
const HEAD_BYTES: u64 = 512;
/// What a module wrapped in another for several devices has before every name.
const PARALLEL: &str = "module.";
/// The format's own limit of a header's length.
const MAX_HEADER: u64 = 100_000_000;

/// The longest name that is shown; longer than those of any model here.
const MAX_NAME_CHARS: usize = 512;
/// What begins like this is none of the formats; what it is, and what to do.
const OTHERS: [(&[u8], &str); 3] = [
    (b"version https://git-lfs", "it is a pointer of Git LFS instead of the file: fetch that with git lfs pull"),
    (b"<!doctype html", "it is a web page instead of the file: download it again, with the link to the file itself"),
    (b"<html", "it is a web page instead of the file: download it again, with the link to the file itself"),
];

/// Opens a file of any kind that is read here.
///
/// Names, and faults that tell them, come without control characters, and not longer than any real one.
pub fn open(path: &Path) -> Result<Contents, Fault> {
    let mut contents = opened(path).map_err(|fault| match fault {
        Fault::Damaged(reason) => Fault::Damaged(printable(&reason)),
        Fault::Refused(what) => Fault::Refused(printable(&what)),
        io => io,
    })?;
    if !contents.tensors.is_empty() && contents.tensors.iter().all(|tensor| tensor.name.starts_with(PARALLEL)) {
        for tensor in &mut contents.tensors {
            tensor.name.drain(..PARALLEL.len());
        }
    }
    let names = contents.tensors.iter_mut().map(|tensor| &mut tensor.name);
    for name in names.chain(&mut contents.set_aside) {
        *name = printable(name);
    }
    Ok(contents)
}

/// Without what moves a terminal's cursor or turns the direction of writing: a name could say that everything maps.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (n_chars, char) in text.chars().enumerate() {
        if n_chars == MAX_NAME_CHARS {
            shown.push('…');
            break;
        }
        match char {
            '\\' | '\'' | '"' => shown.push(char),
            char => shown.extend(char.escape_debug()),
        }
    }
    shown
}

fn opened(path: &Path) -> Result<Contents, Fault> {
    // A pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Fault::Damaged("it is no file but a folder, a pipe or a device".to_owned()));
    }
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let path: Arc<Path> = path.into();
    if torch::is_torch(&head) {
        torch::contents(&path, file, n_bytes, &head)
    } else if head.get(8) == Some(&b'{') {
        Ok(Contents {
            container: Container::Safetensors,
            tensors: listed(&path, file, n_bytes)?,
            set_aside: Vec::new(),
        })
    } else {
        Err(Fault::Damaged(other(&head).to_owned()))
    }
}

/// What a file of another format is, as far as its head tells.
fn other(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    let is_like = |start: &[u8]| text.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    if head.get(257..262) == Some(b"ustar") {
        return "it is a TAR as PyTorch wrote them before 0.1.10: open it with torch.load and write it again with \
                torch.save, in any PyTorch that still reads it, then use that file";
    }
    let known = OTHERS.into_iter().find(|(start, _)| is_like(start));
    known.map_or("it is neither .safetensors nor what torch.save writes", |(_, what)| what)
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
    // Numbers without a name are left by a name that is there twice, or by somebody who hides something there.
    let end = start.checked_add(header.data_len() as u64);
    if end.is_some_and(|end| end < n_bytes) {
        return Err(Fault::Damaged("there are bytes after its last tensor that are of none".to_owned()));
    }
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
