use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::call::Failed;

const MS: Duration = Duration::from_millis(1);

fn latencies(each: Duration, count: u64) -> Latencies {
    let mut latencies = Latencies::default();
    (0..count).for_each(|_| latencies.record(each));
    latencies
}

/// A service that does what it should: 1,000 calls/s, asked for 2,000 for a second.
fn well() -> Report {
    let memory = Memory {
        samples: vec![(0.0, 50.0), (0.3, 55.0), (0.6, 56.0), (1.0, 56.0)],
    };
    let measurement = |count| Measurement {
        wall: 1_000 * MS,
        answered: latencies(MS, count),
        ..Measurement::default()
    };
    let lane = || Tally {
        served: latencies(MS, 20),
        made: 20,
        ..Tally::default()
    };
    let bystanders = Bystanders {
        health: lane(),
        keys: lane(),
        introspection: lane(),
    };
    Report {
        cores: Cores::Apart { server: 1, load: 0 },
        capacity: Capacity {
            per_sec: 1_000.0,
            measured: measurement(1_000),
        },
        unloaded: Tally {
            served: latencies(MS, 200),
            made: 200,
            ..Tally::default()
        },
        overloaded: Overloaded {
            rate: 2_000.0,
            factor: 2.0,
            tally: Tally {
                served: latencies(3 * MS, 900),
                shed: latencies(2 * MS, 1_100),
                shed_from_due: latencies(3 * MS, 1_100),
                late: latencies(MS / 10, 2_000),
                made: 2_000,
                span: 1_000 * MS,
                wall: 1_000 * MS,
                ..Tally::default()
            },
            memory: memory.clone(),
            bystanders,
        },
        flood: Flood {
            refused: latencies(MS, 1_000),
            wall: 1_000 * MS,
            served: measurement(50),
            ..Flood::default()
        },
        flood_memory: memory,
    }
}

fn missed(report: &Report) -> Vec<String> {
    let missed = report.goals().into_iter().filter(|goal| !goal.met());
    missed.map(|goal| goal.name).collect()
}

#[test]
fn a_service_that_sheds_early_meets_every_goal() {
    assert_eq!(missed(&well()), [""; 0]);
    assert_eq!(well().wrong(), [""; 0]);
}

/// Misses goals without anything being wrong.
type Change = fn(&mut Report);

#[test]
fn every_goal_can_be_missed() {
    let mut can_be_missed = BTreeSet::new();
    let mut check = |change: Change, expected: &[&str]| {
        let mut report = well();
        change(&mut report);
        assert_eq!(report.wrong(), [""; 0]);
        let missed = missed(&report);
        assert_eq!(missed.len(), expected.len(), "{missed:?}");
        for (missed, expected) in missed.iter().zip(expected) {
            assert!(missed.starts_with(expected), "{missed} {expected}");
        }
        can_be_missed.extend(missed);
    };
    check(
        |report| report.overloaded.tally.served = latencies(6 * MS, 900),
        &["p99 of the accepted ÷ unloaded"],
    );
    check(
        |report| report.capacity.per_sec = 1_200.0,
        &["goodput ÷ capacity"],
    );
    check(
        |report| report.overloaded.tally.shed_from_due.record(60 * MS),
        &["the slowest shed"],
    );
    check(
        // Early enough once it was made, and made too late.
        |report| report.overloaded.tally.shed_from_due = latencies(60 * MS, 1_100),
        &["p99 of a shed", "the slowest shed"],
    );
    check(
        |report| report.overloaded.memory.samples.push((2.0, 62.0)),
        &["memory under load"],
    );
    check(
        |report| report.flood_memory.samples.push((2.0, 62.0)),
        &["memory in the flood"],
    );
    check(
        |report| report.flood.served.failed = latencies(MS, 1),
        &["served in the flood"],
    );
    check(
        |report| report.overloaded.bystanders.health.served = latencies(80 * MS, 20),
        &["p99 of health"],
    );
    check(
        // One of 21 that was late is the slowest hundredth.
        |report| {
            let keys = &mut report.overloaded.bystanders.keys;
            keys.served.record(80 * MS);
            keys.made += 1;
        },
        &["p99 of keys"],
    );
    check(
        |report| report.overloaded.bystanders.introspection.served = latencies(80 * MS, 20),
        &["p99 of introspection"],
    );
    let all: BTreeSet<String> = well().goals().into_iter().map(|goal| goal.name).collect();
    assert_eq!(can_be_missed, all);
}

