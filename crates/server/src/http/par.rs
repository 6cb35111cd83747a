//! Pushed authorization requests (RFC 9126).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use countersign_issuer::Refusal;
use countersign_issuer::authorize::{self, Lodging, PushForm};
use countersign_login::Proxies;
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
    State(proxies): State<Proxies>,
    asking: Asking,
) -> Result<Response, Problem> {
    let client = asking.client()?;
    let lodging = lodging(&asking.form)?;
    let caller = client.caller();
    let from = asking.from(proxies);
    let lodged = edge
        .desk
        .push(caller, lodging, asking.along(), from)
        .await?;
    let response = answer::created(&Lodged::of(&lodged.answer));
    Ok(answer::with_nonce(response, lodged.nonce))
}

/// What is asked for, pushed or brought by a browser.
pub(super) fn lodging(form: &Form) -> Result<Lodging, Refused> {
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
    match form.get("response_type") {
        Some("code") => {}
        None => {
            return Err(Refused::Field {
                field: "response_type",
                expected: "must be code",
            });
        }
        Some(_) => return Err(Refusal::UnsupportedResponseType.into()),
    }
    if form
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(Refused::Field {
            field: "response_mode",
            expected: "must be query",
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
        max_age: max_age(form)?,
        acr_values: &form.words("acr_values"),
        prompts: &form.words("prompt"),
        authorization_details: form.text("authorization_details"),
    })?)
}

/// OpenID Connect Core §3.1.2.1.
fn max_age(form: &Form) -> Result<Option<Duration>, Refused> {
    let Some(text) = form.get("max_age") else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let secs = digits.then(|| text.parse::<u32>().ok()).flatten();
    secs.map(|secs| Some(Duration::from_secs(secs.into())))
        .ok_or(Refused::Field {
            field: "max_age",
            expected: "must be a number of seconds",
        })
}

impl<'a> Lodged<'a> {
    fn of(lodged: &'a authorize::Lodged) -> Self {
        Self {
            request_uri: lodged.request_uri.reveal(),
            expires_in: lodged.expires_in.as_secs(),
        }
    }
}
