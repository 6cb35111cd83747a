//! Notices a disk, or a driver, that does not come back from a group of commits.
//!
//! A write that fails is an error, and ends the store. But a disk can also say nothing, and the
//! driver now and then waits for ever for a write that has failed on a thread of its own. Callers
//! must not wait with it, and whoever runs the store must learn of it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::shared::Shared;

/// The thread that looks.
pub(super) struct Watchdog {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Watchdog {
    /// Starts to look. A group that takes longer than `stuck_max` ends the store.
    pub(super) fn start(shared: Arc<Shared>, stuck_max: Duration) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-watch".to_owned())
            .spawn(move || watch(&shared, stuck_max, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(super) fn finish(self) {
        drop(self.stop);
        // A panic in it would be a mistake of ours, and is printed.
        let _ = self.thread.join();
    }
}

fn watch(shared: &Shared, stuck_max: Duration, stopped: &mpsc::Receiver<()>) {
    // Often enough that the limit is met within a quarter of itself.
    let every = stuck_max / 4;
    while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        if shared.busy_for().is_some_and(|busy| busy > stuck_max) {
            let secs = stuck_max.as_secs_f32();
            shared.fail(&format!(
                "the disk did not come back from a write within {secs} s"
            ));
            shared.abandon();
            return;
        }
    }
}
