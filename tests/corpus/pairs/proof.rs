//! Two fields of a proof.

use countersign_jose::SigningKey;
use serde_json::Value;

use super::{CLAIMS, Field, HEADER, JWK, Pair, Said, pairs, quoted, says, signed, with};
use crate::case::{Case, Cases, Class};
use crate::model::{self, Facts};
use crate::range::{self, Range};
use crate::stand::{Expected, ORIGIN, SERVICE};

const OF_A_PROOF: [&str; 6] = [
    "two fields of a proof's header",
    "a field of a proof's header, one of its jwk",
    "a field of a proof's header, a claim",
    "two fields of a proof's jwk",
    "a field of a proof's jwk, a claim",
    "two claims of a proof",
];

/// Whose proof it is.
pub(super) struct Holder<'r> {
    key: &'r SigningKey,
    jwk: Value,
    /// The names of the one algorithm of such keys; the first is the usual one.
    algorithms: &'static [&'static str],
    /// Bound to the key.
    pub(super) token: String,
}

impl<'r> Holder<'r> {
    /// The caller.
    pub(super) fn caller(range: &'r Range) -> Self {
        Self {
            key: &range.stand.caller_key,
            jwk: range.jwk.clone(),
            algorithms: &["ES256"],
            token: range.stand.token(),
        }
    }

    /// Another one, whose key is of the other kind.
    fn edwards(range: &'r Range) -> Self {
        let key = &range.edwards;
        Self {
            jwk: serde_json::from_str(&key.public().to_jwk()).unwrap(),
            algorithms: &["Ed25519", "EdDSA"],
            token: range.token_for(key),
            key,
        }
    }

    fn coordinate(&self, name: &str) -> &str {
        self.jwk[name].as_str().unwrap_or_default()
    }

    pub(super) fn sign(&self, texts: &[String; 2]) -> String {
        signed(self.key, texts)
    }
}

/// Any two, of a proof by the usual kind of key; by the other kind any two of which one names it.
pub(crate) fn any_two_fields_of_a_proof() -> Class {
    Class::of(37, &OF_A_PROOF, |range: &Range| -> Cases<'_> {
        let holders = [Holder::caller(range), Holder::edwards(range)];
        let said = holders.each_ref().map(|holder| said(range, holder));
        let fields = holders.each_ref().map(|holder| fields(range, holder));
        let mut cases: Vec<(usize, Pair)> = Vec::new();
        for (whose, fields) in fields.iter().enumerate() {
            let pairs = pairs(fields).into_iter();
            let ours = pairs.filter(|pair| whose == 0 || fields[pair.fields[1]].place != CLAIMS);
            cases.extend(ours.map(|pair| (whose, pair)));
        }
        let count = cases.len();
        let make = move |number: usize| {
            let (whose, pair) = &cases[number];
            let (holder, fields) = (&holders[*whose], &fields[*whose]);
            let texts = with(pair, fields, &said[*whose], number);
            let right = {
                let [header, claims] = texts.each_ref().map(|text| text.as_bytes());
                let facts = Facts::of_key(range, &holder.jwk, holder.algorithms);
                model::proof(header, claims, &holder.token, facts)
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
                sent: range::presented(holder.token.as_bytes(), holder.sign(&texts).as_bytes()),
                expected: vec![if right { Expected::Ok } else { Expected::P }],
                http2: false,
            }
        };
        (count, Box::new(make))
    })
}

/// What a good proof says.
pub(super) fn said(range: &Range, holder: &Holder<'_>) -> Said {
    let jwk = ["kty", "crv", "x", "y"].into_iter();
    let jwk = jwk.filter_map(|name| Some((name, holder.jwk.get(name)?.to_string())));
    let claims = range.proof_claims("{n}", &holder.token);
    let claim = |name: &'static str| (name, claims[name].to_string());
    [
        vec![
            ("typ", quoted("dpop+jwt")),
            ("alg", quoted(holder.algorithms[0])),
        ],
        jwk.collect(),
        ["jti", "htm", "htu", "iat", "ath"].map(claim).to_vec(),
    ]
}

fn fields(range: &Range, holder: &Holder<'_>) -> Vec<Field> {
    let field = |place, name, says| Field { place, name, says };
    let now = range.stand.now();
    let [x, y] = ["x", "y"].map(|name| holder.coordinate(name));
    let ath = range.proof_claims("", &holder.token)["ath"].to_string();
    let other_ath = range.proof_claims("", "another token")["ath"].to_string();
    let padded = quoted(format!("{}=", ath.trim_matches('"')));
    let curves = ["P-256", "P-384", "secp256k1", "Ed25519", "p-256"].map(quoted);
    let kinds = ["EC", "OKP", "RSA", "oct", "ec"].map(quoted);
    let algorithms = [
        "ES256", "ES384", "ES256K", "RS256", "EdDSA", "Ed25519", "HS256", "none", "nOnE",
    ]
    .map(quoted);
    let oddities = ["1", "null", "[]", "{}"].map(str::to_owned);
    let or_odd = |texts: &[String]| says(texts.iter().chain(&oddities));
    let (path, target) = (range.method.path(), range.method.target());
    let called = range.method.name();
    let targets = [
        target.clone(),
        format!("HTTPS://ORDERS.TEST:8443{path}"),
        format!("{target}?q=1#f"),
        target.replace('m', "%6d"),
        target.replace("Order", "%4frder"),
        target.replace(&format!("/{called}"), &format!("%2F{called}")),
        format!("{target}/"),
        target.to_ascii_lowercase(),
        target.replace("https", "http"),
        target.replace("//", "//user@"),
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
