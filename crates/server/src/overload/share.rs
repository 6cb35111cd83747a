//! What one client may have.
//!
//! A client is charged for a call only when it has shown that it is the client: strangers use up
//! nobody's share. When it has none left, calls in its name are refused before anything is verified
//! for them, until it has some again.
//!
//! Of a public client everybody knows all that there is to show, so its calls are charged to the
//! proof's key, and only when the proof is spent: whoever has seen one cannot spend it again. What
//! anybody can do in a public client's name without a key (lodging a request without a proof) is
//! nobody's, and can be limited by method.
//!
//! A call is charged before anything of it is waited for: who takes it back pays for it, too, and
//! of many calls at once each sees what those before it have had.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_issuer::Presented;
use countersign_issuer::model::ClientId;
use countersign_jose::Thumbprint;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::spread::{Spread, wait};
use crate::operation::Caller;
use crate::refused::Refused;

/// What can be had at once: what is earned in this time.
const BURST: Duration = Duration::from_secs(1);

/// How long a client can be behind at most: whoever had more at once than it could earn in this
/// time is forgiven the rest, and nobody is locked out for longer.
const DEBT_MAX: Duration = Duration::from_secs(5);

/// Enough that two cores seldom wait for each other.
const SHARDS: usize = 16;

/// So few holders are not worth looking through.
const SWEEP_FROM: usize = 64;

/// Whose share it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    /// A client that has something to show.
    Client(ClientId),
    /// Whoever has opened the connection with this certificate: nobody can do so in its holder's
    /// name.
    Certificate([u8; 32]),
    /// Whoever holds this key.
    Key(Thumbprint),
}

/// The shares of all clients; each has as many calls a second as the next.
pub(crate) struct Share(ArcSwapOption<Shares>);

struct Shares {
    calls_per_sec: NonZeroU32,
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    spread: Spread,
}

/// Until when each holder has to earn what it had. (A limiter of `governor` does not fit: what was
/// had beyond the last call must be earned, too.)
struct Shard {
    earned: HashMap<Holder, Instant>,
    /// With so many, those who have earned everything are forgotten.
    sweep_at: usize,
}

/// A call, from when its holder is known to its end.
pub(crate) struct Visit<'a> {
    share: &'a Share,
    holder: Option<Holder>,
    charged: AtomicBool,
}

impl Share {
    /// `calls_per_sec` for each; 0: any number.
    pub(crate) fn new(calls_per_sec: u32) -> Self {
        Self(ArcSwapOption::new(shares(calls_per_sec)))
    }

    /// Another number for each, from now on.
    pub(super) fn replace(&self, calls_per_sec: u32) {
        let before = self.0.load();
        let before = before
            .as_ref()
            .map_or(0, |shares| shares.calls_per_sec.get());
        if before != calls_per_sec {
            self.0.store(shares(calls_per_sec));
        }
    }

    /// Begins a call of a client that has not shown who it is yet.
    ///
    /// # Errors
    /// When the client it names has nothing left.
    pub(crate) fn visit(&self, caller: &Caller<'_>) -> Result<Visit<'_>, Refused> {
        match (caller.presented, caller.certificate) {
            (Presented::Nothing, Some(certificate)) => {
                self.visit_as(Holder::Certificate(*certificate.thumbprint.as_bytes()))
            }
            (Presented::Nothing, None) => Ok(Visit {
                share: self,
                holder: None,
                charged: AtomicBool::new(false),
            }),
            (Presented::Secret(_) | Presented::Assertion(_), _) => {
                self.visit_as(Holder::Client(caller.id.clone()))
            }
        }
    }

    /// Charges a client that has shown who it is already, for so many calls.
    ///
    /// # Errors
    /// When it has nothing left. Whoever has something left may go into debt with one request.
    pub(crate) fn charge(&self, client: ClientId, calls: usize) -> Result<(), Refused> {
        let holder = Holder::Client(client);
        if let Some(shares) = &*self.0.load() {
            let now = Instant::now();
            shares.check(&holder, now)?;
            for _ in 0..calls {
                shares.charge(&holder, now);
            }
        }
        Ok(())
    }

    fn visit_as(&self, holder: Holder) -> Result<Visit<'_>, Refused> {
        if let Some(shares) = &*self.0.load() {
            shares.check(&holder, Instant::now())?;
        }
        Ok(Visit {
            share: self,
            holder: Some(holder),
            charged: AtomicBool::new(false),
        })
    }
}

