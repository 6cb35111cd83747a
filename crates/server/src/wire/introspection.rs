//! Messages of `countersign.introspection.v1`.

use countersign::introspection::v1::{
    BatchIntrospectTokensRequest, Confirmation, IntrospectTokenResponse,
};
use countersign_issuer::access_token::TOKEN_BYTES_MAX;
use countersign_issuer::introspect::{Introspection, RefreshStanding};
use countersign_issuer::model::Malformed;
use countersign_issuer::{Claims, FieldFault, IssuerName, Refusal};
use countersign_jose::{CertificateThumbprint, Thumbprint};

use super::token::TOKEN_TYPE;
use super::{resources, scopes, timestamp};
use crate::refused::Refused;

/// The most tokens of one request: what a gateway gathers while one answer is on its way.
pub(crate) const BATCH_MAX: usize = 100;

/// As many tokens as a batch has, each as long as a token can be, and their framing.
pub(crate) const BATCH_BYTES_MAX: usize = BATCH_MAX * (TOKEN_BYTES_MAX + 8);

/// The tokens of a batch.
pub(crate) fn batch(message: &BatchIntrospectTokensRequest) -> Result<&[String], Refused> {
    let tokens = message.tokens.as_slice();
    if tokens.is_empty() {
        return Err(Refused::field("tokens", Malformed::Missing));
    }
    if tokens.len() > BATCH_MAX {
        return Err(Refused::field(
            "tokens",
            Malformed::TooManyEntries(BATCH_MAX),
        ));
    }
    match tokens.iter().position(String::is_empty) {
        Some(place) => {
            let field = format!("tokens[{place}]");
            Err(Refusal::from(FieldFault::new(field, Malformed::Missing)).into())
        }
        None => Ok(tokens),
    }
}

/// What is not active is told apart from nothing: the same bytes for all causes.
pub(crate) fn introspected(
    introspection: &Introspection<'_>,
    issuer: &IssuerName,
) -> IntrospectTokenResponse {
    match introspection {
        Introspection::Inactive => IntrospectTokenResponse::default(),
        Introspection::Access(claims) => access(claims, issuer),
        Introspection::Refresh(standing) => refresh(standing, issuer),
    }
}

fn access(claims: &Claims, issuer: &IssuerName) -> IntrospectTokenResponse {
    IntrospectTokenResponse {
        active: true,
        iss: issuer.as_str().to_owned(),
        sub: claims.subject.as_str().to_owned(),
        aud: claims
            .audience
            .iter()
            .map(|uri| uri.as_str().to_owned())
            .collect(),
        client_id: claims.client.as_str().to_owned(),
        scopes: scopes(&claims.scopes),
        token_type: TOKEN_TYPE.to_owned(),
        iat: Some(timestamp(claims.issued_at)),
        exp: Some(timestamp(claims.expires_at)),
        jti: claims.id.to_string(),
        cnf: Some(confirmation(claims.jkt, claims.certificate)),
        family_id: claims
            .family
            .map_or_else(String::new, |family| family.to_string()),
        auth_time: claims.auth_time.map(timestamp),
        acr: claims
            .acr
            .as_ref()
            .map_or_else(String::new, |acr| acr.as_str().to_owned()),
        authorization_details: claims.details.to_json(),
    }
}

fn refresh(standing: &RefreshStanding<'_>, issuer: &IssuerName) -> IntrospectTokenResponse {
    IntrospectTokenResponse {
        active: true,
        iss: issuer.as_str().to_owned(),
        sub: standing.subject.as_str().to_owned(),
        aud: resources(standing.permissions),
        client_id: standing.client.as_str().to_owned(),
        scopes: scopes(&standing.permissions.scopes()),
        token_type: String::new(),
        iat: Some(timestamp(standing.issued_at)),
        exp: Some(timestamp(standing.expires_at)),
        jti: String::new(),
        cnf: standing
            .jkt
            .map(|jkt| confirmation(jkt, standing.certificate)),
        family_id: standing.family.to_string(),
        auth_time: None,
        acr: String::new(),
        authorization_details: standing.details.details().to_json(),
    }
}

fn confirmation(jkt: Thumbprint, certificate: Option<CertificateThumbprint>) -> Confirmation {
    Confirmation {
        jkt: jkt.to_string(),
        x5t_s256: certificate.map_or_else(String::new, |certificate| certificate.to_string()),
    }
}
