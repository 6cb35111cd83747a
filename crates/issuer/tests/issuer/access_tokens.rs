//! Access tokens as RFC 9068 has them: attacks.md, "Access token", as far as the issuer reads its
//! own.

use std::time::Duration;

use countersign_issuer::IssuerName;
use countersign_issuer::access_token::{self, read};
use countersign_issuer::model::{Acr, ClientId, FamilyId, Subject};
use countersign_jose::{CertificateThumbprint, SigningKey, base64url};
use serde_json::{Value, json};

use crate::world::{
    BILLING, ISSUER, KEY_A, ORDERS, START, World, ask, by_secret, outcome, permissions, resource,
};

fn payload_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

#[test]
fn a_token_in_the_clients_own_name_says_no_more_than_it_must() {
    let mut world = World::new();
    let issued = world
        .issue("checkout", &ask(&["orders.read"], &[]))
        .unwrap();
    let token = world.sign(&issued);
    assert_eq!(
        payload_of(&token),
        json!({
            "iss": ISSUER, "sub": "checkout", "aud": ORDERS, "client_id": "checkout",
            "scope": "orders.read", "cnf": {"jkt": KEY_A.to_string()},
            "iat": START.as_secs(), "exp": START.as_secs() + 300,
            "jti": issued.claims.id.to_string(),
        })
    );
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    assert_eq!(
        header,
        json!({"typ": "at+jwt", "alg": "Ed25519", "kid": "key-1"})
    );
}

#[test]
fn a_token_of_a_family_says_so() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let payload = payload_of(&world.sign(&issued));
    assert_eq!(payload["sub"], "alice");
    assert_eq!(payload["fam"], issued.family.unwrap().to_string());
    assert_eq!(payload["auth_time"], START.as_secs());
}

#[test]
fn no_token_lives_longer_than_a_guard_honours_a_revoked_one() {
    for (configured_secs, of_resource, expected) in [
        (300, None, 300),
        (3600, None, 900),
        (3600, Some(60), 60),
        (60, Some(3600), 900),
    ] {
        let mut world = World::new();
        world.issuer.lifetimes.access_token = Duration::from_secs(configured_secs);
        let resource = &mut world.resources.get_mut(ORDERS).unwrap().value;
        resource.access_token_lifetime = of_resource.map(Duration::from_secs);
        let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
        assert_eq!(issued.claims.lifetime().as_secs(), expected);
    }
}

#[test]
fn several_resources_are_an_array() {
    let mut world = World::new();
    world.enrol(countersign_issuer::model::Client {
        permissions: permissions(&[(ORDERS, &[]), (BILLING, &[])]),
        ..by_secret("many")
    });
    let issued = world.issue("many", &ask(&[], &[ORDERS, BILLING])).unwrap();
    let payload = payload_of(&world.sign(&issued));
    assert_eq!(payload["aud"], json!([BILLING, ORDERS]));
    assert_eq!(payload.get("scope"), None);
}

/// 8 KiB is all that a guard takes: with the longest names in every claim, and as many bytes of
/// scopes as one token may have.
#[test]
fn the_largest_token_is_one_that_guards_take() {
    let mut world = World::new();
    let uris: Vec<String> = (0..8)
        .map(|at| format!("https://{at}.example/{}", "p".repeat(237)))
        .collect();
    // 15 names of 128 bytes with a space each, and one for what is left of 2048.
    let names: Vec<String> = (0..16)
        .map(|at| format!("{at:02}{}", "s".repeat(if at < 15 { 126 } else { 111 })))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // The last name again, a byte longer.
    let longer = format!("{}s", names[15]);
    let mut registered = names.clone();
    registered.push(&longer);
    for uri in &uris {
        world.register(resource(uri, &registered));
    }
    let entries: Vec<(&str, &[&str])> = uris
        .iter()
        .map(|uri| (uri.as_str(), registered.as_slice()))
        .collect();
    world.enrol(countersign_issuer::model::Client {
        permissions: permissions(&entries),
        ..by_secret("many")
    });
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();

    let more = [&names[..15], &[longer.as_str()]].concat();
    let more = world.issue("many", &ask(&more, &uris));
    assert_eq!(outcome(more), Some("scopes_too_long"));
    let mut issued = world.issue("many", &ask(&names, &uris)).unwrap();
    assert_eq!(issued.claims.scopes.to_string().len(), 2048);
    // What the other claims may hold, each at its longest.
    let quotes = "\"".repeat(255);
    issued.claims.client = ClientId::parse(&"c".repeat(128)).unwrap();
    issued.claims.subject = Subject::parse(&quotes).unwrap();
    issued.claims.acr = Acr::parse(&quotes).unwrap();
    issued.claims.auth_time = Some(START);
    issued.claims.certificate = Some(CertificateThumbprint::from_bytes([7; 32]));
    issued.claims.family = Some(FamilyId::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap());
    let issuer = format!("https://tokens.example/{}", "i".repeat(232));
    world.issuer.name = IssuerName::parse(&issuer).unwrap();
    let token = world.sign(&issued);
    // A kid of ours is a thumbprint, 43 characters, where the world's has five.
    let longest = token.len() + (43 - "key-1".len()) * 4 / 3 + 2;
    assert!(longest <= 8 * 1024, "{longest}");
    let read = read(&token, &world.published(), &world.issuer.name).unwrap();
    assert_eq!(read, issued.claims);
}

