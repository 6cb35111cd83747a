//! Each byte of a nonce, in a proof that is signed for it.

use std::time::Duration;

use countersign_guard::NonceMode;
use serde_json::{Value, json};

use crate::case::{Case, Cases, Class};
use crate::method::Messages;
use crate::mutation::{self, WAYS};
use crate::range::{self, Range};
use crate::stand::{Expected, sign};

const NONCES: [&str; 2] = ["a byte of a nonce, signed", "something else for a nonce"];

/// What is no nonce, and no text.
const OTHERS: [fn() -> Value; 8] = [
    || json!(1),
    || json!(true),
    || json!(null),
    || json!([]),
    || json!({}),
    || json!(""),
    || json!("x".repeat(1000)),
    || json!("\u{1F511}"),
];

pub(crate) fn each_byte_of_a_nonce() -> Class {
    let class = Class::of(7, &NONCES, |range: &Range| -> Cases<'_> {
        let token = range.stand.token();
        let nonce = range.nonce.clone();
        let changes = nonce.len() * WAYS;
        let make = move |number: usize| {
            let (group, row, nonce) = match number.checked_sub(changes) {
                None => {
                    let change = mutation::of(nonce.as_bytes(), number);
                    // A byte that is no ASCII as the character of its number.
                    let text: String = change.bytes.into_iter().map(char::from).collect();
                    (0, change.row, text.into())
                }
                Some(other) => (1, format!("({number})"), OTHERS[other]()),
            };
            let expected = match &nonce {
                Value::String(text) if !text.contains('\0') => Expected::N,
                _ => Expected::P,
            };
            let mut claims = range.proof_claims(&number.to_string(), &token);
            claims["nonce"] = nonce;
            let proof = sign(&range.stand.caller_key, &range.proof_header(), &claims);
            Case {
                group: NONCES[group],
                row,
                sent: range::presented(token.as_bytes(), proof.as_bytes()),
                expected: vec![expected],
                http2: false,
            }
        };
        (changes + OTHERS.len(), Box::new(make))
    });
    Class {
        range: Box::new(|| Box::pin(warm())),
        ..class
    }
}

/// A guard that wants a nonce of every call, some time after its start, which has handed out one.
async fn warm() -> Range {
    let mut range = Range::start(NonceMode::Always).await;
    range.stand.clock.advance(Duration::from_secs(100));
    let token = range.stand.token();
    let sent = range::presented(token.as_bytes(), range.proof("without", &token).as_bytes());
    let refused = range.send(sent, Messages::Withheld).await.unwrap_err();
    let nonce = refused.metadata().get("dpop-nonce").unwrap();
    range.nonce = nonce.to_str().unwrap().to_owned();

    // The control: with that very nonce it is accepted.
    let token = range.stand.token();
    let mut claims = range.proof_claims("with", &token);
    claims["nonce"] = range.nonce.clone().into();
    let proof = sign(&range.stand.caller_key, &range.proof_header(), &claims);
    let sent = range::presented(token.as_bytes(), proof.as_bytes());
    range.send(sent, Messages::One).await.unwrap();
    range
}
