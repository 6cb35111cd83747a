//! npm's `openid-client`, `oauth4webapi` and `jose`.

use std::path::Path;

use countersign_testkit::{Problem, setup};

use crate::dialogue::hold;
use crate::stand::{ELSEWHERE, Stand};

const OPENID_CLIENT: &[&str] = &[
    "client_secret_basic: dpop orders.read",
    "client_secret_post: dpop orders.read",
    "private_key_jwt: dpop orders.read",
    "another secret: 401 basic",
    "tls_client_auth: dpop orders.read",
    "with the certificate of another: 401 basic",
    "without a certificate: 401 basic",
    "pushed: client_id request_uri",
    "code: dpop orders.read orders.write",
    "declined: access_denied",
    "refresh by another key: invalid_grant",
    "refresh: dpop orders.read",
    "introspection: true ann orders.read bound true",
    "self_signed_tls_client_auth: dpop orders.read orders.write",
    "bound: key true certificate true",
    "refresh without the certificate: 401 basic",
    "revoked: false 1",
    "device: true",
    "device let in: dpop orders.read pending 1",
];

const OAUTH4WEBAPI: &[&str] = &[
    "metadata: true",
    "client_secret_basic: dpop orders.read challenges 1",
    "client_secret_post: dpop orders.read challenges 1",
    "private_key_jwt: dpop orders.read challenges 1",
    "tls_client_auth: dpop orders.read challenges 1",
    "with the certificate of another: 401 basic",
    "pushed: challenges 1",
    "code by another key: invalid_grant",
    "code: dpop orders.read",
    "declined: access_denied",
    "refresh: dpop orders.read",
    "self_signed_tls_client_auth: dpop orders.read",
    "resource server: ann shop orders.read",
    "tampered: OAUTH_INVALID_RESPONSE",
    "stolen: OAUTH_JWT_CLAIM_COMPARISON_FAILED",
    "as a bearer token: OAUTH_INVALID_RESPONSE",
    "resource server, for a client: signer",
    "introspection: true ann DPoP",
    "bound: key true certificate true",
    "revoked: false",
    "device asks: authorization_pending",
    "device asks at once: slow_down",
    "device let in: dpop orders.read",
    "device kept out: access_denied",
];

const JOSE: &[&str] = &[
    "right: ES256 batch orders.read",
    "tampered: ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    "unsigned: ERR_JOSE_NOT_SUPPORTED",
    "for another resource: ERR_JWT_CLAIM_VALIDATION_FAILED",
    "of another issuer: ERR_JWT_CLAIM_VALIDATION_FAILED",
];

pub(crate) fn openid_client(launcher: &Path) -> Result<(), String> {
    run(launcher, "openid-client", OPENID_CLIENT).map_err(|error| error.to_string())
}

pub(crate) fn oauth4webapi(launcher: &Path) -> Result<(), String> {
    run(launcher, "oauth4webapi", OAUTH4WEBAPI).map_err(|error| error.to_string())
}

pub(crate) fn jose(launcher: &Path) -> Result<(), String> {
    run(launcher, "jose", JOSE).map_err(|error| error.to_string())
}

fn run(launcher: &Path, library: &str, wanted: &[&str]) -> Result<(), Problem> {
    let stand = Stand::start()?;
    let mut registered = stand.registered.clone();
    registered["tokens"] = serde_json::json!({
        "right": stand.token(setup::RESOURCE, "key.pem")?,
        "elsewhere": stand.token(ELSEWHERE, "key.pem")?,
    });
    hold(
        launcher,
        "javascript",
        &[library],
        &stand,
        &registered,
        wanted,
    )
}
