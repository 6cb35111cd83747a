use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_jose::{Algorithm, KeyRejected, SigningKey};

use crate::{ed25519, es256};

#[test]
fn what_is_signed_verifies() {
    for (key, algorithm) in [
        (es256(3), Algorithm::Es256),
        (ed25519(3), Algorithm::Ed25519),
    ] {
        assert_eq!(key.algorithm(), algorithm);
        for text in [&b""[..], b"x", &[0xff; 1000]] {
            let signature = key.sign(text).unwrap();
            assert_eq!(key.public().verify(algorithm, text, &signature), Ok(()));
        }
    }
}

#[test]
fn a_scalar_is_above_zero_and_below_the_order() {
    assert!(SigningKey::generate_es256([0; 32]).is_err());
    assert!(SigningKey::generate_es256([0xff; 32]).is_err());
    assert!(SigningKey::generate_ed25519([0; 32]).is_ok());
}

#[test]
fn pkcs8_there_and_back() {
    for key in [es256(4), ed25519(4)] {
        let der = key.to_pkcs8_der().unwrap();
        let again = SigningKey::from_pkcs8_der(&der).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.algorithm(), key.algorithm());
        assert_eq!(*again.to_pkcs8_der().unwrap(), *der);

        let body = STANDARD.encode(&*der);
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        let pem = |label: &str| {
            format!(
                "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
                lines.join("\n")
            )
        };
        assert_eq!(
            SigningKey::from_pkcs8_pem(&pem("PRIVATE KEY"))
                .unwrap()
                .public(),
            key.public()
        );
        assert!(SigningKey::from_pkcs8_pem(&pem("EC PRIVATE KEY")).is_err());
        assert!(SigningKey::from_pkcs8_pem(&body).is_err());
        assert!(SigningKey::from_pkcs8_der(&der[..der.len() - 1]).is_err());
    }
    assert!(SigningKey::from_pkcs8_der(b"").is_err());
    assert!(SigningKey::from_pkcs8_der(&[0x30; 5000]).is_err());
}

/// RFC 8410 §10.1 and §10.3, and a key that OpenSSL 3 made: what others write can be read.
#[test]
fn keys_of_other_tools() {
    let check = |der: &str, jwk: &str| {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        assert_eq!(
            SigningKey::from_pkcs8_pem(&pem).unwrap().public().to_jwk(),
            jwk
        );
    };
    check(
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
        r#"{"crv":"Ed25519","kty":"OKP","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}"#,
    );
    check(
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnU4vsqtYQAfJrkuD\n\
         DIADZb9xsbFlR4lXw9top46rrSehRANCAAS7ssdpX/ZZbLxqxbeHgRFhKy030rZr\n\
         twuiC+y3SQ5Zy0OmfAHTa98QisG4T94M/dctpS25LRMX9ltL/g54nbV8",
        r#"{"crv":"P-256","kty":"EC","x":"u7LHaV_2WWy8asW3h4ERYSstN9K2a7cLogvst0kOWcs","y":"Q6Z8AdNr3xCKwbhP3gz91y2lLbktExf2W0v-DnidtXw"}"#,
    );
}

#[test]
fn a_private_jwk_is_consistent() {
    let jwk = |kty: &str, crv: &str, d: &str, public: &str| {
        let members = public.trim_start_matches('{');
        format!("{{\"d\":\"{d}\",{members}")
            .replace("\"EC\"", kty)
            .replace("\"P-256\"", crv)
    };
    let d = countersign_jose::base64url::encode([5; 32]);
    let public = es256(5).public().to_jwk();
    let check = |json: String, ok: bool| {
        assert_eq!(
            SigningKey::from_private_jwk(json.as_bytes()).is_ok(),
            ok,
            "{json}"
        );
    };
    check(jwk("\"EC\"", "\"P-256\"", &d, &public), true);
    check(jwk("\"EC\"", "\"P-384\"", &d, &public), false);
    check(jwk("\"RSA\"", "\"P-256\"", &d, &public), false);
    check(
        jwk("\"EC\"", "\"P-256\"", &d, &es256(6).public().to_jwk()),
        false,
    );
    check(jwk("\"EC\"", "\"P-256\"", &d[1..], &public), false);
    check(public.clone(), false);
    check(
        public.replacen('{', &format!("{{\"d\":\"{d}\",\"d\":\"{d}\","), 1),
        false,
    );
    let edwards = ed25519(5).public().to_jwk();
    check(edwards.replacen('{', &format!("{{\"d\":\"{d}\","), 1), true);
    assert_eq!(
        SigningKey::from_private_jwk(b"{}").unwrap_err(),
        KeyRejected
    );
}

#[test]
fn nothing_secret_is_shown() {
    for key in [es256(0x41), ed25519(0x41)] {
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.public().to_jwk()), "{shown}");
        // The secret is 32 × 'A': as text, as base64url, as hex, as a list.
        for secret in ["AAAA", "QUFB", "4141", "65, 65"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
