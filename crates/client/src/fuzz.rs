//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use http::HeaderMap;

use crate::nonces::NewestNonce;
use crate::outcome::{Challenge, challenge};

/// Whether an answer makes the client send its call again.
///
/// The headers are those that [`Legible`](crate::legible::Legible) passes on, as in the layer.
pub fn is_asked_again(headers: &HeaderMap) -> bool {
    let mut legible = headers.clone();
    crate::legible::clear(&mut legible);
    matches!(
        challenge(&legible),
        Some(Challenge::Nonce | Challenge::AnotherToken)
    )
}

/// The nonce that is learnt from an answer.
pub fn nonce(headers: &HeaderMap) -> Option<String> {
    let newest = NewestNonce::default();
    newest.learn(headers);
    newest.current().map(|nonce| nonce.as_ref().clone())
}
