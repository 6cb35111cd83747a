use countersign_jose::{Algorithm, Jwk, JwkError, PublicKey, SignatureError, base64url};

use crate::{RSA_N, ed25519, es256, public};

/// A JWK under construction: members in order, each of any JSON.
#[derive(Clone)]
struct Members(Vec<(String, String)>);

impl Members {
    fn with(mut self, name: &str, json: impl Into<String>) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.into(), json.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    fn json(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, json)| format!("\"{name}\":{json}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

fn text(value: impl AsRef<str>) -> String {
    format!("\"{}\"", value.as_ref())
}

fn bytes(value: impl AsRef<[u8]>) -> String {
    text(base64url::encode(value))
}

fn none() -> Members {
    Members(Vec::new())
}

fn p256() -> Members {
    let vectors = crate::vectors();
    let jwk = &vectors["rfc9449"]["jwk"];
    none()
        .with("kty", "\"EC\"")
        .with("crv", "\"P-256\"")
        .with("x", jwk["x"].to_string())
        .with("y", jwk["y"].to_string())
}

fn p384() -> Members {
    // The base point of P-384: a key like any other to a parser.
    let x = "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7";
    let y = "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
    none()
        .with("kty", "\"EC\"")
        .with("crv", "\"P-384\"")
        .with("x", bytes(hex(x)))
        .with("y", bytes(hex(y)))
}

fn okp() -> Members {
    let key: serde_json::Value = serde_json::from_str(&ed25519(1).public().to_jwk()).unwrap();
    none()
        .with("kty", "\"OKP\"")
        .with("crv", "\"Ed25519\"")
        .with("x", key["x"].to_string())
}

fn rsa() -> Members {
    none()
        .with("kty", "\"RSA\"")
        .with("n", text(RSA_N))
        .with("e", "\"AQAB\"")
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[track_caller]
fn check(members: &Members, expected: Result<(), JwkError>) {
    let json = members.json();
    assert_eq!(
        PublicKey::from_jwk(json.as_bytes()).map(|_| ()),
        expected,
        "{json}"
    );
}

#[test]
fn the_kinds_of_key() {
    use JwkError::{Curve, KeyType};
    check(&p256(), Ok(()));
    check(&p384(), Ok(()));
    check(&okp(), Ok(()));
    check(&rsa(), Ok(()));
    check(&p256().without("kty"), Err(KeyType));
    check(&p256().with("kty", "\"ec\""), Err(KeyType));
    check(&p256().with("kty", "1"), Err(KeyType));
    check(&none().with("kty", "\"oct\""), Err(KeyType));
    check(&p256().with("kty", "\"oct\""), Err(KeyType));
    check(&p256().without("crv"), Err(Curve));
    check(&p256().with("crv", "\"secp256k1\""), Err(Curve));
    check(&p256().with("crv", "\"P-521\""), Err(Curve));
    check(&p256().with("crv", "\"p-256\""), Err(Curve));
    check(&p256().with("crv", "\"Ed25519\""), Err(Curve));
    check(&okp().with("crv", "\"X25519\""), Err(Curve));
    check(&okp().with("crv", "\"Ed448\""), Err(Curve));
    check(&p256().with("crv", "\"P-384\""), Err(JwkError::Component));
}

#[test]
fn no_private_or_symmetric_member_whatever_its_value() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in ["\"AAAA\"", "\"\"", "null", "[]"] {
            for key in [p256(), p384(), okp(), rsa()] {
                check(&key.with(name, value), Err(JwkError::PrivateMember));
            }
        }
    }
    check(
        &none().with("kty", "\"oct\"").with("k", "\"AAAA\""),
        Err(JwkError::PrivateMember),
    );
}

#[test]
fn coordinates_have_their_size_and_one_text() {
    use JwkError::Component;
    check(&p256().without("x"), Err(Component));
    check(&p256().without("y"), Err(Component));
    check(&p256().with("x", "null"), Err(Component));
    check(&p256().with("x", "[1]"), Err(Component));
    check(&p256().with("x", bytes([1; 31])), Err(Component));
    check(&p256().with("x", bytes([1; 33])), Err(Component));
    check(&p256().with("y", bytes([1; 31])), Err(Component));
    check(&p256().with("y", bytes([1; 33])), Err(Component));
    check(&p384().with("x", bytes([1; 32])), Err(Component));
    check(&p384().with("y", bytes([1; 47])), Err(Component));
    check(&okp().with("x", bytes([1; 31])), Err(Component));
    check(&okp().with("x", bytes([1; 33])), Err(Component));
    check(&okp().without("x"), Err(Component));
    let x = base64url::encode([1; 32]);
    check(&p256().with("x", text(format!("{x}="))), Err(Component));
    check(&p256().with("x", text(format!("{x}=="))), Err(Component));
    check(&p256().with("x", text(x.replace('B', "+"))), Err(Component));
    check(&p256().with("x", text(format!(" {x}"))), Err(Component));
    // The last character of 43 holds two bits that must be zero.
    let (start, _) = x.split_at(42);
    check(&p256().with("x", text(format!("{start}B"))), Err(Component));
}

#[test]
fn rsa_numbers_are_bounded_before_any_arithmetic() {
    use JwkError::{Component, RsaExponent, RsaModulus};
    let odd = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = 0xff >> ((8 - bits % 8) % 8);
        bytes(n)
    };
    check(&rsa().with("n", odd(2048)), Ok(()));
    check(&rsa().with("n", odd(3072)), Ok(()));
    check(&rsa().with("n", odd(4096)), Ok(()));
    check(&rsa().with("n", odd(2047)), Err(RsaModulus));
    check(&rsa().with("n", odd(1024)), Err(RsaModulus));
    check(&rsa().with("n", odd(4097)), Err(RsaModulus));
    check(&rsa().with("n", odd(16 * 1024)), Err(RsaModulus));
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    check(&rsa().with("n", bytes(even)), Err(RsaModulus));
    let mut padded = vec![0];
    padded.extend([0xff; 256]);
    check(&rsa().with("n", bytes(padded)), Err(Component));
    check(&rsa().with("n", "\"\""), Err(Component));
    check(&rsa().with("n", "2"), Err(Component));
    check(&rsa().without("n"), Err(Component));
    check(&rsa().without("e"), Err(Component));
    check(&rsa().with("e", bytes([3])), Ok(()));
    check(&rsa().with("e", bytes([1])), Err(RsaExponent));
    check(&rsa().with("e", bytes([2])), Err(RsaExponent));
    check(&rsa().with("e", bytes([1, 0, 0])), Err(RsaExponent));
    check(&rsa().with("e", bytes([0xff; 4])), Ok(()));
    check(&rsa().with("e", bytes([0xff; 5])), Err(RsaExponent));
    check(&rsa().with("e", bytes([0, 1, 0, 1])), Err(Component));
    check(&rsa().with("e", "65537"), Err(Component));
}

