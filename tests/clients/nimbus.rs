//! Java's `com.nimbusds:oauth2-oidc-sdk`.

use std::path::Path;

use countersign_testkit::Problem;

use crate::dialogue::hold;
use crate::stand::Stand;

const SAID: &[&str] = &[
    "client_secret_basic: DPoP orders.read",
    "client_secret_post: DPoP orders.read",
    "private_key_jwt: DPoP orders.read",
    "another secret: invalid_client",
    "tls_client_auth: DPoP orders.read",
    "with the certificate of another: invalid_client",
    "answer: true true",
    "code by another key: invalid_grant",
    "code: DPoP orders.read orders.write",
    "declined: access_denied",
    "refresh: DPoP orders.read",
    "introspection: true ann orders.read bound true",
    "self_signed_tls_client_auth: DPoP orders.read orders.write",
    "bound: key true certificate true",
    "revocation: true",
    "revoked: false",
    "device: true",
    "device asks: authorization_pending",
    "device asks at once: slow_down",
    "device let in: DPoP orders.read",
    "device kept out: access_denied",
];

pub(crate) fn oauth2_sdk(launcher: &Path) -> Result<(), String> {
    run(launcher).map_err(|error| error.to_string())
}

fn run(launcher: &Path) -> Result<(), Problem> {
    let stand = Stand::start()?;
    let registered = stand.registered.clone();
    hold(launcher, "nimbus", &[], &stand, &registered, SAID)
}
