//! Refresh-token families.

use bytes::Bytes;
use countersign_issuer::model::{
    Acr, ClientId, Epoch, Family, Generation, Revoked, RevokedCause, Subject,
};
use countersign_jose::UnixTime;

use super::details::{detail_records, details};
use super::resource::{permission_records, permissions};
use super::{
    Damaged, Recorded, bytes_of, certificate_thumbprint, message_of, millis, read, stored,
    thumbprint, time,
};

impl Recorded for Family {
    fn encode(&self) -> Bytes {
        bytes_of(&stored::FamilyRecord {
            client_id: self.client.as_str().to_owned(),
            subject: self.subject.as_str().to_owned(),
            permissions: permission_records(&self.permissions),
            jkt: Bytes::copy_from_slice(self.jkt.as_bytes()),
            key_pinned: self.pinned,
            refreshable: self.refreshable,
            generation: self.generation.number(),
            rotated_millis: self.rotated_at.as_millis(),
            rotated_jkt: Bytes::copy_from_slice(self.rotated_jkt.as_bytes()),
            created_millis: self.created_at.as_millis(),
            expires_millis: self.expires_at.as_millis(),
            idle_expires_millis: self.idle_expires_at.as_millis(),
            epoch: self.epoch.number(),
            auth_millis: millis(self.auth_time),
            acr: self
                .acr
                .as_ref()
                .map_or_else(String::new, |acr| acr.as_str().to_owned()),
            revoked_millis: millis(self.revoked.map(|revoked| revoked.at)),
            revoked_cause: self
                .revoked
                .map_or(stored::RevocationCause::Unspecified, |revoked| {
                    cause_number(revoked.cause)
                })
                .into(),
            details: detail_records(&self.details),
            certificate_sha256: self.certificate.map_or_else(Bytes::new, |certificate| {
                Bytes::copy_from_slice(certificate.as_bytes())
            }),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::FamilyRecord = message_of(bytes)?;
        Ok(Self {
            client: read(ClientId::parse(&record.client_id))?,
            subject: read(Subject::parse(&record.subject))?,
            permissions: permissions(&record.permissions)?,
            details: details(&record.details)?,
            jkt: thumbprint(&record.jkt)?,
            pinned: record.key_pinned,
            certificate: match &*record.certificate_sha256 {
                // A release that knew of none wrote none.
                [] => None,
                bytes => Some(certificate_thumbprint(bytes)?),
            },
            refreshable: record.refreshable,
            generation: Generation::new(record.generation),
            rotated_at: UnixTime::from_millis(record.rotated_millis),
            rotated_jkt: thumbprint(&record.rotated_jkt)?,
            created_at: UnixTime::from_millis(record.created_millis),
            expires_at: UnixTime::from_millis(record.expires_millis),
            idle_expires_at: UnixTime::from_millis(record.idle_expires_millis),
            epoch: Epoch::new(record.epoch),
            auth_time: time(record.auth_millis),
            acr: read(Acr::parse(&record.acr))?,
            revoked: revoked(&record)?,
        })
    }
}

/// A cause says that it was revoked, so that a revocation at the very epoch of time would stand.
fn revoked(record: &stored::FamilyRecord) -> Result<Option<Revoked>, Damaged> {
    match cause_of(record.revoked_cause) {
        Some(cause) => Ok(Some(Revoked {
            at: UnixTime::from_millis(record.revoked_millis),
            cause,
        })),
        None if record.revoked_cause == 0 && record.revoked_millis == 0 => Ok(None),
        // A cause that a later release writes is a revocation all the same; but its format would
        // have been refused, so this is damage.
        None => Err(Damaged),
    }
}

pub(super) fn cause_of(number: i32) -> Option<RevokedCause> {
    use stored::RevocationCause as Cause;
    match Cause::try_from(number) {
        Ok(Cause::Unspecified) | Err(_) => None,
        Ok(Cause::Requested) => Some(RevokedCause::Requested),
        Ok(Cause::RefreshReuse) => Some(RevokedCause::RefreshReuse),
        Ok(Cause::CodeReuse) => Some(RevokedCause::CodeReuse),
        Ok(Cause::SetBack) => Some(RevokedCause::SetBack),
    }
}

pub(super) fn cause_number(cause: RevokedCause) -> stored::RevocationCause {
    match cause {
        RevokedCause::Requested => stored::RevocationCause::Requested,
        RevokedCause::RefreshReuse => stored::RevocationCause::RefreshReuse,
        RevokedCause::CodeReuse => stored::RevocationCause::CodeReuse,
        RevokedCause::SetBack => stored::RevocationCause::SetBack,
    }
}
