//! Where revocations are learnt from.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use countersign_client::source::BoxFuture;
use countersign_jose::{Thumbprint, UnixTime};
use futures_core::Stream;

/// Tells what was revoked.
pub trait RevocationSource: Send + Sync + 'static {
    /// Begins a watch: with what came after `cursor` or, without one, with everything that could
    /// still matter. Called again, after a pause, whenever the stream has ended.
    fn watch(&self, cursor: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>>;
}

/// What a watch tells, as it happens.
pub type Revocations =
    Pin<Box<dyn Stream<Item = Result<RevocationsTold, WatchFailed>> + Send + 'static>>;

/// Some revocations, or a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationsTold {
    /// What was revoked. Any number; none in a sign of life.
    pub revocations: Vec<Revocation>,
    /// Where to go on after an interruption.
    pub cursor: String,
    /// All that is revoked by now has been told.
    pub complete: bool,
    /// The next message comes within this time. The watch is taken for dead after three of them.
    pub heartbeat: Duration,
}

/// That tokens are not to be honoured any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub target: RevokedTarget,
    /// Tokens that were issued (`iat`) until then are hit, where the target is not one token or
    /// one family.
    pub revoked_at: UnixTime,
    /// When the last of them is dead anyway.
    pub forget_at: UnixTime,
}

/// What a revocation hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokedTarget {
    /// The access token of this name (`jti`).
    Token(String),
    /// The tokens of this family (`fam`).
    Family(String),
    /// The tokens of this client (`client_id`).
    Client(String),
    /// The tokens for this subject (`sub`).
    Subject(String),
    /// The tokens that are bound to this key (`cnf.jkt`).
    Key(Thumbprint),
    /// The tokens that the signing key of this thumbprint has signed, whenever they say that they
    /// were issued.
    Signer(Thumbprint),
    /// All reference tokens.
    References,
    /// All tokens.
    Everything,
}

/// Why there is no watch, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchFailed {
    /// What came after the cursor is not kept any more: begin without one.
    CursorTooOld,
    /// Anything else, in words that hold nothing secret.
    Unavailable(String),
}

impl fmt::Display for WatchFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CursorTooOld => f.write_str("the cursor is too old"),
            Self::Unavailable(cause) => write!(f, "revocations cannot be watched: {cause}"),
        }
    }
}

impl std::error::Error for WatchFailed {}
