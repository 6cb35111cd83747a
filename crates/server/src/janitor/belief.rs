//! What time it is, for somebody who deletes by it: a clock that jumps is not believed at once.

use std::time::Duration;

use countersign_jose::UnixTime;

/// How long a clock must stay where it jumped to before it is believed. As long as the grace, and
/// longer than it takes to notice that a clock is wrong and to set it.
const STAYS: Duration = Duration::from_secs(2 * 3600);

/// A clock that is corrected in small steps is followed by at most one part in so many of the time
/// that passed: hundreds of times what a clock drifts, and within [`STAYS`] no more than minutes.
const SLEW: u32 = 10;

/// Further apart than this the clock has jumped. Less is soon made up for.
const JUMP: Duration = Duration::from_secs(60);

/// The time as it can be: no further from the last look than time has passed since, whatever the
/// clock says, until the clock has stayed elsewhere for [`STAYS`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Belief {
    time: UnixTime,
    /// For how long the clock has been elsewhere.
    apart: Duration,
}

impl Belief {
    /// The first look: there is nothing yet to doubt the clock by.
    pub(super) fn of(clock: UnixTime) -> Self {
        Self {
            time: clock,
            apart: Duration::ZERO,
        }
    }

    /// The clock is looked at again, after `passed` of a time that nobody sets.
    pub(super) fn look(self, clock: UnixTime, passed: Duration) -> Self {
        let (expected, slew) = (self.time.plus(passed), passed / SLEW);
        let time = clock.clamp(expected.minus(slew), expected.plus(slew));
        if clock.since(time).max(time.since(clock)) <= JUMP {
            return Self {
                time,
                apart: Duration::ZERO,
            };
        }
        match self.apart.saturating_add(passed) {
            apart if apart >= STAYS => Self::of(clock),
            apart => Self { time, apart },
        }
    }

    /// Whether the clock says something else.
    pub(super) fn doubts(self) -> bool {
        self.apart > Duration::ZERO
    }

    /// The earlier of what is believed and what the clock says: whichever deletes less.
    pub(super) fn earlier(self, clock: UnixTime) -> UnixTime {
        self.time.min(clock)
    }
}
