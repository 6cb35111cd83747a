//! Authorization requests and their codes.

use std::time::Duration;

use bytes::Bytes;
use countersign_issuer::model::{
    Acr, Approval, Authorization, ClientId, CodeChallenge, Denial, Epoch, FamilyId, Polling,
    Prompts, RecordId, Redirect, RedirectUri, SecretHash, Stage, State, Subject, Way, Wishes,
};
use countersign_jose::UnixTime;

use super::details::{detail_records, details};
use super::key::FIRST_EPOCH;
use super::resource::{permission_records, permissions};
use super::{Damaged, Recorded, bytes_of, message_of, millis, read, stored, thumbprint, time};

impl Recorded for Authorization {
    fn encode(&self) -> Bytes {
        use stored::AuthorizationStage as At;
        let (stage, approval, family) = match &self.stage {
            Stage::Pending => (At::Pending, None, None),
            Stage::Returning(Ok(approval)) => (At::ApprovedAway, Some(approval), None),
            Stage::Returning(Err(_)) => (At::DeniedAway, None, None),
            Stage::Approved(approval) => (At::Approved, Some(approval), None),
            Stage::Denied => (At::Denied, None, None),
            Stage::Redeemed { approval, family } => (At::Redeemed, Some(approval), Some(*family)),
        };
        let mut record = stored::AuthorizationRecord {
            client_id: self.client.as_str().to_owned(),
            permissions: permission_records(&self.permissions),
            dpop_jkt: self
                .dpop_jkt
                .map_or_else(Bytes::new, |jkt| Bytes::copy_from_slice(jkt.as_bytes())),
            expires_millis: self.expires_at.as_millis(),
            lodged_millis: self.lodged_at.as_millis(),
            stage: stage.into(),
            epoch: self.epoch.number(),
            details: detail_records(&self.details),
            family_id: family.map_or_else(Bytes::new, |family| {
                Bytes::copy_from_slice(family.record().as_bytes())
            }),
            ..stored::AuthorizationRecord::default()
        };
        if let Stage::Returning(Err(denial)) = &self.stage {
            record.denial = denial_number(*denial).into();
        }
        match &self.way {
            Way::Redirect(redirect) => {
                record.redirect_uri = redirect.uri.as_str().to_owned();
                record.state = redirect
                    .state
                    .as_ref()
                    .map_or_else(String::new, |state| state.as_str().to_owned());
                record.code_challenge = Bytes::copy_from_slice(redirect.challenge.as_bytes());
                record.browser_hash = redirect.browser.map_or_else(Bytes::new, |browser| {
                    Bytes::copy_from_slice(browser.as_bytes())
                });
                wish(&mut record, &redirect.wishes);
            }
            Way::Device(polling) => {
                record.poll_interval_millis = duration_millis(polling.interval);
                record.polled_millis = millis(polling.polled_at);
            }
        }
        if let Some(approval) = approval {
            record.subject = approval.subject.as_str().to_owned();
            record.approved = permission_records(&approval.permissions);
            record.approved_details = detail_records(&approval.details);
            record.auth_millis = approval.auth_time.as_millis();
            record.acr = approval
                .acr
                .as_ref()
                .map_or_else(String::new, |acr| acr.as_str().to_owned());
            record.code_expires_millis = approval.code_expires_at.as_millis();
            record.approved_millis = approval.approved_at.as_millis();
        }
        bytes_of(&record)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::AuthorizationRecord = message_of(bytes)?;
        Ok(Self {
            client: read(ClientId::parse(&record.client_id))?,
            permissions: permissions(&record.permissions)?,
            details: details(&record.details)?,
            dpop_jkt: match record.dpop_jkt.as_ref() {
                [] => None,
                bytes => Some(thumbprint(bytes)?),
            },
            // Earlier releases noted none: later than any, so that what is under way when the
            // release changes goes on.
            lodged_at: time(record.lodged_millis)
                .unwrap_or_else(|| UnixTime::from_millis(record.expires_millis)),
            expires_at: UnixTime::from_millis(record.expires_millis),
            // The first release noted none: it knew no other.
            epoch: Epoch::new(record.epoch.max(FIRST_EPOCH)),
            way: way(&record)?,
            stage: stage(&record)?,
        })
    }
}

