//! Client authentication: attacks.md, "Client assertion".

use countersign_issuer::model::{Authentication, Client, ClientId};
use countersign_issuer::{Change, Presented, Record, Refusal, Write, authenticate};
use countersign_jose::{Jwks, SigningKey, base64url};
use serde_json::{Value, json};

use crate::world::{
    ISSUER, START, World, ask, assertion_key, by_secret, issuer, outcome, secret_of,
};

/// The claims of a good assertion.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "signer", "sub": "signer", "aud": ISSUER, "jti": "j-1",
        "iat": START.as_secs(), "exp": START.as_secs() + 60,
    })
}

pub(crate) fn sign(claims: &Value) -> String {
    sign_with(&assertion_key(), &json!({"alg": "ES256"}), claims)
}

fn sign_with(key: &SigningKey, header: &Value, claims: &Value) -> String {
    key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
        .unwrap()
}

fn with(name: &str, value: impl Into<Value>) -> String {
    let mut claims = claims();
    claims[name] = value.into();
    sign(&claims)
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    sign(&claims)
}

fn header(header: &Value) -> String {
    sign_with(&assertion_key(), header, &claims())
}

fn present(id: &str, presented: &Presented<'_>) -> Option<&'static str> {
    let world = World::new();
    let known = world.clients.get(id).map(|known| &known.value);
    let id = ClientId::parse(id).unwrap();
    outcome(authenticate(
        &id,
        known,
        presented,
        None,
        &world.issuer,
        world.now,
    ))
}

#[test]
fn a_client_shows_what_it_is_registered_with() {
    let secret = secret_of("checkout");
    let secret = secret.reveal();
    let wrong = format!("{secret}x");
    let assertion = sign(&claims());
    for (id, presented, expected) in [
        ("checkout", Presented::Secret(secret), None),
        (
            "checkout",
            Presented::Secret(&wrong),
            Some("client_wrong_secret"),
        ),
        (
            "checkout",
            Presented::Secret(""),
            Some("client_wrong_secret"),
        ),
        ("checkout", Presented::Nothing, Some("client_other_method")),
        (
            "checkout",
            Presented::Assertion(&assertion),
            Some("client_other_method"),
        ),
        (
            "other",
            Presented::Secret(secret),
            Some("client_wrong_secret"),
        ),
        ("nobody", Presented::Secret(secret), Some("client_unknown")),
        ("nobody", Presented::Nothing, Some("client_unknown")),
        (
            "nobody",
            Presented::Assertion(&assertion),
            Some("client_unknown"),
        ),
        ("spa", Presented::Nothing, None),
        (
            "spa",
            Presented::Secret(secret),
            Some("client_other_method"),
        ),
        ("signer", Presented::Assertion(&assertion), None),
        (
            "signer",
            Presented::Secret(secret),
            Some("client_other_method"),
        ),
        ("signer", Presented::Nothing, Some("client_other_method")),
    ] {
        let what = format!("{id} {presented:?}");
        let expected = match (id, presented) {
            // The assertion names another client than the request does.
            ("checkout", Presented::Assertion(_)) => Some("assertion_iss"),
            _ => expected,
        };
        assert_eq!(present(id, &presented), expected, "{what}");
    }
}

#[test]
fn a_disabled_client_is_refused_whatever_it_shows() {
    let client = Client {
        disabled: true,
        ..by_secret("checkout")
    };
    let issuer = issuer();
    let secret = secret_of("checkout");
    let presented = Presented::Secret(secret.reveal());
    let answer = authenticate(&client.id, Some(&client), &presented, None, &issuer, START);
    assert_eq!(outcome(answer), Some("client_disabled"));
}

#[test]
fn the_peer_hears_the_same_whatever_was_wrong() {
    let told = |id: &str, presented: Presented<'_>| {
        let world = World::new();
        let known = world.clients.get(id).map(|known| &known.value);
        let id = ClientId::parse(id).unwrap();
        let refused = authenticate(&id, known, &presented, None, &world.issuer, START);
        refused.expect_err("nothing here is right").to_string()
    };
    let unknown = told("nobody", Presented::Secret("x"));
    assert_eq!(told("checkout", Presented::Secret("x")), unknown);
    assert_eq!(told("signer", Presented::Assertion("x")), unknown);
    assert_eq!(told("spa", Presented::Secret("x")), unknown);
}

