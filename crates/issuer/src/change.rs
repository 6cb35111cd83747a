//! What a decision comes to: a change to write, and an answer to give.

use countersign_jose::{Thumbprint, UnixTime};

use crate::authenticate::{Authenticated, SpentAssertion};
use crate::event::Event;
use crate::handle::UserCodeName;
use crate::holder::{Holder, RevokedHolder};
use crate::model::{
    Authorization, Client, ClientId, Family, FamilyId, KeyId, RecordId, Resource, ResourceUri,
    RevokedCause, ServiceKey, TokenId,
};
use crate::reference::Reference;
use crate::refusal::Refusal;
use crate::{Expect, Version};

/// A value with the version of the record that it was read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// The version of its record.
    pub version: Version,
}

/// A decision. The change is to be committed whatever the answer is: a refusal may write too.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "the change is to be committed, also with a refusal"]
pub struct Decision<T> {
    /// What to commit, all of it or nothing.
    pub change: Change,
    /// What to answer once it is committed.
    pub answer: Result<T, Refusal>,
}

/// What a decision writes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Records to write or to remove.
    pub writes: Vec<Write>,
    /// Entries for the audit log.
    pub events: Vec<Event>,
    /// Entries for the log of revocations.
    pub revocations: Vec<Revocation>,
}

/// One record written or removed, on the condition that it is still as it was known.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a change has few writes, nearly all of them puts"
)]
pub enum Write {
    /// Write the record.
    Put {
        /// The record.
        record: Record,
        /// What must be there now.
        expect: Expect,
    },
    /// Remove the record.
    Remove {
        /// Which.
        name: RecordName,
        /// The version that must be there now.
        version: Version,
    },
}

/// A record of the issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// A registered client.
    Client(Client),
    /// A registered resource.
    Resource(Resource),
    /// A family.
    Family(FamilyId, Family),
    /// An authorization request.
    Authorization(RecordId, Authorization),
    /// What a user code stands for.
    UserCode(LodgedUserCode),
    /// A client assertion that was used. A conflict on it is a replay, and final.
    SpentAssertion(SpentAssertion),
    /// An access token that was revoked alone.
    RevokedToken(RevokedToken),
    /// What a reference token says.
    Reference(Reference),
    /// All tokens of somebody that were made until then.
    RevokedHolder(RevokedHolder),
    /// A key of the service.
    Key(ServiceKey),
}

/// The authorization request that a user code stands for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LodgedUserCode {
    /// Names the code; it is not in the record.
    pub name: UserCodeName,
    /// The request.
    pub authorization: RecordId,
    /// When the request is over, and the record not needed any more.
    pub until: UnixTime,
}

/// Names a record that can be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordName {
    /// A registered client.
    Client(ClientId),
    /// A registered resource.
    Resource(ResourceUri),
    /// A key of the service.
    Key(KeyId),
}

/// An access token that was revoked alone.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RevokedToken {
    /// Which.
    pub token: TokenId,
    /// When it was revoked.
    pub at: UnixTime,
    /// When it is dead anyway, and the record not needed any more.
    pub until: UnixTime,
}

/// That a family or a token is not to be honoured any more, for those who verify offline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// What.
    pub target: RevocationTarget,
    /// When.
    pub at: UnixTime,
    /// Why.
    pub cause: RevokedCause,
    /// When the last access token that it hits is dead anyway.
    pub forget_at: UnixTime,
}

/// What a revocation hits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RevocationTarget {
    /// All tokens of a family.
    Family(FamilyId),
    /// One access token.
    Token(TokenId),
    /// Every access token of that holder that was made until then.
    Holder(Holder),
    /// Every reference token that was made until then.
    References,
    /// Every access token that this signing key has signed, whenever they say that they were made.
    Signer(Thumbprint),
    /// Every access token that was made until then.
    Everything,
}

impl<T> Known<T> {
    /// A value as it was read.
    pub const fn new(value: T, version: Version) -> Self {
        Self { value, version }
    }
}

impl<T> Decision<T> {
    /// Refuses, and writes nothing.
    pub fn refuse(refusal: impl Into<Refusal>) -> Self {
        Change::default().refuse(refusal)
    }

    /// Refuses or answers, and writes nothing.
    pub fn without_change(answer: Result<T, Refusal>) -> Self {
        Self {
            change: Change::default(),
            answer,
        }
    }

    /// The same decision with another form of the answer.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Decision<U> {
        Decision {
            change: self.change,
            answer: self.answer.map(form),
        }
    }
}

impl Change {
    /// What authenticating wrote: an assertion is spent whatever becomes of the request.
    pub(crate) fn by(client: &Authenticated<'_>) -> Self {
        let spent = client.spent().cloned().map(Record::SpentAssertion);
        let writes = spent.map(|record| Write::Put {
            record,
            expect: Expect::Absent,
        });
        Self {
            writes: writes.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn put(mut self, record: Record, expect: Expect) -> Self {
        self.writes.push(Write::Put { record, expect });
        self
    }

    pub(crate) fn remove(mut self, name: RecordName, version: Version) -> Self {
        self.writes.push(Write::Remove { name, version });
        self
    }

    pub(crate) fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    pub(crate) fn revoke(mut self, revocation: Revocation) -> Self {
        self.revocations.push(revocation);
        self
    }

    pub(crate) fn answer<T>(self, answer: T) -> Decision<T> {
        Decision {
            change: self,
            answer: Ok(answer),
        }
    }

    pub(crate) fn refuse<T>(self, refusal: impl Into<Refusal>) -> Decision<T> {
        Decision {
            change: self,
            answer: Err(refusal.into()),
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.events.is_empty() && self.revocations.is_empty()
    }
}

impl Record {
    /// From when on the record can be swept: nothing is decided by it any more.
    pub fn ends_at(&self) -> Option<UnixTime> {
        match self {
            Self::Client(_) | Self::Resource(_) | Self::Key(_) => None,
            Self::Family(_, family) => Some(family.record_ends_at()),
            Self::Authorization(_, authorization) => Some(authorization.record_ends_at()),
            Self::UserCode(code) => Some(code.until),
            Self::SpentAssertion(spent) => Some(spent.until),
            Self::RevokedToken(revoked) => Some(revoked.until),
            Self::Reference(reference) => Some(reference.record_ends_at()),
            Self::RevokedHolder(revoked) => Some(revoked.until),
        }
    }
}
