//! The keeper of the keys: does what is due, on schedule or on command, and has everybody go by it.
//!
//! A change is committed first, with the expectation that nobody else made one, and then exchanged
//! in memory: what signs and what verifies, the keys for handles, and the set of the service's own
//! guard. Calls under way end with what they began with. New keys are made while nothing is locked:
//! what holds the key-encryption key may be slow, and a revocation does not wait for it.

#[cfg(test)]
mod tests;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_guard::Guard;
use countersign_issuer::keys::{Chronometer, Now, Replaced, Rotated, Schedules, Step, plan};
use countersign_issuer::model::{KeyId, KeyPurpose, KeyState, ServiceKey};
use countersign_issuer::{Actor, Known};
use countersign_store::StoreError;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, warn};

use super::custody::{Custody, CustodyError};
use super::{OpenKey, OpenKeys, make, sort};
use crate::engine::{Engine, Operation};
use crate::operation::keys::{Keep, Revoke, Rotate};
use crate::refused::{Fault, Refused};
use crate::signer::KeySet;

/// How often the keys are looked at. It costs some comparisons; the store is asked when something
/// is due.
const LOOK: Duration = Duration::from_secs(1);

/// After something went wrong: an external program that is down is not asked all the time.
const REST: Duration = Duration::from_secs(30);

/// What is done may make more due, such as making a next key and publishing it: three times at most.
const TURNS_MAX: usize = 6;

/// How long a command waits for new keys. A call may take ten seconds, and a revocation may wait
/// twice: for a key to take the place of the one that goes, and for one to come after that.
const FRESH_DUE: Duration = Duration::from_secs(4);

/// Keeps the keys.
pub(crate) struct Keeper {
    engine: Engine,
    set: Arc<KeySet>,
    guard: Guard,
    custody: Custody,
    schedules: ArcSwap<Schedules>,
    chronometer: Chronometer,
    /// Held while keys are changed: one change after the other.
    held: tokio::sync::Mutex<Held>,
}

/// The keys as they were read last.
pub(crate) struct Held {
    pub(crate) known: Vec<Known<ServiceKey>>,
    pub(crate) open: OpenKeys,
    /// The store may have others: a change was begun, and not followed to its end.
    stale: bool,
}

/// New keys, with what opens them.
type Made = Vec<(ServiceKey, OpenKey)>;

impl Held {
    /// As the store has them.
    pub(crate) const fn new(known: Vec<Known<ServiceKey>>, open: OpenKeys) -> Self {
        Self {
            known,
            open,
            stale: false,
        }
    }

    /// The keys in every key set that is given out.
    fn served(&self) -> Vec<KeyId> {
        let ids = self.known.iter().map(|known| &known.value.id);
        ids.filter(|id| self.open.contains_key(id))
            .cloned()
            .collect()
    }

    /// Keys that are to be written now.
    fn take_in(&mut self, made: Made) -> Vec<ServiceKey> {
        let opened = made.into_iter().map(|(key, open)| {
            self.open.insert(key.id.clone(), open);
            key
        });
        opened.collect()
    }
}

/// Follows a change to its end, although whoever asked for it may go away: what was committed must
/// take effect.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let ended = tokio::spawn(change.in_current_span()).await;
    ended.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        // The process ends.
        Err(_) => Err(StoreError::Closed.into()),
    })
}

impl Keeper {
    /// Of the keys that were `held` when the service started.
    pub(crate) fn new(
        engine: Engine,
        set: Arc<KeySet>,
        guard: Guard,
        custody: Custody,
        schedules: Schedules,
        held: Held,
    ) -> Self {
        let clock = &engine.clock;
        let chronometer = Chronometer::new(clock.now(), clock.steady());
        Self {
            set,
            guard,
            custody,
            schedules: ArcSwap::from_pointee(schedules),
            chronometer,
            held: tokio::sync::Mutex::new(held),
            engine,
        }
    }

    /// The schedules that hold.
    pub(crate) fn schedules(&self) -> Arc<Schedules> {
        self.schedules.load_full()
    }

    /// Keys are kept by these from now on.
    pub(crate) fn replace_schedules(&self, schedules: Schedules) {
        self.schedules.store(Arc::new(schedules));
    }

