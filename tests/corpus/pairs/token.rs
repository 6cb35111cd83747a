//! Two fields of an access token.

use super::{CLAIMS, Field, HEADER, Said, pairs, quoted, says, signed, with};
use crate::case::{Case, Cases, Class};
use crate::model::{self, Facts};
use crate::range::{self, Range};
use crate::stand::{ISSUER, ORIGIN, es256};

const OF_A_TOKEN: [&str; 3] = [
    "two fields of a token's header",
    "a field of a token's header, a claim",
    "two claims of a token",
];

pub(crate) fn any_two_fields_of_a_token() -> Class {
    Class::of(37, &OF_A_TOKEN, |range: &Range| -> Cases<'_> {
        let (said, fields) = (said(range), fields(range));
        let pairs = pairs(&fields);
        let count = pairs.len();
        let make = move |number: usize| {
            let pair = &pairs[number];
            let texts = with(pair, &fields, &said, number);
            let token = signed(&range.stand.issuer_key, &texts);
            let proof = range.proof(&number.to_string(), &token);
            let [header, claims] = texts.each_ref().map(|text| text.as_bytes());
            let group = match pair.fields.map(|field| fields[field].place) {
                [HEADER, HEADER] => 0,
                [HEADER, _] => 1,
                _ => 2,
            };
            Case {
                group: OF_A_TOKEN[group],
                expected: model::token(header, claims, Facts::of(range)),
                row: format!("({number}) {}", texts.join(" ")),
                sent: range::presented(token.as_bytes(), proof.as_bytes()),
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}

/// What a good token says.
pub(super) fn said(range: &Range) -> Said {
    let claims = range.stand.claims();
    let names = [
        "iss",
        "sub",
        "client_id",
        "aud",
        "exp",
        "iat",
        "jti",
        "scope",
        "cnf",
    ];
    let claim = |name: &'static str| (name, claims[name].to_string());
    [
        vec![
            ("alg", quoted("ES256")),
            ("typ", quoted("at+jwt")),
            ("kid", quoted("k1")),
        ],
        Vec::new(),
        names.map(claim).to_vec(),
    ]
}

fn fields(range: &Range) -> Vec<Field> {
    let field = |place, name, says| Field { place, name, says };
    let now = range.stand.now();
    let oddities = ["1", "null", "[]", "{}", "\"\""].map(str::to_owned);
    let or_odd = |texts: &[String]| says(texts.iter().chain(&oddities));
    let jkt = range.stand.claims()["cnf"]["jkt"].to_string();
    let other = es256(9).public().thumbprint().to_string();
    let jwk = range.stand.issuer_key.public().to_jwk();
    let times = |secs: [u64; 3]| {
        let mut times = secs.map(|secs| secs.to_string()).to_vec();
        times.extend(["-1", "1e308", "9223372036854775808", "\"never\""].map(str::to_owned));
        times.push(format!("{now}.5"));
        times
    };
    vec![
        field(
            HEADER,
            "alg",
            or_odd(&["ES256", "ES384", "EdDSA", "RS256", "HS256", "none"].map(quoted)),
        ),
        field(
            HEADER,
            "typ",
            or_odd(&["at+jwt", "application/at+jwt", "AT+JWT", "JWT", "dpop+jwt"].map(quoted)),
        ),
        field(
            HEADER,
            "kid",
            or_odd(&["k1", "K1", "../../k1", "k1' OR '1'='1", "k1\\u0000"].map(quoted)),
        ),
        field(HEADER, "jku", says([quoted("https://evil.test/jwks")])),
        field(HEADER, "x5u", says([quoted("https://evil.test/x")])),
        field(HEADER, "x5c", says([r#"["AA=="]"#])),
        field(HEADER, "jwk", says([jwk])),
        field(HEADER, "crit", says(["[]", r#"["x"]"#])),
        field(HEADER, "b64", says(["true", "false"])),
        field(
            CLAIMS,
            "iss",
            or_odd(&[
                quoted(ISSUER),
                quoted(format!("{ISSUER}/")),
                quoted("https://evil.test"),
            ]),
        ),
        field(
            CLAIMS,
            "sub",
            or_odd(&[quoted("checkout"), quoted("other")]),
        ),
        field(CLAIMS, "client_id", or_odd(&[quoted("checkout")])),
        field(
            CLAIMS,
            "aud",
            or_odd(&[
                quoted(ORIGIN),
                format!("[\"https://other.test\",\"{ORIGIN}\"]"),
                format!("[\"{ORIGIN}\",1]"),
                quoted("https://other.test"),
                quoted(format!("{ORIGIN}/")),
            ]),
        ),
        field(CLAIMS, "exp", or_odd(&times([now + 1, now, now - 1]))),
        field(CLAIMS, "iat", or_odd(&times([now, now + 10, now + 11]))),
        field(CLAIMS, "nbf", or_odd(&times([now, now + 10, now + 11]))),
        field(CLAIMS, "jti", or_odd(&[quoted("t1")])),
        field(
            CLAIMS,
            "scope",
            or_odd(
                &[
                    "orders.write",
                    "orders.read",
                    "orders.write orders.read",
                    "orders.writer",
                ]
                .map(quoted),
            ),
        ),
        field(
            CLAIMS,
            "cnf",
            or_odd(&[
                format!("{{\"jkt\":{jkt}}}"),
                format!("{{\"jkt\":\"{other}\"}}"),
                format!("{{\"jkt\":{jkt},\"x5t#S256\":{jkt}}}"),
                format!("{{\"jkt\":[{jkt}]}}"),
                jkt,
            ]),
        ),
        field(CLAIMS, "fam", says([quoted("f"), "1".to_owned()])),
    ]
}
