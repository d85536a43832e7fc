//! Emotion models on what a camera and a microphone see and hear now, or on a file played as if it were live.
//!
//! A [`Session`] watches, listens and predicts on threads of its own and tells what happens as [`Event`]s; the newest
//! picture is state, not an event. What is missing or switched off is masked, never replaced by zeros.
//! Left out: several faces at once, speech recognition, recording of pictures or sound.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod event;
mod eye;
mod record;
mod session;
mod smooth;
mod source;
#[cfg(test)]
mod tests;
mod window;

pub use error::LiveError;
pub use event::{Event, Notice};
pub use record::Recorder;
pub use session::{LiveFrame, Session};
pub use source::{Settings, Source};
