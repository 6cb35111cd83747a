//! Pushed authorization requests (RFC 9126).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::authorize::{self, Lodging, PushForm};
use serde::Serialize;

use super::form::Form;
use super::problem::Problem;
use super::{Asking, Edge, answer};
use crate::refused::Refused;

/// RFC 9126 §2.2.
#[derive(Serialize)]
struct Lodged<'a> {
    request_uri: &'a str,
    expires_in: u64,
}

pub(super) async fn lodge(
    State(edge): State<Arc<Edge>>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let lodging = lodging(&asking.form)?;
    let caller = client.caller();
    let lodged = edge.desk.push(caller, lodging, asking.along()).await?;
    let response = answer::created(&Lodged::of(&lodged.answer));
    Ok(answer::with_nonce(response, lodged.nonce))
}

fn lodging(form: &Form) -> Result<Lodging, Refused> {
    // RFC 9126 §2.1: none within one. Request objects (RFC 9101) are not read.
    for (field, expected) in [
        ("request_uri", "must be absent from a pushed request"),
        (
            "request",
            "must be absent: request objects are not supported",
        ),
    ] {
        if form.get(field).is_some() {
            return Err(Refused::Field { field, expected });
        }
    }
    if form.get("response_type") != Some("code") {
        return Err(Refused::Field {
            field: "response_type",
            expected: "must be code",
        });
    }
    Ok(Lodging::parse(&PushForm {
        redirect_uri: form.text("redirect_uri"),
        scopes: &form.words("scope"),
        resources: &form.list("resource"),
        state: form.text("state"),
        code_challenge: form.text("code_challenge"),
        code_challenge_method: form.text("code_challenge_method"),
        dpop_jkt: form.text("dpop_jkt"),
    })?)
}

impl<'a> Lodged<'a> {
    fn of(lodged: &'a authorize::Lodged) -> Self {
        Self {
            request_uri: lodged.request_uri.reveal(),
            expires_in: lodged.expires_in.as_secs(),
        }
    }
}
