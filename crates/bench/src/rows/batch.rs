//! Our calls of guarded services; those of the token service are in `tokens`.

use countersign::example::v1::CreateOrderRequest;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_jose::{SigningKey, Thumbprint};
use serde_json::json;

use super::floor::{self, CREATE};
use super::{ORDER_ANSWER_BYTES, ORDER_REQUEST_BYTES, Row, tokens};
use crate::call::{Batch, Call};
use crate::child::{ISSUER, ORIGIN};
use crate::world::Prover;
use crate::{BenchError, World, keys};

pub(super) async fn ours(row: Row, world: &mut World, calls: usize) -> Result<Batch, BenchError> {
    match row {
        Row::Echo => floor::batch(row, calls),
        Row::GuardCached | Row::ClientLayer => guarded(calls, |_| 0),
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

/// Access tokens of the issuer whose key a guarded service has.
pub(crate) struct AccessTokens {
    issuer: SigningKey,
    client: SigningKey,
    holder: Thumbprint,
    now: u64,
}

impl AccessTokens {
    pub(crate) fn new(prover: &Prover) -> Result<Self, BenchError> {
        let wrong = || BenchError::preparing("the issuer's key");
        Ok(Self {
            issuer: keys::issuer().map_err(wrong())?,
            client: keys::client().map_err(wrong())?,
            holder: prover.jkt(),
            now: SystemClock.now().as_secs(),
        })
    }

    /// Tokens with other numbers, or from other seconds, are other tokens.
    pub(crate) fn token(&self, number: usize) -> Result<String, BenchError> {
        // A new one each time a batch is made, or it was seen before.
        let millis = SystemClock.now().as_millis();
        let name = match number {
            0 => "the one token of all calls".to_owned(),
            number => format!("token {number} of {millis}"),
        };
        self.signed(&self.issuer, &name)
    }

    /// A token whose signature a floor verifies as if it were an assertion.
    pub(super) fn by_client(&self, number: usize) -> Result<String, BenchError> {
        self.signed(&self.client, &number.to_string())
    }

    fn signed(&self, key: &SigningKey, name: &str) -> Result<String, BenchError> {
        let claims = json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "iat": self.now, "exp": self.now + 600, "jti": name,
            "scope": "orders.read orders.write", "cnf": { "jkt": self.holder.to_string() },
        });
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
            .map_err(BenchError::preparing("an access token"))
    }
}
