//! An issuer that lives in the test.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use countersign_client::random::{self, NoRandomness};
use countersign_client::source::BoxFuture;
use countersign_guard::{
    KeySource, KeysUnavailable, PublishedKeys, Revocation, RevocationSource, Revocations,
    RevocationsTold, RevokedTarget, WatchFailed,
};
use countersign_jose::{Jwks, PublishedKey, SigningKey, jwks};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_stream::Stream;

use crate::MovableClock;

/// Its name, as it stands in `iss`.
pub(crate) const ISSUER: &str = "https://issuer.test";

const KID: &str = "test";

/// Nothing breaks within a process, so nobody need wait for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(24 * 3600);

/// Longer than any token of a test lives, whatever its claims: none comes back to life
/// because the clock was moved.
const REMEMBERED: Duration = Duration::from_secs(366 * 24 * 3600);

/// An issuer that lives in the test: a key, and what it has revoked.
pub(crate) struct Issuer {
    key: SigningKey,
    clock: Arc<MovableClock>,
    revoked: Mutex<Revoked>,
    /// How many revocations the guard has taken.
    taken: watch::Sender<usize>,
}

#[derive(Default)]
struct Revoked {
    all: Vec<Revocation>,
    /// None before a guard has asked.
    telling: Option<UnboundedSender<Telling>>,
}

/// What the guard is told, and how many revocations it has then.
struct Telling {
    told: RevocationsTold,
    count: usize,
}

impl Issuer {
    pub(crate) fn new(clock: Arc<MovableClock>) -> Result<Self, NoRandomness> {
        Ok(Self {
            key: new_key()?,
            clock,
            revoked: Mutex::default(),
            taken: watch::Sender::new(0),
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

    /// Revokes a token, once however often this is called. What comes back waits until
    /// the guard has taken it; none if there is no guard that asks this issuer.
    pub(crate) fn revoke(&self, token_id: &str) -> Option<impl Future<Output = ()> + use<>> {
        let target = RevokedTarget::Token(token_id.to_owned());
        let mut revoked = self.revoked.lock();
        revoked.telling.as_ref()?;
        let known = revoked.all.iter().position(|known| known.target == target);
        let at = known.unwrap_or_else(|| {
            let now = countersign_client::clock::Clock::now(&*self.clock);
            revoked.add(Revocation {
                target,
                revoked_at: now,
                forget_at: now.plus(REMEMBERED),
            })
        });
        let mut taken = self.taken.subscribe();
        Some(async move {
            // It fails when the issuer is gone, and with it whoever waits.
            let _ = taken.wait_for(|&taken| taken > at).await;
        })
    }
}

impl Revoked {
    /// Where it stands among all.
    fn add(&mut self, revocation: Revocation) -> usize {
        self.all.push(revocation.clone());
        let telling = self.telling(vec![revocation]);
        if let Some(guard) = &self.telling {
            // Whoever does not listen any more is told all when it asks again.
            let _ = guard.send(telling);
        }
        self.all.len() - 1
    }

    fn telling(&self, revocations: Vec<Revocation>) -> Telling {
        let count = self.all.len();
        Telling {
            told: RevocationsTold {
                revocations,
                cursor: count.to_string(),
                complete: true,
                heartbeat: HEARTBEAT,
            },
            count,
        }
    }
}

/// What one watch is told. A guard asks for the next message when it has taken the last.
struct Told {
    telling: UnboundedReceiver<Telling>,
    taken: watch::Sender<usize>,
    given: usize,
}

impl Stream for Told {
    type Item = Result<RevocationsTold, WatchFailed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let given = self.given;
        self.taken.send_if_modified(|taken| {
            let more = given > *taken;
            *taken = given.max(*taken);
            more
        });
        let Some(Telling { told, count }) = ready!(self.telling.poll_recv(cx)) else {
            return Poll::Ready(None);
        };
        self.given = count;
        Poll::Ready(Some(Ok(told)))
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
        let (guard, telling) = unbounded_channel();
        let mut revoked = self.revoked.lock();
        // All of it, whatever the cursor: what is known already does no harm.
        let _ = guard.send(revoked.telling(revoked.all.clone()));
        revoked.telling = Some(guard);
        let told: Revocations = Box::pin(Told {
            telling,
            taken: self.taken.clone(),
            given: 0,
        });
        Box::pin(std::future::ready(Ok(told)))
    }
}

/// A key that nobody else has.
pub(crate) fn new_key() -> Result<SigningKey, NoRandomness> {
    let key = SigningKey::generate_ed25519(random::bytes()?);
    Ok(key.expect("any 32 bytes are an Ed25519 key (RFC 8032 §5.1.5)"))
}
