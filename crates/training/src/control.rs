//! The hand on a running job: run, pause, stop.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What a job has been asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Go on.
    #[default]
    Run,
    /// Wait at the next step, keep everything.
    Pause,
    /// Finish at the next step, keep the best epoch and evaluate it.
    StopAndKeep,
    /// Finish at the next step; what was saved stays and can be resumed.
    Abort,
}

/// Shared between a job and whoever watches it; clones steer the same job.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<(Mutex<Order>, Condvar)>);

impl Control {
    /// Gives an order; a paused job wakes up for it.
    pub fn order(&self, order: Order) {
        let (current, changed) = &*self.0;
        *current.lock().unwrap_or_else(PoisonError::into_inner) = order;
        changed.notify_all();
    }

    /// The order in force.
    pub fn current(&self) -> Order {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the job should come to an end.
    pub fn is_stopping(&self) -> bool {
        matches!(self.current(), Order::StopAndKeep | Order::Abort)
    }

    /// Blocks while the order is to pause, then returns the order that ended it.
    pub fn wait_while_paused(&self) -> Order {
        let (current, changed) = &*self.0;
        let guard = current.lock().unwrap_or_else(PoisonError::into_inner);
        *changed.wait_while(guard, |order| *order == Order::Pause).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_job_wakes_up_for_the_next_order() {
        let control = Control::default();
        control.order(Order::Pause);
        let watcher = control.clone();
        std::thread::scope(|scope| {
            let job = scope.spawn(|| control.wait_while_paused());
            watcher.order(Order::Abort);
            assert_eq!(job.join().expect("the job returns"), Order::Abort);
        });
    }
}