    /// All keys, as the store has them.
    pub(crate) async fn list(&self) -> Result<Vec<ServiceKey>, Refused> {
        let known = self.engine.records.keys().await?;
        Ok(known.into_iter().map(|known| known.value).collect())
    }

    /// Looks at the keys until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let pause = match self.look().await {
                Ok(()) => LOOK,
                Err(_) if stop.is_cancelled() => return,
                Err(refused) => {
                    let cause = refused.label();
                    error!(cause, "the service's keys could not be looked after");
                    REST
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Does what is due, and catches up with the store where a change was not followed to its end.
    pub(crate) async fn look(&self) -> Result<(), Refused> {
        // A program that has the key-encryption key has a limit of its own.
        self.settle(Duration::MAX).await
    }

    /// Replaces the active key, or has it replaced as soon as the next one is ready.
    pub(crate) async fn rotate(
        self: &Arc<Self>,
        purpose: KeyPurpose,
        actor: Actor,
    ) -> Result<Rotated, Refused> {
        let keeper = Arc::clone(self);
        whole(async move { keeper.rotate_whole(purpose, actor).await }).await
    }

    /// Drops a key. When this returns, nothing that it made is honoured here.
    pub(crate) async fn revoke(
        self: &Arc<Self>,
        id: KeyId,
        actor: Actor,
    ) -> Result<Replaced, Refused> {
        let keeper = Arc::clone(self);
        whole(async move { keeper.revoke_whole(id, actor).await }).await
    }

    async fn rotate_whole(&self, purpose: KeyPurpose, actor: Actor) -> Result<Rotated, Refused> {
        let rotate = Rotate {
            purpose,
            fresh: Vec::new(),
            schedules: self.schedules(),
            actor,
            now: self.now(),
        };
        let mut held = self.held.lock().await;
        let rotated = self.change(&mut held, &rotate).await?;
        drop(held);
        self.settle_soon().await;
        let held = self.held.lock().await;
        Ok(Rotated {
            // It may have been made just now.
            next: rotated.next.or_else(|| next(&held.known, purpose).cloned()),
            ..rotated
        })
    }

    async fn revoke_whole(&self, id: KeyId, actor: Actor) -> Result<Replaced, Refused> {
        let mut held = self.held.lock().await;
        if held.stale {
            self.exchange(&mut held).await?;
        }
        let mut fresh = Vec::new();
        // Where there is a next key, no other is waited for: whatever holds the key-encryption key
        // may be down, and this cannot wait.
        if let Some(purpose) = without_successor(&held.known, &id) {
            drop(held);
            let made = self.fresh(&[purpose], FRESH_DUE).await?;
            held = self.held.lock().await;
            fresh = held.take_in(made);
        }
        let revoke = Revoke {
            id,
            fresh,
            schedules: self.schedules(),
            actor,
            now: self.now(),
        };
        let replaced = self.change(&mut held, &revoke).await?;
        drop(held);
        self.settle_soon().await;
        Ok(replaced)
    }

    /// Does what a command left to be done, such as making a next key. The command stands, and the
    /// next look tries again.
    async fn settle_soon(&self) {
        if let Err(refused) = self.settle(FRESH_DUE).await {
            let cause = refused.label();
            warn!(cause, "the keys were changed, and no next one made yet");
        }
    }

    /// `fresh_due`: how long is waited for new keys. Nothing is locked meanwhile, and nothing but
    /// those waits.
    async fn settle(&self, fresh_due: Duration) -> Result<(), Refused> {
        for _ in 0..TURNS_MAX {
            let mut held = self.held.lock().await;
            if held.stale {
                self.exchange(&mut held).await?;
            }
            let due = due(&held.known, &self.schedules(), &held.served(), self.now());
            if due.is_empty() {
                return Ok(());
            }
            if due.iter().any(|(_, step)| *step != Step::Make) {
                self.keep(&mut held, Vec::new()).await?;
                continue;
            }
            drop(held);
            let wanted: Vec<_> = due.into_iter().map(|(purpose, _)| purpose).collect();
            let made = self.fresh(&wanted, fresh_due).await?;
            let mut held = self.held.lock().await;
            let fresh = held.take_in(made);
            self.keep(&mut held, fresh).await?;
        }
        Ok(())
    }

    async fn keep(&self, held: &mut Held, fresh: Vec<ServiceKey>) -> Result<(), Refused> {
        let keep = Keep {
            served: held.served(),
            fresh,
            schedules: self.schedules(),
            now: self.now(),
        };
        self.change(held, &keep).await
    }

    /// Commits a change, and has everybody go by it.
    async fn change<O: Operation>(
        &self,
        held: &mut Held,
        operation: &O,
    ) -> Result<O::Answer, Refused> {
        // Whatever happens between here and the exchange, such as a commit of which nobody knows
        // what became: the next look catches up.
        held.stale = true;
        let decided = self.engine.decide(operation).await?;
        self.exchange(held).await?;
        Ok(decided.answer)
    }

    /// New keys of these purposes, open already.
    async fn fresh(&self, purposes: &[KeyPurpose], due: Duration) -> Result<Made, Refused> {
        let make_all = async {
            let mut made = Vec::new();
            for &purpose in purposes {
                made.push(make(&self.custody, purpose, self.now().latest()).await?);
            }
            Ok::<_, CustodyError>(made)
        };
        let why = match timeout(due, make_all).await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(problem)) => problem.to_string(),
            Err(_) => self.custody.too_slow(due),
        };
        error!(problem = %why, "a key could not be made");
        Err(Refused::NoNewKey(why))
    }

    /// Has everybody go by the keys that are in the store now. One that is not open is not
    /// published, and so never used.
    async fn exchange(&self, held: &mut Held) -> Result<(), Refused> {
        let known = self.engine.records.keys().await?;
        held.open
            .retain(|id, _| known.iter().any(|known| known.value.id == *id));
        let missing = Refused::Fault(Fault::KeyMissing);
        let (in_use, mac_keys) = sort(&known, &held.open).ok_or(missing)?;
        self.set.replace(in_use);
        self.engine.replace_mac_keys(&mac_keys);
        self.guard.fetch_keys().await;
        tell(&held.known, &known);
        held.known = known;
        held.stale = false;
        Ok(())
    }

    /// The time, for what cannot be taken back.
    pub(crate) fn now(&self) -> Now {
        let clock = &self.engine.clock;
        self.chronometer.read(clock.now(), clock.steady())
    }
}

