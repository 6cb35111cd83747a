//! How many calls are in flight, in each lane.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::lane::Lane;

/// Calls that were taken and not answered yet.
#[derive(Default)]
pub(super) struct Taken([AtomicUsize; Lane::ALL.len()]);

impl Taken {
    /// One more, if that is not over `max`.
    pub(super) fn enter(&self, lane: Lane, max: usize) -> bool {
        let in_flight = &self.0[lane as usize];
        let taken = in_flight.fetch_add(1, Ordering::Relaxed) < max;
        if !taken {
            in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    pub(super) fn leave(&self, lane: Lane) {
        self.0[lane as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self, lane: Lane) -> usize {
        self.0[lane as usize].load(Ordering::Relaxed)
    }
}
