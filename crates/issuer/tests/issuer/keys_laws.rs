//! What holds of the service's own keys whatever happens: commands, revocations, restarts, changed
//! configurations and a clock that jumps.
//!
//! The model is a world of verifiers at the very edge of what they may do: each keeps its key set
//! for as long as it was told, and then takes a new one.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_issuer::keys::{Chronometer, KEYS_MAX, Now, Schedules, keep, revoke, rotate};
use countersign_issuer::model::{KeyId, KeyPurpose, KeyState, ServiceKey};
use countersign_issuer::{
    ACCESS_TOKEN_LIFETIME_MAX, Actor, CLOCK_MARGIN, Change, Known, Lifetimes, Record, RecordName,
    Version, Write,
};
use countersign_jose::UnixTime;
use proptest::prelude::*;

use crate::keys::key;

/// One thing that happens, and how long it takes to the next.
#[derive(Clone, Debug)]
enum Happens {
    Nothing,
    Rotate(KeyPurpose),
    /// Of the keys of that purpose, in some order, one.
    Revoke(KeyPurpose, usize),
    Restart,
    /// The age of key sets and the life of families, in seconds.
    Configure(u64, u64),
    /// The clock shows so many seconds more or less than the time.
    Jump(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let purpose = || prop_oneof![Just(KeyPurpose::Signing), Just(KeyPurpose::HandleMac)];
    prop_oneof![
        6 => Just(Happens::Nothing),
        4 => purpose().prop_map(Happens::Rotate),
        1 => (purpose(), 0..4_usize).prop_map(|(purpose, nth)| Happens::Revoke(purpose, nth)),
        1 => Just(Happens::Restart),
        2 => (1..7_200_u64, 60..2_592_000_u64).prop_map(|(age, life)| Happens::Configure(age, life)),
        2 => prop_oneof![Just(0), Just(10), Just(-10), Just(3_600), Just(-3_600)]
            .prop_map(Happens::Jump),
    ]
}

/// What a key has made, and who may have to verify it.
struct World {
    time: UnixTime,
    jump: i64,
    keys: BTreeMap<KeyId, Known<ServiceKey>>,
    /// Key sets that others hold: until when they may, and what is in it.
    sets: Vec<(UnixTime, Vec<KeyId>)>,
    /// Until when something that a key made lives.
    needed: BTreeMap<KeyId, UnixTime>,
    /// The ends of families that there are.
    families_end: UnixTime,
    revoked: Vec<KeyId>,
    chronometer: Chronometer,
    age: Duration,
    life: Duration,
    made: u32,
    version: u64,
    /// A revocation makes a key active that not everybody knows: that is its point.
    hurried: Vec<KeyId>,
}

impl World {
    fn new() -> Self {
        let time = UnixTime::from_secs(1_800_000_000);
        let mut world = Self {
            time,
            jump: 0,
            keys: BTreeMap::new(),
            sets: Vec::new(),
            needed: BTreeMap::new(),
            families_end: time,
            revoked: Vec::new(),
            chronometer: Chronometer::new(time, Duration::ZERO),
            age: Duration::from_secs(300),
            life: Duration::from_secs(86_400),
            made: 0,
            version: 1,
            hurried: Vec::new(),
        };
        for purpose in KeyPurpose::ALL {
            let first = ServiceKey {
                published_at: Some(time),
                life: Some(world.schedules().of(purpose).life),
                cache_age: Some(world.schedules().of(purpose).cache_age),
                ..key(&format!("{purpose:?}"), purpose, KeyState::Active)
            };
            let known = Known::new(first, Version::new(1));
            world.keys.insert(known.value.id.clone(), known);
        }
        world
    }

    fn schedules(&self) -> Schedules {
        let lifetimes = Lifetimes {
            refresh_absolute: self.life,
            ..Lifetimes::default()
        };
        let day = Duration::from_secs(86_400);
        Schedules::new(&lifetimes, self.age, Some(day), Some(2 * day))
    }

    fn now(&mut self) -> Now {
        let elapsed = self.time.since(UnixTime::from_secs(1_800_000_000));
        let wall = UnixTime::from_millis(
            self.time
                .as_millis()
                .saturating_add_signed(self.jump * 1000),
        );
        self.chronometer.read(wall, elapsed)
    }

    fn known(&self) -> Vec<Known<ServiceKey>> {
        self.keys.values().cloned().collect()
    }

    fn of(&self, purpose: KeyPurpose, state: KeyState) -> Vec<KeyId> {
        let keys = self.keys.values().map(|known| &known.value);
        keys.filter(|key| key.purpose == purpose && key.state == state)
            .map(|key| key.id.clone())
            .collect()
    }

    fn fresh(&mut self, purpose: KeyPurpose) -> ServiceKey {
        self.made += 1;
        let made = key(&format!("{:08x}", self.made), purpose, KeyState::Next);
        ServiceKey {
            published_at: None,
            cache_age: None,
            created_at: self.time,
            ..made
        }
    }