fn shares(calls_per_sec: u32) -> Option<Arc<Shares>> {
    Some(Arc::new(Shares {
        calls_per_sec: NonZeroU32::new(calls_per_sec)?,
        shards: std::array::from_fn(|_| Mutex::default()),
        hasher: RandomState::new(),
        spread: Spread::default(),
    }))
}

impl Visit<'_> {
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

    /// The client has shown that it is the client. (An assertion that was used before counts: only
    /// the client can have signed it, and that it was used shows only when it is committed.)
    pub(crate) fn authenticated(&self) {
        if let Some(shown @ (Holder::Client(_) | Holder::Certificate(_))) = &self.holder {
            self.charge(shown);
        }
    }

    /// Something was decided that holds, and the proof is spent.
    pub(crate) fn granted(&self) {
        if let Some(key @ Holder::Key(_)) = &self.holder {
            self.charge(key);
        }
    }

    /// Once: a decision that lost a race is made again.
    fn charge(&self, holder: &Holder) {
        if !self.charged.swap(true, Ordering::Relaxed)
            && let Some(shares) = &*self.share.0.load()
        {
            shares.charge(holder, Instant::now());
        }
    }
}

impl Shares {
    fn check(&self, holder: &Holder, now: Instant) -> Result<(), Refused> {
        let earned = self.shard(holder).lock().earned.get(holder).copied();
        let next = earned.unwrap_or(now) + self.interval();
        let left = next.saturating_duration_since(now + BURST);
        if left.is_zero() {
            return Ok(());
        }
        Err(Refused::RateLimited {
            retry_after: wait(self.spread.next(), left),
        })
    }

    fn charge(&self, holder: &Holder, now: Instant) {
        let mut shard = self.shard(holder).lock();
        let earned = shard.earned.get(holder).map_or(now, |until| *until);
        let earned = earned.max(now) + self.interval();
        let earned = earned.min(now + BURST + DEBT_MAX);
        shard.earned.insert(holder.clone(), earned);
        shard.sweep(now);
    }

    /// In which one more call is earned.
    fn interval(&self) -> Duration {
        BURST / self.calls_per_sec.get()
    }

    fn shard(&self, holder: &Holder) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(holder) as usize % SHARDS]
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            earned: HashMap::new(),
            sweep_at: SWEEP_FROM,
        }
    }
}

