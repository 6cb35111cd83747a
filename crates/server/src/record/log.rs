//! Entries of the logs: what happened, and what was revoked.

use bytes::Bytes;
use countersign_issuer::model::{
    ClientId, FamilyId, RecordId, ResourceUri, Scopes, Subject, TokenId,
};
use countersign_issuer::{Claims, Event, EventKind, Holder, Outcome, Revocation, RevocationTarget};
use countersign_jose::UnixTime;

use prost::Message as _;

use super::family::{cause_number, cause_of};
use super::{Damaged, bytes_of, message_of, read, stored, thumbprint};
use crate::audit::{Counted, Times};

/// An entry of the log [`AUDIT`](super::AUDIT).
pub(crate) fn audit_entry(event: &Event) -> Bytes {
    let granted = event.granted.as_ref();
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
        outcome: match event.kind.outcome() {
            Outcome::Done => stored::AuditOutcome::Done,
            Outcome::Refused => stored::AuditOutcome::Refused,
        }
        .into(),
        scopes: granted.map_or_else(Vec::new, |granted| scope_texts(&granted.scopes)),
        resources: granted.map_or_else(Vec::new, |granted| uri_texts(&granted.resources)),
        token_id: granted.map_or_else(String::new, |granted| granted.token.to_string()),
        ..stored::AuditEntry::default()
    })
}

/// A block of the log [`ISSUANCE`](super::ISSUANCE) that holds one issue. The bytes of several,
/// one behind the other, are the block that holds all of them: so protobuf merges messages.
pub(crate) fn issued_block(claims: &Claims, reason: Option<&str>, at: UnixTime) -> Vec<u8> {
    let token_id = claims.id.to_string();
    let entry = stored::AuditEntry {
        time_millis: at.as_millis(),
        event: stored::AuditEvent::TokenIssued.into(),
        client_id: claims.client.as_str().to_owned(),
        actor: claims.client.as_str().to_owned(),
        object: match claims.family {
            Some(family) => family.to_string(),
            None => token_id.clone(),
        },
        reason: reason.unwrap_or_default().to_owned(),
        outcome: stored::AuditOutcome::Done.into(),
        scopes: scope_texts(&claims.scopes),
        resources: uri_texts(&claims.audience),
        token_id,
        ..stored::AuditEntry::default()
    };
    stored::IssuanceBlock {
        entries: vec![entry],
        ..stored::IssuanceBlock::default()
    }
    .encode_to_vec()
}

/// A block of one event whose object is so long.
#[cfg(test)]
pub(crate) fn issued_for_tests(client: &str, bytes: usize) -> Vec<u8> {
    let entry = stored::AuditEntry {
        client_id: client.to_owned(),
        object: "x".repeat(bytes),
        ..stored::AuditEntry::default()
    };
    stored::IssuanceBlock {
        entries: vec![entry],
        ..stored::IssuanceBlock::default()
    }
    .encode_to_vec()
}

/// The block of the log [`ISSUANCE`](super::ISSUANCE) that says how many events are missing.
pub(crate) fn dropped_block(dropped: &Times) -> Bytes {
    bytes_of(&stored::IssuanceBlock {
        entries: Vec::new(),
        dropped: dropped.count,
        dropped_millis: dropped.first.as_millis(),
        dropped_until_millis: dropped.last.as_millis(),
    })
}

/// The entry of the log [`AUDIT`](super::AUDIT) that says the same.
pub(crate) fn dropped_entry(dropped: &Times) -> Bytes {
    bytes_of(&stored::AuditEntry {
        event: stored::AuditEvent::IssuanceEventsDropped.into(),
        actor: SERVICE.to_owned(),
        object: super::ISSUANCE.name().to_owned(),
        reason: "buffer_full".to_owned(),
        outcome: stored::AuditOutcome::Done.into(),
        ..times_entry(dropped)
    })
}

