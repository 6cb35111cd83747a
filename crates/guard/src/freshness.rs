//! When nonces are asked for: at a cold start, and beyond that as configured.

use std::time::Duration;

use countersign_dpop::{Limits, NonceKey, NonceRule, Nonces};
use countersign_jose::UnixTime;

/// When nonces are asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum NonceMode {
    /// Never. A proof that was used just before a restart can then be used once
    /// more after it.
    Off,
    /// During a cold start, and when a proof's `iat` is out of the window: the
    /// client's clock may be wrong.
    #[default]
    WhereNeeded,
    /// Always.
    Always,
}

/// Who makes nonces under the same key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// This instance alone; its key dies with it.
    Private,
    /// All replicas of the service, and this instance's predecessors.
    Replicas,
}

/// How far apart the clocks of replicas may be for a cold start to be safe.
const REPLICA_SKEW: Duration = Duration::from_secs(10);

/// Decides for every moment what is asked of a proof's nonce.
///
/// Spent proofs are remembered in memory. An instance that has just started
/// knows of none, so for as long as proofs from before its start could still be
/// accepted, it accepts only those whose nonce was minted after it.
#[derive(Debug)]
pub struct Freshness {
    mode: NonceMode,
    nonces: Nonces,
    minted_from: UnixTime,
    cold_until: UnixTime,
}

impl Freshness {
    /// For an instance that started at `started` and accepts proofs within
    /// `limits`.
    pub fn new(
        mode: NonceMode,
        key: &NonceKey,
        sharing: Sharing,
        limits: &Limits,
        started: UnixTime,
    ) -> Self {
        let nonces = Nonces::standard(key);
        let window = limits.age.saturating_add(limits.skew);
        let (margin, cold) = match sharing {
            Sharing::Private => (Duration::ZERO, window),
            // A nonce of before the start, which waives `iat`, outlives the
            // window.
            Sharing::Replicas => (REPLICA_SKEW, window.max(nonces.lifetime()) + REPLICA_SKEW),
        };
        Self {
            mode,
            nonces,
            minted_from: started.plus(margin),
            // A second more, because `iat` has whole seconds.
            cold_until: started.plus(cold).plus(Duration::from_secs(1)),
        }
    }

    /// What is asked of a proof now. The rule also mints what a challenge
    /// carries.
    pub fn rule(&self, now: UnixTime) -> NonceRule<'_> {
        let nonces = &self.nonces;
        match self.mode {
            NonceMode::Off => NonceRule::Off,
            NonceMode::WhereNeeded | NonceMode::Always if now < self.cold_until => {
                NonceRule::Required {
                    nonces,
                    minted_from: Some(self.minted_from),
                }
            }
            NonceMode::WhereNeeded => NonceRule::WhenOff { nonces },
            NonceMode::Always => NonceRule::Required {
                nonces,
                minted_from: None,
            },
        }
    }
}
