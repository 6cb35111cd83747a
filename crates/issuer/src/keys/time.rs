//! Time for decisions that cannot be taken back, from clocks that may jump.

use std::time::Duration;

use countersign_jose::UnixTime;

/// Keys are removed later than they could be by this: the clock may be wrong by less when the
/// service starts, and nothing is removed too early. Set by hand to the wrong hour, or to local
/// time, it is wrong by one.
pub const JUMP_MAX: Duration = Duration::from_secs(2 * 3600);

/// The time by two clocks: one that shows the date and can be set, and one that was set by it when
/// the service started and has only run on since.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Now {
    /// By the clock that can be set.
    pub wall: UnixTime,
    /// By the one that only runs on.
    pub steady: UnixTime,
}

/// Shows the time by a clock that nobody sets. It stands still while the machine sleeps: what is
/// due is then done later, never earlier.
#[derive(Copy, Clone, Debug)]
pub struct Chronometer {
    set_to: UnixTime,
    set_when: Duration,
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
        }
    }

    /// What time it is when the other clock shows `wall`.
    pub fn read(&self, wall: UnixTime, elapsed: Duration) -> Now {
        let steady = self.set_to.plus(elapsed.saturating_sub(self.set_when));
        Now { wall, steady }
    }
}
