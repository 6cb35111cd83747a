//! What is due among the service's own keys, row by row, and what each decision writes.

use std::time::Duration;

use countersign_issuer::keys::{
    Chronometer, JUMP_MAX, KEYS_MAX, Now, Schedules, Step, keep, plan, removed_at, revoke, rewrap,
    rotate,
};
use countersign_issuer::model::{KeyId, KeyPurpose, KeyState, Lock, SealedKey, ServiceKey};
use countersign_issuer::{
    ACCESS_TOKEN_LIFETIME_MAX, Actor, CLOCK_MARGIN, Change, EventKind, Known, Lifetimes, Record,
    RecordName, Refusal, RevocationTarget, Version, Write,
};
use countersign_jose::{Thumbprint, UnixTime};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// The age of key sets in these tests.
pub(crate) const AGE: Duration = Duration::from_secs(300);
pub(crate) const ROTATION: Duration = Duration::from_secs(30 * 86_400);
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

pub(crate) fn schedules() -> Schedules {
    Schedules::new(
        &Lifetimes::default(),
        AGE,
        Some(ROTATION),
        Some(3 * ROTATION),
    )
}

pub(crate) fn key(id: &str, purpose: KeyPurpose, state: KeyState) -> ServiceKey {
    let sealed = SealedKey {
        public_jwk: String::new(),
        material: vec![1],
        data_key: vec![2],
        lock: Lock::File,
    };
    let schedules = schedules();
    let schedule = schedules.of(purpose);
    let used = state != KeyState::Next;
    ServiceKey {
        state,
        published_at: Some(START),
        activated_at: used.then_some(START),
        life: used.then_some(schedule.life),
        cache_age: Some(schedule.cache_age),
        ..ServiceKey::new(KeyId::new(id), purpose, START, sealed)
    }
}

fn signing(id: &str, state: KeyState) -> ServiceKey {
    key(id, KeyPurpose::Signing, state)
}

fn retiring(id: &str, needed_until: UnixTime) -> ServiceKey {
    ServiceKey {
        retired_at: Some(START),
        needed_until: Some(needed_until),
        ..signing(id, KeyState::Retiring)
    }
}

fn id(name: &str) -> KeyId {
    KeyId::new(name)
}

fn known(keys: &[ServiceKey]) -> Vec<Known<ServiceKey>> {
    let known = |key: &ServiceKey| Known::new(key.clone(), Version::new(7));
    keys.iter().map(known).collect()
}

/// What is due after `later`, of keys that are all served.
#[track_caller]
fn due(keys: &[ServiceKey], later: Duration, expected: &[Step]) {
    let served: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
    let keys: Vec<_> = keys.iter().collect();
    let (schedules, now) = (schedules(), Now::certain(START.plus(later)));
    let schedule = schedules.of(keys.first().map_or(KeyPurpose::Signing, |key| key.purpose));
    assert_eq!(plan(&keys, schedule, &served, now), expected);
}

#[test]
fn what_is_due() {
    let active = || signing("active", KeyState::Active);
    let next = || signing("next", KeyState::Next);
    let asked = || ServiceKey {
        rotation_asked_at: Some(START),
        ..active()
    };
    let ready = AGE + CLOCK_MARGIN;
    let moment = Duration::from_millis(1);
    let replace = [Step::Promote(id("next")), Step::Make];

    due(&[active()], Duration::ZERO, &[Step::Make]);
    due(&[active(), next()], Duration::ZERO, &[]);
    // By schedule, not a moment before.
    due(&[active(), next()], ROTATION - moment, &[]);
    due(&[active(), next()], ROTATION, &replace);
    // On command, as soon as every older key set has come of age.
    due(&[asked(), next()], ready - moment, &[]);
    due(&[asked(), next()], ready, &replace);
    // A key that was never noted as published is not used, however old it is.
    let unpublished = || ServiceKey {
        published_at: None,
        ..next()
    };
    due(&[asked(), unpublished()], DAY, &[Step::Publish(id("next"))]);
    // A set with the active key in it may have been given out for longer than sets are now.
    let kept_long = || ServiceKey {
        cache_age: Some(DAY),
        ..asked()
    };
    due(&[kept_long(), next()], DAY + CLOCK_MARGIN - moment, &[]);
    due(&[kept_long(), next()], DAY + CLOCK_MARGIN, &replace);
    // A retiring key goes when the last that it made is dead, and a jump of the clock later.
    let old = || retiring("old", START.plus(DAY));
    due(&[active(), next(), old()], DAY + JUMP_MAX - moment, &[]);
    due(
        &[active(), next(), old()],
        DAY + JUMP_MAX,
        &[Step::Remove(id("old"))],
    );
    // What raises an age or a life is written down.
    let shorter = || ServiceKey {
        cache_age: Some(AGE - moment),
        ..active()
    };
    due(
        &[shorter(), next()],
        Duration::ZERO,
        &[Step::Note(id("active"))],
    );
}