#[test]
fn what_a_key_says_of_itself_must_agree() {
    use JwkError::{Contradiction, Kid};
    check(&p256().with("alg", "\"ES256\""), Ok(()));
    check(&p256().with("alg", "\"ES384\""), Err(Contradiction));
    check(&p256().with("alg", "\"ECDH-ES\""), Err(Contradiction));
    check(&p256().with("alg", "\"none\""), Err(Contradiction));
    check(&p256().with("alg", "\"HS256\""), Err(Contradiction));
    check(&p256().with("alg", "1"), Err(Contradiction));
    check(&p256().with("alg", "null"), Err(Contradiction));
    check(&p384().with("alg", "\"ES384\""), Ok(()));
    check(&p384().with("alg", "\"ES256\""), Err(Contradiction));
    check(&okp().with("alg", "\"EdDSA\""), Ok(()));
    check(&okp().with("alg", "\"Ed25519\""), Ok(()));
    check(&okp().with("alg", "\"ES256\""), Err(Contradiction));
    check(&rsa().with("alg", "\"RS256\""), Ok(()));
    check(&rsa().with("alg", "\"PS256\""), Ok(()));
    check(&rsa().with("alg", "\"RS512\""), Err(Contradiction));
    check(&rsa().with("alg", "\"RSA-OAEP\""), Err(Contradiction));
    check(&p256().with("use", "\"sig\""), Ok(()));
    check(&p256().with("use", "\"enc\""), Err(Contradiction));
    check(&p256().with("use", "\"SIG\""), Err(Contradiction));
    check(&p256().with("use", "null"), Err(Contradiction));
    check(&p256().with("key_ops", "[\"verify\"]"), Ok(()));
    check(&p256().with("key_ops", "[\"sign\"]"), Err(Contradiction));
    check(
        &p256().with("key_ops", "[\"verify\",\"verify\"]"),
        Err(Contradiction),
    );
    check(
        &p256().with("key_ops", "[\"verify\",\"encrypt\"]"),
        Err(Contradiction),
    );
    check(
        &p256().with("key_ops", "[\"deriveKey\"]"),
        Err(Contradiction),
    );
    check(&p256().with("key_ops", "[]"), Err(Contradiction));
    check(&p256().with("key_ops", "\"verify\""), Err(Contradiction));
    check(&p256().with("kid", "\"one\""), Ok(()));
    check(&p256().with("kid", "1"), Err(Kid));
}

#[test]
fn members_that_are_not_known_change_nothing() {
    let decorated = p256()
        .with("kid", "\"../../x\"")
        .with("ext", "true")
        .with("x5c", "[\"AAAA\"]")
        .with("iat", "1")
        .with("n", "\"ignored for this kind\"");
    let plain = public(&p256().json());
    assert_eq!(public(&decorated.json()), plain);
    assert_eq!(public(&decorated.json()).thumbprint(), plain.thumbprint());
    let jwk = Jwk::parse(decorated.with("alg", "\"ES256\"").json().as_bytes()).unwrap();
    assert_eq!(
        (jwk.kid.as_deref(), jwk.alg),
        (Some("../../x"), Some(Algorithm::Es256))
    );
}

