//! A place for every connection that is open, and how long a silent one may hold it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::{GREETING_DUE, GREETING_DUE_SHORT};

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
    _permit: OwnedSemaphorePermit,
    greeting_due: Duration,
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
    pub(super) async fn next(&self) -> Place {
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
        let short = self.free.available_permits() * SHORT < self.all;
        Place {
            _permit: permit,
            greeting_due: if short {
                GREETING_DUE_SHORT
            } else {
                GREETING_DUE
            },
        }
    }
}

impl Place {
    /// Within what time of being accepted a connection must have asked for something.
    pub(crate) fn greeting_due(&self) -> Duration {
        self.greeting_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_when_places_run_short_must_hurry() {
        let places = Places::new(8);
        let mut taken = Vec::new();
        for _ in 0..6 {
            let place = places.next().await;
            assert_eq!(place.greeting_due(), GREETING_DUE);
            taken.push(place);
        }
        for _ in 6..8 {
            let place = places.next().await;
            assert_eq!(place.greeting_due(), GREETING_DUE_SHORT);
            taken.push(place);
        }
        assert!(places.try_next().is_none());
        taken.truncate(3);
        let place = places.try_next().expect("free again");
        assert_eq!(place.greeting_due(), GREETING_DUE);
    }
}