impl Shard {
    /// Looks through all of them only when they have doubled, so that it costs each charge little.
    fn sweep(&mut self, now: Instant) {
        if self.earned.len() >= self.sweep_at {
            self.earned.retain(|_, until| *until > now);
            self.sweep_at = SWEEP_FROM.max(2 * self.earned.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::super::spread::RETRY;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn caller(id: &str, presented: Presented<'static>) -> Caller<'static> {
        Caller {
            id: ClientId::parse(id).expect("a name"),
            presented,
            certificate: None,
        }
    }

    fn secret(id: &str) -> Caller<'static> {
        caller(id, Presented::Secret("s"))
    }

    fn nothing(id: &str) -> Caller<'static> {
        caller(id, Presented::Nothing)
    }

    fn key(byte: u8) -> Thumbprint {
        Thumbprint::from_bytes([byte; 32])
    }

    /// How far a call comes.
    type Comes = fn(&Visit<'_>);

    const STRANGER: Comes = |_| {};
    const REFUSED: Comes = |visit| visit.authenticated();
    const GRANTED: Comes = |visit| {
        visit.authenticated();
        visit.granted();
    };

    /// How many of 100 calls are let in, one after the other.
    fn served(share: &Share, caller: &Caller<'_>, key: Thumbprint, comes: Comes) -> usize {
        let call = || share.visit(caller)?.with_key(key);
        (0..100)
            .filter_map(|_| call().ok())
            .map(|visit| comes(&visit))
            .count()
    }

    /// What a client that has nothing left is told to wait.
    fn told(share: &Share, caller: &Caller<'_>) -> Option<Duration> {
        match share.visit(caller) {
            Err(Refused::RateLimited { retry_after }) => Some(retry_after),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_its_share_and_no_other_clients() {
        let share = Share::new(10);
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 10);
        assert_eq!(served(&share, &secret("a"), key(2), GRANTED), 0);
        assert_eq!(served(&share, &secret("b"), key(1), GRANTED), 10);
        advance(SECOND / 2).await;
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 5);
        advance(100 * SECOND).await;
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 10);
        // What is refused after authentication is charged too.
        assert_eq!(served(&share, &secret("c"), key(1), REFUSED), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_use_up_nothing() {
        let share = Share::new(10);
        assert_eq!(served(&share, &secret("a"), key(1), STRANGER), 100);
        assert_eq!(served(&share, &nothing("a"), key(1), STRANGER), 100);
        // A public client is known by name only, and a proof may have been seen by anybody.
        assert_eq!(served(&share, &nothing("p"), key(1), REFUSED), 100);
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 10);
        assert_eq!(served(&share, &nothing("p"), key(1), GRANTED), 10);
        assert_eq!(served(&share, &nothing("p"), key(2), GRANTED), 10);
    }

    /// Of calls that are let in together, what is beyond the share is earned before the next.
    #[tokio::test(start_paused = true)]
    async fn calls_at_once_are_charged_beyond_the_last() {
        let share = Share::new(10);
        let caller = secret("a");
        for (at_once, behind) in [(50, 4 * SECOND), (10_000, DEBT_MAX)] {
            advance(100 * SECOND).await;
            let visits: Vec<_> = (0..at_once).map(|_| share.visit(&caller)).collect();
            for visit in visits {
                visit.expect("nobody was charged yet").authenticated();
            }
            let told = told(&share, &caller).expect("it is behind");
            assert_eq!(told, behind + SECOND / 10, "{at_once}");
            advance(behind).await;
            assert_eq!(served(&share, &caller, key(1), GRANTED), 0, "{at_once}");
            advance(SECOND / 10).await;
            assert_eq!(served(&share, &caller, key(1), GRANTED), 1, "{at_once}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_nothing_left_is_told_to_wait_no_longer_than_anybody() {
        let share = Share::new(1);
        let caller = secret("a");
        assert_eq!(served(&share, &caller, key(1), GRANTED), 1);
        let (_, most) = RETRY;
        for _ in 0..100 {
            let told = told(&share, &caller).expect("it had its call");
            assert!(SECOND <= told && told < most, "{told:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_charged_once() {
        let share = Share::new(2);
        let visit = share.visit(&secret("a")).expect("let in");
        for _ in 0..10 {
            GRANTED(&visit);
        }
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_is_counted() {
        let share = Share::new(0);
        assert_eq!(served(&share, &secret("a"), key(1), GRANTED), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_quiet_is_forgotten() {
        let share = Share::new(1);
        for number in 0..10_000 {
            let caller = secret(&format!("client-{number}"));
            share.visit(&caller).expect("its first").authenticated();
            advance(SECOND / 100).await;
        }
        let shares = share.0.load_full().expect("a limit");
        let known = shares.shards.iter().map(|shard| shard.lock().earned.len());
        let known: usize = known.sum();
        assert!(known <= SHARDS * SWEEP_FROM, "{known}");
    }
}
