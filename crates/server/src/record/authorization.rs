//! Authorization requests and their codes.

use bytes::Bytes;
use countersign_issuer::model::{
    Acr, Approval, Authorization, ClientId, CodeChallenge, Epoch, FamilyId, RecordId, RedirectUri,
    Stage, State, Subject,
};
use countersign_jose::UnixTime;

use super::key::FIRST_EPOCH;
use super::resource::{permission_records, permissions};
use super::{Damaged, Recorded, bytes_of, message_of, read, stored, thumbprint};

impl Recorded for Authorization {
    fn encode(&self) -> Bytes {
        use stored::AuthorizationStage as At;
        let (stage, approval, family) = match &self.stage {
            Stage::Pending => (At::Pending, None, None),
            Stage::Approved(approval) => (At::Approved, Some(approval), None),
            Stage::Denied => (At::Denied, None, None),
            Stage::Redeemed { approval, family } => (At::Redeemed, Some(approval), Some(*family)),
        };
        let mut record = stored::AuthorizationRecord {
            client_id: self.client.as_str().to_owned(),
            redirect_uri: self.redirect_uri.as_str().to_owned(),
            permissions: permission_records(&self.permissions),
            state: self
                .state
                .as_ref()
                .map_or_else(String::new, |state| state.as_str().to_owned()),
            code_challenge: Bytes::copy_from_slice(self.challenge.as_bytes()),
            dpop_jkt: self
                .dpop_jkt
                .map_or_else(Bytes::new, |jkt| Bytes::copy_from_slice(jkt.as_bytes())),
            expires_millis: self.expires_at.as_millis(),
            stage: stage.into(),
            epoch: self.epoch.number(),
            family_id: family.map_or_else(Bytes::new, |family| {
                Bytes::copy_from_slice(family.record().as_bytes())
            }),
            ..stored::AuthorizationRecord::default()
        };
        if let Some(approval) = approval {
            record.subject = approval.subject.as_str().to_owned();
            record.approved = permission_records(&approval.permissions);
            record.auth_millis = approval.auth_time.as_millis();
            record.acr = approval
                .acr
                .as_ref()
                .map_or_else(String::new, |acr| acr.as_str().to_owned());
            record.code_expires_millis = approval.code_expires_at.as_millis();
        }
        bytes_of(&record)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::AuthorizationRecord = message_of(bytes)?;
        Ok(Self {
            client: read(ClientId::parse(&record.client_id))?,
            redirect_uri: read(RedirectUri::parse(&record.redirect_uri))?,
            permissions: permissions(&record.permissions)?,
            state: read(State::parse(&record.state))?,
            challenge: CodeChallenge::from_bytes(read(record.code_challenge.as_ref().try_into())?),
            dpop_jkt: match record.dpop_jkt.as_ref() {
                [] => None,
                bytes => Some(thumbprint(bytes)?),
            },
            expires_at: UnixTime::from_millis(record.expires_millis),
            // The first release noted none: it knew no other.
            epoch: Epoch::new(record.epoch.max(FIRST_EPOCH)),
            stage: stage(&record)?,
        })
    }
}

fn stage(record: &stored::AuthorizationRecord) -> Result<Stage, Damaged> {
    use stored::AuthorizationStage as At;
    match record.stage() {
        At::Unspecified => Err(Damaged),
        At::Pending => Ok(Stage::Pending),
        At::Approved => Ok(Stage::Approved(approval(record)?)),
        At::Denied => Ok(Stage::Denied),
        At::Redeemed => Ok(Stage::Redeemed {
            approval: approval(record)?,
            family: FamilyId::new(RecordId::from_bytes(read(
                record.family_id.as_ref().try_into(),
            )?)),
        }),
    }
}

fn approval(record: &stored::AuthorizationRecord) -> Result<Approval, Damaged> {
    Ok(Approval {
        subject: read(Subject::parse(&record.subject))?,
        permissions: permissions(&record.approved)?,
        auth_time: UnixTime::from_millis(record.auth_millis),
        acr: read(Acr::parse(&record.acr))?,
        code_expires_at: UnixTime::from_millis(record.code_expires_millis),
    })
}
