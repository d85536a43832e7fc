//! A run folder: `job.toml`, `events.jsonl`, `checkpoints/`, `best/`, `report.json`, `predictions.csv`, `prompts.json`.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use serde::Serialize;

use crate::{Event, Job, PromptMap, Report, TrainError};

/// A run folder that exists or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    dir: PathBuf,
}

impl Run {
    /// The run in `dir`, whether it exists or not.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether a job was ever started here.
    pub fn exists(&self) -> bool {
        self.job_path().is_file()
    }

    /// The kept model.
    pub fn best_dir(&self) -> PathBuf {
        self.dir.join("best")
    }

    /// States to resume from.
    pub fn checkpoint_dir(&self) -> PathBuf {
        self.dir.join("checkpoints")
    }

    /// Table of predictions on the scored split.
    pub fn predictions_path(&self) -> PathBuf {
        self.dir.join("predictions.csv")
    }

    /// Reads the job.
    pub fn job(&self) -> Result<Job, TrainError> {
        let path = self.job_path();
        if !path.is_file() {
            return Err(TrainError::NothingToResume { path: self.dir.clone() });
        }
        let text = read(&path)?;
        toml::from_str(&text).map_err(|error| TrainError::Damaged { reason: error.message().to_owned(), path })
    }

    /// Begins a run; refuses a folder that holds one.
    pub fn create(&self, job: &Job) -> Result<(), TrainError> {
        if self.exists() {
            return Err(TrainError::Occupied { path: self.dir.clone() });
        }
        std::fs::create_dir_all(&self.dir).map_err(|source| TrainError::Write { path: self.dir.clone(), source })?;
        let path = self.job_path();
        let text = toml::to_string_pretty(job)
            .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: path.clone() })?;
        write_atomically(&path, text.as_bytes())
    }

    /// Everything that happened, oldest first; lines cut off by a crash are left out.
    pub fn events(&self) -> Result<Vec<Event>, TrainError> {
        let path = self.dir.join("events.jsonl");
        let bytes = std::fs::read(&path).map_err(|source| TrainError::Read { path, source })?;
        // As bytes: a line may be cut within a letter.
        Ok(bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Opens the list of events for appending; a line cut off by a crash is ended first.
    pub fn event_log(&self) -> Result<EventLog, TrainError> {
        let path = self.dir.join("events.jsonl");
        let open = || {
            let mut file = File::options().create(true).read(true).append(true).open(&path)?;
            let ends_in_line = ends_in_line(&mut file)?;
            Ok((file, ends_in_line))
        };
        let (file, ends_in_line) = open().map_err(|source| TrainError::Write { path: path.clone(), source })?;
        let mut log = EventLog { file, path };
        if !ends_in_line {
            log.write_line("")?;
        }
        Ok(log)
    }

    /// The scores, once there are some.
    pub fn report(&self) -> Result<Report, TrainError> {
        self.read_json("report.json")
    }

    /// Writes the scores.
    pub fn save_report(&self, report: &Report) -> Result<(), TrainError> {
        self.write_json("report.json", report)
    }

    /// The prompts of both stages, once training is over.
    pub fn prompts(&self) -> Result<PromptMap, TrainError> {
        self.read_json("prompts.json")
    }

    /// Writes the prompts.
    pub fn save_prompts(&self, prompts: &PromptMap) -> Result<(), TrainError> {
        self.write_json("prompts.json", prompts)
    }

    /// Identifies the kept weights: BLAKE3 of `best/model.safetensors`.
    pub fn checksum(&self) -> Result<String, TrainError> {
        let path = self.best_dir().join("model.safetensors");
        let bytes = std::fs::read(&path).map_err(|source| TrainError::Read { path, source })?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }

    fn job_path(&self) -> PathBuf {
        self.dir.join("job.toml")
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, TrainError> {
        let path = self.dir.join(name);
        serde_json::from_str(&read(&path)?).map_err(|error| TrainError::Damaged { reason: error.to_string(), path })
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        let path = self.dir.join(name);
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: path.clone() })?;
        write_atomically(&path, text.as_bytes())
    }
}

/// The growing list of a run's events.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    path: PathBuf,
}

impl EventLog {
    /// Adds an event.
    pub fn push(&mut self, event: &Event) -> Result<(), TrainError> {
        let line = serde_json::to_string(event)
            .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: self.path.clone() })?;
        self.write_line(&line)
    }

    fn write_line(&mut self, line: &str) -> Result<(), TrainError> {
        // One write for the line and its end, so that a crash cuts at most one line.
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}

/// Whether a file is empty or its last line is whole.
fn ends_in_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

pub(crate) fn read(path: &Path) -> Result<String, TrainError> {
    std::fs::read_to_string(path).map_err(|source| TrainError::Read { path: path.to_owned(), source })
}

/// Writes a file whole or not at all.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let written = AtomicWriteFile::open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.commit()
    });
    written.map_err(|source| TrainError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_off_by_a_crash_does_not_spoil_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::at(dir.path());
        run.event_log().unwrap().push(&Event::Paused).unwrap();
        let path = dir.path().join("events.jsonl");
        // The second is cut within a letter.
        for cut in [&b"{\"event\":\"res"[..], b"{\"event\":\"\xC3"] {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.extend(cut);
            std::fs::write(&path, bytes).unwrap();
            run.event_log().unwrap().push(&Event::Resumed).unwrap();
        }
        assert_eq!(run.events().unwrap(), [Event::Paused, Event::Resumed, Event::Resumed]);
    }
}
