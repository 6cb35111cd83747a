//! pip's `requests-oauth2client`.

use std::path::Path;

use countersign_testkit::Problem;

use crate::dialogue::hold;
use crate::stand::Stand;

const SAID: &[&str] = &[
    "client_secret_basic: DPoP orders.read",
    "client_secret_post: DPoP orders.read",
    "private_key_jwt: DPoP orders.read",
    "private_key_jwt for the endpoint: invalid_client",
    "another secret: invalid_client",
    "pushed: client_id request_uri",
    "code: DPoP orders.read orders.write",
    "refresh by another key: invalid_grant",
    "refresh: DPoP orders.read orders.write",
    "declined: access_denied",
    "introspection: True ann orders.read orders.write bound True",
    "revocation: True",
    "revoked: {'active': False}",
    "device: True",
    "device asks: None",
    "device let in: DPoP orders.read",
    "device kept out: access_denied",
];

pub(crate) fn requests_oauth2client(launcher: &Path) -> Result<(), String> {
    run(launcher).map_err(|error| error.to_string())
}

fn run(launcher: &Path) -> Result<(), Problem> {
    let stand = Stand::start()?;
    let registered = stand.registered.clone();
    hold(launcher, "python", &[], &stand, &registered, SAID)
}
