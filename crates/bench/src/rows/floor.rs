//! Calls of the floors: of the same size as ours, with what has to be verified.

use countersign::example::v1::{CreateOrderRequest, CreateOrderResponse};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Client, Credential};

use super::access_tokens::AccessTokens;
use super::{ORDER_REQUEST_BYTES, Row};
use crate::call::{Batch, Call, Failed};
use crate::child::ORIGIN;
use crate::world::Prover;
use crate::{BenchError, keys};

pub(crate) const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";

/// What a floor's call carries besides its proof.
struct Carries {
    token: Token,
    message: Message,
}

enum Token {
    None,
    /// The same in every call.
    One,
    /// Another in every call.
    New,
}

enum Message {
    Bytes(usize),
    /// An assertion behind so many other bytes.
    Assertion(usize),
    /// An access token behind so many other bytes.
    AccessToken(usize),
}

fn carries(row: Row) -> Option<Carries> {
    let of = |token, message| Some(Carries { token, message });
    match row {
        Row::Echo | Row::GuardCached | Row::GuardHttp | Row::ClientLayer => {
            of(Token::One, Message::Bytes(ORDER_REQUEST_BYTES))
        }
        Row::GuardUncached => of(Token::New, Message::Bytes(ORDER_REQUEST_BYTES)),
        // A client's name, its secret, a scope and a resource; and so on.
        Row::IssueSecret | Row::TokenHttp2 | Row::TokenHttp1 => {
            of(Token::None, Message::Bytes(101))
        }
        Row::IssuePrivateKeyJwt => of(Token::None, Message::Assertion(52)),
        Row::Redeem => of(Token::None, Message::Bytes(208)),
        Row::Rotate | Row::Revoke => of(Token::None, Message::Bytes(136)),
        Row::Introspect => of(Token::One, Message::Bytes(79)),
        Row::IntrospectJwt => of(Token::One, Message::AccessToken(66)),
        Row::ListKeys => None,
    }
}

pub(super) fn batch(row: Row, calls: usize) -> Result<Batch, BenchError> {
    let prover = Prover::new(ORIGIN)?;
    let tokens = AccessTokens::new(&prover)?;
    let one = tokens.token(0)?;
    let client = client()?;
    let call = |number: usize| -> Result<Call, BenchError> {
        let Some(carries) = carries(row) else {
            return Ok(Call::new(CREATE, &CreateOrderRequest::default()));
        };
        let item = match carries.message {
            Message::Bytes(bytes) => "x".repeat(bytes),
            Message::Assertion(before) => padded(before, &assertion(&client)?),
            Message::AccessToken(before) => padded(before, &tokens.by_client(number)?),
        };
        let call = Call::new(CREATE, &CreateOrderRequest { item });
        let with = |call: Call, token: &str| {
            let proof = prover.proof(CREATE, Some(token))?;
            Ok(call.token(token).proof(&proof))
        };
        match carries.token {
            Token::None => Ok(call.proof(&prover.proof(CREATE, None)?)),
            Token::One => with(call, &one),
            Token::New => with(call, &tokens.token(number + 1)?),
        }
    };
    let calls = (0..calls).map(call).collect::<Result<_, _>>()?;
    Ok(Batch::of(calls, check(row.floor().answer_bytes)))
}

/// An order of this size; a floor that refuses answers without one.
pub(crate) fn check(
    bytes: usize,
) -> impl Fn(CreateOrderResponse) -> Result<(), Failed> + Send + Sync + 'static {
    move |answer| {
        let order = answer.order.ok_or(Failed::Wrong("no order"))?;
        match order.order_id.len() + order.owner.len() == bytes {
            true => Ok(()),
            false => Err(Failed::Wrong("an order of another size")),
        }
    }
}

fn padded(before: usize, text: &str) -> String {
    format!("{} {text}", "x".repeat(before))
}

fn client() -> Result<Client, BenchError> {
    let key = keys::client().map_err(BenchError::preparing("a client's key"))?;
    let credential = Credential::PrivateKeyJwt(key.into());
    Ok(Client::new("signer", credential, "http://localhost:7443"))
}

fn assertion(client: &Client) -> Result<String, BenchError> {
    use countersign::token::v1::client_authentication::Credential::ClientAssertion;
    let shown = client
        .authentication(SystemClock.now())
        .map_err(BenchError::preparing("an assertion"))?;
    match shown.credential {
        Some(ClientAssertion(assertion)) => Ok(assertion),
        _ => Err(BenchError::Asked("a client without a key".to_owned())),
    }
}
