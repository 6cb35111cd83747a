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

const OF_THE_OTHER_KEY: &str = "of another key";

/// What a token is.
struct Token {
    row: &'static str,
    text: String,
    /// With a proof of the caller's.
    comes: Expected,
    of_the_other_key: bool,
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
    let too_little = range.method.scope_too_little();
    use Expected::{Expired, Ok, R, Scope, T};
    [
        ("bound", good.clone(), Ok),
        (
            "unbound",
            claims(&|c| drop(c.as_object_mut().unwrap().remove("cnf"))),
            T,
        ),
        (
            OF_THE_OTHER_KEY,
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
            claims(&|c| c["scope"] = too_little.into()),
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
    .map(|(row, text, comes)| Token {
        of_the_other_key: row == OF_THE_OTHER_KEY,
        row,
        text,
        comes,
    })
    .into()
}

/// How a proof is presented, and what else is.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Proof {
    Good,
    None,
    TheSameTwice,
    Two,
    TwoWithAComma,
    AsBinary,
    GoodAndOneAsBinary,
    OfAnotherKey,
    ForAnotherToken,
    /// `ath` is of the whole value of `authorization`.
    ForTheWholeValue,
    ForAnotherMethod,
    SignedByNobody,
    Spent,
    Empty,
    TheToken,
    GoodAndAuthorizationTwice,
}

const PROOFS: [Proof; 16] = [
    Proof::Good,
    Proof::None,
    Proof::TheSameTwice,
    Proof::Two,
    Proof::TwoWithAComma,
    Proof::AsBinary,
    Proof::GoodAndOneAsBinary,
    Proof::OfAnotherKey,
    Proof::ForAnotherToken,
    Proof::ForTheWholeValue,
    Proof::ForAnotherMethod,
    Proof::SignedByNobody,
    Proof::Spent,
    Proof::Empty,
    Proof::TheToken,
    Proof::GoodAndAuthorizationTwice,
];

impl Proof {
    /// With a good token that comes as DPoP.
    fn comes(self) -> Expected {
        match self {
            Self::Good | Self::GoodAndOneAsBinary => Expected::Ok,
            Self::OfAnotherKey => Expected::T,
            Self::Spent => Expected::Spent,
            Self::GoodAndAuthorizationTwice => Expected::R,
            Self::None
            | Self::TheSameTwice
            | Self::Two
            | Self::TwoWithAComma
            | Self::AsBinary
            | Self::ForAnotherToken
            | Self::ForTheWholeValue
            | Self::ForAnotherMethod
            | Self::SignedByNobody
            | Self::Empty
            | Self::TheToken => Expected::P,
        }
    }
}

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
                PROOFS[proof],
                &mut sent,
            );
            Case {
                group: PRESENTED[0],
                row: format!("({number}) {written:?}, {}, {:?}", token.row, PROOFS[proof]),
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
fn comes(scheme: Scheme, token: &Token, proof: Proof) -> Expected {
    // More than one, or a comma, whatever it is.
    if proof.comes() == Expected::R || token.text.contains(',') {
        return Expected::R;
    }
    // A token of the other key, with a proof of that key: who holds the key may use it.
    let of_the_other = token.of_the_other_key && proof == Proof::OfAnotherKey;
    match (scheme, token.comes, proof.comes()) {
        (Scheme::Other, _, _) => Expected::Missing,
        (_, Expected::R, _) => Expected::R,
        // Of 8 KiB and more nothing is looked at.
        _ if token.text.len() > 8192 => Expected::T,
        // What it may do is not looked at: it is bound, or should be.
        (Scheme::Bearer, Expected::Expired, _) => Expected::Expired,
        (Scheme::Bearer, _, _) => Expected::T,
        (Scheme::Dpop, _, Expected::P) => Expected::P,
        (Scheme::Dpop, _, Expected::T) if of_the_other => Expected::Ok,
        (Scheme::Dpop, Expected::Ok, proof) => proof,
        (Scheme::Dpop, Expected::Scope, Expected::T) => Expected::T,
        (Scheme::Dpop, token, _) => token,
    }
}

fn present(
    range: &Range,
    number: usize,
    authorization: &str,
    token: &str,
    how: Proof,
    sent: &mut Fields,
) {
    let jti = number.to_string();
    let claims = |token: &str| range.proof_claims(&jti, token);
    let own = |claims: &Value| sign(&range.stand.caller_key, &range.proof_header(), claims);
    let good = own(&claims(token));
    let another = || range.proof(&format!("{jti} again"), token);
    let mut show = |name, value: String| sent.push((name, value.into_bytes()));
    match how {
        Proof::Good => show("dpop", good),
        Proof::None => {}
        Proof::TheSameTwice => {
            show("dpop", good.clone());
            show("dpop", good);
        }
        Proof::Two => {
            show("dpop", good);
            show("dpop", another());
        }
        Proof::TwoWithAComma => show("dpop", format!("{good},{}", another())),
        Proof::AsBinary => show("dpop-bin", good),
        Proof::GoodAndOneAsBinary => {
            show("dpop", good);
            show("dpop-bin", another());
        }
        Proof::OfAnotherKey => show("dpop", proof_of(&es256(9), &claims(token))),
        Proof::ForAnotherToken => show("dpop", own(&claims("another"))),
        Proof::ForTheWholeValue => show("dpop", own(&claims(authorization))),
        Proof::ForAnotherMethod => {
            let mut claims = claims(token);
            claims["htu"] = format!("{}{SERVICE}GetOrder", crate::stand::ORIGIN).into();
            show("dpop", own(&claims));
        }
        Proof::SignedByNobody => show("dpop", unsigned(&range.proof_header(), &claims(token))),
        Proof::Spent => show("dpop", range.proof(SPENT, token)),
        Proof::Empty => show("dpop", String::new()),
        Proof::TheToken => show("dpop", token.to_owned()),
        Proof::GoodAndAuthorizationTwice => {
            show("dpop", good);
            show("authorization", authorization.to_owned());
        }
    }
}
