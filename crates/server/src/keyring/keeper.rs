//! The keeper of the keys: does what is due, on schedule or on command, and has everybody go by it.
//!
//! A change is committed first, with the expectation that nobody else made one, and then exchanged
//! in memory: what signs and what verifies, the keys for handles, and the set of the service's own
//! guard. Calls under way end with what they began with.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_guard::Guard;
use countersign_issuer::keys::{Chronometer, Now, Replaced, Rotated, Schedules, Step, plan};
use countersign_issuer::model::{KeyId, KeyPurpose, KeyState, ServiceKey};
use countersign_issuer::{Actor, Known};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::custody::{Custody, CustodyError};
use super::{OpenKeys, make, open, sort};
use crate::engine::Engine;
use crate::operation::keys::{Keep, Revoke, Rotate};
use crate::refused::{Fault, Refused};
use crate::signer::KeySet;

/// How often the keys are looked at. It costs some comparisons; the store is asked when something
/// is due.
const LOOK: Duration = Duration::from_secs(1);

/// After something went wrong: an external program that is down is not asked all the time.
const REST: Duration = Duration::from_secs(30);

/// What is done may make more due, such as publishing what was made: once or twice.
const TURNS_MAX: usize = 4;

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

    /// Does what is due.
    pub(crate) async fn look(&self) -> Result<(), Refused> {
        let mut held = self.held.lock().await;
        self.settle(&mut held).await
    }

    /// Replaces the active key, or has it replaced as soon as the next one is ready.
    pub(crate) async fn rotate(
        &self,
        purpose: KeyPurpose,
        actor: Actor,
    ) -> Result<Rotated, Refused> {
        let mut held = self.held.lock().await;
        let fresh = self.fresh(&mut held, &[purpose]).await.unwrap_or_default();
        let rotate = Rotate {
            purpose,
            fresh,
            schedules: self.schedules(),
            actor,
            now: self.now(),
        };
        let rotated = self.engine.decide(&rotate).await?.answer;
        self.exchange(&mut held).await?;
        self.settle(&mut held).await?;
        Ok(rotated)
    }

    /// Drops a key. When this returns, nothing that it made is honoured here.
    pub(crate) async fn revoke(&self, id: KeyId, actor: Actor) -> Result<Replaced, Refused> {
        let mut held = self.held.lock().await;
        let wanted = wanted_for_revoking(&held.known, &id);
        // Without new keys the next one still takes the place of the active one: whatever holds the
        // key-encryption key may be down, and this cannot wait.
        let fresh = self.fresh(&mut held, &wanted).await.unwrap_or_default();
        let revoke = Revoke {
            id,
            fresh,
            schedules: self.schedules(),
            actor,
            now: self.now(),
        };
        let replaced = self.engine.decide(&revoke).await?.answer;
        self.exchange(&mut held).await?;
        if let Err(refused) = self.settle(&mut held).await {
            // The revocation stands; the next look tries the rest again.
            warn!(
                cause = refused.label(),
                "a key was revoked, and no next one made yet"
            );
        }
        Ok(replaced)
    }

    async fn settle(&self, held: &mut Held) -> Result<(), Refused> {
        for _ in 0..TURNS_MAX {
            let (schedules, now) = (self.schedules(), self.now());
            let served: Vec<KeyId> = held.open.keys().cloned().collect();
            let due = due(&held.known, &schedules, &served, now);
            if due.is_empty() {
                return Ok(());
            }
            let wanted: Vec<_> = due
                .iter()
                .filter(|(_, step)| *step == Step::Make)
                .map(|(purpose, _)| *purpose)
                .collect();
            let fresh = self.fresh(held, &wanted).await;
            let nothing_else = due.len() == wanted.len();
            let fresh = match fresh {
                Err(refused) if nothing_else => return Err(refused),
                made => made.unwrap_or_default(),
            };
            let keep = Keep {
                served,
                fresh,
                schedules,
                now,
            };
            self.engine.decide(&keep).await?;
            self.exchange(held).await?;
        }
        Ok(())
    }

    /// New keys of these purposes, open already.
    async fn fresh(
        &self,
        held: &mut Held,
        purposes: &[KeyPurpose],
    ) -> Result<Vec<ServiceKey>, Refused> {
        let mut fresh = Vec::new();
        for &purpose in purposes {
            let made = make(&self.custody, purpose, self.now().latest()).await;
            let (key, open) = made.map_err(|problem| unusable(&problem))?;
            held.open.insert(key.id.clone(), open);
            fresh.push(key);
        }
        Ok(fresh)
    }

    /// Has everybody go by the keys that are in the store now.
    async fn exchange(&self, held: &mut Held) -> Result<(), Refused> {
        let known = self.engine.records.keys().await?;
        for key in known.iter().map(|known| &known.value) {
            if held.open.contains_key(&key.id) {
                continue;
            }
            // Of another instance. One that cannot be opened is not published, and so never used.
            match open(&self.custody, key).await {
                Ok(open) => drop(held.open.insert(key.id.clone(), open)),
                Err(problem) => drop(unusable(&problem)),
            }
        }
        held.open
            .retain(|id, _| known.iter().any(|known| known.value.id == *id));
        let missing = Refused::Fault(Fault::KeyMissing);
        let (in_use, mac_keys) = sort(&known, &held.open).ok_or(missing)?;
        self.set.replace(in_use);
        self.engine.replace_mac_keys(&mac_keys);
        self.guard.fetch_keys().await;
        tell(&held.known, &known);
        held.known = known;
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

/// The new keys that a revocation can need: one that comes after what takes its place, and one to
/// take its place where there is none.
fn wanted_for_revoking(known: &[Known<ServiceKey>], id: &KeyId) -> Vec<KeyPurpose> {
    let keys = || known.iter().map(|known| &known.value);
    let Some(revoked) = keys().find(|key| key.id == *id) else {
        return Vec::new();
    };
    let is_next = |key: &&ServiceKey| {
        key.purpose == revoked.purpose && key.state == KeyState::Next && key.id != *id
    };
    let wanted = match (revoked.state, keys().any(|key| is_next(&key))) {
        (KeyState::Active, false) => 2,
        (KeyState::Active, true) | (KeyState::Next, false) => 1,
        (KeyState::Next, true) | (KeyState::Retiring, _) => 0,
    };
    vec![revoked.purpose; wanted]
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

fn unusable(problem: &CustodyError) -> Refused {
    error!(%problem, "a key could not be made or opened");
    Refused::Fault(Fault::KeyUnusable)
}