#[test]
fn keys_that_are_not_served_are_not_noted_as_published() {
    let keys = [
        signing("active", KeyState::Active),
        ServiceKey {
            published_at: None,
            ..signing("next", KeyState::Next)
        },
    ];
    let keys: Vec<_> = keys.iter().collect();
    let (schedules, now) = (schedules(), Now::certain(START));
    let steps = plan(
        &keys,
        schedules.of(KeyPurpose::Signing),
        &[id("active")],
        now,
    );
    assert_eq!(steps, []);
}

#[test]
fn there_are_never_more_keys_than_a_key_set_holds() {
    let mut keys = vec![
        ServiceKey {
            rotation_asked_at: Some(START),
            ..signing("active", KeyState::Active)
        },
        signing("next", KeyState::Next),
    ];
    let until = START.plus(10 * DAY);
    keys.extend((2..KEYS_MAX).map(|n| retiring(&format!("old{n}"), until)));
    due(&keys, DAY, &[]);
    keys.pop();
    due(&keys, DAY, &[Step::Promote(id("next")), Step::Make]);
}

fn written<'c>(change: &'c Change, name: &str) -> &'c ServiceKey {
    let found = change.writes.iter().find_map(|write| match write {
        Write::Put {
            record: Record::Key(key),
            ..
        } if key.id == id(name) => Some(key),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} is not written"))
}

fn kinds(change: &Change) -> Vec<EventKind> {
    change.events.iter().map(|event| event.kind).collect()
}

const OPERATOR: Actor = Actor::Operator { uid: 7 };

#[test]
fn a_replaced_key_verifies_for_as_long_as_what_it_made_lives() {
    let keys = [
        signing("active", KeyState::Active),
        signing("next", KeyState::Next),
    ];
    let fresh = vec![ServiceKey {
        published_at: None,
        ..signing("fresh", KeyState::Next)
    }];
    let now = Now::certain(START.plus(DAY));
    let purpose = KeyPurpose::Signing;
    let decision = rotate(&known(&keys), purpose, fresh, &schedules(), &OPERATOR, now);
    let rotated = decision.answer.unwrap();
    assert_eq!((rotated.active.id, rotated.due), (id("next"), None));
    assert_eq!(rotated.next.unwrap().id, id("fresh"));
    let change = &decision.change;
    assert_eq!(written(change, "next").state, KeyState::Active);
    let old = written(change, "active");
    assert_eq!(old.state, KeyState::Retiring);
    let dead = now.wall.plus(ACCESS_TOKEN_LIFETIME_MAX);
    assert_eq!(
        removed_at(old),
        Some(dead.plus(CLOCK_MARGIN).plus(JUMP_MAX))
    );
    use EventKind::{KeyActivated, KeyCreated, KeyRetired};
    assert_eq!(kinds(change), [KeyRetired, KeyActivated, KeyCreated]);
}

#[test]
fn a_command_that_comes_too_early_is_remembered() {
    let keys = [
        signing("active", KeyState::Active),
        signing("next", KeyState::Next),
    ];
    let now = Now::certain(START.plus(Duration::from_secs(10)));
    let purpose = KeyPurpose::Signing;
    let decision = rotate(&known(&keys), purpose, vec![], &schedules(), &OPERATOR, now);
    let rotated = decision.answer.unwrap();
    let ready = START.plus(AGE + CLOCK_MARGIN);
    assert_eq!(
        (rotated.active.id, rotated.due),
        (id("active"), Some(ready))
    );
    let asked = written(&decision.change, "active").clone();
    assert_eq!(asked.rotation_asked_at, Some(now.wall));
    assert_eq!(kinds(&decision.change), [EventKind::KeyRotationAsked]);
    // The look after it is ready does it.
    due(
        &[asked, keys[1].clone()],
        AGE + CLOCK_MARGIN,
        &[Step::Promote(id("next")), Step::Make],
    );
}

