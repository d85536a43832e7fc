//! Networks in ONNX files, run by `rten`.
//!
//! Each thread of ours has one of rten's that works for it alone: clips are prepared side by side anyway, and networks
//! this small would spend more time on sharing an operation between threads than on the operation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool, Value};

use crate::MediaError;

thread_local! {
    static WORKER: Arc<ThreadPool> = Arc::new(ThreadPool::with_num_threads(1));
}

/// A network with the file that it came from.
pub(crate) struct Network {
    model: Model,
    path: PathBuf,
    hash: blake3::Hash,
}

impl Network {
    /// Reads an ONNX file.
    pub(crate) fn load(path: &Path) -> Result<Self, MediaError> {
        let bytes = std::fs::read(path).map_err(|error| MediaError::io("reading the network", path, error))?;
        let hash = blake3::hash(&bytes);
        let model = Model::load(bytes).map_err(|error| MediaError::network(path, error))?;
        Ok(Self { model, path: path.to_owned(), hash })
    }

    /// Where it came from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Of the file's content.
    pub(crate) fn hash(&self) -> blake3::Hash {
        self.hash
    }

    /// Names of its outputs.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.model.output_ids().iter().filter_map(|&id| self.model.node_info(id)?.name())
    }

    /// The input or output of this name.
    pub(crate) fn node(&self, name: &str) -> Result<NodeId, MediaError> {
        let missing = || MediaError::network(&self.path, format!("it has no {name:?}"));
        self.model.find_node(name).ok_or_else(missing)
    }

    /// The first input, and its shape; `None` for a size that is free.
    pub(crate) fn first_input(&self) -> Result<(NodeId, Vec<Option<usize>>), MediaError> {
        let missing = || MediaError::network(&self.path, "it takes no input");
        let id = *self.model.input_ids().first().ok_or_else(missing)?;
        let sizes = self.model.input_shape(0).unwrap_or_default().into_iter().map(|size| match size {
            Dimension::Fixed(size) => Some(size),
            Dimension::Symbolic(_) => None,
        });
        Ok((id, sizes.collect()))
    }

    /// Runs it; the outputs come as asked for.
    pub(crate) fn run(&self, inputs: Vec<(NodeId, Value)>, outputs: &[NodeId]) -> Result<Vec<Vec<f32>>, MediaError> {
        let inputs = inputs.into_iter().map(|(id, value)| (id, value.into())).collect();
        let options = RunOptions::default().with_thread_pool(Some(WORKER.with(Arc::clone)));
        let values =
            self.model.run(inputs, outputs, Some(options)).map_err(|error| MediaError::network(&self.path, error))?;
        let floats = values.into_iter().map(|value| Some(value.into_tensor::<f32>()?.into_data()));
        floats.collect::<Option<_>>().ok_or_else(|| MediaError::network(&self.path, "its outputs are no floats"))
    }

    /// A tensor to feed; `None` where the numbers do not fill the shape.
    pub(crate) fn tensor(&self, shape: &[usize], values: Vec<f32>) -> Result<Value, MediaError> {
        Value::from_shape(shape, values).map_err(|error| MediaError::network(&self.path, error))
    }
}

/// The ONNX files in `dir` with `word` in their names, in the order of names; none where there is no such folder.
pub(crate) fn files_named(dir: &Path, word: &str) -> Vec<PathBuf> {
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.contains(word) && name.ends_with(".onnx") && path.is_file()
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_meant).collect();
    paths.sort();
    paths
}