/// What is due, by purpose.
fn due(
    known: &[Known<ServiceKey>],
    schedules: &Schedules,
    served: &[KeyId],
    now: Now,
) -> Vec<(KeyPurpose, Step)> {
    let mut due = Vec::new();
    for purpose in KeyPurpose::ALL {
        let keys: Vec<_> = known
            .iter()
            .map(|known| &known.value)
            .filter(|key| key.purpose == purpose)
            .collect();
        let steps = plan(&keys, schedules.of(purpose), served, now);
        due.extend(steps.into_iter().map(|step| (purpose, step)));
    }
    due
}

/// The next key of that purpose.
fn next(known: &[Known<ServiceKey>], purpose: KeyPurpose) -> Option<&ServiceKey> {
    let mut keys = known.iter().map(|known| &known.value);
    keys.find(|key| key.purpose == purpose && key.state == KeyState::Next)
}

/// The purpose of a key that is active, where there is none to take its place.
fn without_successor(known: &[Known<ServiceKey>], id: &KeyId) -> Option<KeyPurpose> {
    let mut keys = known.iter().map(|known| &known.value);
    let revoked = keys.find(|key| key.id == *id && key.state == KeyState::Active)?;
    next(known, revoked.purpose)
        .is_none()
        .then_some(revoked.purpose)
}

/// Says in the log which keys changed their state.
fn tell(before: &[Known<ServiceKey>], after: &[Known<ServiceKey>]) {
    let state = |keys: &[Known<ServiceKey>], id: &KeyId| {
        let key = keys
            .iter()
            .map(|known| &known.value)
            .find(|key| key.id == *id);
        key.map(|key| key.state)
    };
    for key in after.iter().map(|known| &known.value) {
        if state(before, &key.id) != Some(key.state) {
            let state = match key.state {
                KeyState::Next => "next",
                KeyState::Active => "active",
                KeyState::Retiring => "retiring",
            };
            info!(key = %key.id, state, "a key of the service has changed");
        }
    }
    for key in before.iter().map(|known| &known.value) {
        if state(after, &key.id).is_none() {
            info!(key = %key.id, state = "gone", "a key of the service has changed");
        }
    }
}