/// A family that was begun under a longer lifetime, and is rotated under a later key, keeps its end;
/// so does the later key.
#[test]
fn a_mac_key_is_kept_for_families_that_are_older_than_it() {
    let mac = |name, state| key(name, KeyPurpose::HandleMac, state);
    let year = 365 * DAY;
    let first = ServiceKey {
        life: Some(year),
        ..mac("first", KeyState::Active)
    };
    let keys = known(&[first, mac("second", KeyState::Next)]);
    let fresh = vec![mac("third", KeyState::Next)];
    let now = Now::certain(START.plus(DAY));
    let purpose = KeyPurpose::HandleMac;
    let decision = rotate(&keys, purpose, fresh, &schedules(), &OPERATOR, now);
    let ends = now.wall.plus(year + CLOCK_MARGIN);
    let second = written(&decision.change, "second").clone();
    assert_eq!(second.needed_until, Some(ends));

    let keys = known(&[second, written(&decision.change, "third").clone()]);
    let later = Now::certain(START.plus(2 * DAY));
    let decision = rotate(&keys, purpose, vec![], &schedules(), &OPERATOR, later);
    let second = written(&decision.change, "second");
    assert_eq!(
        second.needed_until,
        Some(ends),
        "longer than its own 30 days"
    );
}

#[test]
fn what_the_first_release_did_not_write_down_is_taken_for_the_longest() {
    let unknown = |purpose| ServiceKey {
        published_at: None,
        activated_at: None,
        life: None,
        cache_age: None,
        ..key("old", purpose, KeyState::Active)
    };
    for (purpose, life, age) in [
        (KeyPurpose::Signing, ACCESS_TOKEN_LIFETIME_MAX, DAY),
        (KeyPurpose::HandleMac, 365 * DAY, Duration::ZERO),
    ] {
        let keys = known(&[unknown(purpose)]);
        let fresh = vec![ServiceKey {
            published_at: None,
            ..key("new", purpose, KeyState::Next)
        }];
        let decision = keep(&keys, &[], fresh, &schedules(), Now::certain(START));
        let old = written(&decision.change, "old");
        assert_eq!((old.life, old.cache_age), (Some(life), Some(age)));
        assert_eq!(written(&decision.change, "new").state, KeyState::Next);
    }
}

#[test]
fn a_revoked_key_is_gone_and_the_next_takes_its_place() {
    let keys = known(&[
        signing("active", KeyState::Active),
        ServiceKey {
            published_at: None,
            ..signing("next", KeyState::Next)
        },
        retiring("old", START.plus(DAY)),
    ]);
    let now = Now::certain(START);
    let fresh = || vec![signing("fresh", KeyState::Next)];
    let revoked = |name| revoke(&keys, &id(name), fresh(), &schedules(), &OPERATOR, now);

    let decision = revoked("active");
    assert_eq!(decision.answer.unwrap().active.id, id("next"));
    assert_eq!(written(&decision.change, "fresh").state, KeyState::Next);
    let gone = Write::Remove {
        name: RecordName::Key(id("active")),
        version: Version::new(7),
    };
    assert!(decision.change.writes.contains(&gone));
    use EventKind::{KeyActivated, KeyCreated, KeyRevoked};
    assert_eq!(
        kinds(&decision.change),
        [KeyRevoked, KeyActivated, KeyCreated]
    );

    let decision = revoked("next");
    assert_eq!(decision.answer.unwrap().active.id, id("active"));
    assert_eq!(kinds(&decision.change), [KeyRevoked, KeyCreated]);

    let decision = revoked("old");
    assert_eq!(decision.answer.unwrap().active.id, id("active"));
    assert_eq!(kinds(&decision.change), [KeyRevoked]);
    // Two who change the keys at once conflict: the active one is written with every change.
    assert_eq!(written(&decision.change, "active").state, KeyState::Active);

    assert_eq!(revoked("unknown").answer, Err(Refusal::NotFound));
}

