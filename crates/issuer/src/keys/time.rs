//! Time for decisions that cannot be taken back, from clocks that may jump.

use std::time::Duration;

use countersign_jose::UnixTime;

/// Clocks may jump by less than this, for any length of time, and no key is used or removed too
/// early. Set by hand to the wrong hour, or to local time, they jump by one.
pub const JUMP_MAX: Duration = Duration::from_secs(2 * 3600);

/// The two clocks are read one after the other, and slewed by whoever keeps them right.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The time by two clocks: one that shows the date and can be set, and one that was set by it once
/// and has only run on since.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Now {
    /// By the clock that can be set.
    pub wall: UnixTime,
    /// By the one that only runs on.
    pub steady: UnixTime,
}

/// Sets the steady clock, and sets it again once the other has shown another time for so long that
/// it must be believed: after a machine slept, for one.
#[derive(Clone, Debug)]
pub struct Chronometer {
    set_to: UnixTime,
    set_when: Duration,
    apart_since: Option<Duration>,
}

impl Now {
    /// Both clocks agree.
    pub const fn certain(time: UnixTime) -> Self {
        Self {
            wall: time,
            steady: time,
        }
    }

    /// What is due by this time is due.
    pub fn earliest(&self) -> UnixTime {
        self.wall.min(self.steady)
    }

    /// What happens now did not happen later.
    pub fn latest(&self) -> UnixTime {
        self.wall.max(self.steady)
    }
}

impl Chronometer {
    /// Set to `wall`. `elapsed` is the time since any fixed moment by a clock that nobody can set.
    pub const fn new(wall: UnixTime, elapsed: Duration) -> Self {
        Self {
            set_to: wall,
            set_when: elapsed,
            apart_since: None,
        }
    }

    /// What time it is when the clock shows `wall`.
    pub fn read(&mut self, wall: UnixTime, elapsed: Duration) -> Now {
        let steady = self.set_to.plus(elapsed.saturating_sub(self.set_when));
        let apart = wall.since(steady).max(steady.since(wall));
        if apart <= TOLERANCE {
            self.apart_since = None;
            return Now { wall, steady };
        }
        let since = *self.apart_since.get_or_insert(elapsed);
        if elapsed.saturating_sub(since) < JUMP_MAX {
            return Now { wall, steady };
        }
        *self = Self::new(wall, elapsed);
        Now::certain(wall)
    }
}