#[test]
fn an_assertion_is_refused_for_each_claim_that_is_wrong() {
    let now = START.as_secs();
    for (what, assertion, expected) in [
        ("good", sign(&claims()), None),
        ("jti missing", without("jti"), Some("assertion_jti")),
        ("jti empty", with("jti", ""), Some("assertion_jti")),
        ("jti a number", with("jti", 7), Some("assertion_jti")),
        ("jti of 128 bytes", with("jti", "j".repeat(128)), None),
        (
            "jti of 129 bytes",
            with("jti", "j".repeat(129)),
            Some("assertion_jti"),
        ),
        ("exp missing", without("exp"), Some("assertion_exp_missing")),
        (
            "exp a string",
            with("exp", "never"),
            Some("assertion_claims"),
        ),
        ("exp negative", with("exp", -1), Some("assertion_claims")),
        ("exp 1e308", with("exp", 1e308), Some("assertion_too_long")),
        (
            "exp 2^63",
            with("exp", 1_u64 << 63),
            Some("assertion_too_long"),
        ),
        (
            "exp with a fraction",
            with("exp", 60.5 + f64::from(1_760_000_000)),
            None,
        ),
        (
            "exp in 24 h",
            with("exp", now + 86_400),
            Some("assertion_too_long"),
        ),
        ("exp at the limit", with("exp", now + 310), None),
        (
            "exp past the limit",
            with("exp", now + 311),
            Some("assertion_too_long"),
        ),
        ("expired within the skew", with("exp", now - 9), None),
        ("expired", with("exp", now - 10), Some("assertion_expired")),
        ("iat within the skew", with("iat", now + 10), None),
        (
            "iat ahead",
            with("iat", now + 11),
            Some("assertion_not_yet"),
        ),
        (
            "nbf ahead",
            with("nbf", now + 11),
            Some("assertion_not_yet"),
        ),
        ("iat a string", with("iat", "now"), Some("assertion_claims")),
        (
            "aud an array of the issuer",
            with("aud", json!([ISSUER])),
            None,
        ),
        (
            "aud an endpoint",
            with("aud", format!("{ISSUER}/token")),
            Some("assertion_aud"),
        ),
        (
            "aud with a slash",
            with("aud", format!("{ISSUER}/")),
            Some("assertion_aud"),
        ),
        (
            "aud the issuer and another",
            with("aud", json!([ISSUER, "https://other"])),
            Some("assertion_aud"),
        ),
        (
            "aud the issuer twice",
            with("aud", json!([ISSUER, ISSUER])),
            Some("assertion_aud"),
        ),
        (
            "aud an empty array",
            with("aud", json!([])),
            Some("assertion_aud"),
        ),
        ("aud missing", without("aud"), Some("assertion_aud")),
        (
            "iss other than sub",
            with("iss", "other"),
            Some("assertion_iss"),
        ),
        (
            "sub other than iss",
            with("sub", "other"),
            Some("assertion_iss"),
        ),
        ("sub missing", without("sub"), Some("assertion_iss")),
    ] {
        assert_eq!(
            present("signer", &Presented::Assertion(&assertion)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn an_assertion_is_refused_for_each_header_that_is_wrong() {
    let ed25519 = SigningKey::generate_ed25519([8; 32]).unwrap();
    let another = SigningKey::generate_es256([8; 32]).unwrap();
    let encoded = |text: &str| base64url::encode(text);
    let payload = encoded(&claims().to_string());
    let unsigned = format!("{}.{payload}.", encoded(r#"{"alg":"none"}"#));
    let hmac = format!(
        "{}.{payload}.{}",
        encoded(r#"{"alg":"HS256"}"#),
        encoded("mac")
    );
    let es256 = json!({"alg": "ES256"});
    for (what, assertion, expected) in [
        (
            "typed",
            header(&json!({"alg": "ES256", "typ": "client-authentication+jwt"})),
            None,
        ),
        (
            "typed, in full",
            header(&json!({"alg": "ES256", "typ": "application/client-authentication+jwt"})),
            None,
        ),
        (
            "typ JWT, which says nothing",
            header(&json!({"alg": "ES256", "typ": "JWT"})),
            None,
        ),
        (
            "typ logout+jwt",
            header(&json!({"alg": "ES256", "typ": "logout+jwt"})),
            Some("assertion_typ"),
        ),
        (
            "typ at+jwt",
            header(&json!({"alg": "ES256", "typ": "at+jwt"})),
            Some("assertion_typ"),
        ),
        (
            "typ dpop+jwt",
            header(&json!({"alg": "ES256", "typ": "dpop+jwt"})),
            Some("assertion_typ"),
        ),
        ("alg none", unsigned, Some("assertion_form")),
        ("alg HS256", hmac, Some("assertion_form")),
        (
            "crit",
            header(&json!({"alg": "ES256", "crit": ["x"]})),
            Some("assertion_form"),
        ),
        (
            "a kid nobody has",
            header(&json!({"alg": "ES256", "kid": "x"})),
            Some("assertion_key"),
        ),
        (
            "a key of another algorithm",
            sign_with(&ed25519, &json!({"alg": "Ed25519"}), &claims()),
            Some("assertion_key"),
        ),
        (
            "another key",
            sign_with(&another, &es256, &claims()),
            Some("assertion_signature"),
        ),
        ("not a JWS", "x".to_owned(), Some("assertion_form")),
        (
            "over the size cap",
            "x".repeat(5000),
            Some("assertion_form"),
        ),
    ] {
        assert_eq!(
            present("signer", &Presented::Assertion(&assertion)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn a_kid_is_looked_up_in_the_clients_own_set() {
    let named = |kid: &str, scalar: u8| {
        let key = SigningKey::generate_es256([scalar; 32]).unwrap();
        let jwk = key.public().to_jwk();
        let jwk = format!(r#"{},"kid":"{kid}"}}"#, &jwk[..jwk.len() - 1]);
        (key, jwk)
    };
    let ((first, first_jwk), (second, second_jwk)) = (named("one", 1), named("two", 2));
    let jwks = format!(r#"{{"keys":[{first_jwk},{second_jwk}]}}"#);
    let client = Client {
        authentication: Authentication::PrivateKeyJwt(Jwks::parse(jwks.as_bytes()).unwrap()),
        ..by_secret("signer")
    };
    let issuer = issuer();
    for (key, kid, expected) in [
        (&first, Some("one"), None),
        (&second, Some("two"), None),
        (&first, Some("two"), Some("assertion_signature")),
        (&first, Some("three"), Some("assertion_key")),
        // Two keys could be meant.
        (&first, None, Some("assertion_key")),
    ] {
        let header = match kid {
            Some(kid) => json!({"alg": "ES256", "kid": kid}),
            None => json!({"alg": "ES256"}),
        };
        let assertion = sign_with(key, &header, &claims());
        let presented = Presented::Assertion(&assertion);
        let answer = authenticate(&client.id, Some(&client), &presented, None, &issuer, START);
        assert_eq!(outcome(answer), expected, "{kid:?}");
    }
}

#[test]
fn an_assertion_is_spent_once_also_with_a_refusal() {
    let mut world = World::new();
    let client = world.client("signer");
    let decide = |world: &World, scope: &str| {
        let ask = ask(&[scope], &[]);
        let id = countersign_issuer::model::TokenId::from_bytes([1; 16]);
        let (catalogue, now) = (world.catalogue(), world.now);
        let shown = crate::world::shown(&client);
        countersign_issuer::issue(
            &shown,
            &ask,
            &catalogue,
            &world.issuer,
            crate::world::KEY_A,
            id,
            now,
        )
    };
    let refused = decide(&world, "nonsense");
    assert_eq!(outcome(refused.answer), Some("scope_not_permitted"));
    let spends = |change: &Change| {
        change.writes.iter().any(|write| {
            matches!(write, Write::Put { record: Record::SpentAssertion(spent), .. }
                if spent.jti == "j-1" && spent.client.as_str() == "signer"
                    && spent.until.as_secs() == START.as_secs() + 60 + 10 + 60)
        })
    };
    assert!(spends(&refused.change));
    let first = decide(&world, "orders.read");
    let second = decide(&world, "orders.read");
    assert!(first.answer.is_ok() && second.answer.is_ok());
    assert_eq!(world.commit(&first.change), Ok(()));
    // The store finds it: the replay is refused, whatever was decided.
    assert!(world.commit(&second.change).is_err());
}

#[test]
fn nothing_secret_is_shown() {
    let secret = secret_of("checkout");
    let shown = format!(
        "{:?} {:?} {:?}",
        secret,
        secret.hash(),
        Presented::Secret("hunter2")
    );
    assert!(!shown.contains(secret.reveal()) && !shown.contains("hunter2"));
    assert!(!shown.contains("css_"));
    let refused: Refusal = countersign_issuer::AuthenticationCause::WrongSecret.into();
    assert_eq!(refused.to_string(), "client authentication failed");
}
