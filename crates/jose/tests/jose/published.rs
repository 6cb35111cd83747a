//! Values from the RFCs themselves.

use countersign_jose::{
    Algorithm, Algorithms, CompactJws, SignatureError, SigningKey, base64url, sha256,
};

use crate::{RSA_N, public, vectors};

const P256_RFC7515: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

#[test]
fn thumbprints() {
    let vectors = vectors();
    let check = |jwk: &str, expected: &serde_json::Value| {
        assert_eq!(
            public(jwk).thumbprint().to_string(),
            expected.as_str().unwrap()
        );
    };
    let rsa =
        format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#);
    check(&rsa, &vectors["thumbprints"]["rfc7638_3.1"]);
    check(P256_RFC7515, &vectors["thumbprints"]["rfc7515_A.3"]);
    let okp = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{RFC8037_X}"}}"#);
    check(&okp, &vectors["thumbprints"]["rfc8037_A.3"]);
    check(
        &vectors["rfc9449"]["jwk"].to_string(),
        &vectors["rfc9449"]["jkt"],
    );
    let leading_zero = &vectors["leading_zero_key"];
    check(&leading_zero["jwk"].to_string(), &leading_zero["jkt"]);
    assert_ne!(
        leading_zero["jkt"],
        leading_zero["jkt_if_the_zero_is_stripped_wrong"]
    );
}

#[test]
fn rfc_7515_a2_rs256() {
    let key = public(
        r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
    );
    let jws = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let parsed = CompactJws::parse(jws, 4096).unwrap();
    assert_eq!(
        parsed.verify(&key, Algorithms::of(&[Algorithm::Rs256])),
        Ok(())
    );
    assert!(parsed.verify(&key, Algorithms::DEFAULT).is_err());
}

#[test]
fn rfc_7515_a3_es256() {
    let jws = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let parsed = CompactJws::parse(jws, 4096).unwrap();
    assert_eq!(
        parsed.verify(&public(P256_RFC7515), Algorithms::DEFAULT),
        Ok(())
    );
    let with_secret = P256_RFC7515.replacen(
        '{',
        r#"{"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","#,
        1,
    );
    let key = SigningKey::from_private_jwk(with_secret.as_bytes()).unwrap();
    assert_eq!(key.public(), &public(P256_RFC7515));
}

/// RFC 8037 A.1 and A.4.
const RFC8037_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const RFC8037_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const RFC8037_JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn rfc_8037_ed25519() {
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","d":"{RFC8037_D}","x":"{RFC8037_X}"}}"#);
    let key = SigningKey::from_private_jwk(jwk.as_bytes()).unwrap();
    let parsed = CompactJws::parse(RFC8037_JWS, 4096).unwrap();
    assert_eq!(parsed.verify(key.public(), Algorithms::DEFAULT), Ok(()));
    // Ed25519 is deterministic: the RFC's own signature comes out.
    let signed = key
        .sign_compact(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing")
        .unwrap();
    assert_eq!(signed, RFC8037_JWS);
}

#[test]
fn rfc_9449_proofs() {
    let vectors = vectors();
    let rfc = &vectors["rfc9449"];
    let key = public(&rfc["jwk"].to_string());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for proof in rfc["proofs"].as_array().unwrap() {
        let signed = format!(
            "{}.{}",
            text(&rfc["header_segment"]),
            text(&proof["payload_segment"])
        );
        let verify = |signature: &serde_json::Value| {
            let jws = format!("{signed}.{}", text(signature));
            let parsed = CompactJws::parse(&jws, 4096).unwrap();
            let jwk = parsed.header().jwk.clone().unwrap().unwrap();
            assert_eq!(jwk.key, key);
            parsed.verify(&key, Algorithms::DEFAULT)
        };
        assert_eq!(verify(&proof["signature_segment"]), Ok(()), "high-S");
        if proof["figure"] == 5 {
            assert_eq!(verify(&proof["signature_low_s_twin"]), Ok(()));
            let der = verify(&proof["signature_der_must_be_refused"]);
            assert_eq!(
                der,
                Err(countersign_jose::JwsError::Signature(
                    SignatureError::Length
                ))
            );
        } else {
            let token = text(&proof["access_token"]);
            let hashed = |text: &str| base64url::encode(sha256(&[text.as_bytes()]));
            assert_eq!(hashed(&token), text(&proof["ath"]));
            let wrong = text(&proof["ath_computed_wrongly_with_the_scheme"]);
            assert_eq!(hashed(&format!("DPoP {token}")), wrong);
        }
    }
}

#[test]
fn rfc_7636_challenge() {
    let vectors = vectors();
    let pkce = &vectors["pkce_rfc7636_B"];
    let verifier = pkce["verifier"].as_str().unwrap();
    assert_eq!(
        base64url::encode(sha256(&[verifier.as_bytes()])),
        pkce["challenge"]
    );
    assert_eq!(sha256(&[b"ab", b"", b"c"]), sha256(&[b"abc"]));
    assert_eq!(sha256(&[]), sha256(&[b""]));
}
