//! Reads everything in a large database while it serves, so that damage is found within minutes,
//! and not when the damaged record is needed.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::shared::Shared;

/// Items read in one go: a few pages of the database, well under a millisecond in memory.
const STEP: usize = 64;

/// The pause after a step, in times of what it took: about a tenth of one processor and of the disk's
/// time, and more only where a step takes longer than 11 ms.
const PAUSE_TIMES: u32 = 9;

/// Bounds of the pause: a step from memory takes less than a timer can measure out, and one that a
/// busy disk held up says nothing about the next.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// The thread that reads.
pub(super) struct Inspection {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Inspection {
    /// Starts to read. Damage ends the store, as it does when a call meets it.
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-inspect".to_owned())
            .spawn(move || inspect(&shared, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Ends it, finished or not.
    pub(super) fn finish(self) {
        drop(self.stop);
        // A panic in it would be a mistake of ours, and is printed.
        let _ = self.thread.join();
    }
}

fn inspect(shared: &Shared, stopped: &mpsc::Receiver<()>) {
    let mut from = Bound::Unbounded;
    loop {
        let begun = Instant::now();
        match shared.inspect(from, STEP) {
            Ok(Some(last)) => from = Bound::Excluded(last),
            Ok(None) => return shared.inspected(),
            // The store has ended, or just did because of this.
            Err(_) => return,
        }
        let pause = (begun.elapsed() * PAUSE_TIMES).clamp(PAUSE_MIN, PAUSE_MAX);
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
