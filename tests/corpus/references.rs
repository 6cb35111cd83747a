//! Each byte of a reference token, and of the one that a proof is for.

use std::sync::Arc;

use countersign_client::source::BoxFuture;
use countersign_guard::{Introspected, IntrospectionUnavailable, Introspector, NonceMode};
use countersign_jose::{Thumbprint, UnixTime};

use crate::case::{Case, Cases, Class};
use crate::method::Messages;
use crate::mutation::{self, WAYS};
use crate::range::{self, Range};
use crate::stand::{Expected, ISSUER, ORIGIN, es256};
use crate::texts::of_token;

/// Prime to the number of ways.
const STRIDE: usize = 7;

const REFERENCE: &str =
    "csa_d-_9ZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1";

const TOKEN: [&str; 2] = [
    "a byte of a reference's prefix",
    "a byte of a reference's handle",
];

const BEHIND: [&str; 2] = [
    "a byte of the prefix of the reference that a proof is for",
    "a byte of the handle of the reference that a proof is for",
];

/// Knows one token, of the caller's key.
struct Knows(Thumbprint);

impl Introspector for Knows {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        let said = (token == REFERENCE).then(|| Introspected {
            issuer: ISSUER.to_owned(),
            subject: "checkout".to_owned(),
            client_id: "checkout".to_owned(),
            audience: vec![ORIGIN.to_owned()],
            scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
            token_id: "the only one".to_owned(),
            family: None,
            issued_at: UnixTime::from_secs(1_759_999_900),
            expires_at: UnixTime::from_secs(1_760_000_900),
            jkt: Some(self.0),
            certificate: None,
            auth_time: None,
            acr: None,
            authorization_details: String::new(),
        });
        Box::pin(std::future::ready(Ok(said)))
    }
}

/// One that has been called with the reference: it is good, and its key no stranger.
async fn range() -> Range {
    let knows = Knows(es256(2).public().thumbprint());
    let configure = |builder: countersign_guard::Builder| {
        builder.nonces(NonceMode::Off).introspector(Arc::new(knows))
    };
    let range = Range::configured(configure, |_| {}).await;
    let proof = range.proof("the first", REFERENCE);
    let sent = range::presented(REFERENCE.as_bytes(), proof.as_bytes());
    let answer = range.send(sent, Messages::One).await;
    answer.expect("the reference is good");
    range
}

fn class(
    stride: usize,
    groups: &[&'static str],
    cases: for<'r> fn(&'r Range) -> Cases<'r>,
) -> Class {
    Class {
        range: Box::new(|| Box::pin(range())),
        ..Class::of(stride, groups, cases)
    }
}

/// Nothing of it can be changed, though the proof is one for what it was changed to.
pub(crate) fn each_byte_of_a_reference() -> Class {
    class(STRIDE, &TOKEN, |range| {
        references(range, TOKEN, Expected::T)
    })
}

/// The same with the proof for what it was: `ath` tells, before anybody is asked.
pub(crate) fn each_byte_of_a_reference_behind_a_proof() -> Class {
    class(STRIDE, &BEHIND, |range| {
        references(range, BEHIND, Expected::P)
    })
}

fn references<'r>(range: &'r Range, names: [&'static str; 2], comes: Expected) -> Cases<'r> {
    let make = move |number: usize| {
        let change = mutation::of(REFERENCE.as_bytes(), number);
        let shown = String::from_utf8_lossy(&change.bytes);
        let meant = match comes {
            Expected::P => REFERENCE,
            // Spaces after the scheme are as many as one likes.
            _ => shown.trim_start_matches(' '),
        };
        let proof = range.proof(&number.to_string(), meant);
        Case {
            group: names[usize::from(change.at >= "csa_".len())],
            row: change.row,
            http2: mutation::is_no_field_value(&change.bytes),
            sent: range::presented(&change.bytes, proof.as_bytes()),
            expected: vec![of_token(&change.bytes, comes)],
        }
    };
    (REFERENCE.len() * WAYS, Box::new(make))
}
