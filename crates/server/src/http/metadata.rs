//! What the service can do and where (RFC 8414).

use std::sync::Arc;

use ::http::HeaderValue;
use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use countersign_jose::{Algorithm, Algorithms};
use serde::Serialize;

use super::{AUTHORIZE, DEVICE, Edge, INTROSPECT, KEYS, PAR, REVOKE, TOKEN, answer};
use crate::config::{Config, LoginUrl, Tls};
use crate::desk::Desk;

/// It changes with a release or a restart.
const KEPT: &str = "public, max-age=300";

/// How clients authenticate (RFC 7591 §2) that have something to show.
const CONFIDENTIAL: [&str; 3] = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
];

/// How others do.
const PUBLIC: &str = "none";

/// By a certificate that an authority has issued (RFC 8705 §2.1.1).
const BY_AUTHORITY: &str = "tls_client_auth";

/// By a certificate that the client is registered with (RFC 8705 §2.2.1).
const BY_ITSELF: &str = "self_signed_tls_client_auth";

/// What an assertion may be signed with.
const ASSERTIONS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Ed25519,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// RFC 8414 §2, with the members of RFC 8628 §4, RFC 8705 §3.3 and §5, RFC 9126 §5, RFC 9207 §3 and
/// RFC 9449 §5.1.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    device_authorization_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 4],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    dpop_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_certificate_bound_access_tokens: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtls_endpoint_aliases: Option<Aliases>,
}

/// RFC 8705 §5: the endpoints where clients are asked for certificates.
#[derive(Serialize)]
struct Aliases {
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    pushed_authorization_request_endpoint: String,
    device_authorization_endpoint: String,
}

impl Aliases {
    fn at(url: &str) -> Self {
        let at = |endpoint: &str| format!("{url}{endpoint}");
        Self {
            token_endpoint: at(TOKEN),
            introspection_endpoint: at(INTROSPECT),
            revocation_endpoint: at(REVOKE),
            pushed_authorization_request_endpoint: at(PAR),
            device_authorization_endpoint: at(DEVICE),
        }
    }
}

pub(super) async fn show(State(edge): State<Arc<Edge>>) -> Response {
    let mut response = Response::new(Body::from(edge.metadata.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(KEPT));
    response
}

/// The document, made once.
pub(super) fn document(desk: &Desk, config: &Config, mtls_url: Option<&str>) -> Bytes {
    let issuer = desk.engine.issuer();
    let issuer = issuer.name.as_str();
    let at = |endpoint: &str| format!("{}{endpoint}", issuer.trim_end_matches('/'));
    let assertions = || names(Algorithms::of(&ASSERTIONS));
    let authorities = |tls: &Tls| tls.client_authorities_file.is_some();
    let by_authority = mtls_url.is_some() && config.tls.as_ref().is_some_and(authorities);
    let mut confidential = CONFIDENTIAL.to_vec();
    confidential.extend(by_authority.then_some(BY_AUTHORITY));
    confidential.extend(mtls_url.map(|_| BY_ITSELF));
    let mut methods = confidential.clone();
    methods.push(PUBLIC);
    let metadata = Metadata {
        issuer,
        authorization_endpoint: LoginUrl::of(config, issuer).map(|_| at(AUTHORIZE)),
        token_endpoint: at(TOKEN),
        introspection_endpoint: at(INTROSPECT),
        revocation_endpoint: at(REVOKE),
        pushed_authorization_request_endpoint: at(PAR),
        require_pushed_authorization_requests: config.http.only_pushed,
        device_authorization_endpoint: at(DEVICE),
        jwks_uri: at(KEYS),
        grant_types_supported: super::token::GRANT_TYPES,
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true,
        token_endpoint_auth_methods_supported: methods.clone(),
        token_endpoint_auth_signing_alg_values_supported: assertions(),
        introspection_endpoint_auth_methods_supported: confidential,
        introspection_endpoint_auth_signing_alg_values_supported: assertions(),
        revocation_endpoint_auth_methods_supported: methods,
        revocation_endpoint_auth_signing_alg_values_supported: assertions(),
        dpop_signing_alg_values_supported: names(desk.engine.proofs.limits.algorithms),
        tls_client_certificate_bound_access_tokens: mtls_url.map(|_| true),
        mtls_endpoint_aliases: mtls_url.map(Aliases::at),
    };
    // Texts and lists of them.
    serde_json::to_vec(&metadata).unwrap_or_default().into()
}

/// Ed25519 under both of its names (RFC 9864), since clients compare them with theirs.
fn names(algorithms: Algorithms) -> Vec<&'static str> {
    let mut names: Vec<_> = algorithms.iter().map(Algorithm::name).collect();
    if algorithms.contains(Algorithm::Ed25519) {
        names.push("EdDSA");
    }
    names
}