#[test]
fn points_off_the_curve_verify_nothing_and_are_not_registered() {
    let x = p256().0[2].1.clone();
    let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let off_curve = [
        p256().with("y", bytes([1; 32])),
        p256().with("y", x),
        p256().with("x", bytes([0; 32])).with("y", bytes([0; 32])),
        p256().with("x", bytes(hex(p))),
        p256().with("x", bytes([0xff; 32])),
        p256().with("y", bytes([0xff; 32])),
        p384().with("y", bytes([1; 48])),
        p384().with("x", bytes([0; 48])).with("y", bytes([0; 48])),
    ];
    for members in off_curve {
        let key = public(&members.json());
        assert_eq!(
            key.ensure_on_curve(),
            Err(JwkError::PointNotOnCurve),
            "{}",
            members.json()
        );
        if key.algorithm_fits(Algorithm::Es256) {
            let verified = key.verify(Algorithm::Es256, b"x", &[1; 64]);
            assert_eq!(verified, Err(SignatureError::PointNotOnCurve));
        } else {
            assert!(key.verify(Algorithm::Es384, b"x", &[1; 96]).is_err());
        }
    }
    for members in [p256(), p384(), okp(), rsa()] {
        assert_eq!(public(&members.json()).ensure_on_curve(), Ok(()));
    }
}

#[test]
fn ed25519_points_are_canonical_of_full_order_and_on_the_curve() {
    use JwkError::{PointNotOnCurve, SmallOrder};
    let with_x = |x: [u8; 32]| okp().with("x", bytes(x));
    let little_endian = |low: u8, fill: u8, high: u8| {
        let mut x = [fill; 32];
        x[0] = low;
        x[31] = high;
        x
    };
    check(&with_x([0; 32]), Err(SmallOrder));
    check(&with_x(little_endian(1, 0, 0)), Err(SmallOrder));
    check(&with_x(little_endian(1, 0, 0x80)), Err(SmallOrder));
    check(&with_x(little_endian(0xec, 0xff, 0x7f)), Err(SmallOrder));
    check(&with_x(little_endian(0xec, 0xff, 0xff)), Err(SmallOrder));
    // p and above are second names for small numbers.
    check(
        &with_x(little_endian(0xed, 0xff, 0x7f)),
        Err(PointNotOnCurve),
    );
    check(
        &with_x(little_endian(0xee, 0xff, 0xff)),
        Err(PointNotOnCurve),
    );
    check(
        &with_x(little_endian(0xff, 0xff, 0x7f)),
        Err(PointNotOnCurve),
    );
    for low_order in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        let bytes: [u8; 32] = hex(low_order).try_into().unwrap();
        let point = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress();
        assert!(
            point.unwrap().is_small_order(),
            "{low_order} is of small order indeed"
        );
        check(&with_x(bytes), Err(SmallOrder));
    }
    // Half of all y are of no point: the parser lets them pass, registration does not.
    let two = public(&with_x(little_endian(2, 0, 0)).json());
    assert_eq!(two.ensure_on_curve(), Err(PointNotOnCurve));
    assert!(two.verify(Algorithm::Ed25519, b"x", &[0; 64]).is_err());
}

#[test]
fn a_keys_algorithm_is_fixed_by_its_kind() {
    use Algorithm::{Ed25519, Es256, Es384, Ps256, Rs256};
    let check = |members: Members, fitting: &[Algorithm]| {
        let key = public(&members.json());
        for algorithm in [Es256, Ed25519, Es384, Ps256, Rs256] {
            let fits = fitting.contains(&algorithm);
            assert_eq!(
                key.algorithm_fits(algorithm),
                fits,
                "{algorithm} with {key:?}"
            );
            if !fits {
                let verified = key.verify(algorithm, b"x", &[1; 64]);
                assert_eq!(verified, Err(SignatureError::AlgorithmMismatch));
            }
        }
    };
    check(p256(), &[Es256]);
    check(p384(), &[Es384]);
    check(okp(), &[Ed25519]);
    check(rsa(), &[Ps256, Rs256]);
}

#[test]
fn a_key_is_written_as_it_is_read() {
    for members in [p256(), p384(), okp(), rsa()] {
        let key = public(&members.json());
        assert_eq!(public(&key.to_jwk()), key);
        assert_eq!(public(&key.to_jwk()).thumbprint(), key.thumbprint());
    }
    assert_ne!(
        es256(1).public().thumbprint(),
        es256(2).public().thumbprint()
    );
}

#[test]
fn the_json_is_strict() {
    let json = p256().json();
    let twice = json.replacen("{", "{\"kty\":\"EC\",", 1);
    let parsed = PublicKey::from_jwk(twice.as_bytes());
    assert!(matches!(parsed, Err(JwkError::Json(_))));
    assert!(matches!(PublicKey::from_jwk(b"[]"), Err(JwkError::Json(_))));
    assert!(matches!(PublicKey::from_jwk(b""), Err(JwkError::Json(_))));
}