#[test]
fn a_mac_key_that_is_dropped_takes_its_references_along() {
    use KeyPurpose::HandleMac;
    let live = ACCESS_TOKEN_LIFETIME_MAX.saturating_add(CLOCK_MARGIN);
    let ended = START.plus(DAY);
    let retired = |retired_at| ServiceKey {
        retired_at,
        ..key("it", HandleMac, KeyState::Retiring)
    };
    let rows = [
        ("active", key("it", HandleMac, KeyState::Active), true),
        ("just retired", retired(Some(ended)), true),
        ("nobody knows when", retired(None), true),
        ("its last one is dead", retired(Some(START)), false),
        ("never used", key("it", HandleMac, KeyState::Next), false),
    ];
    let now = Now::certain(ended.plus(live - Duration::from_secs(1)));
    for (row, it, expected) in rows {
        let others = [KeyState::Active, KeyState::Next].map(|state| match it.state {
            KeyState::Active => key("other", it.purpose, KeyState::Next),
            _ => key("other", it.purpose, state),
        });
        let keys = known(&[vec![it], others.to_vec()].concat());
        let decision = revoke(&keys, &id("it"), Vec::new(), &schedules(), &OPERATOR, now);
        assert!(decision.answer.is_ok(), "{row}");
        let told = &decision.change.revocations;
        assert_eq!(told.len(), usize::from(expected), "{row}");
        for told in told {
            assert_eq!(told.target, RevocationTarget::References, "{row}");
            // Tokens say in whole seconds when they were made, and some are being made.
            assert!(
                told.at >= now.latest().plus(Duration::from_secs(1)),
                "{row}"
            );
            assert_eq!(told.forget_at, told.at.plus(live), "{row}");
        }
    }
}

/// Also of one that was never used here: it was published, and a thief may have used it.
#[test]
fn a_signing_key_that_is_dropped_takes_its_tokens_along_whatever_they_say() {
    let signer = Thumbprint::from_bytes([7; 32]);
    let name = signer.to_string();
    let now = Now::certain(START.plus(DAY));
    let schedules = schedules();
    let cache_age = 2 * schedules.of(KeyPurpose::Signing).cache_age;
    for state in [KeyState::Next, KeyState::Active, KeyState::Retiring] {
        let it = ServiceKey {
            cache_age: Some(cache_age),
            ..signing(&name, state)
        };
        let others = [KeyState::Active, KeyState::Next].map(|other| match state {
            KeyState::Active => signing("other", KeyState::Next),
            _ => signing("other", other),
        });
        let keys = known(&[vec![it], others.to_vec()].concat());
        let decision = revoke(&keys, &id(&name), Vec::new(), &schedules, &OPERATOR, now);
        assert!(decision.answer.is_ok(), "{state:?}");
        let [told] = &decision.change.revocations[..] else {
            panic!("{state:?}: {:?}", decision.change.revocations);
        };
        assert_eq!(told.target, RevocationTarget::Signer(signer), "{state:?}");
        // A guard may get a key set with it for so long, and then a token that it signed.
        let needed = now.latest().plus(cache_age).plus(ACCESS_TOKEN_LIFETIME_MAX);
        assert!(told.forget_at > needed, "{state:?}");
    }
}

#[test]
fn all_keys_are_encrypted_anew_or_none() {
    let keys = known(&[
        signing("active", KeyState::Active),
        signing("next", KeyState::Next),
    ]);
    let sealed = SealedKey {
        data_key: vec![9],
        ..keys[0].value.sealed.clone()
    };
    let both = [(id("active"), sealed.clone()), (id("next"), sealed.clone())];
    let decision = rewrap(&keys, &both, &OPERATOR, START);
    assert_eq!(decision.answer, Ok(()));
    assert_eq!(written(&decision.change, "next").sealed, sealed);
    assert_eq!(kinds(&decision.change), [EventKind::KeysRewrapped]);
    let one = rewrap(&keys, &both[..1], &OPERATOR, START);
    assert!(one.answer.is_err() && one.change.is_empty());
}

/// What has to have passed is judged by the clock that is behind, and written down by the one that
/// is ahead.
#[test]
fn a_clock_that_jumps_makes_nothing_due_and_nothing_look_old() {
    let secs = Duration::from_secs;
    let hour = secs(3600);
    let chronometer = Chronometer::new(START, secs(50));
    let true_time = START.plus(secs(10));
    for jump in [secs(10), hour] {
        let now = chronometer.read(true_time.plus(jump), secs(60));
        assert_eq!(
            (now.earliest(), now.latest()),
            (true_time, true_time.plus(jump))
        );
        let now = chronometer.read(true_time.minus(jump), secs(60));
        assert_eq!(
            (now.earliest(), now.latest()),
            (true_time.minus(jump), true_time)
        );
    }
    let now = chronometer.read(true_time, secs(60));
    assert_eq!(now, Now::certain(true_time));
}
