//! A token kept, and renewed before it ends: one request in flight however
//! many callers wait.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_jose::UnixTime;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{AccessToken, BoxFuture, TokenSource};
use crate::clock::Clock;
use crate::error::TokenError;

#[cfg(test)]
mod tests;

/// After a renewal in the background failed, the next waits this long: the
/// token in hand is still good, and an ailing token service is not to be asked
/// on every call.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// A token service that asks for time gets it, but not as much as to be gone
/// for good: nobody may keep callers out with one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gets a new token, whatever that takes.
pub trait Fetch: Send + Sync + 'static {
    /// Gets a new token.
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>>;
}

/// Keeps the token that `F` fetches.
///
/// A token is renewed in the background once half of its life is over, and used
/// until its end when that fails. Without calls nothing is fetched. When the
/// token service says how long to wait, it is not asked before: until then
/// callers without a token get the same error again.
pub struct Cached<F>(Arc<Shared<F>>);

impl<F: Fetch> Cached<F> {
    /// Fetches with `fetch`, by the time of `clock`. Needs a tokio runtime when
    /// it is asked for a token.
    pub fn new(fetch: F, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            fetch,
            clock,
            held: ArcSwapOption::empty(),
            flight: Mutex::new(Flight::default()),
        }))
    }
}

impl<F> Clone for Cached<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fetch> TokenSource for Cached<F> {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(async move {
            let now = self.0.clock.now();
            match self.0.held.load_full().filter(|held| held.is_live(now)) {
                Some(held) => {
                    if held.wants_renewal(now) {
                        self.renew(now);
                    }
                    Ok(held)
                }
                None => landed(self.board(now)?).await,
            }
        })
    }

    fn discard(&self, token: &Arc<AccessToken>) {
        // Under the lock under which tokens are put, so that a newer one stays.
        let _flight = self.0.flight.lock();
        let is_this = |held: &Option<Arc<AccessToken>>| {
            held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token))
        };
        if is_this(&self.0.held.load()) {
            self.0.held.store(None);
        }
    }
}

type Landing = Option<Result<Arc<AccessToken>, TokenError>>;

struct Shared<F> {
    fetch: F,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<AccessToken>,
    flight: Mutex<Flight>,
}

#[derive(Default)]
struct Flight {
    /// Where the request in flight will land.
    landing: Option<watch::Receiver<Landing>>,
    /// No renewal in the background before this.
    pause_until: UnixTime,
    /// What the token service answered when it last asked for time, and until
    /// when.
    asked_to_wait: Option<(TokenError, UnixTime)>,
}

impl Flight {
    /// Nobody lands any more where the sender is gone: the fetch panicked, or
    /// its runtime was shut down. Waiting for it would be waiting for ever.
    fn in_the_air(&self) -> Option<&watch::Receiver<Landing>> {
        self.landing
            .as_ref()
            .filter(|landing| landing.has_changed().is_ok())
    }

    /// What to tell whoever asks before it is time to ask again.
    fn too_early(&self, now: UnixTime) -> Option<&TokenError> {
        let (error, until) = self.asked_to_wait.as_ref()?;
        // A clock that was set back must not make this wait longer.
        (now < *until && *until <= now.plus(PATIENCE)).then_some(error)
    }
}

impl<F: Fetch> Cached<F> {
    /// Joins the request in flight, or starts one unless it is too early.
    fn board(&self, now: UnixTime) -> Result<watch::Receiver<Landing>, TokenError> {
        let mut flight = self.0.flight.lock();
        if let Some(landing) = flight.in_the_air() {
            return Ok(landing.clone());
        }
        match flight.too_early(now) {
            Some(error) => Err(error.clone()),
            None => Ok(self.take_off(&mut flight)),
        }
    }

    /// Starts a request that nobody waits for, unless one is in flight or the
    /// last failed a moment ago.
    fn renew(&self, now: UnixTime) {
        let mut flight = self.0.flight.lock();
        if flight.in_the_air().is_none() && flight.pause_until <= now {
            self.take_off(&mut flight);
        }
    }

    /// A task of its own: a caller that gives up takes nobody's token away.
    fn take_off(&self, flight: &mut Flight) -> watch::Receiver<Landing> {
        let (sender, receiver) = watch::channel(None);
        flight.landing = Some(receiver.clone());
        let shared = Arc::clone(&self.0);
        let task = async move {
            let outcome = shared.fetch.fetch().await.map(Arc::new);
            shared.land(&outcome);
            // Nobody may be waiting; that is fine.
            let _ = sender.send(Some(outcome));
        };
        tokio::spawn(countersign_telemetry::carry(task));
        receiver
    }
}

impl<F> Shared<F> {
    fn land(&self, outcome: &Result<Arc<AccessToken>, TokenError>) {
        let mut flight = self.flight.lock();
        flight.landing = None;
        match outcome {
            Ok(token) => {
                self.held.store(Some(Arc::clone(token)));
                flight.asked_to_wait = None;
            }
            Err(error) => {
                let now = self.clock.now();
                let wait = error.retry_after().map(|wait| wait.min(PATIENCE));
                let pause = wait.unwrap_or_default().max(RENEWAL_PAUSE);
                flight.pause_until = now.plus(pause);
                flight.asked_to_wait = wait.map(|wait| (error.clone(), now.plus(wait)));
            }
        }
    }
}

async fn landed(mut landing: watch::Receiver<Landing>) -> Result<Arc<AccessToken>, TokenError> {
    match landing.wait_for(Option::is_some).await {
        Ok(landed) => match &*landed {
            Some(outcome) => outcome.clone(),
            None => Err(TokenError::Interrupted),
        },
        // The task is gone: its runtime is shutting down, or it panicked.
        Err(_) => Err(TokenError::Interrupted),
    }
}
