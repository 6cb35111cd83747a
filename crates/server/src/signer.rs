//! What signs access tokens: one key, parsed once; and the key set that verifies them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use countersign::keys::v1::VerificationKey;
use countersign_client::source::BoxFuture;
use countersign_guard::{KeySource, KeysUnavailable, PublishedKeys};
use countersign_issuer::model::KeyId;
use countersign_issuer::{Claims, Issued, IssuerName, access_token};
use countersign_jose::{Algorithm, Jwks, PublicKey, PublishedKey, SigningKey, json, jwks};
use tokio::sync::watch;

use crate::document::Document;
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

    /// The access token that was issued: signed, unless it is a reference.
    pub(crate) fn access_token(
        &self,
        issued: &Issued,
        issuer: &IssuerName,
    ) -> Result<String, Refused> {
        match &issued.reference {
            Some(handle) => Ok(handle.reveal().to_owned()),
            None => self.sign(&issued.claims, issuer),
        }
    }

    /// The JWT of these claims.
    pub(crate) fn sign(&self, claims: &Claims, issuer: &IssuerName) -> Result<String, Refused> {
        self.key
            .sign_segments(&self.header, &claims.payload(issuer))
            .map_err(|_| Refused::Fault(Fault::SigningFailed))
    }
}

/// The key that signs and the keys that verify, as everybody is told. Exchanged as a whole; whoever
/// asks takes what is in use then, and ends with it.
pub(crate) struct KeySet {
    issuer: String,
    max_age_secs: AtomicU64,
    in_use: ArcSwap<InUse>,
    news: watch::Sender<()>,
}

/// Everything that is made of the keys, once for each change of them.
pub(crate) struct InUse {
    signer: Signer,
    keys: Vec<(KeyId, PublicKey)>,
    /// The same as a message: made once, not for each of the guards that ask.
    listed: Vec<VerificationKey>,
    /// The same as a JWK Set.
    jwks: Jwks,
    /// The same as the document that HTTP has.
    document: Document,
}

impl KeySet {
    pub(crate) fn new(issuer: String, max_age: Duration, in_use: InUse) -> Self {
        Self {
            issuer,
            max_age_secs: AtomicU64::new(max_age.as_secs()),
            in_use: ArcSwap::from_pointee(in_use),
            news: watch::Sender::new(()),
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

    /// What signs and verifies now.
    pub(crate) fn in_use(&self) -> Guard<Arc<InUse>> {
        self.in_use.load()
    }

    /// These keys sign and verify from now on.
    pub(crate) fn replace(&self, in_use: InUse) {
        self.in_use.store(Arc::new(in_use));
        self.news.send_replace(());
    }

    /// Changes whenever the keys do.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

impl InUse {
    /// With at least the public half of `signer`.
    pub(crate) fn new(signer: Signer, keys: Vec<(KeyId, PublicKey)>) -> Self {
        let listed = keys.iter().map(|(kid, key)| listed(kid, key)).collect();
        let published: Vec<_> = keys.iter().map(published).collect();
        let json = jwks::publish(&published);
        let jwks = Jwks::parse(json.as_bytes())
            .expect("the service's own keys are at least one and at most a few");
        Self {
            signer,
            listed,
            jwks,
            document: Document::of(json),
            keys,
        }
    }

    /// What signs access tokens.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The keys with their names.
    pub(crate) fn published(&self) -> impl Iterator<Item = PublishedKey<'_>> {
        self.keys.iter().map(published)
    }

    /// The keys as a JWK Set.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The keys as `ListKeys` has them.
    pub(crate) fn listed(&self) -> &[VerificationKey] {
        &self.listed
    }
}

/// The guard in front of this very service asks no network for its keys.
impl KeySource for KeySet {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(std::future::ready(Ok(PublishedKeys {
            issuer: self.issuer.clone(),
            keys: self.in_use().jwks.clone(),
            max_age: self.max_age(),
        })))
    }
}

fn published((kid, key): &(KeyId, PublicKey)) -> PublishedKey<'_> {
    PublishedKey {
        kid: kid.as_str(),
        algorithm: Algorithm::Es256,
        key,
    }
}

fn listed(kid: &KeyId, key: &PublicKey) -> VerificationKey {
    let jwk =
        json::parse_object(key.to_jwk().as_bytes()).expect("a key writes itself as a JSON object");
    let member = |name: &str| {
        jwk.get(name)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    VerificationKey {
        kid: kid.as_str().to_owned(),
        alg: Algorithm::Es256.name().to_owned(),
        kty: member("kty"),
        crv: member("crv"),
        x: member("x"),
        y: member("y"),
    }
}
