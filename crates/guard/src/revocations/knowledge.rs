//! How old the guard's knowledge is.

use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

/// When something was last heard of revocations. By the time that nobody sets.
pub(crate) struct Knowledge {
    begun: Instant,
    heard: RwLock<Heard>,
    /// Older than that, and nobody is let in.
    age_max: Option<Duration>,
    /// There is a watch.
    kept: bool,
}

#[derive(Copy, Clone, Default)]
struct Heard {
    /// When all that was revoked by then had been told.
    complete: Option<Instant>,
    /// For how long after that the watch is taken for a live one; none where it has ended.
    live_for: Duration,
}

impl Knowledge {
    /// Nothing is known yet.
    pub(crate) fn new(age_max: Option<Duration>) -> Self {
        Self {
            begun: Instant::now(),
            heard: RwLock::default(),
            age_max,
            kept: true,
        }
    }

    /// Nothing will ever be known: there is no watch.
    pub(crate) fn none() -> Self {
        Self {
            kept: false,
            ..Self::new(None)
        }
    }

    /// Whether there is a watch at all.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// All that is revoked by now has been told, and the next word comes within this time.
    pub(super) fn complete(&self, live_for: Duration) {
        *self.heard.write() = Heard {
            complete: Some(Instant::now()),
            live_for,
        };
    }

    /// The watch has ended.
    pub(super) fn ended(&self) {
        self.heard.write().live_for = Duration::ZERO;
    }

    /// Whether revocations are told as they happen.
    pub(crate) fn is_live(&self) -> bool {
        let Heard { complete, live_for } = *self.heard.read();
        !live_for.is_zero() && complete.is_some_and(|at| at.elapsed() <= live_for)
    }

    /// How long ago all that was revoked was known; since the start, if it never was.
    pub(crate) fn age(&self) -> Duration {
        self.heard.read().complete.unwrap_or(self.begun).elapsed()
    }

    /// Whether that is too long. Asked on every call, so the clock is only looked at where there
    /// is a limit.
    pub(crate) fn is_too_old(&self) -> bool {
        self.age_max
            .is_some_and(|max| self.never_known() || self.age() > max)
    }

    /// What may have been revoked before the start was never told.
    fn never_known(&self) -> bool {
        self.heard.read().complete.is_none()
    }
}
