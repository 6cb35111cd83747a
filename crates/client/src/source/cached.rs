//! A token kept, and renewed before it ends: one request in flight however
//! many callers wait.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_jose::UnixTime;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

use super::{AccessToken, BoxFuture, TokenSource};
use crate::clock::Clock;
use crate::counts::Tally;
use crate::error::TokenError;
use crate::random;

#[cfg(test)]
mod tests;

/// After a renewal in the background failed, the next waits this long, and twice
/// as long each time: the token in hand is still good, and an ailing token service
/// is not to be asked on every call.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);
const RENEWAL_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Who has no token may ask again at once when the token service did not answer, as
/// it does when it was restarted. From the second time on there is a pause, twice as
/// long each time: a token service that comes back must not find everybody at its door.
const AT_ONCE_AFTER_SILENCE: u32 = 1;
const WITHOUT_TOKEN_PAUSE: Duration = Duration::from_millis(250);
const WITHOUT_TOKEN_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The same for answers that are no token. Somebody has to change something first, and may be at it:
/// a few may be looked at in a row, but not one with every call for days.
const AT_ONCE_AFTER_ANSWERS: u32 = 4;

/// A token that a guard refuses is replaced at once. Where the new one is refused as well, before
/// any call got past a guard with it, another would be, too: clocks are apart, or somebody was
/// revoked. The next follows after a pause, twice as long each time.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(10);

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
    /// Requests that failed since the last that did not.
    failures: u32,
    /// No renewal in the background before this.
    pause_until: UnixTime,
    /// Tokens that were refused since a call got past a guard.
    refused: u32,
    /// What whoever has no token is told, and until when.
    told_to_wait: Option<(TokenError, UnixTime)>,
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
        let (error, until) = self.told_to_wait.as_ref()?;
        is_ahead(*until, now).then_some(error)
    }

    /// How long to wait with another token, if at all.
    fn refused(&mut self, token: &AccessToken) -> Option<Duration> {
        self.replaced(token);
        self.refused = self.refused.saturating_add(1);
        let again = self.refused.checked_sub(2)?;
        Some(spread(REFUSED_PAUSE, REFUSED_PAUSE_MAX, again))
    }

    /// This token is used no more.
    fn replaced(&mut self, token: &AccessToken) {
        if token.was_accepted() {
            self.refused = 0;
        }
    }

    fn failed(&mut self, error: &TokenError, now: UnixTime) {
        self.failures = self.failures.saturating_add(1);
        // A crowd that was told the same must not come back as one.
        let asked = error.retry_after().map(|wait| {
            let later = wait
                .min(PATIENCE)
                .mul_f64(0.25f64.mul_add(random::fraction(), 1.0));
            later.min(PATIENCE)
        });
        let pause = spread(RENEWAL_PAUSE, RENEWAL_PAUSE_MAX, self.failures - 1);
        self.pause_until = now.plus(pause.max(asked.unwrap_or_default()));
        let at_once = match error {
            TokenError::Unavailable(_) => AT_ONCE_AFTER_SILENCE,
            _ => AT_ONCE_AFTER_ANSWERS,
        };
        let doublings = self.failures.checked_sub(at_once + 1);
        let own = doublings
            .map(|doublings| spread(WITHOUT_TOKEN_PAUSE, WITHOUT_TOKEN_PAUSE_MAX, doublings));
        self.told_to_wait = asked.max(own).map(|pause| (error.clone(), now.plus(pause)));
    }
}

/// A clock that was set back must not make anybody wait longer.
pub(super) fn is_ahead(until: UnixTime, now: UnixTime) -> bool {
    now < until && until <= now.plus(PATIENCE)
}

/// A pause that doubles with each failure, up to half shorter, so that clients that
/// failed together do not come back together.
fn spread(first: Duration, longest: Duration, doublings: u32) -> Duration {
    let pause = first
        .saturating_mul(2u32.saturating_pow(doublings))
        .min(longest);
    pause.mul_f64(0.5f64.mul_add(random::fraction(), 0.5))
}

impl<F: Fetch> Cached<F> {
    /// Joins the request in flight, or starts one unless it is too early.
    fn board(&self, now: UnixTime) -> Result<watch::Receiver<Landing>, TokenError> {
        let mut flight = self.0.flight.lock();
        if let Some(landing) = flight.in_the_air() {
            self.0.tally.waited.one_more();
            return Ok(landing.clone());
        }
        match flight.too_early(now) {
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
        if flight.failures > 0 {
            self.0.tally.used_while_away.one_more();
        }
        if flight.in_the_air().is_none() && !is_ahead(flight.pause_until, now) {
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
                flight.failures = 0;
                flight.told_to_wait = None;
                match need {
                    Need::Now => self.tally.fetched.one_more(),
                    Need::Soon => self.tally.renewed.one_more(),
                }
            }
            Err(error) => {
                self.tally.failed.one_more();
                flight.failed(error, self.clock.now());
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
