//! A guarded request over HTTP/2 whose token was seen before, against a bare axum server that verifies
//! the proof's signature by hand: what `guard_cached` is over gRPC.

use ::http::{HeaderValue, Method, Request, header};
use bytes::Bytes;
use http_body_util::Full;

use super::access_tokens::AccessTokens;
use super::http::{self, Version};
use super::{ORDER_ANSWER_BYTES, ORDER_REQUEST_BYTES, Side};
use crate::call::{Batch, Failed};
use crate::child::{ORDERS_PATH, ORIGIN};
use crate::plan::Cell;
use crate::run::Round;
use crate::world::Prover;
use crate::{BenchError, World};

/// Either side.
pub(crate) async fn round(world: &mut World, cell: Cell, side: Side) -> Result<Round, BenchError> {
    let prover = Prover::new(ORIGIN)?;
    let token = AccessTokens::new(&prover)?.token(0)?;
    let requests = (0..cell.calls)
        .map(|_| request(&prover, &token))
        .collect::<Result<Vec<_>, _>>()?;
    let server = cell.row.server(side, world).await?;
    http::round(server, cell, Version::Http2, Batch::new(requests, check)).await
}

fn request(prover: &Prover, token: &str) -> Result<Request<Full<Bytes>>, BenchError> {
    let secret = |text: String| -> Result<HeaderValue, BenchError> {
        let mut value = HeaderValue::try_from(text).map_err(BenchError::preparing("a request"))?;
        // As a client marks it: HPACK then keeps it out of its tables.
        value.set_sensitive(true);
        Ok(value)
    };
    Request::builder()
        .method(Method::POST)
        .uri(format!("{ORIGIN}{ORDERS_PATH}"))
        .header(header::CONTENT_TYPE, "text/plain")
        .header(header::USER_AGENT, "countersign-bench")
        .header(header::AUTHORIZATION, secret(format!("DPoP {token}"))?)
        .header("dpop", secret(prover.proof(ORDERS_PATH, Some(token))?)?)
        .body(Full::from(vec![b'x'; ORDER_REQUEST_BYTES]))
        .map_err(BenchError::preparing("a request"))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where a function of a message is wanted"
)]
fn check(_: usize, body: Bytes) -> Result<(), Failed> {
    match body.len() == ORDER_ANSWER_BYTES {
        true => Ok(()),
        false => Err(Failed::Wrong("an order of another size")),
    }
}
