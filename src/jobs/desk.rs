//! A job with its name, and where it tells what happens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use training::Control;

use super::{Job, Message};
use crate::state::{Event, JobId, Notice};
use crate::worker::{Outbox, Wake};

/// Between two reports of progress; more often would only repaint the window.
pub const REPORT_EVERY: Duration = Duration::from_millis(80);

/// A job with its name and the hand on it.
pub struct Errand {
    /// Its name.
    pub id: JobId,
    /// What to do.
    pub job: Job,
    /// How it is told to pause or to stop.
    pub control: Control,
}

/// Where a job tells what happens.
pub struct Desk {
    pub(super) id: JobId,
    pub(super) control: Control,
    pub(super) outbox: Outbox<Message>,
    pub(super) wake: Wake,
    pace: Mutex<Pace>,
}

/// How fast a job goes.
struct Pace {
    note: String,
    started: Instant,
    reported: Option<Instant>,
}

impl Desk {
    /// A desk for `errand`.
    pub fn new(errand: &Errand, outbox: &Outbox<Message>, wake: &Wake) -> Self {
        Self {
            id: errand.id,
            control: errand.control.clone(),
            outbox: outbox.clone(),
            wake: Arc::clone(wake),
            pace: Mutex::new(Pace { note: String::new(), started: Instant::now(), reported: None }),
        }
    }

    pub(super) fn tell(&self, event: Event) {
        self.outbox.send(Message::Event(event));
    }

    pub(super) fn notice(&self, notice: Notice) {
        self.tell(Event::Notice(notice));
    }

    pub(super) fn keep_going(&self) -> bool {
        !self.control.is_stopping()
    }

    /// Says that `done` of `total` is done of the part called `note`.
    pub(super) fn progress(&self, note: &str, done: usize, total: usize) {
        let now = Instant::now();
        let remaining_secs = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            if pace.note != note {
                *pace = Pace { note: note.to_owned(), started: now, reported: None };
            }
            if done < total && pace.reported.is_some_and(|reported| now - reported < REPORT_EVERY) {
                return;
            }
            pace.reported = Some(now);
            let spent = now.duration_since(pace.started).as_secs_f64();
            (done > 0 && spent > 0.5).then(|| spent / done as f64 * total.saturating_sub(done) as f64)
        };
        let progress = Some((done, total));
        self.tell(Event::JobProgress { id: self.id, note: note.to_owned(), progress, remaining_secs });
    }
}
