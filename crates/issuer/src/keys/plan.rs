//! What is due: a function of the keys, the schedule and the time.

use std::time::Duration;

use countersign_jose::UnixTime;

use super::schedule::Schedule;
use super::time::{JUMP_MAX, Now};
use crate::issuer::CLOCK_MARGIN;
use crate::model::{KeyId, KeyState, ServiceKey};

/// Keys of one purpose at once. Key sets hold up to 32, and whoever reads them no more.
pub const KEYS_MAX: usize = 24;

/// One thing to do with the keys of one purpose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write down what the record does not say yet, or what has become longer since.
    Note(KeyId),
    /// Write down that no key set is given out without it any more.
    Publish(KeyId),
    /// Make a next key.
    Make,
    /// The next key becomes active, and the active one retiring.
    Promote(KeyId),
    /// Nothing needs it any more.
    Remove(KeyId),
}

/// What is due among `keys`, which are those of one purpose. `served` are the keys that are in
/// every key set that is given out.
pub fn plan(keys: &[&ServiceKey], schedule: &Schedule, served: &[KeyId], now: Now) -> Vec<Step> {
    let mut steps = Vec::new();
    for key in keys {
        if noted(key, schedule, now) != **key {
            steps.push(Step::Note(key.id.clone()));
        }
        if key.published_at.is_none() && served.contains(&key.id) {
            steps.push(Step::Publish(key.id.clone()));
        }
        if removed_at(key).is_some_and(|due| due <= now.earliest()) {
            steps.push(Step::Remove(key.id.clone()));
        }
    }
    let Some(next) = next(keys) else {
        steps.push(Step::Make);
        return steps;
    };
    let active = keys.iter().find(|key| key.state == KeyState::Active);
    let wanted = active.is_some_and(|active| {
        active.rotation_asked_at.is_some()
            || retires_at(active, schedule).is_some_and(|due| due <= now.earliest())
    });
    if wanted && is_ready(keys, schedule, now) {
        steps.push(Step::Promote(next.id.clone()));
        steps.push(Step::Make);
    }
    steps
}

/// The key that comes after the active one: the one that was published first.
pub(super) fn next<'k>(keys: &[&'k ServiceKey]) -> Option<&'k ServiceKey> {
    keys.iter()
        .filter(|key| key.state == KeyState::Next)
        .min_by_key(|key| (key.published_at.is_none(), key.published_at, key.created_at))
        .copied()
}

/// Whether the next key may take over by schedule or on command.
pub(super) fn is_ready(keys: &[&ServiceKey], schedule: &Schedule, now: Now) -> bool {
    keys.len() < KEYS_MAX && ready_at(keys, schedule).is_some_and(|ready| ready <= now.earliest())
}

/// When the next key may be used at the earliest: when the last key set that was given out without
/// it has come of age. None while it is not published.
pub fn ready_at(keys: &[&ServiceKey], schedule: &Schedule) -> Option<UnixTime> {
    let published = next(keys)?.published_at?;
    Some(published.plus(publish_for(keys, schedule)))
}

/// How long a key must be published before it is used. A set that was given out before had another
/// key in it, and that one's record says how long it may be kept.
pub(super) fn publish_for(keys: &[&ServiceKey], schedule: &Schedule) -> Duration {
    let age = |key: &&ServiceKey| key.cache_age.unwrap_or(schedule.cache_age_unknown());
    let others = keys
        .iter()
        .filter(|key| key.published_at.is_some() || key.state != KeyState::Next);
    let longest = others.map(age).max().unwrap_or_default();
    longest.max(schedule.cache_age) + CLOCK_MARGIN
}

/// When the active key is to be replaced by schedule.
pub fn retires_at(active: &ServiceKey, schedule: &Schedule) -> Option<UnixTime> {
    // In a store of the first release, it was active from the beginning.
    let since = active.activated_at.unwrap_or(active.created_at);
    schedule.rotation.map(|after| since.plus(after))
}

/// When a retiring key is removed. None for others, and while it is not known.
pub fn removed_at(key: &ServiceKey) -> Option<UnixTime> {
    match key.state {
        KeyState::Next | KeyState::Active => None,
        // Later than it could be: a clock that was wrong when the service started removes nothing
        // that is needed when it is right again.
        KeyState::Retiring => key.needed_until.map(|until| until.plus(JUMP_MAX)),
    }
}

/// The key with what its record lacks, as of now: the longest ages and lives that were in force
/// while it was there. What is not known is not written down as if it were shorter.
pub(super) fn noted(key: &ServiceKey, schedule: &Schedule, now: Now) -> ServiceKey {
    let mut noted = key.clone();
    let longest = |known: Option<Duration>, unknown, in_force: Duration| {
        Some(known.unwrap_or(unknown).max(in_force))
    };
    noted.cache_age = longest(
        key.cache_age,
        schedule.cache_age_unknown(),
        schedule.cache_age,
    );
    match key.state {
        KeyState::Next => {}
        KeyState::Active => {
            noted.life = longest(key.life, schedule.life_unknown(), schedule.life);
        }
        KeyState::Retiring => {
            let life = key.life.unwrap_or(schedule.life_unknown());
            let retired = key.retired_at.unwrap_or(now.latest());
            noted.retired_at = Some(retired);
            noted.needed_until = key.needed_until.or(Some(needed_after(retired, life)));
        }
    }
    noted
}

/// Until when something made before `retired` may be of use. Calls that were under way then may
/// have used the key a little longer.
pub(super) fn needed_after(retired: UnixTime, life: Duration) -> UnixTime {
    retired.plus(life).plus(CLOCK_MARGIN)
}
