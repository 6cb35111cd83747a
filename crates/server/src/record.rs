//! What the service writes to its store: the only place that encodes and decodes records.
//!
//! A record is a protobuf message of `countersign.storage.v1`. A field is never renumbered, so
//! that a store written by an older release opens.
//!
//! | key | record | expires |
//! | --- | --- | --- |
//! | `store` | `StoreRecord` | never |
//! | `key` / key id | `KeyRecord` | never |
//! | `client` / client id | `ClientRecord` | never |
//! | `resource` / URI | `ResourceRecord` | never |
//! | `family` / id, 16 bytes | `FamilyRecord` | with the last token of the family |
//! | `authorization` / id, 16 bytes | `AuthorizationRecord` | when no second use of its code could matter |
//! | `user_code` / HMAC of the code, 32 bytes | `UserCodeRecord` | with the request that it stands for |
//! | `assertion` / client id / SHA-256 of `jti` | `SpentAssertionRecord` | with the assertion |
//! | `revoked` / `jti`, 16 bytes | `RevokedTokenRecord` | with the token |
//! | `reference` / `jti`, 16 bytes | `ReferenceTokenRecord` | with the token |
//! | `holder` / kind / its name | `RevokedHolderRecord` | with the last family that it could hit |
//!
//! | log | entries |
//! | --- | --- |
//! | `audit` | `AuditEntry` |
//! | `issuance` | `IssuanceBlock` |
//! | `revocations` | `RevocationEntry` |

mod authorization;
mod client;
mod details;
mod family;
mod key;
mod log;
mod reference;
mod resource;
mod told;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use countersign::storage::v1 as stored;
use countersign_issuer::model::{ClientId, FamilyId, RecordId, ResourceUri, TokenId};
use countersign_issuer::{Holder, UserCodeName};
use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime, sha256};
use countersign_store::{Key, Log};
use prost::Message;
use thiserror::Error;

pub(crate) use key::StoreMark;
#[cfg(test)]
pub(crate) use log::issued_for_tests;
pub(crate) use log::{
    audit_entry, counted_entry, dropped_block, dropped_entry, issued_block, revocation,
    revocation_entry, trimmed_entry,
};
pub(crate) use reference::{read_reference, reference};
pub(crate) use told::{event_names, told};

/// The form of the records that this release writes. A store with a higher one was written by a
/// later release, and is refused: its records may say things that we would lose.
pub(crate) const FORMAT: u32 = 1;

/// The log of what happened.
pub(crate) const AUDIT: Log = Log::named("audit");
/// The log of tokens that were issued without anything else being written.
pub(crate) const ISSUANCE: Log = Log::named("issuance");
/// The log of what was revoked.
pub(crate) const REVOCATIONS: Log = Log::named("revocations");

/// A record is not what its key says. Nobody but this service writes the store.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("a record cannot be read")]
pub(crate) struct Damaged;

/// Something that has a record.
pub(crate) trait Recorded: Sized {
    /// Its bytes.
    fn encode(&self) -> Bytes;

    /// From its bytes.
    fn decode(bytes: &[u8]) -> Result<Self, Damaged>;
}

/// Where the mark of the store is.
pub(crate) fn store_key() -> Key {
    Key::of("store")
}

/// Where the key of that id is; without one, where all keys are.
pub(crate) fn key_key(key_id: Option<&str>) -> Key {
    match key_id {
        Some(id) => Key::of("key").and(id),
        None => Key::of("key"),
    }
}

/// Where the client is.
pub(crate) fn client_key(client: &ClientId) -> Key {
    clients().and(client.as_str())
}

/// Where all clients are.
pub(crate) fn clients() -> Key {
    Key::of("client")
}

/// Where the resource is.
pub(crate) fn resource_key(uri: &ResourceUri) -> Key {
    resources().and(uri.as_str())
}

/// Where all resources are.
pub(crate) fn resources() -> Key {
    Key::of("resource")
}

/// Where the family is.
pub(crate) fn family_key(family: FamilyId) -> Key {
    Key::of("family").and(family.record().as_bytes())
}

