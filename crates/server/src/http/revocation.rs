//! The revocation endpoint (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::HandleKind;

use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::desk::{ProofIs, Target};

/// Whether it is one is decided with the rest.
fn is_like_a_refresh_token(token: &str) -> bool {
    token.starts_with(HandleKind::Refresh.prefix())
}

/// The hint (RFC 7009 §2.1) is not looked at: form says what a token is.
pub(super) async fn revoke(
    State(edge): State<Arc<Edge>>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let target = match asking.form.get("token") {
        Some(token) => Target::Token(token),
        None => Target::Nothing,
    };
    // RFC 7009 knows no proofs, so a client that authenticates needs none, nor does one that shows a
    // refresh token, which is a secret; and one that shows its name alone may authenticate by the
    // connection's certificate. A public client that is not asked for a proof here, because its
    // connection has one, gives up nothing else without it: what is its own is compared with the key.
    let along = asking.along();
    let shows_more = asking
        .form
        .get("token")
        .is_some_and(is_like_a_refresh_token)
        || along.called.certificate().is_some();
    let proof = match client.is_name_alone() && !shows_more {
        true => ProofIs::Required,
        false => ProofIs::Optional,
    };
    let caller = client.caller();
    let revoked = edge.desk.revoke(caller, target, along, proof).await?;
    Ok(answer::with_nonce(answer::empty(), revoked.nonce))
}
