//! What is written when keys are made, replaced, removed, revoked or encrypted anew.

use countersign_jose::{Thumbprint, UnixTime};

use super::plan::{self, Step, plan};
use super::schedule::{Schedule, Schedules};
use super::time::Now;
use crate::Expect;
use crate::change::{Change, Decision, Known, Record, RecordName, Revocation, RevocationTarget};
use crate::event::{Actor, Event, EventKind, Object};
use crate::holder::with_what_is_under_way;
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN};
use crate::model::{KeyId, KeyPurpose, KeyState, RevokedCause, SealedKey, ServiceKey};
use crate::refusal::Refusal;

/// What became of a command to replace the active key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The key that is active now.
    pub active: ServiceKey,
    /// The one that comes after it, if it could be made.
    pub next: Option<ServiceKey>,
    /// When the next key takes over; none if the active one has just been replaced.
    pub due: Option<UnixTime>,
}

/// What became of a command to revoke a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// The key that is active now, of the same purpose.
    pub active: ServiceKey,
}

/// The first two keys of a purpose: nobody knows of either yet, so one may be used at once.
pub fn first(
    active: ServiceKey,
    next: ServiceKey,
    schedules: &Schedules,
    now: Now,
) -> [(ServiceKey, Event); 2] {
    let schedule = schedules.of(active.purpose);
    let active = ServiceKey {
        state: KeyState::Active,
        published_at: Some(now.latest()),
        activated_at: Some(now.latest()),
        life: Some(schedule.life),
        ..active
    };
    [active, next].map(|key| {
        let created = event(EventKind::KeyCreated, &key.id, &Actor::Service, now);
        let key = ServiceKey {
            cache_age: Some(schedule.cache_age),
            ..key
        };
        (key, created)
    })
}

/// Does what is due. `served` are the keys in every key set that is given out; `fresh` are new ones
/// for where some are missing.
pub fn keep(
    known: &[Known<ServiceKey>],
    served: &[KeyId],
    fresh: Vec<ServiceKey>,
    schedules: &Schedules,
    now: Now,
) -> Decision<()> {
    let mut draft = Draft::new(known, fresh, &Actor::Service, now);
    for purpose in KeyPurpose::ALL {
        let schedule = schedules.of(purpose);
        let steps = plan(&draft.of(purpose), schedule, served, now);
        for step in &steps {
            draft.take(step, purpose, schedule);
        }
    }
    draft.change().answer(())
}

/// Replaces the active key at once if the next one has been published long enough; else writes down
/// that it is to be replaced as soon as it has.
pub fn rotate(
    known: &[Known<ServiceKey>],
    purpose: KeyPurpose,
    fresh: Vec<ServiceKey>,
    schedules: &Schedules,
    actor: &Actor,
    now: Now,
) -> Decision<Rotated> {
    let schedule = schedules.of(purpose);
    let mut draft = Draft::new(known, fresh, actor, now);
    let ready = plan::is_ready(&draft.of(purpose), schedule, now);
    let next = plan::next(&draft.of(purpose)).map(|next| next.id.clone());
    let due = match (ready, next) {
        (true, Some(next)) => {
            draft.take(&Step::Promote(next), purpose, schedule);
            draft.take(&Step::Make, purpose, schedule);
            None
        }
        _ => {
            draft.ask(purpose);
            Some(draft.due(purpose, schedule))
        }
    };
    match draft.active(purpose) {
        Some(active) => {
            let rotated = Rotated {
                active: active.clone(),
                next: plan::next(&draft.of(purpose)).cloned(),
                due,
            };
            draft.change().answer(rotated)
        }
        None => Decision::refuse(Refusal::NotFound),
    }
}

/// Drops a key. If it was the active one, the next takes its place, published long enough or not:
/// a token that somebody cannot verify for some minutes is better than one that a thief made.
pub fn revoke(
    known: &[Known<ServiceKey>],
    id: &KeyId,
    fresh: Vec<ServiceKey>,
    schedules: &Schedules,
    actor: &Actor,
    now: Now,
) -> Decision<Replaced> {
    let mut draft = Draft::new(known, fresh, actor, now);
    let Some(revoked) = draft.keys.iter().find(|key| key.id == *id).cloned() else {
        return Decision::refuse(Refusal::NotFound);
    };
    let (purpose, schedule) = (revoked.purpose, schedules.of(revoked.purpose));
    // It must not be chosen to take its own place.
    draft.keys.retain(|key| key.id != *id);
    draft.note(EventKind::KeyRevoked, id);
    if plan::next(&draft.of(purpose)).is_none() {
        draft.take(&Step::Make, purpose, schedule);
    }
    if revoked.state == KeyState::Active {
        let next = plan::next(&draft.of(purpose)).map(|next| next.id.clone());
        if let Some(next) = next {
            // The key takes its own handles along, and no family that has another's by now.
            let life = revoked
                .life
                .unwrap_or(schedule.life_unknown())
                .max(schedule.life);
            let needed = plan::needed_after(now.latest(), life);
            draft.activate(&next, schedule, revoked.needed_until.max(Some(needed)));
            draft.take(&Step::Make, purpose, schedule);
        }
    }
    match draft.active(purpose) {
        Some(active) => {
            let active = active.clone();
            let change = draft.change();
            let change = match told_of(&revoked, schedule, now) {
                Some(told) => change.revoke(told),
                None => change,
            };
            change.answer(Replaced { active })
        }
        None => Decision::refuse(Refusal::NotFound),
    }
}

