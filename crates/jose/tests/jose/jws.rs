use countersign_jose::{
    Algorithm, AlgorithmError, Algorithms, CompactJws, JsonError, JwkError, JwsError, Part,
    SignatureError, base64url,
};

use crate::{ed25519, es256};

/// A JWS whose segments can each be anything.
fn segments(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!(
        "{}.{}.AAAA",
        base64url::encode(header),
        base64url::encode(payload)
    )
}

#[track_caller]
fn check(text: &str, expected: Result<(), JwsError>) {
    assert_eq!(
        CompactJws::parse(text, 4096).map(|_| ()),
        expected,
        "{text}"
    );
}

#[test]
fn three_segments_and_no_other_form() {
    use JwsError::{Base64, NotCompact, TooLarge};
    let whole = segments(r#"{"alg":"ES256"}"#, "{}");
    check(&whole, Ok(()));
    check("", Err(NotCompact));
    check("a.b", Err(NotCompact));
    check(whole.rsplit_once('.').unwrap().0, Err(NotCompact));
    check(&format!("{whole}.AAAA"), Err(NotCompact));
    check(&format!("{whole}.AAAA.AAAA"), Err(NotCompact));
    check(
        r#"{"payload":"e30","protected":"e30","signature":"AAAA"}"#,
        Err(NotCompact),
    );
    check(r#"{"a":"b.c.d"}"#, Err(Base64(Part::Header)));
    check(&format!(" {whole}"), Err(Base64(Part::Header)));
    check(&format!("{whole}\n"), Err(Base64(Part::Signature)));
    check(&format!("{whole}="), Err(Base64(Part::Signature)));
    check(&whole.replace(".AAAA", ".AB"), Err(Base64(Part::Signature)));
    check(&whole.replace("e30", "e30="), Err(Base64(Part::Payload)));
    check(&whole.replace("e30", "e3+"), Err(Base64(Part::Payload)));
    check(&whole.replace("e30", "e3/"), Err(Base64(Part::Payload)));
    check(&whole.replace("e30", "e31"), Err(Base64(Part::Payload)));
    check(&"é".repeat(4097), Err(TooLarge));
    check(
        &whole.replace(".AAAA", &format!(".{}", "A".repeat(4096))),
        Err(TooLarge),
    );
}

#[test]
fn the_header_is_strict_json_without_extensions() {
    use JwsError::{Critical, HeaderJson, Kid, Typ, Unencoded};
    let header = |json: &str| segments(json, "{}");
    check(&header("{}"), Ok(()));
    check(&header("[]"), Err(HeaderJson(JsonError::NotAnObject)));
    check(&header("null"), Err(HeaderJson(JsonError::NotAnObject)));
    check(&header(""), Err(HeaderJson(JsonError::Malformed)));
    check(&header("\u{feff}{}"), Err(HeaderJson(JsonError::Malformed)));
    check(
        &header(r#"{"alg":"ES256","alg":"ES256"}"#),
        Err(HeaderJson(JsonError::DuplicateMember)),
    );
    check(
        &header(r#"{"alg":"ES256","\u0061lg":"none"}"#),
        Err(HeaderJson(JsonError::DuplicateMember)),
    );
    check(
        &header(r#"{"kid":"\u0000"}"#),
        Err(HeaderJson(JsonError::Nul)),
    );
    check(&header(r#"{"crit":[]}"#), Err(Critical));
    check(&header(r#"{"crit":["exp"],"exp":1}"#), Err(Critical));
    check(&header(r#"{"crit":null}"#), Err(Critical));
    check(&header(r#"{"crit":["b64"],"b64":true}"#), Err(Critical));
    check(&header(r#"{"b64":false}"#), Err(Unencoded));
    check(&header(r#"{"b64":"true"}"#), Err(Unencoded));
    check(&header(r#"{"b64":true}"#), Ok(()));
    check(&header(r#"{"typ":1}"#), Err(Typ));
    check(&header(r#"{"typ":null}"#), Err(Typ));
    check(&header(r#"{"kid":["a"]}"#), Err(Kid));
    check(
        &header(r#"{"jku":"https://evil.example/keys","x5u":7,"zip":"DEF"}"#),
        Ok(()),
    );
}

#[test]
fn what_a_header_says() {
    let header = |json: &str| {
        CompactJws::parse(&segments(json, ""), 4096)
            .unwrap()
            .header()
            .clone()
    };
    let check = |alg: &str, expected: Result<Algorithm, AlgorithmError>| {
        assert_eq!(
            header(&format!(r#"{{"alg":{alg}}}"#)).algorithm,
            expected,
            "{alg}"
        );
    };
    check("\"ES256\"", Ok(Algorithm::Es256));
    check("\"EdDSA\"", Ok(Algorithm::Ed25519));
    check("\"Ed25519\"", Ok(Algorithm::Ed25519));
    check("\"ES384\"", Ok(Algorithm::Es384));
    check("\"PS256\"", Ok(Algorithm::Ps256));
    check("\"RS256\"", Ok(Algorithm::Rs256));
    for unknown in [
        "none", "nOnE", "NONE", "", "HS256", "HS512", "ES256K", "ES512", "es256", "Ed448", "RS1",
    ] {
        check(&format!("\"{unknown}\""), Err(AlgorithmError::Unknown));
    }
    check("1", Err(AlgorithmError::NotText));
    check("null", Err(AlgorithmError::NotText));
    check("[\"ES256\"]", Err(AlgorithmError::NotText));
    assert_eq!(header("{}").algorithm, Err(AlgorithmError::Missing));

    let full = header(r#"{"typ":"JWT","kid":"../../x","jwk":null}"#);
    assert_eq!(
        (full.typ.as_deref(), full.kid.as_deref()),
        (Some("JWT"), Some("../../x"))
    );
    assert_eq!(full.jwk, Some(Err(JwkError::NotAnObject)));
    for naming in ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"] {
        assert!(
            header(&format!(r#"{{"{naming}":"x"}}"#)).names_key,
            "{naming}"
        );
    }
    assert!(!header(r#"{"kid":"x","typ":"y"}"#).names_key);
}

#[test]
fn a_signature_is_by_the_key_with_an_allowed_algorithm_over_the_text() {
    let (ours, other) = (es256(1), es256(2));
    let jws = ours.sign_compact(br#"{"alg":"ES256"}"#, b"hello").unwrap();
    let verify = |jws: &str, key: &countersign_jose::SigningKey, allowed: &[Algorithm]| {
        CompactJws::parse(jws, 4096)
            .unwrap()
            .verify(key.public(), Algorithms::of(allowed))
    };
    let mismatch = Err(JwsError::Signature(SignatureError::Mismatch));
    assert_eq!(verify(&jws, &ours, &[Algorithm::Es256]), Ok(()));
    assert_eq!(verify(&jws, &other, &[Algorithm::Es256]), mismatch);
    assert_eq!(
        verify(&jws, &ours, &[Algorithm::Ed25519]),
        Err(JwsError::Algorithm(AlgorithmError::NotAllowed))
    );
    assert_eq!(
        verify(&jws, &ed25519(1), &[Algorithm::Es256]),
        Err(JwsError::Signature(SignatureError::AlgorithmMismatch))
    );
    let (signed, _) = jws.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let signature = jws.rsplit_once('.').unwrap().1;
    let other_payload = format!("{header}.{}.{signature}", base64url::encode("hullo"));
    assert_eq!(verify(&other_payload, &ours, &[Algorithm::Es256]), mismatch);

    let parsed = CompactJws::parse(&jws, 4096).unwrap();
    assert_eq!(
        (parsed.payload(), parsed.signing_input()),
        (&b"hello"[..], signed)
    );
}

#[test]
fn a_signature_has_one_form() {
    let key = es256(1);
    let good = key.sign(b"text").unwrap();
    let check = |signature: &[u8], expected: Result<(), SignatureError>| {
        assert_eq!(
            key.public().verify(Algorithm::Es256, b"text", signature),
            expected
        );
    };
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let with = |at: usize, half: [u8; 32]| {
        let mut signature = good;
        signature[at..at + 32].copy_from_slice(&half);
        signature
    };
    check(&good, Ok(()));
    check(&good[..63], Err(SignatureError::Length));
    check(&[&good[..], &[0]].concat(), Err(SignatureError::Length));
    check(&[], Err(SignatureError::Length));
    check(&[0; 64], Err(SignatureError::Mismatch));
    check(&with(0, [0; 32]), Err(SignatureError::Mismatch));
    check(&with(32, [0; 32]), Err(SignatureError::Mismatch));
    check(&with(0, order), Err(SignatureError::Mismatch));
    check(&with(32, order), Err(SignatureError::Mismatch));
    check(&with(32, [0xff; 32]), Err(SignatureError::Mismatch));

    let edwards = ed25519(1);
    let good = edwards.sign(b"text").unwrap();
    let check = |signature: &[u8], expected: Result<(), SignatureError>| {
        assert_eq!(
            edwards
                .public()
                .verify(Algorithm::Ed25519, b"text", signature),
            expected
        );
    };
    check(&good, Ok(()));
    check(&good[..63], Err(SignatureError::Length));
    check(&[&good[..], &[0]].concat(), Err(SignatureError::Length));
    check(&[0; 64], Err(SignatureError::Mismatch));
}

#[test]
fn sets_of_algorithms() {
    assert_eq!(Algorithms::DEFAULT.to_string(), "ES256 Ed25519");
    assert_eq!(
        Algorithms::default(),
        Algorithms::of(&[Algorithm::Ed25519, Algorithm::Es256])
    );
    assert_eq!(Algorithms::of(&[]).to_string(), "");
    let all = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es384,
        Algorithm::Ed25519,
        Algorithm::Es256,
    ];
    assert_eq!(
        Algorithms::of(&all).to_string(),
        "ES256 Ed25519 ES384 PS256 RS256"
    );
    for algorithm in all {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        assert!(!Algorithms::of(&[]).contains(algorithm));
    }
}
