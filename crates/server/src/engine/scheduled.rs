//! The engine under a scheduler that decides at every call of the store who goes on: nothing that
//! can be used once is used twice, however it decides. A store that reads, then writes, is found.

mod racers;
mod yielding;

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config as Schedule, FailurePersistence, Runner};

use racers::{Race, Setting};

/// Schedules of each kind. A racer can be interrupted about ten times, so that this is most of what three of
/// them can do.
const SCHEDULES: usize = 400;

/// Changes of priority in one schedule: a race needs one or two.
const DEPTH: usize = 3;

/// Fixed, so that a verdict is the same each time; `SHUTTLE_RANDOM_SEED` draws others.
const SEED: u64 = 9_449;

/// A racer's futures are nested deeply, and large without optimisation.
const STACK_BYTES: usize = 1024 * 1024;

fn schedulers() -> [Box<dyn Scheduler + Send>; 2] {
    [
        Box::new(RandomScheduler::new_from_seed(SEED, SCHEDULES)),
        Box::new(PctScheduler::new_from_seed(SEED, DEPTH, SCHEDULES)),
    ]
}

/// Runs the race by all schedules; the first fault panics.
fn run(scheduler: Box<dyn Scheduler + Send>, setting: &Setting, naive: bool) {
    let mut schedule = Schedule::new();
    schedule.stack_size = STACK_BYTES;
    schedule.failure_persistence = match naive {
        // It has to fail: nobody wants to replay it.
        true => FailurePersistence::None,
        false => FailurePersistence::Print,
    };
    let setting = setting.clone();
    Runner::new(scheduler, schedule).run(move || setting.race(naive));
}

fn holds(race: Race) {
    let setting = Setting::of(race);
    for scheduler in schedulers() {
        run(scheduler, &setting, false);
    }
    for scheduler in schedulers() {
        let naive = catch_unwind(AssertUnwindSafe(|| run(scheduler, &setting, true)));
        assert!(
            naive.is_err(),
            "a store that reads, then writes, was not found"
        );
    }
}

#[test]
fn two_keys_never_get_a_live_successor_each() {
    holds(Race::Rotation);
}

#[test]
fn a_code_redeems_once_by_any_schedule() {
    holds(Race::Redemption);
}

#[test]
fn a_device_code_redeems_once_by_any_schedule() {
    holds(Race::Device);
}

#[test]
fn an_assertion_spends_once_by_any_schedule() {
    holds(Race::Assertion);
}

#[test]
fn a_revocation_is_never_overwritten() {
    holds(Race::Revocation);
}
