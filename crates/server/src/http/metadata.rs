//! What the service can do and where (RFC 8414).

mod latest;

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use axum::extract::State;
use axum::response::Response;
use countersign_issuer::model::{DetailsType, Prompts, Scope};
use countersign_jose::{Algorithm, Algorithms};
use countersign_login::ACR_PASSWORD;
use serde::Serialize;

use super::token::{AUTHORIZATION_CODE, DEVICE_CODE, GRANT_TYPES};
use super::{AUTHORIZE, DEVICE, Edge, INTROSPECT, KEYS, PAR, REVOKE, TOKEN, answer, kept};
use crate::config::{Config, LoginUrl, Tls};
use crate::desk::Desk;
use crate::records::Offered;
pub(super) use latest::Latest;

/// Most of it changes with a release or a restart; who waits for a new type of authorization
/// details asks again.
const KEPT: Duration = Duration::from_secs(300);

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

/// RFC 8414 §2, with the members of RFC 8628 §4, RFC 8705 §3.3 and §5, RFC 9126 §5, RFC 9207 §3, RFC
/// 9396 §10, RFC 9449 §5.1 and RFC 9470 §7, and what OpenID Connect Discovery §3 says of requests. A
/// list without members is left out (RFC 8414 §3.2).
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(Default))]
struct Metadata {
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    pushed_authorization_request_endpoint: String,
    require_pushed_authorization_requests: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    grant_types_supported: Vec<&'static str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acr_values_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prompt_values_supported: Vec<&'static str>,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
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
#[derive(Clone, Serialize)]
struct Aliases {
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    pushed_authorization_request_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
}

impl Aliases {
    fn at(url: &str, people_type_codes: bool) -> Self {
        let at = |endpoint: &str| format!("{url}{endpoint}");
        Self {
            token_endpoint: at(TOKEN),
            introspection_endpoint: at(INTROSPECT),
            revocation_endpoint: at(REVOKE),
            pushed_authorization_request_endpoint: at(PAR),
            device_authorization_endpoint: people_type_codes.then(|| at(DEVICE)),
        }
    }
}

pub(super) async fn show(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let engine = &edge.desk.engine;
    let told = edge.metadata.told(&engine.records, &*engine.clock).await;
    // What may be less than there is, or older, is kept no longer than now.
    let age = if told.is_current {
        KEPT
    } else {
        Duration::ZERO
    };
    kept::answer(&headers, &told.document, answer::JSON, age)
}

impl Metadata {
    /// What holds until the next start.
    fn fixed(desk: &Desk, config: &Config, mtls_url: Option<&str>) -> Self {
        let issuer = desk.engine.issuer();
        let issuer = &issuer.name;
        let at = |endpoint: &str| issuer.below(endpoint);
        let assertions = || names(Algorithms::of(&ASSERTIONS));
        let authorities = |tls: &Tls| tls.client_authorities_file.is_some();
        let by_authority = mtls_url.is_some() && config.tls.as_ref().is_some_and(authorities);
        let mut confidential = CONFIDENTIAL.to_vec();
        confidential.extend(by_authority.then_some(BY_AUTHORITY));
        confidential.extend(mtls_url.map(|_| BY_ITSELF));
        let mut methods = confidential.clone();
        methods.push(PUBLIC);
        let login = LoginUrl::of(config, issuer);
        let people_type_codes = config.people_type_codes();
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: login.as_ref().map(|_| at(AUTHORIZE)),
            token_endpoint: at(TOKEN),
            introspection_endpoint: at(INTROSPECT),
            revocation_endpoint: at(REVOKE),
            pushed_authorization_request_endpoint: at(PAR),
            require_pushed_authorization_requests: config.http.only_pushed,
            device_authorization_endpoint: people_type_codes.then(|| at(DEVICE)),
            jwks_uri: at(KEYS),
            scopes_supported: Vec::new(),
            grant_types_supported: grant_types(login.is_some(), people_type_codes),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            authorization_details_types_supported: Vec::new(),
            acr_values_supported: acr_values(config),
            prompt_values_supported: login.map_or_else(Vec::new, |_| prompts()),
            request_parameter_supported: false,
            // Only of requests that were pushed here: none is fetched from elsewhere.
            request_uri_parameter_supported: false,
            token_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_signing_alg_values_supported: assertions(),
            introspection_endpoint_auth_methods_supported: confidential,
            introspection_endpoint_auth_signing_alg_values_supported: assertions(),
            revocation_endpoint_auth_methods_supported: methods,
            revocation_endpoint_auth_signing_alg_values_supported: assertions(),
            dpop_signing_alg_values_supported: names(desk.engine.proofs.limits.algorithms),
            tls_client_certificate_bound_access_tokens: mtls_url.map(|_| true),
            mtls_endpoint_aliases: mtls_url.map(|url| Aliases::at(url, people_type_codes)),
        }
    }

    /// With what is registered now.
    fn offering(&self, offered: &Offered, lists_scopes: bool) -> Self {
        let types = offered.details_types.iter().map(DetailsType::as_str);
        let scopes = offered.scopes.iter().map(Scope::as_str);
        let scopes = scopes.filter(|_| lists_scopes);
        Self {
            authorization_details_types_supported: types.map(str::to_owned).collect(),
            scopes_supported: scopes.map(str::to_owned).collect(),
            ..self.clone()
        }
    }

    fn json(&self) -> Vec<u8> {
        // Texts and lists of them.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// RFC 8414 §2: codes are for whom there is an endpoint that sends browsers to a login, and devices
/// for whom there is a page where their codes are typed. (Where there is none, an application of the
/// operator's can decide all the same what a client has lodged, which nothing here tells anybody.)
fn grant_types(people_log_in: bool, people_type_codes: bool) -> Vec<&'static str> {
    let is_there = |grant: &&str| match *grant {
        AUTHORIZATION_CODE => people_log_in,
        DEVICE_CODE => people_type_codes,
        _ => true,
    };
    GRANT_TYPES.into_iter().filter(is_there).collect()
}

/// RFC 9470 §7: how people log in at the application that they are sent to.
fn acr_values(config: &Config) -> Vec<String> {
    match &config.http.login_url {
        Some(_) => config.http.login_acr_values.clone(),
        None if config.login.serve => vec![ACR_PASSWORD.to_owned()],
        None => Vec::new(),
    }
}

/// What may be said as `prompt`: each of the words that are read.
fn prompts() -> Vec<&'static str> {
    let all = Prompts {
        none: true,
        login: true,
        consent: true,
        select_account: true,
    };
    all.words().collect()
}

/// Ed25519 under both of its names (RFC 9864), since clients compare them with theirs.
fn names(algorithms: Algorithms) -> Vec<&'static str> {
    let mut names: Vec<_> = algorithms.iter().map(Algorithm::name).collect();
    if algorithms.contains(Algorithm::Ed25519) {
        names.push("EdDSA");
    }
    names
}
