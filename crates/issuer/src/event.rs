//! What is written to the audit log. Never a token, a secret or a proof.

use std::fmt;

use countersign_jose::UnixTime;

use crate::access_token::Claims;
use crate::holder::Holder;
use crate::model::{
    ClientId, Epoch, FamilyId, KeyId, RecordId, ResourceUri, Scopes, Subject, TokenId,
};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// What.
    pub kind: EventKind,
    /// The client that it concerns.
    pub client: Option<ClientId>,
    /// Who did it.
    pub actor: Actor,
    /// What it was done to.
    pub object: Object,
    /// Why, where there is a reason: a stable label.
    pub reason: Option<&'static str>,
    /// The access token that came of it, where one did.
    pub granted: Option<Granted>,
}

/// What an access token is for, as the audit log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// Its name (`jti`).
    pub token: TokenId,
    /// Its scopes.
    pub scopes: Scopes,
    /// The resources that it is for.
    pub resources: Vec<ResourceUri>,
}

/// How it ended.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// What was asked for was done.
    Done,
    /// It was refused; what the refusal itself did, such as revoking a family, was done.
    Refused,
}

/// What can happen. One for one the enumerators of `countersign.storage.v1.AuditEvent` that come
/// from decisions.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// A client was registered.
    ClientCreated,
    /// A client was changed.
    ClientUpdated,
    /// A client was removed.
    ClientDeleted,
    /// A client's secret was replaced.
    ClientSecretRotated,
    /// A resource was registered.
    ResourceCreated,
    /// A resource was changed.
    ResourceUpdated,
    /// A resource was removed.
    ResourceDeleted,
    /// A person approved an authorization.
    AuthorizationApproved,
    /// A person declined an authorization.
    AuthorizationDenied,
    /// A code was redeemed.
    CodeRedeemed,
    /// A code was presented a second time; its tokens were revoked.
    CodeReused,
    /// A code was presented by another client, with another key, or without what belongs to it.
    CodeMispresented,
    /// A refresh token was rotated.
    RefreshRotated,
    /// An old refresh token was presented; its family was revoked.
    RefreshReused,
    /// A refresh token was presented by another client or with another key.
    RefreshMispresented,
    /// A family was revoked at its client's request.
    FamilyRevoked,
    /// An access token was revoked at its client's request.
    TokenRevoked,
    /// An operator revoked all tokens of a holder, a family, or an access token.
    TokensRevoked,
    /// A copy of the whole store was handed out.
    StoreBackedUp,
    /// The store was restored from a backup; what was issued before is dead.
    StoreRestored,
    /// The store was recovered after it had lost its end; what was issued before is dead.
    StoreRecovered,
    /// A key was made.
    KeyCreated,
    /// A key became active.
    KeyActivated,
    /// A key was replaced; it still verifies what it made.
    KeyRetired,
    /// A key that nothing needs any more was removed.
    KeyRemoved,
    /// A key was revoked: nothing that it made is honoured any more.
    KeyRevoked,
    /// An operator asked for a key's replacement, which its successor was not ready for.
    KeyRotationAsked,
    /// All keys were encrypted under another key-encryption key.
    KeysRewrapped,
}

/// Who did it. Displays as the audit log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A client.
    Client(ClientId),
    /// A person.
    Subject(Subject),
    /// An operator, by the account that opened the admin socket.
    Operator {
        /// The account's number.
        uid: u32,
    },
    /// The service itself: at its first start, and on schedule.
    Service,
}

/// What it was done to. Displays as the audit log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    /// A client.
    Client(ClientId),
    /// A resource.
    Resource(ResourceUri),
    /// A family.
    Family(FamilyId),
    /// An access token, by its `jti`.
    Token(TokenId),
    /// All tokens of a holder.
    Holder(Holder),
    /// An authorization request.
    Authorization(RecordId),
    /// The store, by the epoch that it is in now.
    Store(Epoch),
    /// The store in a new epoch, after the last entry of the audit log from before it, as
    /// `log:number:hash`.
    StoreAfter(Epoch, String),
    /// A key of the service.
    Key(KeyId),
    /// All keys of the service.
    Keys,
}

impl Granted {
    /// What a token of these claims is for.
    pub(crate) fn of(claims: &Claims) -> Self {
        Self {
            token: claims.id,
            scopes: claims.scopes.clone(),
            resources: claims.audience.clone(),
        }
    }
}

impl EventKind {
    /// How it ended.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::CodeReused
            | Self::CodeMispresented
            | Self::RefreshReused
            | Self::RefreshMispresented => Outcome::Refused,
            Self::ClientCreated
            | Self::ClientUpdated
            | Self::ClientDeleted
            | Self::ClientSecretRotated
            | Self::ResourceCreated
            | Self::ResourceUpdated
            | Self::ResourceDeleted
            | Self::AuthorizationApproved
            | Self::AuthorizationDenied
            | Self::CodeRedeemed
            | Self::RefreshRotated
            | Self::FamilyRevoked
            | Self::TokenRevoked
            | Self::TokensRevoked
            | Self::StoreBackedUp
            | Self::StoreRestored
            | Self::StoreRecovered
            | Self::KeyCreated
            | Self::KeyActivated
            | Self::KeyRetired
            | Self::KeyRemoved
            | Self::KeyRevoked
            | Self::KeyRotationAsked
            | Self::KeysRewrapped => Outcome::Done,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Subject(subject) => subject.fmt(f),
            Self::Operator { uid } => write!(f, "uid:{uid}"),
            Self::Service => f.write_str("service"),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Resource(uri) => uri.fmt(f),
            Self::Family(family) => family.fmt(f),
            Self::Token(token) => token.fmt(f),
            Self::Holder(holder) => holder.fmt(f),
            Self::Authorization(record) => record.fmt(f),
            Self::Store(epoch) => write!(f, "epoch:{}", epoch.number()),
            Self::StoreAfter(epoch, last) => write!(f, "epoch:{},{last}", epoch.number()),
            Self::Key(key) => key.fmt(f),
            Self::Keys => f.write_str("keys"),
        }
    }
}
