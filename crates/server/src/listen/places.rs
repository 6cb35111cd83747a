//! A place for every connection that is open, and whether places run short.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places run short when fewer than one in so many are left.
const SHORT: usize = 4;

/// The places of a listener.
#[derive(Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: usize,
}

/// The place of one connection. Dropped, it is free again.
pub(crate) struct Place {
    permit: OwnedSemaphorePermit,
    all: usize,
}

impl Places {
    pub(crate) fn new(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
        }
    }

    /// Waits for a place.
    pub(crate) async fn next(&self) -> Place {
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(permit) => self.place(permit),
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }

    pub(super) fn try_next(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.place(permit))
    }

    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.all - self.free.available_permits()
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            permit,
            all: self.all,
        }
    }
}

impl Place {
    /// Whether places run short now: who wants little of its own must give it to somebody else.
    pub(crate) fn is_scarce(&self) -> bool {
        self.permit.semaphore().available_permits() * SHORT < self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_run_short_when_a_quarter_is_left() {
        let places = Places::new(8);
        let mut taken = Vec::new();
        for _ in 0..6 {
            let place = places.next().await;
            assert!(!place.is_scarce());
            taken.push(place);
        }
        for _ in 6..8 {
            let place = places.next().await;
            assert!(place.is_scarce());
            taken.push(place);
        }
        assert!(places.try_next().is_none());
        assert!(taken[0].is_scarce(), "also for who came before");
        taken.truncate(3);
        let place = places.try_next().expect("free again");
        assert!(!place.is_scarce());
    }
}