/// An entry of the log [`AUDIT`](super::AUDIT) for calls or logins that were refused for one
/// reason. The client is one that is registered, the subject that of an account, or none.
pub(crate) fn counted_entry(
    what: Counted,
    client: Option<&ClientId>,
    subject: Option<&str>,
    reason: &str,
    times: &Times,
) -> Bytes {
    let client = client.map_or("", ClientId::as_str);
    bytes_of(&stored::AuditEntry {
        event: match what {
            Counted::Authentication => stored::AuditEvent::AuthenticationRefused,
            Counted::Request => stored::AuditEvent::RequestRefused,
            Counted::Login => stored::AuditEvent::LoginRefused,
            Counted::Browser => stored::AuditEvent::AuthorizationMispresented,
        }
        .into(),
        client_id: client.to_owned(),
        actor: match what {
            // Whoever it was has not shown that it is this client, or this person.
            Counted::Authentication | Counted::Login | Counted::Browser => String::new(),
            Counted::Request => client.to_owned(),
        },
        object: subject.unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
        outcome: stored::AuditOutcome::Refused.into(),
        ..times_entry(times)
    })
}

/// The entry of the log [`AUDIT`](super::AUDIT) that says that entries of a log are removed: how
/// many, and in `object` which was the last of them, in the form `log:number:hash`.
pub(crate) fn trimmed_entry(removed: u64, last: &str, now: UnixTime) -> Bytes {
    bytes_of(&stored::AuditEntry {
        time_millis: now.as_millis(),
        event: stored::AuditEvent::AuditTrimmed.into(),
        actor: SERVICE.to_owned(),
        object: last.to_owned(),
        reason: "retention".to_owned(),
        outcome: stored::AuditOutcome::Done.into(),
        count: removed,
        ..stored::AuditEntry::default()
    })
}

fn times_entry(times: &Times) -> stored::AuditEntry {
    stored::AuditEntry {
        time_millis: times.first.as_millis(),
        until_millis: times.last.as_millis(),
        count: times.count,
        ..stored::AuditEntry::default()
    }
}

/// The actor where nobody asked for it.
const SERVICE: &str = "service";

fn scope_texts(scopes: &Scopes) -> Vec<String> {
    scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect()
}

fn uri_texts(uris: &[ResourceUri]) -> Vec<String> {
    uris.iter().map(|uri| uri.as_str().to_owned()).collect()
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
            RevocationTarget::Holder(Holder::Client(ref client)) => {
                Target::ClientId(client.as_str().to_owned())
            }
            RevocationTarget::Holder(Holder::Subject(ref subject)) => {
                Target::Subject(subject.as_str().to_owned())
            }
            RevocationTarget::Holder(Holder::Key(jkt)) => {
                Target::Jkt(Bytes::copy_from_slice(jkt.as_bytes()))
            }
            RevocationTarget::References => Target::References(true),
            RevocationTarget::Signer(signer) => {
                Target::Signer(Bytes::copy_from_slice(signer.as_bytes()))
            }
            RevocationTarget::Everything => Target::Everything(true),
        }),
    })
}

/// What an entry of that log says.
pub(crate) fn revocation(bytes: &[u8]) -> Result<Revocation, Damaged> {
    use stored::revocation_entry::Target;
    let entry: stored::RevocationEntry = message_of(bytes)?;
    Ok(Revocation {
        target: match entry.target.ok_or(Damaged)? {
            Target::FamilyId(family) => {
                let record = RecordId::from_bytes((&*family).try_into().map_err(|_| Damaged)?);
                RevocationTarget::Family(FamilyId::new(record))
            }
            Target::TokenId(token) => RevocationTarget::Token(read(TokenId::parse(&token))?),
            Target::ClientId(client) => {
                RevocationTarget::Holder(Holder::Client(read(ClientId::parse(&client))?))
            }
            Target::Subject(subject) => {
                RevocationTarget::Holder(Holder::Subject(read(Subject::parse(&subject))?))
            }
            Target::Jkt(jkt) => RevocationTarget::Holder(Holder::Key(thumbprint(&jkt)?)),
            Target::References(_) => RevocationTarget::References,
            Target::Signer(signer) => RevocationTarget::Signer(thumbprint(&signer)?),
            Target::Everything(_) => RevocationTarget::Everything,
        },
        at: UnixTime::from_millis(entry.revoked_millis),
        cause: cause_of(entry.cause).ok_or(Damaged)?,
        forget_at: UnixTime::from_millis(entry.forget_millis),
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
        EventKind::CodeMispresented => Number::CodeMispresented,
        EventKind::RefreshRotated => Number::RefreshRotated,
        EventKind::RefreshReused => Number::RefreshReused,
        EventKind::RefreshMispresented => Number::RefreshMispresented,
        EventKind::FamilyRevoked => Number::FamilyRevoked,
        EventKind::TokenRevoked => Number::TokenRevoked,
        EventKind::TokensRevoked => Number::TokensRevoked,
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
