//! Any scheme with any token with any proof.

use serde_json::{Value, json};

use crate::case::{Case, Cases, Class};
use crate::range::{self, Fields, Range, Sent};
use crate::stand::{Expected, SERVICE, es256, proof_of, sign, unsigned};

const PRESENTED: [&str; 1] = ["a scheme, a kind of token and a kind of proof"];

/// The proof that was used before any of the cases.
const SPENT: &str = "spent";

/// What is written before the token, and what follows from it.
const SCHEMES: [(&str, Scheme); 10] = [
    ("DPoP ", Scheme::Dpop),
    ("dpop ", Scheme::Dpop),
    ("DPOP ", Scheme::Dpop),
    ("DPoP   ", Scheme::Dpop),
    ("Bearer ", Scheme::Bearer),
    ("bEARER ", Scheme::Bearer),
    ("Basic ", Scheme::Other),
    ("Negotiate ", Scheme::Other),
    (" ", Scheme::Other),
    ("", Scheme::Other),
];

#[derive(Copy, Clone, PartialEq)]
enum Scheme {
    Dpop,
    Bearer,
    /// As if nothing was presented (RFC 6750 §3.1).
    Other,
}

/// What a token is.
struct Token {
    row: &'static str,
    text: String,
    /// With a proof of the caller's.
    comes: Expected,
}

fn tokens(range: &Range) -> Vec<Token> {
    let claims = |change: &dyn Fn(&mut Value)| {
        let mut claims = range.stand.claims();
        change(&mut claims);
        range.stand.token_of(&claims)
    };
    let now = range.stand.now();
    let other = es256(9).public().thumbprint().to_string();
    let assertion = json!({ "alg": "ES256", "typ": "client-authentication+jwt", "kid": "k1" });
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
    let good = range.stand.token();
    use Expected::{Expired, Ok, R, Scope, T};
    [
        ("bound", good.clone(), Ok),
        (
            "unbound",
            claims(&|c| drop(c.as_object_mut().unwrap().remove("cnf"))),
            T,
        ),
        (
            "of another key",
            claims(&|c| c["cnf"] = json!({ "jkt": other })),
            T,
        ),
        ("expired", claims(&|c| c["exp"] = now.into()), Expired),
        (
            "for others",
            claims(&|c| c["aud"] = "https://other.test".into()),
            T,
        ),
        (
            "without the scope",
            claims(&|c| c["scope"] = "orders.read".into()),
            Scope,
        ),
        (
            "not the issuer's",
            sign(&es256(7), &header, &range.stand.claims()),
            T,
        ),
        (
            "signed by nobody",
            unsigned(&header, &range.stand.claims()),
            T,
        ),
        ("a refresh token", "csr_c29tZXRoaW5nIGVsc2U".to_owned(), T),
        (
            "an assertion",
            sign(&range.stand.issuer_key, &assertion, &range.stand.claims()),
            T,
        ),
        ("a proof", range.proof("in place of a token", &good), T),
        ("none", String::new(), R),
        ("two", format!("{good} {good}"), R),
        ("two, with a comma", format!("{good},{good}"), R),
        ("of 8 KiB and a byte", "x".repeat(8193), T),
    ]
    .map(|(row, text, comes)| Token { row, text, comes })
    .into()
}

/// How a proof is presented, and what comes of it where the token is good and comes as DPoP.
const PROOFS: [(&str, Expected); 16] = [
    ("a good proof", Expected::Ok),
    ("no proof", Expected::P),
    ("a good proof twice", Expected::P),
    ("two good proofs", Expected::P),
    ("two good proofs with a comma", Expected::P),
    ("a good proof as dpop-bin", Expected::P),
    ("a good proof, and one as dpop-bin", Expected::Ok),
    ("a proof of another key", Expected::T),
    ("a proof for another token", Expected::P),
    ("a proof for the value with its scheme", Expected::P),
    ("a proof for another method", Expected::P),
    ("a proof signed by nobody", Expected::P),
    ("a proof that was used before", Expected::Spent),
    ("an empty proof", Expected::P),
    ("the token as proof", Expected::P),
    ("a good proof, and two of authorization", Expected::R),
];

