//! Metadata of any size: the guard refuses what is too large for a proof or a token before it
//! decodes anything, HTTP/2 what is too large for a call.

use crate::case::{Case, Cases, Class};
use crate::range::{self, Range, Sent};
use crate::stand::Expected;

const SIZES: [&str; 3] = [
    "a proof of some size",
    "a token of some size",
    "other metadata of some size",
];

/// Around each limit, and up to a megabyte.
const BYTES: [usize; 12] = [
    0,
    1,
    100,
    4095,
    4096,
    4097,
    8191,
    8192,
    8193,
    17_000,
    100_000,
    1 << 20,
];

pub(crate) fn metadata_of_any_size() -> Class {
    Class::of(1, &SIZES, |range: &Range| -> Cases<'_> {
        let token = range.stand.token();
        let make = move |number: usize| {
            let (which, bytes) = (number % SIZES.len(), BYTES[number / SIZES.len()]);
            let filler = "x".repeat(bytes);
            let proof = range.proof(&number.to_string(), &token);
            let proof = proof.as_bytes();
            let (fields, comes) = match which {
                0 => (
                    range::fields(token.as_bytes(), filler.as_bytes()),
                    Expected::P,
                ),
                1 => {
                    let proof = range.proof(&number.to_string(), &filler);
                    let comes = if bytes == 0 { Expected::R } else { Expected::T };
                    (range::fields(filler.as_bytes(), proof.as_bytes()), comes)
                }
                _ => {
                    let mut fields = range::fields(token.as_bytes(), proof);
                    fields.push(("x-filler", filler.into_bytes()));
                    (fields, Expected::Ok)
                }
            };
            let http2 = range::are_too_much(&fields);
            Case {
                group: SIZES[which],
                row: format!("{bytes} bytes"),
                // On a connection of its own, which may be closed for it.
                sent: Sent::Block(range.block_of(&fields)),
                expected: if http2 { Vec::new() } else { vec![comes] },
                http2,
            }
        };
        (SIZES.len() * BYTES.len(), Box::new(make))
    })
}