#[test]
fn a_token_is_read_as_it_was_made() {
    let mut world = World::new();
    let own = world.issue("checkout", &ask(&[], &[])).unwrap();
    let granted = world.grant("checkout");
    for issued in [own, granted] {
        let token = world.sign(&issued);
        let read = read(&token, &world.published(), &world.issuer.name).unwrap();
        assert_eq!(read, issued.claims);
    }
}

#[test]
fn what_is_not_such_a_token_is_not_read() {
    let mut world = World::new();
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    let good = payload_of(&world.sign(&issued));
    let header = json!({"typ": "at+jwt", "alg": "Ed25519", "kid": "key-1"});
    let changed = |name: &str, value: Value| {
        let mut payload = good.clone();
        payload[name] = value;
        payload
    };
    let without = |name: &str| {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(name);
        payload
    };
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    let slash = json!(format!("{ISSUER}/"));
    let mut rows = vec![
        ("good", header.clone(), good.clone(), true),
        // Found by fuzzing.
        (
            "aud of nobody",
            header.clone(),
            changed("aud", json!([])),
            false,
        ),
        (
            "iat beyond all clocks",
            header.clone(),
            changed("iat", json!(u64::MAX)),
            false,
        ),
        (
            "exp after the year 9999",
            header.clone(),
            changed("exp", json!(253_402_300_800_u64)),
            false,
        ),
        (
            "long typ",
            with("typ", json!("application/at+jwt")),
            good.clone(),
            true,
        ),
        ("typ JWT", with("typ", json!("JWT")), good.clone(), false),
        (
            "typ dpop+jwt",
            with("typ", json!("dpop+jwt")),
            good.clone(),
            false,
        ),
        (
            "no typ",
            json!({"alg": "Ed25519", "kid": "key-1"}),
            good.clone(),
            false,
        ),
        (
            "no kid",
            json!({"typ": "at+jwt", "alg": "Ed25519"}),
            good.clone(),
            false,
        ),
        (
            "kid a path",
            with("kid", json!("../../key-1")),
            good.clone(),
            false,
        ),
        (
            "jku",
            with("jku", json!("https://evil.example/jwks")),
            good.clone(),
            false,
        ),
        ("x5c", with("x5c", json!([])), good.clone(), false),
        ("crit", with("crit", json!(["exp"])), good.clone(), false),
        (
            "alg ES256",
            with("alg", json!("ES256")),
            good.clone(),
            false,
        ),
        (
            "alg HS256",
            with("alg", json!("HS256")),
            good.clone(),
            false,
        ),
        (
            "iss with a slash",
            header.clone(),
            changed("iss", slash),
            false,
        ),
        (
            "exp never",
            header.clone(),
            changed("exp", json!("never")),
            false,
        ),
        (
            "cnf empty",
            header.clone(),
            changed("cnf", json!({})),
            false,
        ),
        (
            "fam garbage",
            header.clone(),
            changed("fam", json!("x")),
            false,
        ),
    ];
    for name in ["iss", "sub", "aud", "client_id", "cnf", "iat", "exp", "jti"] {
        rows.push((name, header.clone(), without(name), false));
    }
    for (what, header, payload, accepted) in rows {
        let token = world.sign_json(&header.to_string(), &payload.to_string());
        let read = read(&token, &world.published(), &world.issuer.name);
        assert_eq!(read.is_ok(), accepted, "{what}");
    }
    let token = world.sign(&issued);
    assert!(
        read(&token, &[], &world.issuer.name).is_err(),
        "key gone from the set"
    );
    let stranger = SigningKey::generate_ed25519([4; 32]).unwrap();
    let forged = stranger
        .sign_segments(
            &access_token::header(stranger.algorithm(), "key-1"),
            good.to_string().as_bytes(),
        )
        .unwrap();
    assert!(
        read(&forged, &world.published(), &world.issuer.name).is_err(),
        "another key"
    );
}
