//! Predictions to CSV as they come, so that nothing is lost however the session ends. Smoothing stays out of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use emotion::LabelSet;

use crate::{Event, LiveError};

/// A growing CSV file: `at_secs,label,used,latency_ms` and one column per class.
pub struct Recorder {
    writer: csv::Writer<File>,
    path: PathBuf,
}

impl Recorder {
    /// Begins a new file with its header; an existing one is replaced.
    pub fn create(path: &Path, labels: &LabelSet) -> Result<Self, LiveError> {
        let file = File::create(path)
            .map_err(|error| LiveError::Record { reason: error.to_string(), path: path.to_owned() })?;
        let mut recorder = Self { writer: csv::Writer::from_writer(file), path: path.to_owned() };
        let header = ["at_secs", "label", "used", "latency_ms"].map(str::to_owned);
        recorder.row(header.into_iter().chain(labels.names().iter().cloned()))?;
        Ok(recorder)
    }

    /// Writes `event` if it is a prediction, down to the system.
    pub fn record(&mut self, event: &Event) -> Result<(), LiveError> {
        let Event::Prediction { at_secs, prediction, latency_ms, .. } = event else { return Ok(()) };
        let first = [
            format!("{at_secs:.3}"),
            prediction.top_label().to_owned(),
            prediction.used.to_string().to_lowercase(),
            format!("{latency_ms:.1}"),
        ];
        self.row(first.into_iter().chain(prediction.probabilities.iter().map(ToString::to_string)))
    }

    fn row(&mut self, fields: impl Iterator<Item = String>) -> Result<(), LiveError> {
        let fields: Vec<String> = fields.collect();
        let written = self.writer.write_record(&fields).map_err(|error| error.to_string());
        let flushed = written.and_then(|()| self.writer.flush().map_err(|error| error.to_string()));
        flushed.map_err(|reason| LiveError::Record { reason, path: self.path.clone() })
    }
}
