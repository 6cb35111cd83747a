//! Entries of the logs: what happened, and what was revoked.

use bytes::Bytes;
use countersign_issuer::{Event, EventKind, Revocation, RevocationTarget};

use super::family::cause_number;
use super::{bytes_of, stored};

/// An entry of the log [`AUDIT`](super::AUDIT).
pub(crate) fn audit_entry(event: &Event) -> Bytes {
    bytes_of(&stored::AuditEntry {
        time_millis: event.at.as_millis(),
        event: number(event.kind).into(),
        client_id: event
            .client
            .as_ref()
            .map_or_else(String::new, |client| client.as_str().to_owned()),
        actor: event.actor.to_string(),
        object: event.object.to_string(),
        reason: event.reason.unwrap_or_default().to_owned(),
    })
}

/// An entry of the log [`REVOCATIONS`](super::REVOCATIONS).
pub(crate) fn revocation_entry(revocation: &Revocation) -> Bytes {
    use stored::revocation_entry::Target;
    bytes_of(&stored::RevocationEntry {
        revoked_millis: revocation.at.as_millis(),
        cause: cause_number(revocation.cause).into(),
        forget_millis: revocation.forget_at.as_millis(),
        target: Some(match revocation.target {
            RevocationTarget::Family(family) => {
                Target::FamilyId(Bytes::copy_from_slice(family.record().as_bytes()))
            }
            RevocationTarget::Token(token) => Target::TokenId(token.to_string()),
            RevocationTarget::Everything => Target::Everything(true),
        }),
    })
}

fn number(kind: EventKind) -> stored::AuditEvent {
    use stored::AuditEvent as Number;
    match kind {
        EventKind::ClientCreated => Number::ClientCreated,
        EventKind::ClientUpdated => Number::ClientUpdated,
        EventKind::ClientDeleted => Number::ClientDeleted,
        EventKind::ClientSecretRotated => Number::ClientSecretRotated,
        EventKind::ResourceCreated => Number::ResourceCreated,
        EventKind::ResourceUpdated => Number::ResourceUpdated,
        EventKind::ResourceDeleted => Number::ResourceDeleted,
        EventKind::AuthorizationApproved => Number::AuthorizationApproved,
        EventKind::AuthorizationDenied => Number::AuthorizationDenied,
        EventKind::CodeRedeemed => Number::CodeRedeemed,
        EventKind::CodeReused => Number::CodeReused,
        EventKind::RefreshRotated => Number::RefreshRotated,
        EventKind::RefreshReused => Number::RefreshReused,
        EventKind::RefreshMispresented => Number::RefreshMispresented,
        EventKind::FamilyRevoked => Number::FamilyRevoked,
        EventKind::TokenRevoked => Number::TokenRevoked,
        EventKind::StoreBackedUp => Number::StoreBackedUp,
        EventKind::StoreRestored => Number::StoreRestored,
        EventKind::StoreRecovered => Number::StoreRecovered,
        EventKind::KeyCreated => Number::KeyCreated,
        EventKind::KeyActivated => Number::KeyActivated,
        EventKind::KeyRetired => Number::KeyRetired,
        EventKind::KeyRemoved => Number::KeyRemoved,
        EventKind::KeyRevoked => Number::KeyRevoked,
        EventKind::KeyRotationAsked => Number::KeyRotationAsked,
        EventKind::KeysRewrapped => Number::KeysRewrapped,
    }
}
