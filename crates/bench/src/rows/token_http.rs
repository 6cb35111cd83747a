//! What the HTTP edge adds: the same token of the same service, once over gRPC, once by `/token`.
//! HTTP/1.1 answers one request after another, so each stream has a connection of its own there.

use ::http::{HeaderValue, Method, Request, Uri, header};
use bytes::Bytes;
use countersign::token::v1::client_authentication::Credential::ClientSecret;
use http_body_util::Full;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::http::{self, Version};
use crate::call::{Batch, Failed};
use crate::plan::Cell;
use crate::run::Round;
use crate::world::{ORDERS, TokenService};
use crate::{BenchError, World};

const PATH: &str = "/token";

/// Our side; the other is a round as any other.
pub(crate) async fn round(
    world: &mut World,
    cell: Cell,
    version: Version,
) -> Result<Round, BenchError> {
    let tokens = world.tokens().await?;
    let requests = (0..cell.calls)
        .map(|_| request(tokens))
        .collect::<Result<Vec<_>, _>>()?;
    http::round(tokens.process(), cell, version, Batch::new(requests, check)).await
}

/// The request that the row `issue_secret` makes over gRPC, as a form.
fn request(tokens: &TokenService) -> Result<Request<Full<Bytes>>, BenchError> {
    let client = tokens.shown(tokens.checkout())?.unwrap_or_default();
    let Some(ClientSecret(secret)) = &client.credential else {
        return Err(BenchError::Asked("a client without a secret".to_owned()));
    };
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &client.client_id)
        .append_pair("client_secret", secret)
        .append_pair("scope", "orders.write")
        .append_pair("resource", ORDERS)
        .finish();
    let issuer: Uri = tokens
        .issuer()
        .parse()
        .map_err(BenchError::preparing("the issuer's name"))?;
    let wrong = || BenchError::preparing("a request");
    let authority = issuer
        .authority()
        .map_or("", |authority| authority.as_str());
    let uri = format!("{}{PATH}", tokens.issuer());
    let mut proof = HeaderValue::try_from(tokens.prover().proof(PATH, None)?).map_err(wrong())?;
    proof.set_sensitive(true);
    Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, "countersign-bench")
        .header("dpop", proof)
        .body(Full::from(form))
        .map_err(BenchError::preparing("a request"))
}

/// The parts of RFC 6749 §5.1 that are looked at.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    scope: String,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where a function of a message is wanted"
)]
fn check(_: usize, body: Bytes) -> Result<(), Failed> {
    let wrong = |_| Failed::Wrong("it is no token");
    let answer: Answer = serde_json::from_slice(&body).map_err(wrong)?;
    match answer.token_type == "DPoP" && answer.scope == "orders.write" {
        true if !answer.access_token.is_empty() => Ok(()),
        _ => Err(Failed::Wrong("another token than was asked for")),
    }
}
