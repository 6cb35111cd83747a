//! What a verifier accepts.

use std::time::Duration;

use countersign_jose::Algorithms;

/// RFC 9449 §11.1 asks for seconds or minutes. A clock that is further ahead than this is wrong,
/// and a proof from the future is one that can be kept and used later.
pub(crate) const SKEW_SECS_MAX: u64 = 60;

/// What a verifier accepts, by its configuration. Fractions of a second do not count: `iat` has
/// none.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How far in the past `iat` may be.
    pub age: Duration,
    /// How far in the future `iat` may be. Never more than 60 s, whatever stands here.
    pub skew: Duration,
    /// The algorithms a proof may be signed with.
    pub algorithms: Algorithms,
}

impl Limits {
    pub(crate) fn skew_secs(&self) -> u64 {
        self.skew.as_secs().min(SKEW_SECS_MAX)
    }
}

impl Default for Limits {
    /// 60 s back, 10 s ahead (as FAPI 2.0 has it for `iat`), ES256 and Ed25519.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(60),
            skew: Duration::from_secs(10),
            algorithms: Algorithms::DEFAULT,
        }
    }
}
