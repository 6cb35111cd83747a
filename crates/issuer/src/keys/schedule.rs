//! How long a key must be published before it is used, how long it verifies afterwards, and when it
//! is replaced.

use std::time::Duration;

use super::time::JUMP_MAX;
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN, Lifetimes};
use crate::model::KeyPurpose;

/// However short the age is that a key set is given out with: our guards keep it for this long, so
/// that a publisher cannot make them ask all the time.
pub const GUARD_CACHE_AGE_MIN: Duration = Duration::from_secs(10);

/// The longest age that a key set can be given out with. What the first release allowed is not in
/// its records, so it may have been this.
pub const KEY_SET_AGE_MAX: Duration = Duration::from_secs(86_400);

/// The longest that a family can live, whatever is configured. What the first release allowed is
/// not in its records, so it may have been this.
pub const REFRESH_ABSOLUTE_MAX: Duration = Duration::from_secs(31_536_000);

/// A schedule may bring as many retiring keys about. A key set has room for four times as many:
/// commands come on top.
const RETIRING_MAX: u32 = 8;

/// When keys of one purpose are replaced, and what decides how long they overlap.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// A key is replaced after this. None: only on command.
    pub rotation: Option<Duration>,
    /// The longest that others may keep a key set that is given out now.
    pub cache_age: Duration,
    /// The longest life of what is made now.
    pub life: Duration,
    purpose: KeyPurpose,
}

/// The schedules of both purposes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Schedules {
    signing: Schedule,
    handle_mac: Schedule,
}

impl Schedules {
    /// What follows from the configuration: lifetimes, the age that key sets are given out with,
    /// and after what time keys are replaced, where none is never.
    pub fn new(
        lifetimes: &Lifetimes,
        key_set_age: Duration,
        signing_rotation: Option<Duration>,
        mac_rotation: Option<Duration>,
    ) -> Self {
        Self {
            signing: Schedule {
                rotation: signing_rotation,
                cache_age: key_set_age.max(GUARD_CACHE_AGE_MIN),
                // A resource may ask for the longest at any time.
                life: ACCESS_TOKEN_LIFETIME_MAX,
                purpose: KeyPurpose::Signing,
            },
            handle_mac: Schedule {
                rotation: mac_rotation,
                // Nobody but the service itself verifies handles.
                cache_age: Duration::ZERO,
                life: lifetimes
                    .refresh_absolute
                    .max(lifetimes.code)
                    .max(lifetimes.request_uri)
                    .max(lifetimes.device_code),
                purpose: KeyPurpose::HandleMac,
            },
        }
    }

    /// The schedule of that purpose.
    pub const fn of(&self, purpose: KeyPurpose) -> &Schedule {
        match purpose {
            KeyPurpose::Signing => &self.signing,
            KeyPurpose::HandleMac => &self.handle_mac,
        }
    }
}

impl Schedule {
    /// The shortest time between two scheduled replacements: the next key must have been published
    /// by then, and retiring keys must not pile up.
    pub fn rotation_min(&self) -> Duration {
        let published = self.cache_age + CLOCK_MARGIN;
        let gone = (self.life + CLOCK_MARGIN + JUMP_MAX) / RETIRING_MAX;
        published.max(gone)
    }

    /// The longest that a key set with the key may be kept, where its record says nothing.
    pub(super) fn cache_age_unknown(&self) -> Duration {
        match self.purpose {
            KeyPurpose::Signing => KEY_SET_AGE_MAX,
            KeyPurpose::HandleMac => Duration::ZERO,
        }
    }

    /// The longest life of what the key has made, where its record says nothing.
    pub(super) fn life_unknown(&self) -> Duration {
        match self.purpose {
            KeyPurpose::Signing => ACCESS_TOKEN_LIFETIME_MAX,
            KeyPurpose::HandleMac => REFRESH_ABSOLUTE_MAX,
        }
    }
}
