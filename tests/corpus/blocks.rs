//! Each byte of the header block of a call, as HTTP/2 carries it: lengths, names and values.

use crate::case::{Case, Cases, Class};
use crate::mutation::{self, WAYS};
use crate::range::{self, Range, Sent};
use crate::stand::{Expected, proof_of};
use crate::{model, pipe};

const FIELDS: [&str; 8] = [
    "a byte of a header block: :method",
    "a byte of a header block: :scheme",
    "a byte of a header block: :path",
    "a byte of a header block: :authority",
    "a byte of a header block: content-type",
    "a byte of a header block: te",
    "a byte of a header block: authorization",
    "a byte of a header block: dpop",
];

/// What a guard may say when fields have become others.
const REFUSED: [Expected; 4] = [
    Expected::Missing,
    Expected::R,
    Expected::P,
    Expected::NoRule,
];

pub(crate) fn each_byte_of_a_header_block() -> Class {
    Class::of(17, &FIELDS, |range: &Range| -> Cases<'_> {
        // Both times the same bytes are to be sent.
        let key = &range.edwards;
        let token = range.token_for(key);
        let original = move |number: usize| {
            let claims = range.proof_claims(&format!("{number:06}"), &token);
            let proof = proof_of(key, &claims);
            range.block_of(&range::fields(token.as_bytes(), proof.as_bytes()))
        };
        let begins = begins(&original(0));
        let first = begins[0];
        let count = (original(0).len() - first) * WAYS;
        let make = move |number: usize| {
            let original = original(number);
            let (begin, fields) = original.split_at(first);
            let change = mutation::of(fields, number);
            let block = [begin, &change.bytes].concat();
            let same = match (pipe::read(&block), pipe::read(&original)) {
                (Some(changed), Some(original)) => model::block(&changed, &original),
                _ => false,
            };
            let field = begins.partition_point(|begin| *begin <= first + change.at) - 1;
            Case {
                group: FIELDS[field],
                row: change.row,
                sent: Sent::Block(block),
                expected: if same {
                    vec![Expected::Ok]
                } else {
                    REFUSED.to_vec()
                },
                http2: true,
            }
        };
        (count, Box::new(make))
    })
}

/// Where each field begins.
fn begins(block: &[u8]) -> Vec<usize> {
    let fields = pipe::read(block).expect("what is written can be read");
    let mut ends = vec![block.len()];
    for (name, value) in fields.iter().rev() {
        let lengths = [name, value].map(|text| pipe::written(text.len()));
        let size = 1 + lengths[0] + name.len() + lengths[1] + value.len();
        ends.push(ends[ends.len() - 1] - size);
    }
    ends.reverse();
    ends.pop();
    ends
}
