//! Messages of `countersign.authorization.v1`.

use std::time::Duration;

use countersign::authorization::v1::{
    ApproveAuthorizationRequest, Authorization, AuthorizeDeviceRequest, AuthorizeDeviceResponse,
    DenialReason, DenyAuthorizationRequest, FindAuthorizationRequest, FindAuthorizationResponse,
    PushAuthorizationRequest, PushAuthorizationResponse, ScopeAtResource,
};
use countersign_issuer::Ask;
use countersign_issuer::authorize::{
    ApproveForm, Approving, AuthorizedDevice, Found, Guesser, Lodged, Lodging, PushForm,
    RedirectTo, Shown, user_code,
};
use countersign_issuer::model::{Denial, ScopeAt, UserCode};
use countersign_jose::UnixTime;

use super::{caller, duration, resources, scopes, timestamp, unix_time};
use crate::config::VerificationUri;
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
        max_age: match &message.max_age {
            None => None,
            Some(age) => Some(max_age(age)?),
        },
        acr_values: &message.acr_values,
        prompts: &message.prompts,
        authorization_details: &message.authorization_details,
    })?;
    Ok((caller, lodging))
}

fn max_age(age: &prost_types::Duration) -> Result<Duration, Refused> {
    Duration::try_from(*age).map_err(|_| Refused::Field {
        field: "max_age",
        expected: "must not be negative",
    })
}

pub(crate) fn device(message: &AuthorizeDeviceRequest) -> Result<(Caller<'_>, Ask), Refused> {
    let caller = caller(message.client.as_ref())?;
    let ask = Ask::parse(&message.scopes, &message.resources)?;
    let ask = ask.and_details(&message.authorization_details)?;
    Ok((caller, ask))
}

pub(crate) fn device_authorized(
    device: &AuthorizedDevice,
    verification: &VerificationUri,
) -> AuthorizeDeviceResponse {
    let user_code = device.user_code.reveal();
    AuthorizeDeviceResponse {
        device_code: device.device_code.reveal().to_owned(),
        verification_uri: verification.tell().to_owned(),
        verification_uri_complete: verification.complete(&user_code),
        user_code,
        expires_in: Some(duration(device.expires_in)),
        interval: Some(duration(device.interval)),
    }
}

pub(crate) fn typed(message: &FindAuthorizationRequest) -> Result<(UserCode, Guesser), Refused> {
    let guesser = Guesser::parse(&message.subject, &message.source)?;
    Ok((user_code(&message.user_code)?, guesser))
}

pub(crate) fn found(found: &Found) -> FindAuthorizationResponse {
    FindAuthorizationResponse {
        request_uri: found.request_uri.reveal().to_owned(),
        authorization: Some(shown(&found.shown)),
    }
}

/// Where the browser goes; nowhere for a device.
pub(crate) fn redirect_to(to: Option<&RedirectTo>) -> String {
    to.map_or_else(String::new, |to| to.reveal().to_owned())
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
            authorization_details: &message.authorization_details,
        },
        now,
    )?)
}

/// Why a request is declined, if the login application says so.
pub(crate) fn denial(message: &DenyAuthorizationRequest) -> Result<Option<Denial>, Refused> {
    let reason = DenialReason::try_from(message.reason).map_err(|_| Refused::Field {
        field: "reason",
        expected: "must be one of DenialReason",
    })?;
    Ok(match reason {
        DenialReason::Unspecified => None,
        DenialReason::AccessDenied => Some(Denial::AccessDenied),
        DenialReason::LoginRequired => Some(Denial::LoginRequired),
        DenialReason::ConsentRequired => Some(Denial::ConsentRequired),
        DenialReason::InteractionRequired => Some(Denial::InteractionRequired),
        DenialReason::UnmetAuthenticationRequirements => {
            Some(Denial::UnmetAuthenticationRequirements)
        }
    })
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
        redirect_uri: shown
            .redirect_uri
            .as_ref()
            .map_or_else(String::new, |uri| uri.as_str().to_owned()),
        scopes: scopes(&shown.permissions.scopes()),
        resources: resources(&shown.permissions),
        expire_time: Some(timestamp(shown.expires_at)),
        device: shown.redirect_uri.is_none(),
        authenticated_since: shown.wishes.authenticated_since.map(timestamp),
        acr_values: shown
            .wishes
            .acr_values
            .iter()
            .map(|acr| acr.as_str().to_owned())
            .collect(),
        prompts: shown.wishes.prompts.words().map(str::to_owned).collect(),
        authorization_details: shown.details.to_json(),
        scopes_at_resources: shown.scopes.iter().map(scope_at).collect(),
        client_create_time: Some(timestamp(shown.client_created_at)),
    }
}

fn scope_at(at: &ScopeAt) -> ScopeAtResource {
    let description = at.description.as_ref();
    ScopeAtResource {
        scope: at.scope.as_str().to_owned(),
        resource: at.resource.as_str().to_owned(),
        description: description.map_or_else(String::new, ToString::to_string),
    }
}
