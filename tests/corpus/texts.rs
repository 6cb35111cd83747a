//! Each byte of a proof and of a token, as they are sent.

use crate::case::{Case, Cases, Class};
use crate::mutation::{self, WAYS};
use crate::range::{self, Range};
use crate::stand::Expected;

/// Prime to the number of ways.
const STRIDE: usize = 23;

const PROOF: [&str; 4] = [
    "a byte of a proof's header",
    "a byte of a proof's payload",
    "a byte of a proof's signature",
    "a dot of a proof",
];

const TOKEN: [&str; 4] = [
    "a byte of a token's header",
    "a byte of a token's payload",
    "a byte of a token's signature",
    "a dot of a token",
];

const BEHIND: [&str; 4] = [
    "a byte of the header of the token that a proof is for",
    "a byte of the payload of the token that a proof is for",
    "a byte of the signature of the token that a proof is for",
    "a dot of the token that a proof is for",
];

/// Which of three segments, or a dot.
fn segment(text: &str, at: usize, names: [&'static str; 4]) -> &'static str {
    match text.as_bytes()[at] {
        b'.' => names[3],
        _ => names[text[..at].matches('.').count()],
    }
}

/// Nothing of it can be changed.
pub(crate) fn each_byte_of_a_proof() -> Class {
    Class::of(STRIDE, &PROOF, |range| {
        let token = range.stand.token();
        let proof = range.proof("of which each byte is changed", &token);
        let count = proof.len() * WAYS;
        let make = move |number| {
            let change = mutation::of(proof.as_bytes(), number);
            Case {
                group: segment(&proof, change.at, PROOF),
                row: change.row,
                http2: mutation::is_no_field_value(&change.bytes),
                sent: range::presented(token.as_bytes(), &change.bytes),
                expected: vec![Expected::P],
            }
        };
        (count, Box::new(make))
    })
}

/// Nothing of it can be changed, though the proof is one for what it was changed to.
pub(crate) fn each_byte_of_a_token() -> Class {
    Class::of(STRIDE, &TOKEN, |range| tokens(range, TOKEN, Expected::T))
}

/// The same with the proof for what it was: `ath` tells, before anything of the token is read.
pub(crate) fn each_byte_of_a_token_behind_a_proof() -> Class {
    Class::of(3 * STRIDE, &BEHIND[..3], |range| {
        tokens(range, BEHIND, Expected::P)
    })
}

fn tokens<'r>(range: &'r Range, names: [&'static str; 4], comes: Expected) -> Cases<'r> {
    let token = range.stand.token();
    let count = token.len() * WAYS;
    let make = move |number: usize| {
        let change = mutation::of(token.as_bytes(), number);
        let shown = String::from_utf8_lossy(&change.bytes);
        let meant = match comes {
            Expected::P => &*token,
            // Spaces after the scheme are as many as one likes.
            _ => shown.trim_start_matches(' '),
        };
        let proof = range.proof(&number.to_string(), meant);
        Case {
            group: segment(&token, change.at, names),
            row: change.row,
            http2: mutation::is_no_field_value(&change.bytes),
            sent: range::presented(&change.bytes, proof.as_bytes()),
            expected: vec![of_token(&change.bytes, comes)],
        }
    };
    (count, Box::new(make))
}

/// What comes of a token of these bytes: `otherwise`, unless it is no token at all. Spaces before
/// it belong to the scheme.
pub(crate) fn of_token(bytes: &[u8], otherwise: Expected) -> Expected {
    let begin = bytes.iter().take_while(|byte| **byte == b' ').count();
    let token = &bytes[begin..];
    let outside = |byte: &u8| matches!(byte, b',' | b' ' | 0x7f..);
    if token.is_empty() || token.iter().any(outside) {
        Expected::R
    } else {
        otherwise
    }
}
