//! What the application writes to its store: the only place that encodes and decodes its records.
//!
//! A record is a protobuf message of `countersign.storage.v1`, as those of the token service are.
//!
//! | key | record | expires |
//! | --- | --- | --- |
//! | `account` / name | `AccountRecord` | never |
//! | `subject` / subject | `SubjectRecord` | never |
//! | `session` / hash of the cookie, 32 bytes | `SessionRecord` | when the session is over |
//! | `session-of` / name / hash of the cookie, 32 bytes | `SessionOfRecord` | when it ends in the end |
//! | `consent` / subject / hash, 32 bytes | `ConsentRecord` | never |

use bytes::Bytes;
use countersign::storage::v1 as stored;
use countersign_jose::UnixTime;
use countersign_store::{Key, Log};
use prost::Message;
use thiserror::Error;

use crate::account::{Account, Name};
use crate::consent::{About, Consent, ConsentId};
use crate::event::{Event, EventKind};
use crate::password::Hash;
use crate::session::{BrowserName, RequestHash, Session};

/// A record is not what its key says.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("a record cannot be read")]
pub(crate) struct Damaged;

/// An account with the hash of its password.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) account: Account,
    pub(crate) hash: Hash,
}

/// The token service's log of events, or one like it where the application is alone.
pub(crate) const AUDIT: Log = Log::named("audit");

/// Where all accounts are.
pub(crate) fn accounts() -> Key {
    Key::of("account")
}

pub(crate) fn account_key(name: &Name) -> Key {
    accounts().and(name.as_str())
}

/// Where it is said whose a subject is: nobody else gets it.
pub(crate) fn subject_key(subject: &str) -> Key {
    Key::of("subject").and(subject)
}

pub(crate) fn session_key(hash: &[u8; 32]) -> Key {
    Key::of("session").and(hash)
}

/// Where it is said which sessions an account has.
pub(crate) fn sessions_of(name: &Name) -> Key {
    Key::of("session-of").and(name.as_str())
}

pub(crate) fn session_of_key(name: &Name, hash: &[u8; 32]) -> Key {
    sessions_of(name).and(hash)
}

/// Where the consents of a person are.
pub(crate) fn consents(subject: &str) -> Key {
    Key::of("consent").and(subject)
}

pub(crate) fn consent_key(subject: &str, id: ConsentId) -> Key {
    consents(subject).and(id.0)
}

pub(crate) fn account(kept: &Kept) -> Bytes {
    let Kept { account, hash } = kept;
    bytes_of(&stored::AccountRecord {
        name: account.name.as_str().to_owned(),
        display_name: account.display_name.clone(),
        subject: account.subject.clone(),
        password_hash: hash.reveal().to_owned(),
        disabled: account.disabled,
        created_millis: account.created_at.as_millis(),
        password_millis: account.password_at.as_millis(),
        generation: account.generation,
    })
}

pub(crate) fn read_account(bytes: &[u8]) -> Result<Kept, Damaged> {
    let record: stored::AccountRecord = message_of(bytes)?;
    Ok(Kept {
        hash: Hash::stored(&record.password_hash),
        account: Account {
            name: Name::parse(&record.name).map_err(|_| Damaged)?,
            display_name: record.display_name,
            subject: record.subject,
            disabled: record.disabled,
            created_at: UnixTime::from_millis(record.created_millis),
            password_at: UnixTime::from_millis(record.password_millis),
            generation: record.generation,
        },
    })
}

pub(crate) fn session(session: &Session) -> Bytes {
    let proved_for = session.proved_for.map(|RequestHash(hash)| hash.to_vec());
    bytes_of(&stored::SessionRecord {
        account: session.account.as_str().to_owned(),
        authenticated_millis: session.authenticated_at.as_millis(),
        used_millis: session.used_at.as_millis(),
        ends_millis: session.ends_at.as_millis(),
        generation: session.generation,
        proved_for: proved_for.unwrap_or_default().into(),
        browser: session.browser.as_str().to_owned(),
    })
}

