//! What one client may have.
//!
//! A client is charged for a call only when it has shown that it is the client: strangers use up
//! nobody's share. When it has none left, calls in its name are refused before anything is verified
//! for them, until it has some again.
//!
//! Of a public client everybody knows all that there is to show, so its calls are charged to the
//! proof's key, and only when they succeed. What anybody can do in a public client's name without a
//! key (lodging a request without a proof) is nobody's, and can be limited by method.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_issuer::Presented;
use countersign_issuer::Refusal;
use countersign_issuer::model::ClientId;
use countersign_jose::Thumbprint;
use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use super::spread::{Spread, wait};
use crate::operation::Caller;
use crate::refused::Refused;

/// After so many charges, what is full again is forgotten: so many entries more than are in use, at
/// most, and some microseconds of work.
const SWEEP_EVERY: u32 = 1_024;

/// Whose share it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A client that has something to show.
    Client(ClientId),
    /// Whoever holds this key.
    Key(Thumbprint),
}

/// The shares of all clients; each has as many calls a second as the next.
pub(crate) struct Share<C: Clock = DefaultClock>(ArcSwapOption<Shares<C>>);

type Limiter<C> = RateLimiter<Holder, DashMapStateStore<Holder>, C, StateInformationMiddleware>;

struct Shares<C: Clock> {
    calls_per_sec: NonZeroU32,
    limiter: Limiter<C>,
    clock: C,
    /// Who has none left, and until when.
    spent: Mutex<HashMap<Holder, C::Instant>>,
    charges: AtomicU32,
    spread: Spread,
}

/// A call, from when its holder is known to its end.
pub(crate) struct Visit<'a, C: Clock = DefaultClock> {
    share: &'a Share<C>,
    holder: Option<Holder>,
}

impl Share {
    /// `calls_per_sec` for each; 0: any number.
    pub(super) fn new(calls_per_sec: u32) -> Self {
        Self::with(calls_per_sec, DefaultClock::default())
    }

    /// Another number for each, from now on.
    pub(super) fn replace(&self, calls_per_sec: u32) {
        let before = self.0.load();
        let before = before
            .as_ref()
            .map_or(0, |shares| shares.calls_per_sec.get());
        if before != calls_per_sec {
            self.0.store(shares(calls_per_sec, DefaultClock::default()));
        }
    }
}

impl<C: Clock + Clone> Share<C> {
    fn with(calls_per_sec: u32, clock: C) -> Self {
        Self(ArcSwapOption::new(shares(calls_per_sec, clock)))
    }
}

fn shares<C: Clock + Clone>(calls_per_sec: u32, clock: C) -> Option<Arc<Shares<C>>> {
    let calls_per_sec = NonZeroU32::new(calls_per_sec)?;
    let limiter: RateLimiter<_, _, _, NoOpMiddleware<C::Instant>> = RateLimiter::new(
        Quota::per_second(calls_per_sec),
        DashMapStateStore::default(),
        clock.clone(),
    );
    Some(Arc::new(Shares {
        calls_per_sec,
        limiter: limiter.with_middleware(),
        clock,
        spent: Mutex::default(),
        charges: AtomicU32::new(0),
        spread: Spread::default(),
    }))
}

impl<C: Clock> Share<C> {
    /// Begins a call of a client that has not shown who it is yet.
    ///
    /// # Errors
    /// When the client it names has nothing left.
    pub(crate) fn visit(&self, caller: &Caller<'_>) -> Result<Visit<'_, C>, Refused> {
        match caller.presented {
            Presented::Nothing => Ok(Visit {
                share: self,
                holder: None,
            }),
            Presented::Secret(_) | Presented::Assertion(_) => {
                self.visit_as(Holder::Client(caller.id.clone()))
            }
        }
    }

    /// Charges a client that has shown who it is already.
    ///
    /// # Errors
    /// When it has nothing left.
    pub(crate) fn charge(&self, client: ClientId) -> Result<(), Refused> {
        self.visit_as(Holder::Client(client))?.charge();
        Ok(())
    }

    fn visit_as(&self, holder: Holder) -> Result<Visit<'_, C>, Refused> {
        if let Some(shares) = &*self.0.load() {
            shares.check(&holder)?;
        }
        Ok(Visit {
            share: self,
            holder: Some(holder),
        })
    }
}

impl<C: Clock> Visit<'_, C> {
    /// A proof has been verified: who has shown nothing else is told apart by its key.
    ///
    /// # Errors
    /// When that key has nothing left.
    pub(crate) fn with_key(self, key: Thumbprint) -> Result<Self, Refused> {
        match self.holder {
            Some(_) => Ok(self),
            None => self.share.visit_as(Holder::Key(key)),
        }
    }

    /// The call is over: charges its holder, if it was the holder's.
    pub(crate) fn over<T>(self, outcome: &Result<T, Refused>) {
        let shown = match (&self.holder, outcome) {
            (None, _) => false,
            (Some(_), Ok(_)) => true,
            (Some(Holder::Key(_)), Err(_)) => false,
            (Some(Holder::Client(_)), Err(refused)) => shows_who_it_is(refused),
        };
        if shown {
            self.charge();
        }
    }

    fn charge(self) {
        if let (Some(shares), Some(holder)) = (&*self.share.0.load(), self.holder) {
            shares.charge(holder);
        }
    }
}

