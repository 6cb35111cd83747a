//! Our calls of guarded services; those of the token service are in `tokens`.

use countersign::example::v1::CreateOrderRequest;

use super::access_tokens::AccessTokens;
use super::floor::{self, CREATE};
use super::{ORDER_ANSWER_BYTES, ORDER_REQUEST_BYTES, Row, tokens};
use crate::call::{Batch, Call};
use crate::child::ORIGIN;
use crate::world::Prover;
use crate::{BenchError, World};

pub(super) async fn ours(row: Row, world: &mut World, calls: usize) -> Result<Batch, BenchError> {
    match row {
        Row::Echo => floor::batch(row, calls),
        Row::GuardCached | Row::GuardHttp | Row::ClientLayer => guarded(calls, |_| 0),
        Row::GuardUncached => guarded(calls, |number| number + 1),
        Row::IssueSecret | Row::TokenHttp2 | Row::TokenHttp1 => {
            tokens::issue_secret(world.tokens().await?, calls)
        }
        Row::IssuePrivateKeyJwt => tokens::issue_private_key_jwt(world.tokens().await?, calls),
        Row::Redeem => tokens::redeem(world.tokens().await?, calls).await,
        Row::Rotate => tokens::rotate(world.tokens().await?, calls).await,
        Row::Introspect => tokens::introspect(world.tokens().await?, calls).await,
        Row::IntrospectJwt => tokens::introspect_jwt(world.tokens().await?, calls).await,
        Row::Revoke => tokens::revoke(world.tokens().await?, calls).await,
        Row::ListKeys => Ok(tokens::list_keys(world.tokens().await?, calls)),
    }
}

/// Guarded calls; `token` gives the number of each call's token.
fn guarded(calls: usize, token: impl Fn(usize) -> usize) -> Result<Batch, BenchError> {
    let prover = Prover::new(ORIGIN)?;
    let tokens = AccessTokens::new(&prover)?;
    let first = tokens.token(0)?;
    let order = CreateOrderRequest {
        item: "x".repeat(ORDER_REQUEST_BYTES),
    };
    let call = |number| {
        let token = match token(number) {
            0 => first.clone(),
            other => tokens.token(other)?,
        };
        let proof = prover.proof(CREATE, Some(&token))?;
        Ok(Call::new(CREATE, &order).token(&token).proof(&proof))
    };
    let calls = (0..calls).map(call).collect::<Result<_, BenchError>>()?;
    Ok(Batch::of(calls, floor::check(ORDER_ANSWER_BYTES)))
}
