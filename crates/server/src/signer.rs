//! What signs access tokens: one key, parsed once; and the key set that verifies them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::keys::v1::VerificationKey;
use countersign_client::source::BoxFuture;
use countersign_guard::{KeySource, KeysUnavailable, PublishedKeys};
use countersign_issuer::{Claims, IssuerName, access_token};
use countersign_jose::{Algorithm, Jwks, PublicKey, PublishedKey, SigningKey, json, jwks};

use crate::refused::{Fault, Refused};

/// The key that signs now. The header of its tokens is encoded once.
#[derive(Clone)]
pub(crate) struct Signer {
    header: Arc<str>,
    key: Arc<SigningKey>,
}

impl Signer {
    pub(crate) fn new(kid: &str, key: Arc<SigningKey>) -> Self {
        Self {
            header: access_token::header(key.algorithm(), kid).into(),
            key,
        }
    }

    /// The access token of these claims.
    pub(crate) fn sign(&self, claims: &Claims, issuer: &IssuerName) -> Result<String, Refused> {
        self.key
            .sign_segments(&self.header, &claims.payload(issuer))
            .map_err(|_| Refused::Fault(Fault::SigningFailed))
    }
}

/// The keys that verify access tokens, as everybody is told.
pub(crate) struct KeySet {
    issuer: String,
    max_age_secs: AtomicU64,
    keys: Vec<(String, PublicKey)>,
    /// The same as a message: made once, not for each of the guards that ask.
    listed: Vec<VerificationKey>,
}

impl KeySet {
    pub(crate) fn new(issuer: String, max_age: Duration, keys: Vec<(String, PublicKey)>) -> Self {
        Self {
            issuer,
            max_age_secs: AtomicU64::new(max_age.as_secs()),
            listed: keys.iter().map(|(kid, key)| listed(kid, key)).collect(),
            keys,
        }
    }

    /// The issuer that signs with these keys.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How long others may keep the set.
    pub(crate) fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age_secs.load(Ordering::Relaxed))
    }

    /// Others may keep it for so long from now on.
    pub(crate) fn replace_max_age(&self, max_age: Duration) {
        self.max_age_secs
            .store(max_age.as_secs(), Ordering::Relaxed);
    }

    /// The keys with their names.
    pub(crate) fn published(&self) -> Vec<PublishedKey<'_>> {
        self.keys
            .iter()
            .map(|(kid, key)| PublishedKey {
                kid,
                algorithm: Algorithm::Es256,
                key,
            })
            .collect()
    }

    /// The keys as `ListKeys` has them.
    pub(crate) fn listed(&self) -> Vec<VerificationKey> {
        self.listed.clone()
    }

    /// The keys as a JWK Set.
    fn jwks(&self) -> Jwks {
        Jwks::parse(jwks::publish(&self.published()).as_bytes())
            .expect("the service's own keys are at least one and at most a few")
    }
}

/// The guard in front of this very service asks no network for its keys.
impl KeySource for KeySet {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(std::future::ready(Ok(PublishedKeys {
            issuer: self.issuer.clone(),
            keys: self.jwks(),
            max_age: self.max_age(),
        })))
    }
}

fn listed(kid: &str, key: &PublicKey) -> VerificationKey {
    let jwk =
        json::parse_object(key.to_jwk().as_bytes()).expect("a key writes itself as a JSON object");
    let member = |name: &str| {
        jwk.get(name)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    VerificationKey {
        kid: kid.to_owned(),
        alg: Algorithm::Es256.name().to_owned(),
        kty: member("kty"),
        crv: member("crv"),
        x: member("x"),
        y: member("y"),
    }
}
