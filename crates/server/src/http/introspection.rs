//! The introspection endpoint (RFC 7662). Over gRPC the caller shows an access token with the scope
//! `introspect`; here it authenticates as clients do, and may ask if it could get such a token.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::introspect::{Introspection, RefreshStanding};
use countersign_issuer::model::{Details, Malformed};
use countersign_issuer::{Claims, IssuerName};
use countersign_jose::{CertificateThumbprint, Thumbprint};
use serde::Serialize;

use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::refused::Refused;
use crate::wire::token::TOKEN_TYPE;

/// RFC 7662 §2.2. What is not active says nothing else.
#[derive(Serialize, Default)]
struct Answer<'a> {
    active: bool,
    #[serde(flatten)]
    says: Option<Says<'a>>,
}

#[derive(Serialize)]
struct Says<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Vec<&'a str>,
    client_id: &'a str,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    /// RFC 9396 §9.2.
    #[serde(skip_serializing_if = "Details::is_empty")]
    authorization_details: Details,
}

/// RFC 7800 §3, RFC 9449 §6.2, RFC 8705 §3.2.
#[derive(Serialize)]
struct Confirmation {
    jkt: String,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// The hint (RFC 7662 §2.1) is not looked at: form says what a token is.
pub(super) async fn introspect(
    State(edge): State<Arc<Edge>>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let token = asking.form.get("token");
    let token = token.ok_or_else(|| Refused::field("token", Malformed::Missing))?;
    let caller = client.caller();
    let looked = edge.desk.introspect(caller, token, asking.along()).await?;
    let issuer = looked.answer.issuer();
    let worth = looked.answer.worth().next();
    let answer = worth.map_or_else(Answer::default, |worth| Answer::of(&worth, issuer));
    Ok(answer::with_nonce(answer::json(&answer), looked.nonce))
}

impl<'a> Answer<'a> {
    fn of(worth: &Introspection<'a>, issuer: &'a IssuerName) -> Self {
        let says = match worth {
            Introspection::Inactive => None,
            Introspection::Access(claims) => Some(Says::of_access(claims, issuer)),
            Introspection::Refresh(standing) => Some(Says::of_refresh(standing, issuer)),
        };
        Self {
            active: says.is_some(),
            says,
        }
    }
}

impl<'a> Says<'a> {
    fn of_access(claims: &'a Claims, issuer: &'a IssuerName) -> Self {
        Self {
            iss: issuer.as_str(),
            sub: claims.subject.as_str(),
            aud: claims.audience.iter().map(|uri| uri.as_str()).collect(),
            client_id: claims.client.as_str(),
            scope: claims.scopes.to_string(),
            token_type: Some(TOKEN_TYPE),
            iat: claims.issued_at.as_secs(),
            exp: claims.expires_at.as_secs(),
            jti: Some(claims.id.to_string()),
            cnf: Some(Confirmation::of(claims.jkt, claims.certificate)),
            auth_time: claims.auth_time.map(|time| time.as_secs()),
            acr: claims.acr.as_ref().map(|acr| acr.as_str()),
            authorization_details: claims.details.clone(),
        }
    }

    fn of_refresh(standing: &RefreshStanding<'a>, issuer: &'a IssuerName) -> Self {
        let resources = standing.permissions.resources();
        Self {
            iss: issuer.as_str(),
            sub: standing.subject.as_str(),
            aud: resources.map(|uri| uri.as_str()).collect(),
            client_id: standing.client.as_str(),
            scope: standing.permissions.scopes().to_string(),
            token_type: None,
            iat: standing.issued_at.as_secs(),
            exp: standing.expires_at.as_secs(),
            jti: None,
            cnf: standing
                .jkt
                .map(|jkt| Confirmation::of(jkt, standing.certificate)),
            auth_time: None,
            acr: None,
            authorization_details: standing.details.details(),
        }
    }
}

impl Confirmation {
    fn of(jkt: Thumbprint, certificate: Option<CertificateThumbprint>) -> Self {
        Self {
            jkt: jkt.to_string(),
            certificate: certificate.map(|certificate| certificate.to_string()),
        }
    }
}
