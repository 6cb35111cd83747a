//! The token endpoint (RFC 6749 §3.2): every grant that there is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::model::{Details, Malformed};
use countersign_issuer::{
    Ask, CodeForm, DeviceCodeForm, HandleText, Issuer, Redemption, Refusal, Rotation,
};
use serde::Serialize;

use super::form::Form;
use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::desk::{Asked, Granted};
use crate::operation::Caller;
use crate::refused::Refused;
use crate::wire::token::TOKEN_TYPE;

const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
const REFRESH_TOKEN: &str = "refresh_token";
/// RFC 8628 §3.4.
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// As the metadata lists them.
pub(super) const GRANT_TYPES: [&str; 4] = [
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    DEVICE_CODE,
];

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct Token<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    /// RFC 9396 §7.
    #[serde(skip_serializing_if = "Details::is_empty")]
    authorization_details: &'a Details,
}

pub(super) async fn issue(
    State(edge): State<Arc<Edge>>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let asked = asked(client.caller(), &asking.form, &edge.desk.engine.issuer())?;
    let granted = edge.desk.grant(asked, asking.along()).await?;
    let response = answer::json(&Token::of(&granted.answer));
    Ok(answer::with_nonce(response, granted.nonce))
}

fn asked<'a>(caller: Caller<'a>, form: &Form, issuer: &Issuer) -> Result<Asked<'a>, Refused> {
    let scopes = &form.words("scope");
    let resources = &form.list("resource");
    let authorization_details = form.text("authorization_details");
    match form.get("grant_type") {
        None => Err(Refused::field("grant_type", Malformed::Missing)),
        Some(CLIENT_CREDENTIALS) => {
            let ask = Ask::parse(scopes, resources)?.and_details(authorization_details)?;
            Ok(Asked::Credentials(caller, ask))
        }
        Some(AUTHORIZATION_CODE) => {
            let form = CodeForm {
                code: form.text("code"),
                redirect_uri: form.text("redirect_uri"),
                code_verifier: form.text("code_verifier"),
                scopes,
                resources,
                authorization_details,
            };
            let redemption = Redemption::parse(&form, &issuer.mac_keys)?;
            Ok(Asked::Code(caller, redemption))
        }
        Some(DEVICE_CODE) => {
            let form = DeviceCodeForm {
                device_code: form.text("device_code"),
                scopes,
                resources,
                authorization_details,
            };
            let redemption = Redemption::parse_device(&form, &issuer.mac_keys)?;
            Ok(Asked::Code(caller, redemption))
        }
        Some(REFRESH_TOKEN) => {
            let token = form.text("refresh_token");
            let keys = &issuer.mac_keys;
            let rotation = Rotation::parse(token, scopes, resources, authorization_details, keys)?;
            Ok(Asked::Refresh(caller, rotation))
        }
        Some(_) => Err(Refusal::UnsupportedGrantType.into()),
    }
}

impl<'a> Token<'a> {
    fn of(granted: &'a Granted) -> Self {
        let claims = &granted.issued.claims;
        Self {
            access_token: &granted.access_token,
            token_type: TOKEN_TYPE,
            expires_in: claims.lifetime().as_secs(),
            scope: claims.scopes.to_string(),
            refresh_token: granted
                .issued
                .refresh_token
                .as_ref()
                .map(HandleText::reveal),
            authorization_details: &claims.details,
        }
    }
}