/// What is told to those who verify offline, where the key may have made anything that they honour.
fn told_of(revoked: &ServiceKey, schedule: &Schedule, now: Now) -> Option<Revocation> {
    match revoked.purpose {
        KeyPurpose::Signing => Some(signed_by(revoked, schedule, now)),
        KeyPurpose::HandleMac => references_of(revoked, now),
    }
}

/// Tells those who watch revocations and may not hear of key sets. Also of a key that was never
/// used here: it was published, and a thief may have used it. Remembered for as long as a key set
/// that has it may be kept, and what it signed may live.
fn signed_by(revoked: &ServiceKey, schedule: &Schedule, now: Now) -> Revocation {
    let at = with_what_is_under_way(now.latest());
    let cache_age = revoked.cache_age.unwrap_or(schedule.cache_age_unknown());
    let kept = cache_age.max(schedule.cache_age);
    let target = match Thumbprint::parse(revoked.id.as_str()) {
        Ok(signer) => RevocationTarget::Signer(signer),
        // A name that is no thumbprint is none of ours: rather too much is refused.
        Err(_) => RevocationTarget::Everything,
    };
    Revocation {
        target,
        at,
        cause: RevokedCause::Requested,
        forget_at: at
            .plus(kept)
            .plus(ACCESS_TOKEN_LIFETIME_MAX)
            .plus(CLOCK_MARGIN),
    }
}

/// Tells those who were told what reference tokens say that those which this key made are dead.
/// Which key made one, nobody wrote down: so it is told of all that were made until then.
fn references_of(revoked: &ServiceKey, now: Now) -> Option<Revocation> {
    let live = ACCESS_TOKEN_LIFETIME_MAX.saturating_add(CLOCK_MARGIN);
    let may_live = match (revoked.purpose, revoked.state) {
        (KeyPurpose::Signing, _) | (KeyPurpose::HandleMac, KeyState::Next) => false,
        (KeyPurpose::HandleMac, KeyState::Active) => true,
        (KeyPurpose::HandleMac, KeyState::Retiring) => revoked
            .retired_at
            .is_none_or(|retired| now.earliest() < retired.plus(live)),
    };
    let at = with_what_is_under_way(now.latest());
    may_live.then(|| Revocation {
        target: RevocationTarget::References,
        at,
        cause: RevokedCause::Requested,
        forget_at: at.plus(live),
    })
}

/// Puts every key under another lock. `resealed` must name all of them: one that stayed behind
/// would be lost with the old lock.
pub fn rewrap(
    known: &[Known<ServiceKey>],
    resealed: &[(KeyId, SealedKey)],
    actor: &Actor,
    now: UnixTime,
) -> Decision<()> {
    let mut change = Change::default();
    for known in known {
        let Some((_, sealed)) = resealed.iter().find(|(id, _)| *id == known.value.id) else {
            return Decision::refuse(Refusal::Changed);
        };
        let key = ServiceKey {
            sealed: sealed.clone(),
            ..known.value.clone()
        };
        change = change.put(Record::Key(key), Expect::Version(known.version));
    }
    let rewrapped = Event {
        object: Object::Keys,
        ..event(
            EventKind::KeysRewrapped,
            &KeyId::new(""),
            actor,
            Now::certain(now),
        )
    };
    change.event(rewrapped).answer(())
}

/// The keys as they will be.
struct Draft<'a> {
    known: &'a [Known<ServiceKey>],
    keys: Vec<ServiceKey>,
    fresh: Vec<ServiceKey>,
    events: Vec<Event>,
    actor: &'a Actor,
    now: Now,
}

impl<'a> Draft<'a> {
    fn new(
        known: &'a [Known<ServiceKey>],
        fresh: Vec<ServiceKey>,
        actor: &'a Actor,
        now: Now,
    ) -> Self {
        Self {
            known,
            keys: known.iter().map(|known| known.value.clone()).collect(),
            fresh,
            events: Vec::new(),
            actor,
            now,
        }
    }

    fn of(&self, purpose: KeyPurpose) -> Vec<&ServiceKey> {
        self.keys
            .iter()
            .filter(|key| key.purpose == purpose)
            .collect()
    }

    fn active(&self, purpose: KeyPurpose) -> Option<&ServiceKey> {
        let is_active = |key: &&ServiceKey| key.purpose == purpose && key.state == KeyState::Active;
        self.keys.iter().find(is_active)
    }

    fn key(&mut self, id: &KeyId) -> Option<&mut ServiceKey> {
        self.keys.iter_mut().find(|key| key.id == *id)
    }

    fn note(&mut self, kind: EventKind, id: &KeyId) {
        self.events.push(event(kind, id, self.actor, self.now));
    }

