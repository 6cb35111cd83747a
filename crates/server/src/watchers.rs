//! How many watch at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::refused::Refused;

/// A guard that finds no place goes by lists until it asks again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Those who watch keys or revocations: they stay, so they are counted apart from calls.
pub(crate) struct Watchers {
    max: AtomicUsize,
    here: AtomicUsize,
}

/// The place of one of them, given back when it is dropped.
pub(crate) struct Watcher(Arc<Watchers>);

impl Watchers {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max as usize),
            here: AtomicUsize::new(0),
        })
    }

    /// So many from now on. Those who are here stay.
    pub(crate) fn replace_max(&self, max: u32) {
        self.max.store(max as usize, Ordering::Relaxed);
    }

    /// One more, if there is a place.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Watcher, Refused> {
        let max = self.max.load(Ordering::Relaxed);
        let watcher = Watcher(Arc::clone(self));
        if self.here.fetch_add(1, Ordering::Relaxed) < max {
            Ok(watcher)
        } else {
            Err(Refused::Overloaded {
                retry_after: RETRY_AFTER,
            })
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.here.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let watchers = Watchers::new(2);
        let first = watchers.enter().expect("a place");
        let _second = watchers.enter().expect("a place");
        assert!(matches!(watchers.enter(), Err(Refused::Overloaded { .. })));
        assert!(watchers.enter().is_err(), "who was refused holds no place");
        drop(first);
        let _third = watchers.enter().expect("its place");
        watchers.replace_max(3);
        watchers.enter().expect("one more");
    }
}
