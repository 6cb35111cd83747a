//! The threads that serve connections: one runtime each, so that a call never changes its thread.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Where connections are served. Dropped, it ends its threads and everything on them.
pub(crate) struct Workers {
    seats: Vec<Seat>,
    end: DropGuard,
    one_ended: CancellationToken,
    threads: TaskTracker,
}

/// A worker as seen from outside.
pub(super) struct Seat {
    handle: Handle,
    load: Arc<Load>,
}

/// How busy a worker is.
#[derive(Debug, Default)]
pub(super) struct Load {
    connections: AtomicUsize,
    calls: AtomicUsize,
}

impl Workers {
    /// As many threads as `threads`; 0: one for each core that the process may use.
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        };
        let mut workers = Self::none();
        for number in 0..threads {
            workers.start_one(number)?;
        }
        Ok(workers)
    }

    /// The runtime of the caller, for connections that are few.
    pub(crate) fn here() -> Self {
        let mut workers = Self::none();
        workers.seats.push(Seat {
            handle: Handle::current(),
            load: Arc::default(),
        });
        workers
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    fn none() -> Self {
        Self {
            seats: Vec::new(),
            end: CancellationToken::new().drop_guard(),
            one_ended: CancellationToken::new(),
            threads: TaskTracker::new(),
        }
    }

    fn start_one(&mut self, number: usize) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        self.seats.push(Seat {
            handle: runtime.handle().clone(),
            load: Arc::default(),
        });
        let end = self.end.token().clone();
        let ended = (self.threads.token(), self.one_ended.clone().drop_guard());
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                // Tasks that panic end by themselves; the runtime goes on.
                runtime.block_on(end.cancelled());
                drop(runtime);
                drop(ended);
            })?;
        Ok(())
    }

    /// The worker with the fewest connections and calls under way together. Connections alone
    /// would put a newcomer beside a busy one; calls alone would put all that come at once, and
    /// have not called yet, on one worker.
    pub(super) fn least_busy(&self) -> &Seat {
        let least = self.seats.iter().min_by_key(|seat| seat.load.sum());
        least.expect("there is at least one worker")
    }

    /// Returns when a worker has ended without being told to.
    pub(super) async fn one_ended(&self) {
        self.one_ended.cancelled().await;
    }

    /// Ends the threads, and returns when they have ended.
    pub(super) async fn end(self) {
        drop(self.end);
        self.threads.close();
        self.threads.wait().await;
    }
}

impl Seat {
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// A connection is served here from now on.
    pub(super) fn taken(&self) -> Seated {
        self.load.connections.fetch_add(1, Ordering::Relaxed);
        Seated(Arc::clone(&self.load))
    }
}

/// A connection that is served by a worker.
pub(super) struct Seated(Arc<Load>);

impl Seated {
    pub(super) fn load(&self) -> Arc<Load> {
        Arc::clone(&self.0)
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    pub(super) fn call_begins(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn call_ends(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    fn sum(&self) -> usize {
        self.connections.load(Ordering::Relaxed) + self.calls.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_newcomer_goes_to_the_least_busy() {
        let workers = Workers::start(2).expect("started");
        let busy = workers.least_busy();
        let connection = busy.taken();
        for _ in 0..2 {
            connection.load().call_begins();
        }
        let mut taken = Vec::new();
        // Three at once weigh as much as the one with its two calls.
        for _ in 0..3 {
            let seat = workers.least_busy();
            assert!(!Arc::ptr_eq(&seat.load, &busy.load));
            taken.push(seat.taken());
        }
        taken.push(workers.least_busy().taken());
        for _ in 0..2 {
            connection.load().call_ends();
        }
        drop((taken, connection));
        assert!(workers.seats.iter().all(|seat| seat.load.sum() == 0));
    }

    #[tokio::test]
    async fn threads_end_with_it() {
        for threads in [1, 2] {
            let workers = Workers::start(threads).expect("started");
            let threads = workers.threads.clone();
            threads.close();
            assert!(!threads.is_empty());
            drop(workers);
            let ended = timeout(Duration::from_secs(30), threads.wait()).await;
            ended.expect("no thread goes on");
        }
    }
}
