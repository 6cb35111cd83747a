//! Reference tokens: their issuer is asked what they say (RFC 7662).
//!
//! A token is asked about once, however many calls show it meanwhile, and what was said is gone by
//! after a few seconds. Refusals are never kept. Whoever makes up tokens makes the guard ask, but
//! takes no room from those whose tokens were good.

mod form;
mod places;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::Secret;
use countersign_client::clock::Clock;
use countersign_jose::Thumbprint;
use countersign_telemetry::spans;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tracing::{Instrument as _, warn};

pub(crate) use self::form::is_reference;
use self::form::is_well_formed;
use self::places::{Places, Standing};
pub(crate) use self::source::TokenServiceIntrospection;
pub use self::source::{Introspected, IntrospectionUnavailable, Introspector};
use super::Claims;
use super::seen::SeenTokens;
use crate::refusal::{Refusal, TokenRefusal};

/// How long what was said is gone by, while nothing would correct it: short enough that a revocation
/// is felt, long enough that a busy caller costs one question in thousands of calls.
const KEPT: Duration = Duration::from_secs(5);

/// The same, while revocations are told as they happen. Not until the token's end: a watch tells of
/// a key that was revoked, and not of what another key has of a family that dies with it.
const KEPT_WATCHED: Duration = Duration::from_secs(60);

/// An answer that takes longer is none: callers wait for it.
const WITHIN: Duration = Duration::from_secs(5);

/// Questions on their way at once. The rest wait: whoever makes up tokens and keys makes the guard
/// ask, and must not make it ask the service to death.
const AT_ONCE: usize = 64;

/// Of these, the ones that strangers may make it ask.
const AT_ONCE_STRANGE: usize = AT_ONCE / 4 * 3;

/// For how long after an answer about a token of it a key is no stranger: longer than any access
/// token lives, so that whoever calls now and then stays known.
const KEY_KNOWN_FOR: Duration = Duration::from_secs(3600);

/// One line in so long, while there are no answers.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Whether revocations are told as they happen, now.
pub(crate) type WatchIsLive = Box<dyn Fn() -> bool + Send + Sync>;

/// What became of a question.
pub(crate) type Answer = Result<Arc<Claims>, Refusal>;

/// Vouches for reference tokens.
pub(crate) struct Online(Arc<Inner>);

struct Inner {
    introspector: Arc<dyn Introspector>,
    issuer: Box<str>,
    clock: Arc<dyn Clock>,
    told: SeenTokens<Told>,
    /// The keys that a good token was bound to, and when that was last said. Strangers cannot
    /// write here, so they cannot make it forget anybody.
    keys: SeenTokens<Duration>,
    places: Mutex<Places>,
    at_once: Semaphore,
    /// Taken by strangers besides, so that they never have all of the others.
    at_once_strange: Semaphore,
    /// Somebody tells the guard of revocations as they happen.
    watch_is_live: WatchIsLive,
    /// When the last line was said, in milliseconds of the steady clock, and one more.
    said: AtomicU64,
}

/// What was said of a token.
#[derive(Clone)]
struct Told {
    claims: Arc<Claims>,
    /// When it was asked for, by the steady clock: it is no newer than that.
    asked_at: Duration,
    /// It was said to be worth nothing since. Kept for telling why, not for deciding.
    dead: bool,
}

/// A question that is on its way. Whoever waits for it may go; the question goes on.
#[derive(Clone)]
pub(crate) struct Asking(watch::Receiver<Option<Answer>>);

impl Asking {
    /// The answer, when it is there.
    pub(crate) async fn answer(mut self) -> Answer {
        match self.0.wait_for(Option::is_some).await {
            Ok(answer) => answer
                .clone()
                .unwrap_or(Err(Refusal::IntrospectionUnreachable)),
            // Whoever asked has panicked.
            Err(_) => Err(Refusal::IntrospectionUnreachable),
        }
    }
}

impl Online {
    pub(crate) fn new(
        introspector: Arc<dyn Introspector>,
        issuer: &str,
        clock: Arc<dyn Clock>,
        watch_is_live: WatchIsLive,
    ) -> Self {
        Self(Arc::new(Inner {
            introspector,
            issuer: issuer.into(),
            clock,
            told: SeenTokens::default(),
            keys: SeenTokens::default(),
            places: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            at_once_strange: Semaphore::new(AT_ONCE_STRANGE),
            watch_is_live,
            said: AtomicU64::new(0),
        }))
    }

    /// What the token of this hash says, if that was asked a moment ago.
    pub(super) fn remembered(&self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        self.0.remembered(hash)
    }

    /// The claims of the token of this hash, if it was ever worth anything: not to let a call
    /// through by.
    pub(super) fn once_known(&self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        self.0.told.find(hash).map(|told| told.claims)
    }