pub(crate) fn any_scheme_token_and_proof() -> Class {
    let class = Class::of(7, &PRESENTED, |range: &Range| -> Cases<'_> {
        let tokens = tokens(range);
        let count = SCHEMES.len() * tokens.len() * PROOFS.len();
        let make = move |number: usize| {
            let (proof, rest) = (number % PROOFS.len(), number / PROOFS.len());
            let token = &tokens[rest % tokens.len()];
            let (written, scheme) = SCHEMES[rest / tokens.len()];
            let authorization = format!("{written}{}", token.text);
            let mut sent = vec![("authorization", authorization.clone().into_bytes())];
            present(
                range,
                number,
                &authorization,
                &token.text,
                PROOFS[proof].0,
                &mut sent,
            );
            Case {
                group: PRESENTED[0],
                row: format!("({number}) {written:?}, {}, {}", token.row, PROOFS[proof].0),
                http2: range::are_too_much(&sent),
                sent: Sent::Fields(sent),
                expected: vec![comes(scheme, token, PROOFS[proof])],
            }
        };
        (count, Box::new(make))
    });
    Class {
        first: Some(SPENT),
        ..class
    }
}

/// In the order in which the guard looks: the form of the fields, the proof, the token.
fn comes(scheme: Scheme, token: &Token, (row, proof): (&str, Expected)) -> Expected {
    // More than one, or a comma, whatever it is.
    if proof == Expected::R || token.text.contains(',') {
        return Expected::R;
    }
    match (scheme, token.comes, proof) {
        (Scheme::Other, _, _) => Expected::Missing,
        (_, Expected::R, _) => Expected::R,
        // Of 8 KiB and more nothing is looked at.
        _ if token.text.len() > 8192 => Expected::T,
        // What it may do is not looked at: it is bound, or should be.
        (Scheme::Bearer, Expected::Expired, _) => Expected::Expired,
        (Scheme::Bearer, _, _) => Expected::T,
        (Scheme::Dpop, _, Expected::P) => Expected::P,
        (Scheme::Dpop, Expected::Ok, proof) => proof,
        // The token of another key, with a proof of that key: its holder may use it.
        (Scheme::Dpop, _, Expected::T)
            if row == "a proof of another key" && token.row == "of another key" =>
        {
            Expected::Ok
        }
        (Scheme::Dpop, Expected::Scope, Expected::T) => Expected::T,
        (Scheme::Dpop, token, _) => token,
    }
}

fn present(
    range: &Range,
    number: usize,
    authorization: &str,
    token: &str,
    how: &str,
    sent: &mut Fields,
) {
    let jti = number.to_string();
    let claims = |token: &str| range.proof_claims(&jti, token);
    let own = |claims: &Value| sign(&range.stand.caller_key, &range.proof_header(), claims);
    let good = own(&claims(token));
    let another = || range.proof(&format!("{jti} again"), token);
    let mut show = |name, value: String| sent.push((name, value.into_bytes()));
    match how {
        "a good proof" => show("dpop", good),
        "no proof" => {}
        "a good proof twice" => {
            show("dpop", good.clone());
            show("dpop", good);
        }
        "two good proofs" => {
            show("dpop", good);
            show("dpop", another());
        }
        "two good proofs with a comma" => show("dpop", format!("{good},{}", another())),
        "a good proof as dpop-bin" => show("dpop-bin", good),
        "a good proof, and one as dpop-bin" => {
            show("dpop", good);
            show("dpop-bin", another());
        }
        "a proof of another key" => show("dpop", proof_of(&es256(9), &claims(token))),
        "a proof for another token" => show("dpop", own(&claims("another"))),
        "a proof for the value with its scheme" => show("dpop", own(&claims(authorization))),
        "a proof for another method" => {
            let mut claims = claims(token);
            claims["htu"] = format!("{}{SERVICE}GetOrder", crate::stand::ORIGIN).into();
            show("dpop", own(&claims));
        }
        "a proof signed by nobody" => show("dpop", unsigned(&range.proof_header(), &claims(token))),
        "a proof that was used before" => show("dpop", range.proof(SPENT, token)),
        "an empty proof" => show("dpop", String::new()),
        "the token as proof" => show("dpop", token.to_owned()),
        "a good proof, and two of authorization" => {
            show("dpop", good);
            show("authorization", authorization.to_owned());
        }
        other => panic!("nobody presents {other}"),
    }
}