    fn apply(&mut self, change: &Change) {
        self.version += 1;
        for write in &change.writes {
            match write {
                Write::Put {
                    record: Record::Key(key),
                    ..
                } => {
                    let known = Known::new(key.clone(), Version::new(self.version));
                    self.keys.insert(key.id.clone(), known);
                }
                Write::Remove {
                    name: RecordName::Key(id),
                    ..
                } => {
                    let needed = self.needed.get(id).copied().unwrap_or_default();
                    assert!(
                        self.revoked.contains(id) || needed <= self.time,
                        "{id} is removed, and what it made lives"
                    );
                    self.keys.remove(id);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn look(&mut self) {
        for _ in 0..3 {
            let fresh = KeyPurpose::ALL.map(|purpose| self.fresh(purpose)).to_vec();
            let served: Vec<_> = self.keys.keys().cloned().collect();
            let (known, schedules, now) = (self.known(), self.schedules(), self.now());
            let decision = keep(&known, &served, fresh, &schedules, now);
            self.apply(&decision.change);
        }
    }

    /// Both active keys are used, and what they made is verified by everybody.
    fn live(&mut self) {
        for purpose in KeyPurpose::ALL {
            let active = self.of(purpose, KeyState::Active);
            assert_eq!(active.len(), 1, "exactly one active key");
            assert_eq!(self.of(purpose, KeyState::Next).len(), 1, "and one next");
            let keys = self
                .keys
                .values()
                .filter(|known| known.value.purpose == purpose);
            assert!(keys.count() <= KEYS_MAX + 1);
            let active = active[0].clone();
            assert!(!self.revoked.contains(&active));
            let ends = match purpose {
                KeyPurpose::Signing => {
                    for (until, set) in &self.sets {
                        let is_kept = self.time < *until;
                        assert!(
                            !is_kept || set.contains(&active) || self.hurried.contains(&active),
                            "{active} signs, and a key set without it is still good"
                        );
                    }
                    self.time.plus(ACCESS_TOKEN_LIFETIME_MAX)
                }
                // A new family, or an older one that is rotated.
                KeyPurpose::HandleMac => {
                    self.families_end = self.families_end.max(self.time.plus(self.life));
                    self.families_end
                }
            };
            let needed = self.needed.entry(active).or_default();
            *needed = ends.max(*needed);
        }
        // Somebody takes a key set now.
        let set = self.keys.keys().cloned().collect();
        self.sets.retain(|(until, _)| self.time < *until);
        self.sets.push((self.time.plus(self.age), set));
    }

    fn happen(&mut self, what: &Happens) {
        let (schedules, now) = (self.schedules(), self.now());
        let actor = Actor::Operator { uid: 0 };
        match what {
            Happens::Nothing => {}
            Happens::Rotate(purpose) => {
                let fresh = vec![self.fresh(*purpose)];
                let decision = rotate(&self.known(), *purpose, fresh, &schedules, &actor, now);
                assert!(decision.answer.is_ok());
                self.apply(&decision.change);
            }
            Happens::Revoke(purpose, nth) => {
                let keys = self.keys.values().map(|known| &known.value);
                let of: Vec<_> = keys.filter(|key| key.purpose == *purpose).collect();
                let id = of[nth % of.len()].id.clone();
                self.revoked.push(id.clone());
                let fresh = vec![self.fresh(*purpose), self.fresh(*purpose)];
                let decision = revoke(&self.known(), &id, fresh, &schedules, &actor, now);
                let active = decision.answer.as_ref().unwrap().active.id.clone();
                self.hurried.push(active);
                self.apply(&decision.change);
                assert!(!self.keys.contains_key(&id), "a revoked key stays");
            }
            Happens::Restart => {
                let elapsed = self.time.since(UnixTime::from_secs(1_800_000_000));
                // Clocks are right when the service starts: what is written meanwhile is not.
                self.jump = 0;
                self.chronometer = Chronometer::new(self.time, elapsed);
            }
            Happens::Configure(age, life) => {
                self.age = Duration::from_secs(*age);
                self.life = Duration::from_secs(*life);
            }
            Happens::Jump(secs) => self.jump = *secs,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_key_is_used_too_early_or_gone_too_soon(
        story in prop::collection::vec((happens(), 1..20_000_u64), 1..60),
    ) {
        let mut world = World::new();
        for (what, then) in &story {
            world.happen(what);
            world.look();
            world.live();
            world.time = world.time.plus(Duration::from_secs(*then));
            // Nobody looks while it is down, or busy; and just before it looks, it is used.
            world.live();
        }
        // Retiring keys do not stay for ever.
        world.jump = 0;
        for _ in 0..3 {
            world.time = world.time.plus(Duration::from_secs(40 * 86_400) + CLOCK_MARGIN);
            world.look();
            world.look();
        }
        let stay = world.of(KeyPurpose::Signing, KeyState::Retiring).len();
        prop_assert!(stay <= 2, "{stay} retiring keys stay");
    }
}
