//! Messages of `countersign.token.v1`.

use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::revoke_token_request::Target;
use countersign::token::v1::{
    IssueTokenRequest, IssueTokenResponse, RevokeTokenRequest, RotateTokenRequest,
    RotateTokenResponse,
};
use countersign_issuer::{
    Ask, CodeForm, DeviceCodeForm, Issued, Issuer, Redemption, Refusal, Rotation,
};

use super::{caller, duration, scopes};
use crate::desk::{self, Asked, Granted};
use crate::operation::Caller;
use crate::refused::Refused;

/// RFC 9449 §5: what all tokens here are.
pub(crate) const TOKEN_TYPE: &str = "DPoP";

pub(crate) fn asked<'a>(
    message: &'a IssueTokenRequest,
    issuer: &Issuer,
) -> Result<Asked<'a>, Refused> {
    let caller = caller(message.client.as_ref())?;
    match &message.grant {
        None => Err(Refusal::UnsupportedGrantType.into()),
        Some(Grant::ClientCredentials(_)) => {
            let ask = Ask::parse(&message.scopes, &message.resources)?;
            let ask = ask.and_details(&message.authorization_details)?;
            Ok(Asked::Credentials(caller, ask))
        }
        Some(Grant::AuthorizationCode(code)) => {
            let form = CodeForm {
                code: &code.code,
                redirect_uri: &code.redirect_uri,
                code_verifier: &code.code_verifier,
                scopes: &message.scopes,
                resources: &message.resources,
                authorization_details: &message.authorization_details,
            };
            let redemption = Redemption::parse(&form, &issuer.mac_keys)?;
            Ok(Asked::Code(caller, redemption))
        }
        Some(Grant::DeviceCode(code)) => {
            let form = DeviceCodeForm {
                device_code: &code.device_code,
                scopes: &message.scopes,
                resources: &message.resources,
                authorization_details: &message.authorization_details,
            };
            let redemption = Redemption::parse_device(&form, &issuer.mac_keys)?;
            Ok(Asked::Code(caller, redemption))
        }
    }
}

pub(crate) fn rotation<'a>(
    message: &'a RotateTokenRequest,
    issuer: &Issuer,
) -> Result<Asked<'a>, Refused> {
    let caller = caller(message.client.as_ref())?;
    let rotation = Rotation::parse(
        &message.refresh_token,
        &message.scopes,
        &message.resources,
        &message.authorization_details,
        &issuer.mac_keys,
    )?;
    Ok(Asked::Refresh(caller, rotation))
}

/// The hint is not looked at: prefix and form say what a token is.
pub(crate) fn revoking(
    message: &RevokeTokenRequest,
) -> Result<(Caller<'_>, desk::Target<'_>), Refused> {
    let caller = caller(message.client.as_ref())?;
    let target = match &message.target {
        None => desk::Target::Nothing,
        Some(Target::Token(token)) => desk::Target::Token(token),
        Some(Target::FamilyId(family)) => desk::Target::FamilyId(family),
    };
    Ok((caller, target))
}

pub(crate) fn issued(granted: Granted) -> IssueTokenResponse {
    let issued = &granted.issued;
    IssueTokenResponse {
        access_token: granted.access_token,
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: Some(duration(issued.claims.lifetime())),
        scopes: scopes(&issued.claims.scopes),
        refresh_token: refresh_token(issued),
        family_id: family_id(issued),
        authorization_details: issued.claims.details.to_json(),
    }
}

pub(crate) fn rotated(granted: Granted) -> RotateTokenResponse {
    let issued = &granted.issued;
    RotateTokenResponse {
        access_token: granted.access_token,
        token_type: TOKEN_TYPE.to_owned(),
        expires_in: Some(duration(issued.claims.lifetime())),
        scopes: scopes(&issued.claims.scopes),
        refresh_token: refresh_token(issued),
        family_id: family_id(issued),
        authorization_details: issued.claims.details.to_json(),
    }
}

fn refresh_token(issued: &Issued) -> String {
    issued
        .refresh_token
        .as_ref()
        .map_or_else(String::new, |token| token.reveal().to_owned())
}

fn family_id(issued: &Issued) -> String {
    issued
        .family
        .map_or_else(String::new, |family| family.to_string())
}
