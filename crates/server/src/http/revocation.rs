//! The revocation endpoint (RFC 7009).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::desk::{ProofIs, Target};

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
    // RFC 7009 knows no proofs, so a client that authenticates needs none. What is a public client's
    // is given up with its key, whatever certificate the connection has.
    let along = asking.along();
    let proof = match client.is_name_alone() && along.called.certificate().is_none() {
        true => ProofIs::Required,
        false => ProofIs::Optional,
    };
    let caller = client.caller();
    let revoked = edge.desk.revoke(caller, target, along, proof).await?;
    Ok(answer::with_nonce(answer::empty(), revoked.nonce))
}