/// Whether a call that was refused so came from who it said. Only what is decided after
/// authentication tells.
fn shows_who_it_is(refused: &Refused) -> bool {
    match refused {
        Refused::Issuer(Refusal::ClientAuthentication(_)) => false,
        Refused::Issuer(_) => true,
        // The proof is spent when the decision stands.
        Refused::Ledger(_) => true,
        Refused::DeadlinePassed
        | Refused::Field { .. }
        | Refused::Proof { .. }
        | Refused::Overloaded { .. }
        | Refused::RateLimited { .. }
        | Refused::Store(_)
        | Refused::Contended
        | Refused::Fault(_) => false,
    }
}

impl<C: Clock> Shares<C> {
    fn check(&self, holder: &Holder) -> Result<(), Refused> {
        let mut spent = self.spent.lock();
        let Some(until) = spent.get(holder).copied() else {
            return Ok(());
        };
        let now = self.clock.now();
        if until <= now {
            spent.remove(holder);
            return Ok(());
        }
        let left: Duration = until.duration_since(now).into();
        Err(Refused::RateLimited {
            retry_after: left + wait(self.spread.next()),
        })
    }

    fn charge(&self, holder: Holder) {
        // Calls that were under way together can be charged beyond the last: nothing is left either
        // way.
        let left = self
            .limiter
            .check_key(&holder)
            .map_or(0, |state| state.remaining_burst_capacity());
        if left == 0 {
            let next = self.clock.now() + self.interval().into();
            self.spent.lock().insert(holder, next);
        }
        if self.charges.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep();
        }
    }

    /// In which one more call is earned.
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.calls_per_sec.get()
    }

    fn sweep(&self) {
        self.limiter.retain_recent();
        let now = self.clock.now();
        self.spent.lock().retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use countersign_issuer::AuthenticationCause;
    use governor::clock::FakeRelativeClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn client(id: &str) -> ClientId {
        ClientId::parse(id).expect("a name")
    }

    fn secret(id: &str) -> Caller<'static> {
        Caller {
            id: client(id),
            presented: Presented::Secret("s"),
        }
    }

    fn nothing(id: &str) -> Caller<'static> {
        Caller {
            id: client(id),
            presented: Presented::Nothing,
        }
    }

    fn key(byte: u8) -> Thumbprint {
        Thumbprint::from_bytes([byte; 32])
    }

    fn stranger() -> Result<(), Refused> {
        let cause = AuthenticationCause::AssertionReplayed;
        Err(Refusal::ClientAuthentication(cause).into())
    }

    /// How many of 100 calls are let in, one after the other.
    fn served(
        share: &Share<FakeRelativeClock>,
        caller: &Caller<'_>,
        key: Thumbprint,
        outcome: &Result<(), Refused>,
    ) -> usize {
        let call = || share.visit(caller)?.with_key(key);
        (0..100)
            .filter_map(|_| call().ok())
            .map(|visit| visit.over(outcome))
            .count()
    }

    #[test]
    fn a_client_has_its_share_and_no_other_clients() {
        let clock = FakeRelativeClock::default();
        let share = Share::with(10, clock.clone());
        let ok = Ok(());
        assert_eq!(served(&share, &secret("a"), key(1), &ok), 10);
        assert_eq!(served(&share, &secret("a"), key(2), &ok), 0, "another key");
        assert_eq!(served(&share, &secret("b"), key(1), &ok), 10);
        clock.advance(SECOND / 2);
        assert_eq!(served(&share, &secret("a"), key(1), &ok), 5);
        clock.advance(100 * SECOND);
        assert_eq!(served(&share, &secret("a"), key(1), &ok), 10);
        // What is refused after authentication is charged too.
        let refused = Err(Refusal::UnsupportedGrantType.into());
        assert_eq!(served(&share, &secret("c"), key(1), &refused), 10);
    }

    #[test]
    fn strangers_use_up_nothing() {
        let share = Share::with(10, FakeRelativeClock::default());
        assert_eq!(served(&share, &secret("a"), key(1), &stranger()), 100);
        assert_eq!(served(&share, &nothing("a"), key(1), &stranger()), 100);
        // A public client is known by name only.
        let refused = Err(Refusal::UnsupportedGrantType.into());
        assert_eq!(served(&share, &nothing("p"), key(1), &refused), 100);
        let ok = Ok(());
        assert_eq!(served(&share, &secret("a"), key(1), &ok), 10);
        assert_eq!(served(&share, &nothing("p"), key(1), &ok), 10);
        assert_eq!(served(&share, &nothing("p"), key(2), &ok), 10);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let share = Share::with(0, FakeRelativeClock::default());
        assert_eq!(served(&share, &secret("a"), key(1), &Ok(())), 100);
    }

    #[test]
    fn who_is_quiet_is_forgotten() {
        let clock = FakeRelativeClock::default();
        let share = Share::with(1, clock.clone());
        for number in 0..10_000 {
            let caller = secret(&format!("client-{number}"));
            share.visit(&caller).expect("its first").over(&Ok(()));
            clock.advance(SECOND / 100);
        }
        let shares = share.0.load_full().expect("a limit");
        let most = SWEEP_EVERY as usize + 201;
        assert!(shares.limiter.len() <= most, "{}", shares.limiter.len());
        let spent = shares.spent.lock().len();
        assert!(spent <= most, "{spent}");
    }
}
