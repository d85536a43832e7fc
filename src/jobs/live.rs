//! Live sessions, and the files that their predictions are written to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use models::DeviceId;

use super::{Desk, Message};
use crate::state::Event;

/// A file that live predictions are written to, shared between the jobs that write it.
#[derive(Clone)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    recorder: Arc<Mutex<Option<::live::Recorder>>>,
}

impl Recording {
    /// A recording to `path`, which is made with the first prediction.
    pub fn new(path: PathBuf) -> Self {
        Self { path, recorder: Arc::default() }
    }

    /// Writes a prediction; other events are none.
    pub(super) fn write(&self, event: &::live::Event) -> anyhow::Result<()> {
        let ::live::Event::Prediction { prediction, .. } = event else {
            return Ok(());
        };
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if recorder.is_none() {
            if let Some(dir) = self.path.parent() {
                std::fs::create_dir_all(dir)
                    .with_context(|| format!("the folder cannot be made: {}", dir.display()))?;
            }
            *recorder = Some(::live::Recorder::create(&self.path, &prediction.labels)?);
        }
        recorder.as_mut().map_or(Ok(()), |recorder| Ok(recorder.record(event)?))
    }

    /// Closes the file; whether there is one.
    pub(super) fn end(&self) -> bool {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// Starts a live session.
pub fn start(
    dir: &Path,
    device: &DeviceId,
    source: ::live::Source,
    text: String,
    smoothing: f32,
    models: &Path,
    desk: &Desk,
) {
    let started = (|| {
        let predictor = models::load(dir, device)?;
        let detectors = media::Detectors::in_folder(models)?;
        let settings =
            ::live::Settings { text, smoothing, detectors, ..::live::Settings::new(source, predictor.inputs()) };
        let wake = Arc::clone(&desk.wake);
        anyhow::Ok(::live::Session::start(predictor, settings, move || wake())?)
    })();
    match started {
        Ok(session) => {
            desk.outbox.send(Message::Session(desk.id, Box::new(session)));
        }
        Err(error) => desk.tell(Event::LiveFailed(format!("{error:#}"))),
    }
}
