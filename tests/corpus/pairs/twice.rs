//! One field, twice.

use super::proof::{self, Holder};
use super::{quoted, signed, texts, token};
use crate::case::{Case, Cases, Class};
use crate::range::{self, Range};
use crate::stand::Expected;

const TWICE: [&str; 2] = ["a field of a proof twice", "a field of a token twice"];

/// Said again first or last, the same or something else, its name in letters or with one of them
/// escaped: two readers might take two different ones.
pub(crate) fn any_field_twice() -> Class {
    Class::of(3, &TWICE, |range: &Range| -> Cases<'_> {
        let holder = Holder::caller(range);
        let of_either = [proof::said(range, &holder), token::said(range)];
        let mut cases = Vec::new();
        for (which, said) in of_either.iter().enumerate() {
            for (place, members) in said.iter().enumerate() {
                for member in 0..members.len() {
                    cases.extend((0..8).map(|way| (which, place, member, way)));
                }
            }
        }
        let count = cases.len();
        let make = move |number: usize| {
            let (which, place, member, way) = cases[number];
            let mut said = of_either[which].clone();
            let (name, says) = said[place][member].clone();
            let says = if way & 1 == 0 {
                says
            } else {
                quoted("another")
            };
            let escaped = way & 2 != 0;
            let at = if way & 4 == 0 { 0 } else { said[place].len() };
            let again = if escaped { "{again}" } else { name };
            said[place].insert(at, (again, says));
            let spelt = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            let texts = texts(said, number).map(|text| text.replace("{again}", &spelt));
            let (token, proof, expected) = if which == 0 {
                (holder.token.clone(), holder.sign(&texts), Expected::P)
            } else {
                let token = signed(&range.stand.issuer_key, &texts);
                let proof = range.proof(&number.to_string(), &token);
                (token, proof, Expected::T)
            };
            Case {
                group: TWICE[which],
                row: format!("({number}) {}", texts.join(" ")),
                sent: range::presented(token.as_bytes(), proof.as_bytes()),
                expected: vec![expected],
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}
