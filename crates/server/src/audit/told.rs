//! An event as it is read from a log.

use countersign_jose::UnixTime;
use thiserror::Error;

/// Something that happened, as a log tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// When. Where times were counted, the first.
    pub at: UnixTime,
    /// Where times were counted, the last.
    pub until: Option<UnixTime>,
    /// What: an enumerator of `countersign.storage.v1.AuditEvent` without its prefix.
    pub event: String,
    /// The client that it concerns; may be empty.
    pub client: String,
    /// Who did it; may be empty.
    pub actor: String,
    /// What it was done to; may be empty.
    pub object: String,
    /// The reason; may be empty.
    pub reason: String,
    /// How it ended, where that is said.
    pub outcome: Option<ToldOutcome>,
    /// How many times; at least 1.
    pub count: u64,
    /// The scopes of the access token that came of it.
    pub scopes: Vec<String>,
    /// The resources of that token.
    pub resources: Vec<String>,
    /// The name of that token; may be empty.
    pub token_id: String,
}

/// How something ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ToldOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

/// An entry that this release does not write.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error("the entry cannot be read")]
pub struct Unreadable;

impl Told {
    /// The latest time that it tells of.
    pub fn latest(&self) -> UnixTime {
        self.until.unwrap_or(self.at)
    }
}
