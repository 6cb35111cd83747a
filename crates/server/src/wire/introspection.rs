//! Messages of `countersign.introspection.v1`.

use countersign::introspection::v1::{Confirmation, IntrospectTokenResponse};
use countersign_issuer::introspect::{Introspection, RefreshStanding};
use countersign_issuer::{Claims, IssuerName};
use countersign_jose::Thumbprint;

use super::token::TOKEN_TYPE;
use super::{resources, scopes, timestamp};

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
        cnf: Some(confirmation(claims.jkt)),
        family_id: claims
            .family
            .map_or_else(String::new, |family| family.to_string()),
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
        cnf: standing.jkt.map(confirmation),
        family_id: standing.family.to_string(),
    }
}

fn confirmation(jkt: Thumbprint) -> Confirmation {
    Confirmation {
        jkt: jkt.to_string(),
    }
}
