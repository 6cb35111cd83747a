//! An issuer that lives in the test.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::random::{self, NoRandomness};
use countersign_client::source::BoxFuture;
use countersign_guard::{
    KeySource, KeysUnavailable, PublishedKeys, Revocation, RevocationSource, Revocations,
    RevocationsTold, RevokedTarget, WatchFailed,
};
use countersign_jose::{Jwks, PublishedKey, SigningKey, UnixTime, jwks};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::MovableClock;

/// Its name, as it stands in `iss`.
pub(crate) const ISSUER: &str = "https://issuer.test";

const KID: &str = "test";

/// Nothing breaks within a process, so nobody need wait for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(24 * 3600);

type Telling = UnboundedSender<Result<RevocationsTold, WatchFailed>>;

/// An issuer that lives in the test: a key, and what it has revoked.
pub(crate) struct Issuer {
    key: SigningKey,
    clock: Arc<MovableClock>,
    revoked: Mutex<Revoked>,
}

#[derive(Default)]
struct Revoked {
    all: Vec<Revocation>,
    telling: Option<Telling>,
}

impl Issuer {
    pub(crate) fn new(clock: Arc<MovableClock>) -> Result<Self, NoRandomness> {
        Ok(Self {
            key: new_key()?,
            clock,
            revoked: Mutex::default(),
        })
    }

    /// Signs an access token (RFC 9068 §2.1).
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> String {
        let header = json!({ "alg": self.key.algorithm().name(), "typ": "at+jwt", "kid": KID });
        let claims = Value::from(claims.clone()).to_string();
        self.key
            .sign_compact(header.to_string().as_bytes(), claims.as_bytes())
            .expect("a key that was just made signs")
    }

    pub(crate) fn revoke(&self, token_id: &str, forget_at: UnixTime) {
        let revocation = Revocation {
            target: RevokedTarget::Token(token_id.to_owned()),
            revoked_at: countersign_client::clock::Clock::now(&*self.clock),
            forget_at,
        };
        let mut revoked = self.revoked.lock();
        revoked.all.push(revocation.clone());
        let told = revoked.told(vec![revocation]);
        if let Some(telling) = &revoked.telling {
            // Whoever does not listen any more is told all when it asks again.
            let _ = telling.send(Ok(told));
        }
    }
}

impl Revoked {
    fn told(&self, revocations: Vec<Revocation>) -> RevocationsTold {
        RevocationsTold {
            revocations,
            cursor: self.all.len().to_string(),
            complete: true,
            heartbeat: HEARTBEAT,
        }
    }
}

impl KeySource for Issuer {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let key = PublishedKey {
            kid: KID,
            algorithm: self.key.algorithm(),
            key: self.key.public(),
        };
        let keys = Jwks::parse(jwks::publish(&[key]).as_bytes()).map_err(KeysUnavailable::new);
        Box::pin(std::future::ready(keys.map(|keys| PublishedKeys {
            issuer: ISSUER.to_owned(),
            keys,
            max_age: Duration::from_secs(300),
        })))
    }
}

impl RevocationSource for Issuer {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let (telling, told) = unbounded_channel();
        let mut revoked = self.revoked.lock();
        // All of it, whatever the cursor: what is known already does no harm.
        let _ = telling.send(Ok(revoked.told(revoked.all.clone())));
        revoked.telling = Some(telling);
        let told: Revocations = Box::pin(UnboundedReceiverStream::new(told));
        Box::pin(std::future::ready(Ok(told)))
    }
}

/// A key that nobody else has.
pub(crate) fn new_key() -> Result<SigningKey, NoRandomness> {
    let key = SigningKey::generate_ed25519(random::bytes()?);
    Ok(key.expect("any 32 bytes are an Ed25519 key (RFC 8032 §5.1.5)"))
}
