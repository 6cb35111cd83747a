//! What waits for each worker.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use arc_swap::ArcSwap;

use super::lane::Lane;
use super::queue::Queue;

/// The queues of one worker, by lane.
pub(super) type Queues = [Queue; Lane::ALL.len()];

/// The queues of all workers. A worker is a thread: it takes calls and does them one after the
/// other, and no call changes its thread.
#[derive(Default)]
pub(super) struct Waiting(ArcSwap<Vec<(ThreadId, Arc<Queues>)>>);

impl Waiting {
    /// Those of the worker that asks.
    pub(super) fn here(&self) -> Arc<Queues> {
        let id = thread::current().id();
        let find = |all: &[(ThreadId, Arc<Queues>)]| {
            let found = all.iter().find(|(thread, _)| *thread == id);
            found.map(|(_, queues)| Arc::clone(queues))
        };
        if let Some(queues) = find(&self.0.load()) {
            return queues;
        }
        let mine: Arc<Queues> = Arc::default();
        self.0.rcu(|all| {
            let mut all = all.to_vec();
            all.push((id, Arc::clone(&mine)));
            all
        });
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_queues_of_its_own() {
        let waiting = Waiting::default();
        let here = waiting.here();
        assert!(Arc::ptr_eq(&here, &waiting.here()));
        let there = thread::scope(|scope| {
            let two = [(); 2].map(|()| scope.spawn(|| waiting.here()));
            two.map(|thread| thread.join().expect("no panic"))
        });
        assert!(!Arc::ptr_eq(&there[0], &there[1]));
        assert!(!Arc::ptr_eq(&there[0], &here));
        assert!(Arc::ptr_eq(&here, &waiting.here()));
    }
}