fn way(record: &stored::AuthorizationRecord) -> Result<Way, Damaged> {
    if record.poll_interval_millis != 0 {
        return Ok(Way::Device(Polling {
            interval: Duration::from_millis(record.poll_interval_millis),
            polled_at: time(record.polled_millis),
        }));
    }
    Ok(Way::Redirect(Redirect {
        uri: read(RedirectUri::parse(&record.redirect_uri))?,
        state: read(State::parse(&record.state))?,
        challenge: CodeChallenge::from_bytes(read(record.code_challenge.as_ref().try_into())?),
        wishes: wishes(record)?,
        browser: match record.browser_hash.as_ref() {
            [] => None,
            bytes => Some(SecretHash::from_bytes(read(bytes.try_into())?)),
        },
    }))
}

fn wish(record: &mut stored::AuthorizationRecord, wishes: &Wishes) {
    let acr_values = wishes.acr_values.iter();
    record.authenticated_since_millis = millis(wishes.authenticated_since);
    record.acr_values = acr_values.map(|acr| acr.as_str().to_owned()).collect();
    record.prompts = wishes.prompts.words().map(str::to_owned).collect();
}

fn wishes(record: &stored::AuthorizationRecord) -> Result<Wishes, Damaged> {
    let acr = |text: &String| read(Acr::parse(text))?.ok_or(Damaged);
    Ok(Wishes {
        authenticated_since: time(record.authenticated_since_millis),
        acr_values: record
            .acr_values
            .iter()
            .map(acr)
            .collect::<Result<_, _>>()?,
        prompts: read(Prompts::parse(&record.prompts))?,
    })
}

/// An interval has no more milliseconds than a number has room for.
fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn stage(record: &stored::AuthorizationRecord) -> Result<Stage, Damaged> {
    use stored::AuthorizationStage as At;
    match record.stage() {
        At::Unspecified => Err(Damaged),
        At::Pending => Ok(Stage::Pending),
        At::ApprovedAway => Ok(Stage::Returning(Ok(approval(record)?))),
        At::DeniedAway => Ok(Stage::Returning(Err(denial(record)?))),
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

const fn denial_number(denial: Denial) -> stored::AuthorizationDenial {
    use stored::AuthorizationDenial as Number;
    match denial {
        Denial::AccessDenied => Number::AccessDenied,
        Denial::LoginRequired => Number::LoginRequired,
        Denial::ConsentRequired => Number::ConsentRequired,
        Denial::InteractionRequired => Number::InteractionRequired,
        Denial::UnmetAuthenticationRequirements => Number::UnmetAuthenticationRequirements,
    }
}

fn denial(record: &stored::AuthorizationRecord) -> Result<Denial, Damaged> {
    use stored::AuthorizationDenial as Number;
    Ok(match read(Number::try_from(record.denial))? {
        Number::Unspecified => wishes(record)?.denial(),
        Number::AccessDenied => Denial::AccessDenied,
        Number::LoginRequired => Denial::LoginRequired,
        Number::ConsentRequired => Denial::ConsentRequired,
        Number::InteractionRequired => Denial::InteractionRequired,
        Number::UnmetAuthenticationRequirements => Denial::UnmetAuthenticationRequirements,
    })
}

fn approval(record: &stored::AuthorizationRecord) -> Result<Approval, Damaged> {
    Ok(Approval {
        subject: read(Subject::parse(&record.subject))?,
        permissions: permissions(&record.approved)?,
        // The first releases noted no more than when the person logged in: earlier, so that what is
        // revoked hits it.
        approved_at: time(record.approved_millis)
            .unwrap_or_else(|| UnixTime::from_millis(record.auth_millis)),
        details: details(&record.approved_details)?,
        auth_time: UnixTime::from_millis(record.auth_millis),
        acr: read(Acr::parse(&record.acr))?,
        code_expires_at: UnixTime::from_millis(record.code_expires_millis),
    })
}
