//! Each byte of what a proof and a token say, signed as rightly as before.

use serde_json::json;

use crate::case::{Case, Cases, Class};
use crate::model::{self, Facts};
use crate::mutation::{self, Mutation, WAYS};
use crate::range::{self, Range};
use crate::stand::Expected;

/// Prime to the number of ways.
const STRIDE: usize = 17;

const PROOF: [&str; 2] = [
    "a byte of the JSON of a proof's header, signed",
    "a byte of a proof's claims, signed",
];

const TOKEN: [&str; 2] = [
    "a byte of the JSON of a token's header, signed",
    "a byte of a token's claims, signed",
];

/// A name that no change of one byte makes the one of another case.
fn name(number: usize) -> String {
    format!("{number:06}-{number:06}")
}

/// One byte of the first or of the second text changed: which, and both as they are then.
fn either(texts: [Vec<u8>; 2], number: usize) -> (usize, String, [Vec<u8>; 2]) {
    let of_first = texts[0].len() * WAYS;
    let which = usize::from(number >= of_first);
    let Mutation { bytes, row, .. } = mutation::of(&texts[which], number - which * of_first);
    let mut changed = texts;
    changed[which] = bytes;
    (which, row, changed)
}

pub(crate) fn each_byte_of_what_a_proof_says() -> Class {
    Class::of(STRIDE, &PROOF, |range: &Range| -> Cases<'_> {
        let token = range.stand.token();
        let texts = {
            let (range, token) = (range, token.clone());
            move |number| {
                [
                    range.proof_header(),
                    range.proof_claims(&name(number), &token),
                ]
                .map(|json| json.to_string().into_bytes())
            }
        };
        let count = texts(0).concat().len() * WAYS;
        let make = move |number| {
            let (which, row, [header, payload]) = either(texts(number), number);
            let proof = range
                .stand
                .caller_key
                .sign_compact(&header, &payload)
                .unwrap();
            let right = model::proof(&header, &payload, &token, Facts::of(range));
            Case {
                group: PROOF[which],
                row: format!(
                    "{row}: {}",
                    String::from_utf8_lossy(&[header, payload].concat())
                ),
                sent: range::presented(token.as_bytes(), proof.as_bytes()),
                expected: vec![if right { Expected::Ok } else { Expected::P }],
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}

pub(crate) fn each_byte_of_what_a_token_says() -> Class {
    Class::of(STRIDE, &TOKEN, |range: &Range| -> Cases<'_> {
        let texts = [
            json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" }),
            range.stand.claims(),
        ]
        .map(|json| json.to_string().into_bytes());
        let count = texts.concat().len() * WAYS;
        let make = move |number| {
            let (which, row, [header, payload]) = either(texts.clone(), number);
            let token = range
                .stand
                .issuer_key
                .sign_compact(&header, &payload)
                .unwrap();
            Case {
                group: TOKEN[which],
                expected: model::token(&header, &payload, Facts::of(range)),
                row: format!(
                    "{row}: {}",
                    String::from_utf8_lossy(&[header, payload].concat())
                ),
                sent: range::presented(
                    token.as_bytes(),
                    range.proof(&name(number), &token).as_bytes(),
                ),
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}