pub(crate) fn subject_of(name: &Name) -> Bytes {
    bytes_of(&stored::SubjectRecord {
        account: name.as_str().to_owned(),
    })
}

pub(crate) fn session_of(hash: &[u8; 32]) -> Bytes {
    bytes_of(&stored::SessionOfRecord {
        session_hash: Bytes::copy_from_slice(hash),
    })
}

pub(crate) fn read_session_of(bytes: &[u8]) -> Result<[u8; 32], Damaged> {
    let record: stored::SessionOfRecord = message_of(bytes)?;
    record.session_hash[..].try_into().map_err(|_| Damaged)
}

pub(crate) fn read_session(bytes: &[u8]) -> Result<Session, Damaged> {
    let record: stored::SessionRecord = message_of(bytes)?;
    let proved_for = match record.proved_for.len() {
        0 => None,
        _ => {
            let hash = record.proved_for[..].try_into().map_err(|_| Damaged)?;
            Some(RequestHash(hash))
        }
    };
    Ok(Session {
        account: Name::parse(&record.account).map_err(|_| Damaged)?,
        generation: record.generation,
        authenticated_at: UnixTime::from_millis(record.authenticated_millis),
        used_at: UnixTime::from_millis(record.used_millis),
        ends_at: UnixTime::from_millis(record.ends_millis),
        proved_for,
        browser: BrowserName::of(&record.browser),
    })
}

pub(crate) fn consent(consent: &Consent) -> Bytes {
    bytes_of(&stored::ConsentRecord {
        client_id: consent.about.client_id.clone(),
        client_created_millis: consent.about.client_created_at.as_millis(),
        client_display_name: consent.client_display_name.clone(),
        redirect_uri: consent.about.redirect_uri.clone(),
        resources: consent.about.resources.iter().cloned().collect(),
        scopes: consent.scopes.iter().cloned().collect(),
        granted_millis: consent.granted_at.as_millis(),
    })
}

pub(crate) fn read_consent(bytes: &[u8]) -> Result<Consent, Damaged> {
    let record: stored::ConsentRecord = message_of(bytes)?;
    Ok(Consent {
        about: About {
            client_id: record.client_id,
            client_created_at: UnixTime::from_millis(record.client_created_millis),
            redirect_uri: record.redirect_uri,
            resources: record.resources.into_iter().collect(),
        },
        client_display_name: record.client_display_name,
        scopes: record.scopes.into_iter().collect(),
        granted_at: UnixTime::from_millis(record.granted_millis),
    })
}

/// An entry of the log [`AUDIT`].
pub(crate) fn audit_entry(event: &Event<'_>) -> Bytes {
    use stored::AuditEvent as Number;
    let number = match event.kind {
        EventKind::AccountCreated => Number::AccountCreated,
        EventKind::AccountUpdated => Number::AccountUpdated,
        EventKind::LoggedIn => Number::LoggedIn,
        EventKind::LoggedOut => Number::LoggedOut,
        EventKind::ConsentRemembered => Number::ConsentRemembered,
        EventKind::ConsentWithdrawn => Number::ConsentWithdrawn,
    };
    bytes_of(&stored::AuditEntry {
        time_millis: event.at.as_millis(),
        event: number.into(),
        client_id: event.client.to_owned(),
        actor: event.actor.to_owned(),
        object: event.subject.to_owned(),
        reason: event.reason.to_owned(),
        outcome: stored::AuditOutcome::Done.into(),
        scopes: event.scopes.clone(),
        resources: event.resources.clone(),
        ..stored::AuditEntry::default()
    })
}

fn bytes_of(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn message_of<M: Message + Default>(bytes: &[u8]) -> Result<M, Damaged> {
    M::decode(bytes).map_err(|_| Damaged)
}
