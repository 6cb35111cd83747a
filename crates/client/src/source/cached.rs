//! A token kept, and renewed before it ends: one request in flight however
//! many callers wait.

mod pauses;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_jose::UnixTime;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

use self::pauses::Pauses;
pub(super) use self::pauses::is_ahead;
use super::{AccessToken, BoxFuture, TokenSource};
use crate::clock::Clock;
use crate::counts::Tally;
use crate::error::TokenError;
use crate::random;

/// Gets a new token, whatever that takes.
pub trait Fetch: Send + Sync + 'static {
    /// Gets a new token.
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>>;
}

/// Keeps the token that `F` fetches.
///
/// A token is renewed in the background between 30 % and 50 % of its life, and used
/// until its end when that fails: while calls are made, half a life is always in hand. Without calls nothing is fetched. When the
/// token service says how long to wait, has not answered twice in a row or given no
/// token five times in a row, it is not asked before its time: until then callers without a token get the same error
/// again. When the last clone is dropped, a request in flight is given up.
///
/// A token that is refused is replaced at once, and so is the first of them after a call that got
/// past a guard. Where new tokens are refused one after the other, the last stays in use, and the
/// next is asked for after growing pauses.
pub struct Cached<F>(Arc<Shared<F>>);

impl<F: Fetch> Cached<F> {
    /// Fetches with `fetch`, by the time of `clock`. Needs a tokio runtime when
    /// it is asked for a token.
    pub fn new(fetch: F, clock: Arc<dyn Clock>) -> Self {
        Self::counted(fetch, clock, Arc::default())
    }

    /// Begins with this token in hand.
    #[must_use]
    pub fn holding(self, token: AccessToken) -> Self {
        self.0.held.store(Some(Arc::new(token)));
        self
    }

    pub(crate) fn counted(fetch: F, clock: Arc<dyn Clock>, tally: Arc<Tally>) -> Self {
        Self(Arc::new(Shared {
            fetch: Arc::new(fetch),
            clock,
            held: ArcSwapOption::empty(),
            flight: Mutex::new(Flight::default()),
            tally,
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
                    self.0.tally.at_hand.one_more();
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
        let mut flight = self.0.flight.lock();
        let is_this = |held: &Option<Arc<AccessToken>>| {
            held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token))
        };
        // One that is doubted is refused with every call, and was counted.
        if token.is_doubted() || !is_this(&self.0.held.load()) {
            return;
        }
        self.0.tally.refused.one_more();
        match flight.refused(token) {
            None => self.0.held.store(None),
            Some(pause) => {
                token.doubt(self.0.clock.now().plus(pause));
                drop(flight);
                warn!(
                    "servers refuse new access tokens one after the other: compare the clocks of \
                     the token service and the servers, and see whether this client, its subject \
                     or its key was revoked"
                );
            }
        }
    }
}

type Landing = Option<Result<Arc<AccessToken>, TokenError>>;

struct Shared<F> {
    fetch: Arc<F>,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<AccessToken>,
    flight: Mutex<Flight>,
    tally: Arc<Tally>,
}

/// Nobody is left to use the token. A family's rotation goes on all the same: it is a task of its
/// own, since its successor must not be lost.
impl<F> Drop for Shared<F> {
    fn drop(&mut self) {
        if let Some(task) = self.flight.get_mut().task.take() {
            task.abort();
        }
    }
}

/// Why a token is asked for.
#[derive(Copy, Clone)]
enum Need {
    /// Callers wait for it.
    Now,
    /// The one in hand will end.
    Soon,
}

#[derive(Default)]
struct Flight {
    /// Where the request in flight will land.
    landing: Option<watch::Receiver<Landing>>,
    task: Option<AbortHandle>,
    pauses: Pauses,
    /// Tokens that were refused since a call got past a guard.
    refused: u32,
}

impl Flight {
    /// Nobody lands any more where the sender is gone: the fetch panicked, or
    /// its runtime was shut down. Waiting for it would be waiting for ever.
    fn in_the_air(&self) -> Option<&watch::Receiver<Landing>> {
        self.landing
            .as_ref()
            .filter(|landing| landing.has_changed().is_ok())
    }

    /// How long to wait with another token, if at all.
    fn refused(&mut self, token: &AccessToken) -> Option<Duration> {
        self.replaced(token);
        self.refused = self.refused.saturating_add(1);
        let again = self.refused.checked_sub(2)?;
        Some(pauses::refused(again, random::fraction()))
    }

    /// This token is used no more.
    fn replaced(&mut self, token: &AccessToken) {
        if token.was_accepted() {
            self.refused = 0;
        }
    }
}

impl<F: Fetch> Cached<F> {
    /// Joins the request in flight, or starts one unless it is too early.
    fn board(&self, now: UnixTime) -> Result<watch::Receiver<Landing>, TokenError> {
        let mut flight = self.0.flight.lock();
        if let Some(landing) = flight.in_the_air() {
            self.0.tally.waited.one_more();
            return Ok(landing.clone());
        }
        match flight.pauses.too_early(now) {
            Some(error) => {
                self.0.tally.told_again.one_more();
                Err(error.clone())
            }
            None => {
                self.0.tally.waited.one_more();
                Ok(self.take_off(&mut flight, Need::Now))
            }
        }
    }

    /// Starts a request that nobody waits for, unless one is in flight or the
    /// last failed a moment ago.
    fn renew(&self, now: UnixTime) {
        let mut flight = self.0.flight.lock();
        if flight.pauses.lasts() {
            self.0.tally.used_while_away.one_more();
        }
        if flight.in_the_air().is_none() && flight.pauses.lets_renew(now) {
            self.take_off(&mut flight, Need::Soon);
        }
    }

    /// A task of its own: a caller that gives up takes nobody's token away.
    fn take_off(&self, flight: &mut Flight, need: Need) -> watch::Receiver<Landing> {
        let (sender, receiver) = watch::channel(None);
        flight.landing = Some(receiver.clone());
        let fetch = Arc::clone(&self.0.fetch);
        // Does not keep what it fetches for: the end of that ends this.
        let shared = Arc::downgrade(&self.0);
        let task = async move {
            let outcome = fetch.fetch().await.map(Arc::new);
            let Some(shared) = shared.upgrade() else {
                return;
            };
            shared.land(&outcome, need);
            // Nobody may be waiting; that is fine.
            let _ = sender.send(Some(outcome));
        };
        let task = tokio::spawn(countersign_telemetry::carry(task));
        flight.task = Some(task.abort_handle());
        receiver
    }
}

impl<F> Shared<F> {
    fn land(&self, outcome: &Result<Arc<AccessToken>, TokenError>, need: Need) {
        let mut flight = self.flight.lock();
        flight.landing = None;
        flight.task = None;
        match outcome {
            Ok(token) => {
                if let Some(before) = self.held.swap(Some(Arc::clone(token))) {
                    flight.replaced(&before);
                }
                flight.pauses = Pauses::default();
                match need {
                    Need::Now => self.tally.fetched.one_more(),
                    Need::Soon => self.tally.renewed.one_more(),
                }
            }
            Err(error) => {
                self.tally.failed.one_more();
                let now = self.clock.now();
                let ends_at = self.held.load().as_ref().map(|held| held.expires_at());
                let ends_at = ends_at.unwrap_or_default();
                flight
                    .pauses
                    .failed(error, now, ends_at, random::fraction());
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
