//! The state of a run at the end of an epoch, from which it goes on as if nothing had happened.
//!
//! A state is a folder that is renamed into place when it is whole. Random numbers need no state: they follow from the
//! seed, the stage and the epoch.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::adam::Adam;
use crate::run::{read, write_atomically};
use crate::{LearningRate, Run, TrainError};

/// What a folder of tensors does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Stage of the plan.
    pub stage: usize,
    /// Epochs of the stage that are done.
    pub epochs_done: usize,
    /// Schedule after the last of them.
    pub learning_rate: LearningRate,
    /// Best epoch of the stage, from 0: where the plan does not keep the last, the lowest validation loss, as in
    /// UMBEnet's released code. Recall would jump by whole clips on a small validation split.
    pub best_epoch: usize,
    /// Its validation loss.
    pub best_loss: f64,
    /// Whether one of the stop rules has ended the stage.
    pub stopped: Option<crate::StopReason>,
    /// Seconds that an epoch of this stage takes, for estimates.
    pub epoch_secs: f64,
}

/// A finished stage on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageEnd {
    /// How often each prompt was chosen over the training split.
    pub prompt_counts: Vec<usize>,
}

/// The checkpoints of a run.
#[derive(Debug)]
pub struct Checkpoints {
    dir: PathBuf,
}

impl Checkpoints {
    /// The folder of `run`, made where it is missing.
    pub fn of(run: &Run) -> Result<Self, TrainError> {
        let dir = run.checkpoint_dir();
        std::fs::create_dir_all(&dir).map_err(|source| TrainError::Write { path: dir.clone(), source })?;
        Ok(Self { dir })
    }

    /// Saves the end of an epoch and drops the state before it.
    pub fn save<M: Module>(&self, progress: &Progress, model: &M, adam: &Adam) -> Result<(), TrainError> {
        let name = format!("stage{}-epoch{}", progress.stage, progress.epochs_done);
        let unfinished = self.dir.join(format!("{name}.tmp"));
        std::fs::remove_dir_all(&unfinished).ok();
        std::fs::create_dir_all(&unfinished)
            .map_err(|source| TrainError::Write { path: unfinished.clone(), source })?;
        models::export(model, &unfinished.join("model.safetensors"), &[])?;
        adam.save(&unfinished.join("adam.safetensors"))?;
        write_toml(&unfinished.join("progress.toml"), progress)?;
        let done = self.dir.join(&name);
        std::fs::remove_dir_all(&done).ok();
        std::fs::rename(&unfinished, &done).map_err(|source| TrainError::Write { path: done.clone(), source })?;
        for (_, old) in self.states() {
            if old != done {
                std::fs::remove_dir_all(&old).ok();
            }
        }
        Ok(())
    }

    /// The newest whole state.
    pub fn newest(&self) -> Result<Option<(Progress, PathBuf)>, TrainError> {
        let Some((_, dir)) = self.states().into_iter().max() else { return Ok(None) };
        Ok(Some((read_toml(&dir.join("progress.toml"))?, dir)))
    }

    /// Reads a state's tensors into a model of the same configuration.
    pub fn load<M: Module>(&self, dir: &Path, model: &mut M, device: &Device) -> Result<Adam, TrainError> {
        models::import(model, &dir.join("model.safetensors"), &[])?;
        Adam::load(&dir.join("adam.safetensors"), device)
    }

    /// Saves the best model of a stage so far.
    pub fn save_best<M: Module>(&self, stage: usize, model: &M) -> Result<(), TrainError> {
        Ok(models::export(model, &self.best_path(stage), &[])?)
    }

    /// Reads the best model of a stage.
    pub fn load_best<M: Module>(&self, stage: usize, model: &mut M) -> Result<(), TrainError> {
        Ok(models::import(model, &self.best_path(stage), &[])?)
    }

    /// Marks a stage as finished.
    pub fn finish_stage(&self, stage: usize, end: &StageEnd) -> Result<(), TrainError> {
        write_toml(&self.end_path(stage), end)
    }

    /// The end of a stage, if it is finished.
    pub fn stage_end(&self, stage: usize) -> Result<Option<StageEnd>, TrainError> {
        let path = self.end_path(stage);
        if path.is_file() { read_toml(&path).map(Some) } else { Ok(None) }
    }

    fn best_path(&self, stage: usize) -> PathBuf {
        self.dir.join(format!("stage{stage}-best.safetensors"))
    }

    fn end_path(&self, stage: usize) -> PathBuf {
        self.dir.join(format!("stage{stage}-end.toml"))
    }

    /// Whole states as ((stage, epochs), folder).
    fn states(&self) -> Vec<((usize, usize), PathBuf)> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let (stage, epochs) = name.strip_prefix("stage")?.split_once("-epoch")?;
                Some(((stage.parse().ok()?, epochs.parse().ok()?), entry.path()))
            })
            .collect()
    }
}

/// TOML, not JSON: numbers must come back to the last bit.
fn write_toml(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let text = toml::to_string(value)
        .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: path.to_owned() })?;
    write_atomically(path, text.as_bytes())
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    toml::from_str(&read(path)?)
        .map_err(|error| TrainError::Damaged { reason: error.message().to_owned(), path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plateau;

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("progress.toml");
        for best_loss in [0.013_359, 0.1 + 0.2, f64::MAX, 5e-324] {
            let progress = Progress {
                stage: 1,
                epochs_done: 2,
                learning_rate: LearningRate::Plateau(Plateau::new(0.002 * 0.6 * 0.6, 0.6, 3, 1e-4)),
                best_epoch: 0,
                best_loss,
                stopped: None,
                epoch_secs: 1.0 / 3.0,
            };
            write_toml(&path, &progress).unwrap();
            assert_eq!(read_toml::<Progress>(&path).unwrap(), progress);
        }
    }
}
