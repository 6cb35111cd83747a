//! Time that does not go back a little, whatever the clock does: what has expired stays so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_jose::UnixTime;

/// Further back than this the clock is followed. By then nothing can be done with what revives:
/// the ledger accepts no proof that it would have had to remember beyond a time that it has seen,
/// which is 6 minutes at most as proofs go, and 10 as nonces do.
const BACK_MAX: Duration = Duration::from_secs(15 * 60);

/// The latest time seen.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    latest_millis: AtomicU64,
}

impl Steady {
    /// The time to go by when the clock says `clock`.
    pub(crate) fn at(&self, clock: UnixTime) -> UnixTime {
        let millis = clock.as_millis();
        let latest = self.latest_millis.load(Ordering::Relaxed);
        // Written only when time goes on: many calls share a millisecond.
        if latest < millis {
            self.latest_millis.fetch_max(millis, Ordering::Relaxed);
        }
        steady(UnixTime::from_millis(latest), clock)
    }
}

fn steady(latest: UnixTime, clock: UnixTime) -> UnixTime {
    if latest.since(clock) <= BACK_MAX {
        latest.max(clock)
    } else {
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_the_clock_is_a_little_back() {
        let at = UnixTime::from_secs;
        let time = Steady::default();
        for (clock, expected) in [
            (10_000, 10_000),
            (10_010, 10_010),
            (10_000, 10_010),
            (9_110, 10_010),
            // More than a quarter of an hour back.
            (9_109, 9_109),
            (10_005, 10_010),
            (13_600, 13_600),
            (13_590, 13_600),
        ] {
            assert_eq!(time.at(at(clock)), at(expected), "{clock}");
        }
    }
}
