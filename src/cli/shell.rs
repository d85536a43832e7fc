//! What all commands share: where they write, what they may need, how they are interrupted.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ::models::DeviceId;
use anyhow::Context as _;
use media::SampleCache;
use serde::Serialize;
use training::Control;

use super::apply::models_folder;
use crate::project::{CacheRoom, Places, Settings};
use crate::wording;

/// Somebody asked a command to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What every command may need.
pub(super) struct Shell {
    pub json: bool,
    pub device: DeviceId,
    pub cache_dir: Option<PathBuf>,
}

impl Shell {
    /// An event on stdout, with `--json` only.
    pub fn event(&self, event: &impl Serialize) {
        if self.json {
            let line = serde_json::to_string(event).expect("events have string keys and no failing parts");
            self.out(&line);
        }
    }

    /// A line of the result.
    pub fn out(&self, line: &str) {
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            // Nobody reads any more, as in `limbic … | head -1`.
            std::process::exit(0);
        }
    }

    /// A line for the person who waits.
    pub fn note(&self, line: &str) {
        writeln!(std::io::stderr(), "{line}").ok();
    }

    /// What went wrong, and its causes.
    pub fn fail(&self, error: &anyhow::Error) {
        let message = whole(error);
        self.event(&serde_json::json!({ "event": "failed", "message": message }));
        self.note(&format!("error: {message}"));
    }

    pub fn cache(&self) -> anyhow::Result<SampleCache> {
        let places = Places::of_user();
        let settings = places.as_ref().map_or_else(|_| Ok(Settings::default()), Settings::load);
        let settings = settings.unwrap_or_else(|error| {
            self.note(&format!("warning: {}", whole(&error)));
            Settings::default()
        });
        let dir = match &self.cache_dir {
            Some(dir) => dir.clone(),
            None => places?.sample_cache(),
        };
        CacheRoom { dir, limit_bytes: settings.cache_limit_bytes(), models: models_folder() }.open()
    }

    /// Progress that a terminal overwrites and a log gets a line of now and then.
    pub fn progress(&self, what: &str) -> Progress<'_> {
        Progress { shell: self, what: what.to_owned(), start: Instant::now(), last: Mutex::new(None) }
    }
}

/// Counts towards a total, on stderr.
pub(super) struct Progress<'a> {
    shell: &'a Shell,
    what: String,
    start: Instant,
    last: Mutex<Option<Instant>>,
}

impl Progress<'_> {
    pub fn at(&self, done: usize, total: usize) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if done < total && last.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let secs = self.start.elapsed().as_secs_f64();
        let remaining = (done > 0).then(|| secs / done as f64 * (total - done) as f64);
        let what = &self.what;
        self.shell.event(&serde_json::json!({
            "event": "progress", "what": what, "done": done, "total": total, "remaining_secs": remaining,
        }));
        let left = match remaining {
            Some(secs) if done < total => format!(", {}", wording::remaining(secs)),
            _ => String::new(),
        };
        self.shell.note(&format!("{what}: {done} of {total}{left}"));
    }
}

/// An error with its causes, but none that the words before it already say.
pub(super) fn whole(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.is_empty() {
            true => cause,
            false if said.contains(&cause) => said,
            false => format!("{said}: {cause}"),
        }
    })
}

/// A control that Ctrl-C stops; what was saved stays. A second one ends the process at once.
pub(super) fn interruptible() -> anyhow::Result<Control> {
    let control = Control::default();
    let handle = control.clone();
    ctrlc::set_handler(move || {
        if handle.is_stopping() {
            std::process::exit(i32::from(super::INTERRUPTED));
        }
        handle.order(training::Order::Abort);
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(control)
}

pub(super) fn stopped_or<T>(result: Result<T, training::TrainError>) -> anyhow::Result<T> {
    match result {
        Err(training::TrainError::Stopped) => Err(Interrupted.into()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let cause = || std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(cause()).context("cannot write (the disk is full): run");
        assert_eq!(whole(&error), "cannot write (the disk is full): run");
        let error = anyhow::Error::new(cause()).context("cannot write: run");
        assert_eq!(whole(&error), "cannot write: run: the disk is full");
    }
}
