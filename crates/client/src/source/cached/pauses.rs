//! When a token service that gave no token is asked again: pauses that grow, and that are spread,
//! so that clients which failed together do not come back together.
//!
//! What is random is an argument, a fraction from 0 to below 1.

#[cfg(test)]
mod tests;

use std::time::Duration;

use countersign_jose::UnixTime;

use crate::error::TokenError;

/// After a renewal in the background failed, the next waits this long, and twice
/// as long each time: the token in hand is still good, and an ailing token service
/// is not to be asked on every call.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);
const RENEWAL_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Who has no token may ask again at once when the token service did not answer, as
/// it does when it was restarted. From the second time on there is a pause, twice as
/// long each time: a token service that comes back must not find everybody at its door.
const AT_ONCE_AFTER_SILENCE: u32 = 1;
const WITHOUT_TOKEN_PAUSE: Duration = Duration::from_millis(250);
const WITHOUT_TOKEN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The same for answers that are no token. Somebody has to change something first, and may be at it:
/// a few may be looked at in a row, but not one with every call for days.
const AT_ONCE_AFTER_ANSWERS: u32 = 4;

/// A token that a guard refuses is replaced at once. Where the new one is refused as well, before
/// any call got past a guard with it, another would be, too: clocks are apart, or somebody was
/// revoked. The next follows after a pause, twice as long each time.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A token service that asks for time gets it, but not as much as to be gone
/// for good: nobody may keep callers out with one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that failed since the last that did not, and what follows from them.
#[derive(Default)]
pub(super) struct Pauses {
    failures: u32,
    /// No renewal in the background before this.
    renewal_at: UnixTime,
    /// What whoever has no token is told, and until when.
    told_to_wait: Option<(TokenError, UnixTime)>,
}

impl Pauses {
    /// Whether the last request failed.
    pub(super) fn lasts(&self) -> bool {
        self.failures > 0
    }

    /// Whether a token that is still good may be renewed.
    pub(super) fn lets_renew(&self, now: UnixTime) -> bool {
        !is_ahead(self.renewal_at, now)
    }

    /// What to tell whoever has no token before it is time to ask again.
    pub(super) fn too_early(&self, now: UnixTime) -> Option<&TokenError> {
        let (error, until) = self.told_to_wait.as_ref()?;
        is_ahead(*until, now).then_some(error)
    }

    /// No token came. The one in hand, if any, is good until `ends_at`.
    pub(super) fn failed(
        &mut self,
        error: &TokenError,
        now: UnixTime,
        ends_at: UnixTime,
        fraction: f64,
    ) {
        self.failures = self.failures.saturating_add(1);
        let asked = error.retry_after().map(|wait| later(wait, fraction));
        // Tokens that were issued together end together. Their last moments are asked in as if they
        // were over, so that nobody's end is a moment in which all ask.
        let longest = if ends_at > now.plus(RENEWAL_PAUSE_MAX) {
            RENEWAL_PAUSE_MAX
        } else {
            WITHOUT_TOKEN_PAUSE_MAX
        };
        let pause = spread(RENEWAL_PAUSE, longest, self.failures - 1, fraction);
        self.renewal_at = now.plus(pause.max(asked.unwrap_or_default()));
        let at_once = match error {
            TokenError::Unavailable(_) => AT_ONCE_AFTER_SILENCE,
            _ => AT_ONCE_AFTER_ANSWERS,
        };
        let own = self.failures.checked_sub(at_once + 1).map(|doublings| {
            spread(
                WITHOUT_TOKEN_PAUSE,
                WITHOUT_TOKEN_PAUSE_MAX,
                doublings,
                fraction,
            )
        });
        self.told_to_wait = asked.max(own).map(|pause| (error.clone(), now.plus(pause)));
    }
}

/// How long a token that was refused like those before it, `again` in a row besides the first, stays
/// in use before the next is asked for.
pub(super) fn refused(again: u32, fraction: f64) -> Duration {
    spread(REFUSED_PAUSE, REFUSED_PAUSE_MAX, again, fraction)
}

/// A clock that was set back must not make anybody wait longer.
pub(in crate::source) fn is_ahead(until: UnixTime, now: UnixTime) -> bool {
    now < until && until <= now.plus(PATIENCE)
}

/// As long as was asked for and up to a quarter longer: a crowd that was told the same must not
/// come back as one.
fn later(wait: Duration, fraction: f64) -> Duration {
    let later = wait.min(PATIENCE).mul_f64(0.25f64.mul_add(fraction, 1.0));
    later.min(PATIENCE)
}

/// A pause that doubles with each failure, up to half shorter.
fn spread(first: Duration, longest: Duration, doublings: u32, fraction: f64) -> Duration {
    let pause = first
        .saturating_mul(2u32.saturating_pow(doublings))
        .min(longest);
    pause.mul_f64(0.5f64.mul_add(fraction, 0.5))
}
