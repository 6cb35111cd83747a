use countersign_jose::{
    Algorithm, JsonError, JwkError, Jwks, JwksError, PublishedKey, jwks::publish,
};

use crate::{RSA_N, ed25519, es256};

fn key(fill: u8, more: &str) -> String {
    let jwk = es256(fill).public().to_jwk();
    format!("{}{more}}}", &jwk[..jwk.len() - 1])
}

fn set(keys: &[String]) -> String {
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

#[track_caller]
fn check(json: &str, expected: Result<usize, JwksError>) {
    assert_eq!(
        Jwks::parse(json.as_bytes()).map(|set| set.keys().len()),
        expected,
        "{json}"
    );
}

#[test]
fn a_set_is_read_whole_or_not_at_all() {
    let at = |at, error| Err(JwksError::Key { at, error });
    check(&set(&[key(1, "")]), Ok(1));
    check(
        &set(&[
            key(1, r#","kid":"a""#),
            key(2, r#","kid":"b","alg":"ES256","use":"sig""#),
        ]),
        Ok(2),
    );
    check(&set(&[]), Err(JwksError::Keys));
    check("{}", Err(JwksError::Keys));
    check(r#"{"keys":{}}"#, Err(JwksError::Keys));
    check("[]", Err(JwksError::Json(JsonError::NotAnObject)));
    check(
        &set(&[key(1, ""), "1".into()]),
        at(1, JwkError::NotAnObject),
    );
    check(
        &set(&[key(1, r#","d":"AAAA""#)]),
        at(0, JwkError::PrivateMember),
    );
    check(
        &set(&[key(1, ""), r#"{"kty":"oct","k":"AAAA"}"#.into()]),
        at(1, JwkError::PrivateMember),
    );
    check(
        &set(&[key(1, r#","use":"enc""#)]),
        at(0, JwkError::Contradiction),
    );
    check(&set(&[key(1, r#","kid":"""#)]), at(0, JwkError::Kid));
    check(
        &set(&[key(1, &format!(r#","kid":"{}""#, "k".repeat(257)))]),
        at(0, JwkError::Kid),
    );
    check(
        &set(&[key(1, r#","kid":"a""#), key(2, r#","kid":"a""#)]),
        Err(JwksError::SameKid),
    );
    let off_curve = r#"{"kty":"EC","crv":"P-256","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}"#;
    check(&set(&[off_curve.into()]), at(0, JwkError::PointNotOnCurve));
    check(&set(&vec![key(1, ""); 32]), Ok(32));
    check(&set(&vec![key(1, ""); 33]), Err(JwksError::Keys));
    check(
        &format!("{}{}", set(&[key(1, "")]), " ".repeat(64 * 1024)),
        Err(JwksError::TooLarge),
    );
}

#[test]
fn a_key_is_chosen_by_name_and_algorithm() {
    use Algorithm::{Es256, Ps256, Rs256};
    let rsa = |more: &str| format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"{more}}}"#);
    let parse = |keys: &[String]| Jwks::parse(set(keys).as_bytes()).unwrap();
    let chosen = |set: &Jwks, kid, algorithm| {
        set.choose(kid, algorithm)
            .map(|key| set.keys().iter().position(|other| other == key).unwrap())
    };
    let both = parse(&[
        key(1, r#","kid":"a""#),
        key(2, r#","kid":"b""#),
        rsa(r#","kid":"c","alg":"PS256""#),
    ]);
    assert_eq!(chosen(&both, Some("b"), Es256), Some(1));
    assert_eq!(chosen(&both, Some("z"), Es256), None);
    assert_eq!(chosen(&both, Some("../../x"), Es256), None);
    assert_eq!(
        chosen(&both, Some("b"), Ps256),
        None,
        "the kid's key is of another kind"
    );
    assert_eq!(
        chosen(&both, Some("c"), Rs256),
        None,
        "the key is for PS256 alone"
    );
    assert_eq!(chosen(&both, None, Es256), None, "two keys could be meant");
    assert_eq!(chosen(&both, None, Ps256), Some(2));
    let one = parse(&[key(1, "")]);
    assert_eq!(chosen(&one, None, Es256), Some(0));
    assert_eq!(chosen(&one, Some("a"), Es256), None, "the key has no name");
}

#[test]
fn what_is_published_can_be_registered() {
    let (first, second) = (es256(1), ed25519(2));
    let keys = [
        PublishedKey {
            kid: "one \"quoted\"",
            algorithm: Algorithm::Es256,
            key: first.public(),
        },
        PublishedKey {
            kid: "two",
            algorithm: Algorithm::Ed25519,
            key: second.public(),
        },
    ];
    let document = publish(&keys);
    let set = Jwks::parse(document.as_bytes()).unwrap();
    let read: Vec<_> = set
        .keys()
        .iter()
        .map(|key| (key.kid(), key.alg(), key.key()))
        .collect();
    assert_eq!(
        read,
        [
            (
                Some("one \"quoted\""),
                Some(Algorithm::Es256),
                first.public()
            ),
            (Some("two"), Some(Algorithm::Ed25519), second.public()),
        ]
    );
    assert_eq!(set.to_json(), document);
    let json: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(json["keys"][1]["use"], "sig");
    assert_eq!(json["keys"][1]["alg"], "Ed25519");
    assert_eq!(publish(&[]), r#"{"keys":[]}"#);
}
