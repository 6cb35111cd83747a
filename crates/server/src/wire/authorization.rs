//! Messages of `countersign.authorization.v1`.

use countersign::authorization::v1::{
    ApproveAuthorizationRequest, Authorization, PushAuthorizationRequest, PushAuthorizationResponse,
};
use countersign_issuer::authorize::{ApproveForm, Approving, Lodged, Lodging, PushForm, Shown};
use countersign_jose::UnixTime;

use super::{caller, duration, resources, scopes, timestamp, unix_time};
use crate::operation::Caller;
use crate::refused::Refused;

pub(crate) fn pushed(message: &PushAuthorizationRequest) -> Result<(Caller<'_>, Lodging), Refused> {
    let caller = caller(message.client.as_ref())?;
    let lodging = Lodging::parse(&PushForm {
        redirect_uri: &message.redirect_uri,
        scopes: &message.scopes,
        resources: &message.resources,
        state: &message.state,
        code_challenge: &message.code_challenge,
        code_challenge_method: &message.code_challenge_method,
        dpop_jkt: &message.dpop_jkt,
    })?;
    Ok((caller, lodging))
}

pub(crate) fn approving(
    message: &ApproveAuthorizationRequest,
    now: UnixTime,
) -> Result<Approving, Refused> {
    let auth_time = match &message.auth_time {
        None => None,
        Some(timestamp) => Some(unix_time(timestamp).ok_or(Refused::Field {
            field: "auth_time",
            expected: "must be a time after 1970",
        })?),
    };
    Ok(Approving::parse(
        &ApproveForm {
            subject: &message.subject,
            scopes: &message.scopes,
            auth_time,
            acr: &message.acr,
        },
        now,
    )?)
}

pub(crate) fn lodged(lodged: &Lodged) -> PushAuthorizationResponse {
    PushAuthorizationResponse {
        request_uri: lodged.request_uri.reveal().to_owned(),
        expires_in: Some(duration(lodged.expires_in)),
    }
}

pub(crate) fn shown(shown: &Shown) -> Authorization {
    Authorization {
        client_id: shown.client.as_str().to_owned(),
        client_display_name: shown.client_display_name.as_str().to_owned(),
        redirect_uri: shown.redirect_uri.as_str().to_owned(),
        scopes: scopes(&shown.permissions.scopes()),
        resources: resources(&shown.permissions),
        expire_time: Some(timestamp(shown.expires_at)),
    }
}
