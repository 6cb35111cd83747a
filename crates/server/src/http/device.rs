//! Device authorization requests (RFC 8628 §3.1): a device that has no browser asks, and is told
//! what to show.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::Ask;
use countersign_issuer::authorize::AuthorizedDevice;
use countersign_login::Proxies;
use serde::Serialize;

use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::config::VerificationUri;
use crate::desk::ProofIs;

/// RFC 8628 §3.2.
#[derive(Serialize)]
struct Waiting<'a> {
    device_code: &'a str,
    user_code: &'a str,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

pub(super) async fn authorize(
    State(edge): State<Arc<Edge>>,
    State(proxies): State<Proxies>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let scopes = asking.form.words("scope");
    let resources = asking.form.list("resource");
    let details = asking.form.text("authorization_details");
    let ask = Ask::parse(&scopes, &resources)?.and_details(details)?;
    // RFC 9449 §5: a proof is for the token endpoint. One that is here already binds the device code.
    let optional = ProofIs::Optional;
    let from = asking.from(proxies);
    let waits = edge
        .desk
        .device(client.caller(), ask, asking.along(), from, optional)
        .await?;
    let response = Waiting::response(&waits.answer, &edge.verification);
    Ok(answer::with_nonce(response, waits.nonce))
}

impl Waiting<'_> {
    fn response(device: &AuthorizedDevice, verification: &VerificationUri) -> Response {
        let user_code = device.user_code.reveal();
        answer::json(&Waiting {
            device_code: device.device_code.reveal(),
            user_code: &user_code,
            verification_uri: verification.tell(),
            verification_uri_complete: verification.complete(&user_code),
            expires_in: device.expires_in.as_secs(),
            interval: device.interval.as_secs(),
        })
    }
}
