//! Times to wait that differ between those who are asked to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// As many different times: enough that whoever is refused comes back spread out.
pub(super) const VARIANTS: usize = 16;

/// The shortest and the longest that whoever is refused is asked to wait. Much longer than the
/// overload of a moment.
pub(super) const RETRY: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_millis(1_500));

/// One of [`VARIANTS`] after the other, far apart.
#[derive(Default)]
pub(super) struct Spread(AtomicUsize);

impl Spread {
    pub(super) fn next(&self) -> usize {
        // Seven and sixteen have no divisor in common: all come, and neighbours differ.
        self.0.fetch_add(7, Ordering::Relaxed) % VARIANTS
    }
}

/// The time to wait of a variant: within [`RETRY`], and not before `due`.
pub(super) fn wait(nth: usize, due: Duration) -> Duration {
    let (least, most) = RETRY;
    let least = least.max(due);
    least
        + most
            .saturating_sub(least)
            .mul_f64(nth as f64 / VARIANTS as f64)
}
