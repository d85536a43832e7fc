//! Why a session cannot start or be recorded. What happens during a session is an `Event` instead.

use std::path::PathBuf;

use media::MediaError;

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The file cannot be played.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Neither camera nor microphone.
    #[error("nothing to watch or listen to: choose a camera, a microphone or a file")]
    NoSource,
    /// Times that make no sense.
    #[error("{what} should be a number of seconds above 0, not {secs}")]
    BadTime {
        /// Which time.
        what: &'static str,
        /// Its value.
        secs: f64,
    },
    /// The system gives no thread.
    #[error("the system refuses another thread ({0}): close other programs")]
    Thread(std::io::Error),
    /// The recording cannot be written.
    #[error("cannot record: {reason}: {path}", path = .path.display())]
    Record {
        /// What the system says.
        reason: String,
        /// The file.
        path: PathBuf,
    },
}