    fn take(&mut self, step: &Step, purpose: KeyPurpose, schedule: &Schedule) {
        let now = self.now;
        match step {
            Step::Note(id) => {
                if let Some(key) = self.key(id) {
                    *key = plan::noted(key, schedule, now);
                }
            }
            Step::Publish(id) => {
                if let Some(key) = self.key(id) {
                    key.published_at = Some(now.latest());
                }
            }
            Step::Make => self.make(purpose, schedule),
            Step::Promote(next) => self.promote(next, purpose, schedule),
            Step::Remove(id) => {
                self.keys.retain(|key| key.id != *id);
                self.note(EventKind::KeyRemoved, id);
            }
        }
    }

    /// Where there is none to be had, the next look sees that one is missing.
    fn make(&mut self, purpose: KeyPurpose, schedule: &Schedule) {
        let Some(at) = self.fresh.iter().position(|key| key.purpose == purpose) else {
            return;
        };
        let key = ServiceKey {
            cache_age: Some(schedule.cache_age),
            ..self.fresh.remove(at)
        };
        self.note(EventKind::KeyCreated, &key.id);
        self.keys.push(key);
    }

    fn promote(&mut self, next: &KeyId, purpose: KeyPurpose, schedule: &Schedule) {
        let Some(active) = self.active(purpose).map(|active| active.id.clone()) else {
            return;
        };
        let retired = self.now.latest();
        let mut carried = None;
        if let Some(active) = self.key(&active) {
            let life = active
                .life
                .unwrap_or(schedule.life_unknown())
                .max(schedule.life);
            active.state = KeyState::Retiring;
            active.life = Some(life);
            active.retired_at = Some(retired);
            active.rotation_asked_at = None;
            let needed = plan::needed_after(retired, life);
            active.needed_until = active.needed_until.max(Some(needed));
            carried = active.needed_until;
        }
        self.note(EventKind::KeyRetired, &active);
        self.activate(next, schedule, carried);
    }

    /// `carried` is until when what was made with the keys before it may be of use: a family that is
    /// rotated gets a handle of this key, and keeps its end.
    fn activate(&mut self, next: &KeyId, schedule: &Schedule, carried: Option<UnixTime>) {
        let now = self.now.latest();
        if let Some(next) = self.key(next) {
            next.state = KeyState::Active;
            next.activated_at = Some(now);
            next.life = Some(schedule.life);
            next.needed_until = carried;
        }
        self.note(EventKind::KeyActivated, next);
    }

    fn ask(&mut self, purpose: KeyPurpose) {
        let Some(active) = self.active(purpose) else {
            return;
        };
        if active.rotation_asked_at.is_some() {
            return;
        }
        let (id, now) = (active.id.clone(), self.now.latest());
        if let Some(active) = self.key(&id) {
            active.rotation_asked_at = Some(now);
        }
        self.note(EventKind::KeyRotationAsked, &id);
    }

    /// When the next key takes over. One that is not published yet will be within moments.
    fn due(&self, purpose: KeyPurpose, schedule: &Schedule) -> UnixTime {
        let keys = self.of(purpose);
        let now = self.now.latest();
        let ready = plan::ready_at(&keys, schedule)
            .unwrap_or_else(|| now.plus(plan::publish_for(&keys, schedule)));
        if keys.len() < plan::KEYS_MAX {
            return ready.max(now);
        }
        // There must be room for it first.
        let room = keys.iter().filter_map(|key| plan::removed_at(key)).min();
        ready.max(room.unwrap_or(now))
    }

    /// What to write. Whatever changes among the keys of a purpose goes by its active key as well,
    /// so that two who change them at once do not both make a key, or replace one.
    fn change(self) -> Change {
        let mut change = Change::default();
        let is_touched = |purpose: KeyPurpose| {
            let before = self.known.iter().map(|known| &known.value);
            let before: Vec<_> = before.filter(|key| key.purpose == purpose).collect();
            before != self.of(purpose)
        };
        let touched = KeyPurpose::ALL.map(|purpose| (purpose, is_touched(purpose)));
        let touches = |purpose| touched.contains(&(purpose, true));
        for Known { value, version } in self.known {
            match self.keys.iter().find(|key| key.id == value.id) {
                None => change = change.remove(RecordName::Key(value.id.clone()), *version),
                Some(key)
                    if key != value
                        || value.state == KeyState::Active && touches(value.purpose) =>
                {
                    let expect = Expect::Version(*version);
                    change = change.put(Record::Key(key.clone()), expect);
                }
                Some(_) => {}
            }
        }
        let is_known = |id: &KeyId| self.known.iter().any(|known| known.value.id == *id);
        for key in self.keys.iter().filter(|key| !is_known(&key.id)) {
            change = change.put(Record::Key(key.clone()), Expect::Absent);
        }
        self.events.into_iter().fold(change, Change::event)
    }
}

fn event(kind: EventKind, id: &KeyId, actor: &Actor, now: Now) -> Event {
    Event {
        at: now.wall,
        kind,
        client: None,
        actor: actor.clone(),
        object: Object::Key(id.clone()),
        reason: None,
        granted: None,
    }
}
