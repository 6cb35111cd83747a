//! Nonces (RFC 9449 §8, §9) that need no memory: what a verifier handed out, it recognises.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use countersign_jose::{UnixTime, base64url};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Half of HMAC-SHA-256: RFC 2104 §5 allows it, and guessing one takes 2^128 attempts.
const TAG_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
const NONCE_BYTES: usize = TIME_BYTES + TAG_BYTES;

/// Keeps these MACs apart from any other use of the same key.
const CONTEXT: &[u8] = b"countersign dpop nonce 1";

/// How far ahead of our clock another replica's may be. A cold start's margin stays below it.
const AHEAD_SECS_MAX: u64 = 60;

/// The key under which nonces are made: shared by the replicas of one service, or of one
/// instance alone. Zeroed when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NonceKey([u8; 32]);

impl NonceKey {
    /// A key of 32 random bytes of the caller's.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey(…)")
    }
}

/// A step of less than a second, or fewer than two steps.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NonceTermsError;

impl fmt::Display for NonceTermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nonces need a step of at least 1 s and at least two accepted steps")
    }
}

impl std::error::Error for NonceTermsError {}

/// What is wrong with a nonce.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NonceRefusal {
    /// Not made under this key: forged, mangled, or of another server.
    Unknown,
    /// Made under this key, too long ago.
    Stale,
}

/// What an accepted nonce says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NonceAge {
    /// When it was minted, by the clock of whoever minted it.
    pub minted_at: UnixTime,
    /// The first instant at which it is not accepted any more.
    pub ends_at: UnixTime,
    /// It is in its last accepted step: time to hand out another.
    pub expiring: bool,
}

/// Makes nonces and recognises them.
///
/// A nonce is `base64url(minted ‖ HMAC-SHA-256(key, context ‖ minted)[..16])`, `minted` being the
/// mint time in milliseconds, eight bytes, big-endian. Time is divided into steps; a nonce is
/// accepted in the step it was minted in and in those that follow, `steps_accepted` in all.
pub struct Nonces {
    key: hmac::Key,
    step_millis: u64,
    steps_accepted: u64,
}

impl Nonces {
    /// Nonces under `key`.
    ///
    /// # Errors
    /// A step below one second, or fewer than two accepted steps: with one, a nonce could end in
    /// the moment in which it is handed out.
    pub fn new(
        key: &NonceKey,
        step: Duration,
        steps_accepted: u32,
    ) -> Result<Self, NonceTermsError> {
        let step_millis = u64::try_from(step.as_millis()).map_err(|_| NonceTermsError)?;
        if step_millis < 1000 || steps_accepted < 2 {
            return Err(NonceTermsError);
        }
        Ok(Self::of(key, step_millis, u64::from(steps_accepted)))
    }

    /// Nonces of the usual terms: three steps of a minute. A nonce lives for two to three minutes
    /// and a busy client is given a new one about every second minute.
    pub fn standard(key: &NonceKey) -> Self {
        Self::of(key, 60_000, 3)
    }

    fn of(key: &NonceKey, step_millis: u64, steps_accepted: u64) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key.0),
            step_millis,
            steps_accepted,
        }
    }

    /// The longest that a nonce minted now is accepted.
    pub fn lifetime(&self) -> Duration {
        Duration::from_millis(self.step_millis.saturating_mul(self.steps_accepted))
    }

    /// A nonce minted at `now`.
    pub fn mint(&self, now: UnixTime) -> String {
        let minted = now.as_millis().to_be_bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce[..TIME_BYTES].copy_from_slice(&minted);
        nonce[TIME_BYTES..].copy_from_slice(&self.tag(minted));
        base64url::encode(nonce)
    }

    /// Recognises a nonce.
    ///
    /// # Errors
    /// See [`NonceRefusal`].
    pub fn check(&self, nonce: &str, now: UnixTime) -> Result<NonceAge, NonceRefusal> {
        let nonce: [u8; NONCE_BYTES] =
            base64url::decode_array(nonce).map_err(|_| NonceRefusal::Unknown)?;
        let (minted, tag) = nonce.split_at(TIME_BYTES);
        let minted: [u8; TIME_BYTES] = minted.try_into().map_err(|_| NonceRefusal::Unknown)?;
        if !bool::from(self.tag(minted).ct_eq(tag)) {
            return Err(NonceRefusal::Unknown);
        }
        self.age_of(UnixTime::from_millis(u64::from_be_bytes(minted)), now)
    }

    fn age_of(&self, minted_at: UnixTime, now: UnixTime) -> Result<NonceAge, NonceRefusal> {
        if minted_at > now.plus(Duration::from_secs(AHEAD_SECS_MAX)) {
            return Err(NonceRefusal::Stale);
        }
        let minted_step = minted_at.as_millis() / self.step_millis;
        let end_step = minted_step.saturating_add(self.steps_accepted);
        let step = now.as_millis() / self.step_millis;
        if step >= end_step {
            return Err(NonceRefusal::Stale);
        }
        Ok(NonceAge {
            minted_at,
            ends_at: UnixTime::from_millis(end_step.saturating_mul(self.step_millis)),
            expiring: step + 1 == end_step,
        })
    }

    fn tag(&self, minted: [u8; TIME_BYTES]) -> [u8; TAG_BYTES] {
        let mut message = [0; CONTEXT.len() + TIME_BYTES];
        message[..CONTEXT.len()].copy_from_slice(CONTEXT);
        message[CONTEXT.len()..].copy_from_slice(&minted);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&hmac::sign(&self.key, &message).as_ref()[..TAG_BYTES]);
        tag
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces")
            .field("step_millis", &self.step_millis)
            .field("steps_accepted", &self.steps_accepted)
            .finish_non_exhaustive()
    }
}

/// When a verifier asks for nonces. Where it does at all, a nonce that is present must be one of
/// its own, and an accepted one makes `iat` irrelevant.
#[derive(Copy, Clone, Debug)]
pub enum NonceRule<'a> {
    /// Never. A nonce that is present is not looked at.
    Off,
    /// When `iat` is out of the window: the client's clock may be wrong.
    WhenOff {
        /// The nonces in use.
        nonces: &'a Nonces,
    },
    /// Always.
    Required {
        /// The nonces in use.
        nonces: &'a Nonces,
        /// At a cold start: the verifier's start, plus a margin of at most 60 s for the skew
        /// between replicas that share the key. Older nonces are asked to be replaced, since
        /// this verifier does not know what was spent with them.
        minted_from: Option<UnixTime>,
    },
}

impl<'a> NonceRule<'a> {
    /// A nonce to hand out, if nonces are on: one that this rule accepts. At a cold start it
    /// carries the end of the margin until that is past, so that a client is challenged once.
    pub fn mint(&self, now: UnixTime) -> Option<String> {
        match self {
            Self::Off => None,
            Self::WhenOff { nonces } => Some(nonces.mint(now)),
            Self::Required {
                nonces,
                minted_from,
            } => Some(nonces.mint(minted_from.map_or(now, |from| from.max(now)))),
        }
    }
}