/// Where the authorization is.
pub(crate) fn authorization_key(id: RecordId) -> Key {
    Key::of("authorization").and(id.as_bytes())
}

/// Where it is which request a user code stands for.
pub(crate) fn user_code_key(name: UserCodeName) -> Key {
    Key::of("user_code").and(name.as_bytes())
}

/// Which request a user code stands for.
pub(crate) fn user_code(authorization: RecordId) -> Bytes {
    bytes_of(&stored::UserCodeRecord {
        authorization_id: Bytes::copy_from_slice(authorization.as_bytes()),
    })
}

/// Which request it is.
pub(crate) fn user_code_of(bytes: &[u8]) -> Result<RecordId, Damaged> {
    let record: stored::UserCodeRecord = message_of(bytes)?;
    let id = read(record.authorization_id.as_ref().try_into())?;
    Ok(RecordId::from_bytes(id))
}

/// Where it is noted that the client used an assertion with this `jti`. A hash, since clients
/// choose the `jti`, and keys have a limit.
pub(crate) fn assertion_key(client: &ClientId, jti: &str) -> Key {
    Key::of(ASSERTION)
        .and(client.as_str())
        .and(sha256(&[jti.as_bytes()]))
}

const ASSERTION: &str = "assertion";

/// Whether a conflict on `key` is a replay: final, where other conflicts are races.
pub(crate) fn is_assertion(key: &Key) -> bool {
    key.starts_with(&Key::of(ASSERTION))
}

/// Where it is noted that the access token was revoked alone.
pub(crate) fn revoked_key(token: TokenId) -> Key {
    Key::of("revoked").and(token.as_bytes())
}

/// Where it is what the reference token says.
pub(crate) fn reference_key(token: TokenId) -> Key {
    Key::of("reference").and(token.as_bytes())
}

/// Where it is noted until when all that the holder had was revoked.
pub(crate) fn holder_key(holder: &Holder) -> Key {
    let holders = Key::of("holder");
    match holder {
        Holder::Client(client) => holders.and("client").and(client.as_str()),
        Holder::Subject(subject) => holders.and("subject").and(subject.as_str()),
        Holder::Key(jkt) => holders.and("key").and(jkt.as_bytes()),
    }
}

/// That all that a holder had was revoked.
pub(crate) fn revoked_holder(at: UnixTime) -> Bytes {
    bytes_of(&stored::RevokedHolderRecord {
        revoked_millis: at.as_millis(),
    })
}

/// Until when.
pub(crate) fn holder_revoked_at(bytes: &[u8]) -> Result<UnixTime, Damaged> {
    let record: stored::RevokedHolderRecord = message_of(bytes)?;
    time(record.revoked_millis).ok_or(Damaged)
}

/// That an assertion was used: its key says all.
pub(crate) fn spent_assertion() -> Bytes {
    bytes_of(&stored::SpentAssertionRecord {})
}

/// That an access token was revoked.
pub(crate) fn revoked_token(at: UnixTime) -> Bytes {
    bytes_of(&stored::RevokedTokenRecord {
        revoked_millis: at.as_millis(),
    })
}

fn bytes_of(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn message_of<M: Message + Default>(bytes: &[u8]) -> Result<M, Damaged> {
    M::decode(bytes).map_err(|_| Damaged)
}

/// A text or number that was parsed before it was written.
fn read<T, E>(parsed: Result<T, E>) -> Result<T, Damaged> {
    parsed.map_err(|_| Damaged)
}

fn certificate_thumbprint(bytes: &[u8]) -> Result<CertificateThumbprint, Damaged> {
    Ok(CertificateThumbprint::from_bytes(
        bytes.try_into().map_err(|_| Damaged)?,
    ))
}

fn thumbprint(bytes: &[u8]) -> Result<Thumbprint, Damaged> {
    Ok(Thumbprint::from_bytes(
        bytes.try_into().map_err(|_| Damaged)?,
    ))
}

/// Times are milliseconds; 0 is none.
fn time(millis: u64) -> Option<UnixTime> {
    (millis != 0).then(|| UnixTime::from_millis(millis))
}

fn millis(time: Option<UnixTime>) -> u64 {
    time.map_or(0, UnixTime::as_millis)
}