#[test]
fn where_nothing_was_answered_no_goal_is_met() {
    let check = |change: Change, expected: &[&str]| {
        let mut report = well();
        change(&mut report);
        let missed = missed(&report);
        for expected in expected {
            let found = missed.iter().any(|missed| missed.starts_with(expected));
            assert!(found, "{expected}: {missed:?}");
        }
        assert_ne!(report.wrong(), [""; 0]);
    };
    // The first calls hang, and so does all that comes after them.
    check(
        |report| {
            let lanes = &mut report.overloaded.bystanders;
            for lane in [&mut lanes.health, &mut lanes.keys, &mut lanes.introspection] {
                lane.served = Latencies::default();
            }
        },
        &["p99 of health", "p99 of keys", "p99 of introspection"],
    );
    // One of twenty is enough: the p99 of them has no end.
    check(
        |report| report.overloaded.bystanders.keys.served = latencies(MS, 19),
        &["p99 of keys"],
    );
    check(
        |report| report.overloaded.tally.served = Latencies::default(),
        &["p99 of the accepted ÷ unloaded", "goodput ÷ capacity"],
    );
    check(
        |report| report.unloaded.served = Latencies::default(),
        &["p99 of the accepted ÷ unloaded"],
    );
}

#[test]
fn memory_may_grow_by_what_a_ledger_must_keep() {
    let growing = Memory {
        samples: vec![(0.0, 50.0), (0.3, 55.0), (0.6, 56.0), (1.0, 65.0)],
    };
    let kept = 100_000.0;
    assert!(memory_goal("memory", &growing, kept).met());
    assert!(!memory_goal("memory", &growing, 0.0).met());
    assert!(!memory_goal("memory", &Memory::default(), kept).met());
}

#[test]
fn nothing_shed_at_twice_the_capacity_is_no_fast_shed() {
    let mut report = well();
    report.overloaded.tally.shed = Latencies::default();
    report.overloaded.tally.shed_from_due = Latencies::default();
    report.overloaded.tally.made = 900;
    assert!(missed(&report).contains(&"p99 of a shed".to_owned()));
}

#[test]
fn what_is_neither_served_nor_shed_is_wrong() {
    let check = |change: fn(&mut Report)| {
        let mut report = well();
        change(&mut report);
        assert_eq!(report.wrong().len(), 1, "{:?}", report.wrong());
    };
    fn broken() -> Failures {
        Failures::from([(Failed::Connection("reset".to_owned()), 1)])
    }
    fn shed() -> Failures {
        Failures::from([(Failed::Refused("REASON_OVERLOADED".to_owned()), 1)])
    }
    check(|report| report.capacity.measured.failures = broken());
    check(|report| {
        let mut pilot = Measurement::default();
        pilot.record(MS, Err(Failed::Unanswered));
        report.capacity = Capacity::of(&pilot, report.capacity.measured.clone());
    });
    check(|report| report.unloaded.shed_reasons = shed());
    check(|report| report.overloaded.tally.made += 1);
    check(|report| {
        let health = &mut report.overloaded.bystanders.health;
        (health.made, health.failures) = (21, broken());
    });
    check(|report| {
        let keys = &mut report.overloaded.bystanders.keys;
        (keys.made, keys.shed, keys.shed_reasons) = (21, latencies(MS, 1), shed());
    });
    check(|report| report.overloaded.bystanders.introspection.made = 21);
    check(|report| report.flood.wrong = broken());
}

#[test]
fn a_load_that_could_not_keep_up_fails_the_run() {
    let check = |change: fn(&mut Report)| {
        let mut report = well();
        change(&mut report);
        let wrong = report.wrong();
        assert!(
            wrong
                .iter()
                .any(|text| text.contains("keep up") || text.contains("one core"))
        );
    };
    check(|report| report.overloaded.rate = 2_100.0);
    check(|report| report.overloaded.tally.late = latencies(20 * MS, 2_000));
    check(|report| report.cores = Cores::Shared);
}

#[test]
fn json_is_flat() {
    for row in well().to_json() {
        let fields = row.as_object().expect("an object");
        assert!(fields.contains_key("name"), "{row}");
        assert!(fields.values().all(|field| !field.is_object()), "{row}");
    }
}
