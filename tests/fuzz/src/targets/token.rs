//! `issuer` and `guard`: access tokens (RFC 9068).

use std::sync::LazyLock;

use countersign_guard::fuzz;
use countersign_issuer::access_token::{header, read};
use countersign_issuer::model::Scope;
use countersign_jose::{Algorithm, Jwks, PublishedKey, jwks};

use crate::world::{self, ED25519, ES256, ISSUER};

/// The `kid`s that tokens are signed under.
pub const KIDS: [&str; 2] = ["k1", "k2"];

static PUBLISHED: LazyLock<[PublishedKey<'static>; 2]> = LazyLock::new(|| {
    let key = |kid, key: &'static countersign_jose::SigningKey| PublishedKey {
        kid,
        algorithm: key.algorithm(),
        key: key.public(),
    };
    [key(KIDS[0], &ES256), key(KIDS[1], &ED25519)]
});
static SET: LazyLock<Jwks> = LazyLock::new(|| {
    Jwks::parse(jwks::publish(&*PUBLISHED).as_bytes()).expect("it was just published")
});

pub fn check(input: &[u8]) {
    let Some(token) = world::jws(input) else {
        return;
    };
    let at_guard = fuzz::token(&token, SET.clone(), ISSUER.as_str());
    let at_issuer = read(&token, &*PUBLISHED, &ISSUER);
    if at_guard.is_ok() || at_issuer.is_ok() {
        let changed = world::with_another_signature(&token).expect("it has a signature");
        assert!(fuzz::token(&changed, SET.clone(), ISSUER.as_str()).is_err());
        assert!(read(&changed, &*PUBLISHED, &ISSUER).is_err());
        let other = countersign_issuer::IssuerName::parse("https://tokens.internal:7444").unwrap();
        assert!(fuzz::token(&token, SET.clone(), other.as_str()).is_err());
        assert!(read(&token, &*PUBLISHED, &other).is_err());
    }
    let Ok(claims) = at_issuer else {
        return;
    };
    assert!(!claims.audience.is_empty(), "a token for nobody");

    // Written as we write tokens, it says the same, here and to a guard.
    let header = header(Algorithm::Es256, KIDS[0]);
    let ours = ES256
        .sign_segments(&header, &claims.payload(&ISSUER))
        .expect("the library signs anything");
    assert_eq!(read(&ours, &*PUBLISHED, &ISSUER).as_ref(), Ok(&claims));
    let guarded = fuzz::token(&ours, SET.clone(), ISSUER.as_str()).expect("we made it");
    assert_eq!(guarded.subject, claims.subject.as_str());
    assert_eq!(guarded.client_id, claims.client.as_str());
    assert_eq!(guarded.jkt, Some(claims.jkt));
    assert_eq!(guarded.expires_at, claims.expires_at);
    assert_eq!(guarded.signer, ES256.public().thumbprint());
    let scopes: Vec<&str> = claims.scopes.iter().map(Scope::as_str).collect();
    assert_eq!(guarded.scopes, scopes);
}