    /// Asks about the token, unless somebody does so already. A proof of `key` was shown with it.
    pub(super) fn ask(
        &self,
        token: &str,
        hash: [u8; 32],
        key: Thumbprint,
    ) -> Result<Asking, Refusal> {
        if !is_well_formed(token) {
            return Err(TokenRefusal::ReferenceMalformed.into());
        }
        let standing = self.0.standing(&hash, &key);
        let (answered, asking) = {
            let mut places = self.0.places.lock();
            if let Some(same) = places.find(&hash) {
                return Ok(same.clone());
            }
            let (answered, answer) = watch::channel(None);
            let asking = Asking(answer);
            // It may have been answered since this call looked.
            if let Some(claims) = self.0.remembered(&hash) {
                answered.send_replace(Some(Ok(claims)));
                return Ok(asking);
            }
            places.take(hash, key, standing, asking.clone())?;
            (answered, asking)
        };
        let under_way = UnderWay {
            inner: Arc::clone(&self.0),
            hash,
            answered,
        };
        let token = Secret::from(token);
        // A task of its own: a caller that goes away must not take along what others wait for.
        // Without the lock: a runtime that ends drops it at once, and its place is given back.
        tokio::spawn(countersign_telemetry::carry(async move {
            let answer = under_way.inner.ask(token, hash, standing).await;
            under_way.answered.send_replace(Some(answer));
        }));
        Ok(asking)
    }
}

/// A question under way. However it ends, the token can be asked about again.
struct UnderWay {
    inner: Arc<Inner>,
    hash: [u8; 32],
    answered: watch::Sender<Option<Answer>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.inner.places.lock().give_back(&self.hash);
    }
}

impl Inner {
    fn remembered(&self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        let told = self.told.find(hash).filter(|told| !told.dead)?;
        let age = self.clock.steady().saturating_sub(told.asked_at);
        let is_young = age < KEPT || (age < KEPT_WATCHED && (self.watch_is_live)());
        is_young.then_some(told.claims)
    }

    /// Not by the token alone: one that is said to be dead makes nobody known.
    fn standing(&self, hash: &[u8; 32], key: &Thumbprint) -> Standing {
        let lately =
            |said_at: Duration| self.clock.steady().saturating_sub(said_at) < KEY_KNOWN_FOR;
        let is_known = self.told.find(hash).is_some_and(|told| !told.dead)
            || self.keys.find(key.as_bytes()).is_some_and(lately);
        if is_known {
            Standing::Known
        } else {
            Standing::Stranger
        }
    }

    async fn ask(&self, token: Secret, hash: [u8; 32], standing: Standing) -> Answer {
        let asking = async {
            // Never closed, either.
            let _strange = match standing {
                Standing::Known => None,
                Standing::Stranger => Some(self.at_once_strange.acquire().await),
            };
            let _turn = self.at_once.acquire().await;
            let asked_at = self.clock.steady();
            let said = self.introspector.introspect(token.expose()).await;
            (asked_at, said)
        };
        let asking = asking.instrument(spans::token_verify("online"));
        match tokio::time::timeout(WITHIN, asking).await {
            Ok((asked_at, Ok(Some(said)))) => {
                let claims = Arc::new(Claims::of_reference(said, &self.issuer)?);
                let told = Told {
                    claims: Arc::clone(&claims),
                    asked_at,
                    dead: false,
                };
                if let Some(key) = &claims.jkt {
                    self.keys.remember(*key.as_bytes(), asked_at);
                }
                self.told.remember(hash, told);
                Ok(claims)
            }
            Ok((_, Ok(None))) => Err(self.worth_nothing(hash).into()),
            Ok((_, Err(cause))) => Err(self.unreachable(&cause)),
            Err(_) => Err(self.unreachable(&IntrospectionUnavailable::new("no answer within 5 s"))),
        }
    }

    /// Nobody says why a token is worth nothing. Of one that was worth something it shows.
    fn worth_nothing(&self, hash: [u8; 32]) -> TokenRefusal {
        let Some(told) = self.told.find(&hash) else {
            return TokenRefusal::NotActive;
        };
        let ended = told.claims.in_force(self.clock.now()).is_err();
        self.told.remember(hash, Told { dead: true, ..told });
        if ended {
            TokenRefusal::Expired
        } else {
            TokenRefusal::Revoked
        }
    }

    fn unreachable(&self, cause: &IntrospectionUnavailable) -> Refusal {
        let now = u64::try_from(self.clock.steady().as_millis()).unwrap_or(u64::MAX);
        let last = self.said.load(Ordering::Relaxed);
        let is_due = last == 0 || now >= last.saturating_add(SAID_EVERY.as_millis() as u64);
        let next = now.max(1);
        if is_due
            && self
                .said
                .compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            warn!(%cause, "calls with reference tokens are refused");
        }
        Refusal::IntrospectionUnreachable
    }
}
