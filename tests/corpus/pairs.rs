//! Any two fields of a proof and of a token, each with everything that it could say, signed; and
//! any field said twice.

use countersign_jose::SigningKey;

use crate::case::{Case, Cases, Class};
use crate::model::{self, Facts};
use crate::range::{self, Range, target};
use crate::stand::{Expected, ISSUER, ORIGIN, SERVICE, es256};

/// Where a field stands.
const HEADER: usize = 0;
const JWK: usize = 1;
const CLAIMS: usize = 2;

const OF_A_PROOF: [&str; 6] = [
    "two fields of a proof's header",
    "a field of a proof's header, one of its jwk",
    "a field of a proof's header, a claim",
    "two fields of a proof's jwk",
    "a field of a proof's jwk, a claim",
    "two claims of a proof",
];

const OF_A_TOKEN: [&str; 3] = [
    "two fields of a token's header",
    "a field of a token's header, a claim",
    "two claims of a token",
];

const TWICE: [&str; 2] = ["a field of a proof twice", "a field of a token twice"];

/// A field, and all that it says, as JSON; `None` is that it is not there, `{n}` the case's number.
struct Field {
    place: usize,
    name: &'static str,
    says: Vec<Option<String>>,
}

/// The fields of a JWS by their place, in order, with what they say.
type Said = [Vec<(&'static str, String)>; 3];

/// Two fields, and what they say.
struct Pair {
    fields: [usize; 2],
    says: [usize; 2],
}

fn pairs(fields: &[Field]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (a, one) in fields.iter().enumerate() {
        for (b, other) in fields.iter().enumerate().skip(a + 1) {
            for says in 0..one.says.len() * other.says.len() {
                pairs.push(Pair {
                    fields: [a, b],
                    says: [says / other.says.len(), says % other.says.len()],
                });
            }
        }
    }
    pairs
}

fn object(members: &[(&'static str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, says)| format!("\"{name}\":{says}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Header and claims with this pair in it.
fn with(pair: &Pair, fields: &[Field], said: &Said, number: usize) -> [String; 2] {
    let mut said = said.clone();
    for (field, says) in pair.fields.iter().zip(pair.says) {
        let Field { place, name, .. } = fields[*field];
        let says = &fields[*field].says[says];
        let place = &mut said[place];
        let at = place.iter().position(|(known, _)| *known == name);
        match (at, says) {
            (Some(at), Some(says)) => place[at].1.clone_from(says),
            (Some(at), None) => drop(place.remove(at)),
            (None, Some(says)) => place.push((name, says.clone())),
            (None, None) => {}
        }
    }
    texts(said, number)
}

fn texts(said: Said, number: usize) -> [String; 2] {
    let [mut header, jwk, claims] = said;
    if !jwk.is_empty() {
        header.push(("jwk", object(&jwk)));
    }
    [header, claims].map(|members| object(&members).replace("{n}", &format!("{number:08}")))
}

fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", text.as_ref())
}

/// Absent; and all these, as they stand.
fn says<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> Vec<Option<String>> {
    let all = all.into_iter().map(|one| Some(one.as_ref().to_owned()));
    std::iter::once(None).chain(all).collect()
}

fn proof_said(range: &Range, token: &str) -> Said {
    let member = |name: &'static str| (name, range.jwk[name].to_string());
    let claims = range.proof_claims("{n}", token);
    let claim = |name: &'static str| (name, claims[name].to_string());
    [
        vec![("typ", quoted("dpop+jwt")), ("alg", quoted("ES256"))],
        ["kty", "crv", "x", "y"].map(member).to_vec(),
        ["jti", "htm", "htu", "iat", "ath"].map(claim).to_vec(),
    ]
}

fn proof_fields(range: &Range, token: &str) -> Vec<Field> {
    let field = |place, name, says| Field { place, name, says };
    let now = range.stand.now();
    let [x, y] = ["x", "y"].map(|name| range.jwk[name].as_str().unwrap());
    let ath = range.proof_claims("", token)["ath"].to_string();
    let other_ath = range.proof_claims("", "another token")["ath"].to_string();
    let padded = quoted(format!("{}=", ath.trim_matches('"')));
    let curves = ["P-256", "P-384", "secp256k1", "Ed25519", "p-256"].map(quoted);
    let kinds = ["EC", "OKP", "RSA", "oct", "ec"].map(quoted);
    let algorithms = [
        "ES256", "ES384", "ES256K", "RS256", "EdDSA", "HS256", "none", "nOnE",
    ]
    .map(quoted);
    let oddities = ["1", "null", "[]", "{}"].map(str::to_owned);
    let or_odd = |texts: &[String]| says(texts.iter().chain(&oddities));
    let path = format!("{SERVICE}CreateOrder");
    let targets = [
        target(),
        format!("HTTPS://ORDERS.TEST:8443{path}"),
        format!("{}?q=1#f", target()),
        target().replace('m', "%6d"),
        target().replace("Order", "%4frder"),
        target().replace("/Create", "%2FCreate"),
        format!("{}/", target()),
        target().to_ascii_lowercase(),
        target().replace("https", "http"),
        target().replace("//", "//user@"),
        path.clone(),
        format!("{ORIGIN}{SERVICE}GetOrder"),
        format!("https://orders.test{path}"),
        format!("https://127.0.0.1:8443{path}"),
    ]
    .map(quoted);
    let times = [
        now.to_string(),
        format!("{now}.9"),
        format!("{now}e0"),
        (now + 10).to_string(),
        (now + 11).to_string(),
        (now + 61).to_string(),
        (now - 60).to_string(),
        (now - 61).to_string(),
        format!("-{now}"),
        "9223372036854775808".to_owned(),
        "1e308".to_owned(),
        quoted(now.to_string()),
    ];
    vec![
        field(
            HEADER,
            "typ",
            or_odd(
                &[
                    "dpop+jwt",
                    "JWT",
                    "at+jwt",
                    "DPOP+JWT",
                    "application/dpop+jwt",
                ]
                .map(quoted),
            ),
        ),
        field(HEADER, "alg", or_odd(&algorithms)),
        field(HEADER, "kid", says([quoted("k1"), "1".to_owned()])),
        field(HEADER, "jku", says([quoted("https://evil.test/jwks")])),
        field(
            HEADER,
            "crit",
            says(["[]".to_owned(), r#"["b64"]"#.to_owned()]),
        ),
        field(HEADER, "b64", says(["true", "false", "null"])),
        field(JWK, "kty", or_odd(&kinds)),
        field(JWK, "crv", or_odd(&curves)),
        field(
            JWK,
            "x",
            or_odd(&[
                quoted(x),
                quoted(y),
                quoted(format!("{x}=")),
                quoted(&x[1..]),
                quoted("A".repeat(43)),
            ]),
        ),
        field(
            JWK,
            "y",
            or_odd(&[
                quoted(y),
                quoted(x),
                quoted(format!("{y}=")),
                quoted(format!("AA{y}")),
                quoted("A".repeat(43)),
            ]),
        ),
        field(JWK, "alg", or_odd(&algorithms)),
        field(JWK, "use", or_odd(&["sig", "enc", "SIG"].map(quoted))),
        field(
            JWK,
            "key_ops",
            or_odd(
                &[
                    r#"["verify"]"#,
                    r#"["sign"]"#,
                    r#"["sign","verify"]"#,
                    r#"["verify","verify"]"#,
                ]
                .map(str::to_owned),
            ),
        ),
        field(JWK, "d", says([quoted(x), "null".to_owned()])),
        field(JWK, "k", says([quoted("")])),
        field(JWK, "kid", says([quoted("mine"), "1".to_owned()])),
        field(
            CLAIMS,
            "jti",
            or_odd(&[
                quoted("{n}"),
                quoted(""),
                quoted(format!("{{n}}{}", "x".repeat(120))),
                quoted(format!("{{n}}{}", "x".repeat(121))),
                quoted("{n}\\u0000"),
            ]),
        ),
        field(
            CLAIMS,
            "htm",
            or_odd(&["POST", "post", "GET", "POST ", "PUT"].map(quoted)),
        ),
        field(CLAIMS, "htu", or_odd(&targets)),
        field(CLAIMS, "iat", or_odd(&times)),
        field(CLAIMS, "ath", or_odd(&[padded, ath, other_ath])),
        field(
            CLAIMS,
            "nonce",
            says([quoted("anything"), "1".to_owned(), "null".to_owned()]),
        ),
        field(CLAIMS, "extra", says(["[{}]"])),
    ]
}

pub(crate) fn any_two_fields_of_a_proof() -> Class {
    Class::of(37, &OF_A_PROOF, |range: &Range| -> Cases<'_> {
        let token = range.stand.token();
        let (said, fields) = (proof_said(range, &token), proof_fields(range, &token));
        let pairs = pairs(&fields);
        let count = pairs.len();
        let make = move |number: usize| {
            let pair = &pairs[number];
            let texts = with(pair, &fields, &said, number);
            let right = {
                let [header, claims] = texts.each_ref().map(|text| text.as_bytes());
                model::proof(header, claims, &token, Facts::of(range))
            };
            let group = match pair.fields.map(|field| fields[field].place) {
                [HEADER, HEADER] => 0,
                [HEADER, JWK] => 1,
                [HEADER, _] => 2,
                [JWK, JWK] => 3,
                [JWK, _] => 4,
                _ => 5,
            };
            Case {
                group: OF_A_PROOF[group],
                row: format!("({number}) {}", texts.join(" ")),
                sent: range::presented(
                    token.as_bytes(),
                    signed(&range.stand.caller_key, &texts).as_bytes(),
                ),
                expected: vec![if right { Expected::Ok } else { Expected::P }],
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}

fn signed(key: &SigningKey, [header, claims]: &[String; 2]) -> String {
    key.sign_compact(header.as_bytes(), claims.as_bytes())
        .unwrap()
}

fn token_said(range: &Range) -> Said {
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

fn token_fields(range: &Range) -> Vec<Field> {
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

pub(crate) fn any_two_fields_of_a_token() -> Class {
    Class::of(37, &OF_A_TOKEN, |range: &Range| -> Cases<'_> {
        let (said, fields) = (token_said(range), token_fields(range));
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

/// Said again first or last, the same or something else, its name in letters or with one of them
/// escaped: two readers might take two different ones.
pub(crate) fn any_field_twice() -> Class {
    Class::of(3, &TWICE, |range: &Range| -> Cases<'_> {
        let token = range.stand.token();
        let of_either = [proof_said(range, &token), token_said(range)];
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
                let proof = signed(&range.stand.caller_key, &texts);
                (token.clone(), proof, Expected::P)
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
