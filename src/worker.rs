//! A named thread that works off one errand after the other.
//!
//! Errands go in over a bounded channel and whatever there is to tell comes out over another one, shared by all
//! workers. Both ends wake the window through a closure, so that nothing here knows about it. A panic in an errand
//! becomes a message; the thread goes on with the next errand. Dropping a worker waits for its thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Tells the window that there is something to read.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The sending end of the messages to the window.
pub struct Outbox<E> {
    sender: Sender<E>,
    wake: Wake,
}

impl<E> Clone for Outbox<E> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), wake: Arc::clone(&self.wake) }
    }
}

impl<E> Outbox<E> {
    /// Sends `event`, waiting while the window is behind; `false` when nobody listens any more.
    pub fn send(&self, event: E) -> bool {
        let sent = self.sender.send(event).is_ok();
        (self.wake)();
        sent
    }
}

/// A pair of ends for messages to the window, of which `capacity` may wait.
pub fn outbox<E>(capacity: usize, wake: Wake) -> (Outbox<E>, Receiver<E>) {
    let (sender, receiver) = bounded(capacity);
    (Outbox { sender, wake }, receiver)
}

/// A thread and the errands that wait for it.
pub struct Worker<C> {
    errands: Option<Sender<C>>,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + 'static> Worker<C> {
    /// Starts a thread that calls `work` for each errand and `panicked` with the message of a panic in it.
    ///
    /// At most `capacity` errands wait.
    pub fn spawn(
        name: &str,
        capacity: usize,
        mut work: impl FnMut(C) + Send + 'static,
        panicked: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = bounded::<C>(capacity);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for errand in receiver {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(errand))) {
                    panicked(panic_message(payload.as_ref()));
                }
            }
        })?;
        Ok(Self { errands: Some(sender), thread: Some(thread) })
    }

    /// Hands over an errand without waiting; gives it back when too many wait already.
    pub fn send(&self, errand: C) -> Result<(), C> {
        let Some(errands) = &self.errands else { return Err(errand) };
        errands.try_send(errand).map_err(|error| match error {
            TrySendError::Full(errand) | TrySendError::Disconnected(errand) => errand,
        })
    }

    /// Lets the thread end by itself instead of waiting for it: it is inside a dialog of the system that only the
    /// user can close.
    pub fn leave(mut self) {
        self.errands = None;
        self.thread = None;
    }
}

impl<C> Drop for Worker<C> {
    fn drop(&mut self) {
        self.errands = None;
        if let Some(thread) = self.thread.take() {
            // A panic outside of an errand has been printed by the panic hook already.
            thread.join().ok();
        }
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "an error without a message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message_and_the_worker_lives_on() {
        let (out, messages) = outbox::<String>(8, Arc::new(|| ()));
        let failed = out.clone();
        let worker = Worker::spawn(
            "test",
            4,
            move |errand: u32| {
                assert!(errand != 1, "no ones please");
                out.send(format!("did {errand}"));
            },
            move |message| {
                failed.send(message);
            },
        )
        .expect("threads can be started");
        for errand in [0, 1, 2] {
            worker.send(errand).expect("there is room");
        }
        drop(worker);
        assert_eq!(messages.iter().collect::<Vec<_>>(), ["did 0", "no ones please", "did 2"]);
    }

    #[test]
    fn a_full_queue_gives_the_errand_back() {
        let (hold, held) = bounded::<()>(0);
        let worker = Worker::spawn(
            "test",
            1,
            move |_: u32| {
                held.recv().ok();
            },
            |_| (),
        )
        .expect("threads can be started");
        // One is being worked on or waits, the queue holds one more, so the third at the latest comes back.
        let refused = (0..3).filter(|&errand| worker.send(errand).is_err()).count();
        assert!(refused >= 1);
        drop(hold);
    }
}
