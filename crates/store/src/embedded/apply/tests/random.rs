//! Commits, sweeps and trims in any order, in batches of any length, against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::super::examine::examine;
use super::*;
use crate::{Put, Swept};

/// What is done.
#[derive(Clone, Debug)]
enum Step {
    /// Some records are written or taken away, and entries of these sizes appended.
    Commit {
        writes: BTreeMap<u8, Option<Option<u64>>>,
        appends: Vec<usize>,
    },
    /// All that has expired, so many at a time.
    Sweep {
        now_millis: u64,
        max: usize,
    },
    /// Below the first number that is there and so many more.
    Trim {
        more: u64,
        max: usize,
    },
    Apply,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // A few keys and times, so that they meet.
    let expires = prop::option::of(0..5000_u64);
    let put = prop::option::weighted(0.8, expires);
    let writes = prop::collection::btree_map(0..40_u8, put, 1..4);
    let size = prop_oneof![30 => 0..100_usize, 1 => Just(20_000)];
    let appends = prop::collection::vec(size, 0..4);
    let commit = (writes, appends).prop_map(|(writes, appends)| Step::Commit { writes, appends });
    let sweep = (0..6000_u64, 1..20_usize);
    let sweep = sweep.prop_map(|(now_millis, max)| Step::Sweep { now_millis, max });
    let trim = (0..30_u64, 1..20_usize).prop_map(|(more, max)| Step::Trim { more, max });
    let step = prop_oneof![8 => commit, 2 => sweep, 1 => trim, 1 => Just(Step::Apply)];
    prop::collection::vec(step, 1..200)
}

/// What must be there.
#[derive(Default)]
struct Model {
    records: BTreeMap<Key, (Version, Option<u64>)>,
    /// Number and bytes.
    entries: BTreeMap<u64, Vec<u8>>,
    last: u64,
}

fn key(n: u8) -> Key {
    Key::of("k").and([n])
}

impl Model {
    fn commit(
        &mut self,
        writer: &mut Writer<'_>,
        writes: &BTreeMap<u8, Option<Option<u64>>>,
        appends: &[usize],
    ) {
        let mut change = Change::default();
        for (&n, put) in writes {
            let found = self.records.get(&key(n));
            // What is not there cannot be taken away.
            let put = put.or_else(|| found.is_none().then_some(None));
            change.writes.push(Write {
                key: key(n),
                expect: found.map_or(Expect::Absent, |(version, _)| Expect::Version(*version)),
                put: put.map(|expires_at_millis| Put {
                    value: "value".into(),
                    expires_at_millis,
                }),
            });
        }
        for size in appends {
            self.last += 1;
            let entry = vec![self.last as u8; *size];
            self.entries.insert(self.last, entry.clone());
            change = change.append(LOG, entry);
        }
        let Commit::Done(done) = writer.commit(&change, |_| {}).unwrap() else {
            panic!("a conflict")
        };
        for write in change.writes {
            match write.put {
                Some(put) => {
                    let record = (done.version, put.expires_at_millis);
                    self.records.insert(write.key, record);
                }
                None => drop(self.records.remove(&write.key)),
            }
        }
    }

    fn sweep(&mut self, writer: &mut Writer<'_>, now_millis: u64, max: usize) {
        let before = self.records.len();
        self.records
            .retain(|_, (_, end)| end.is_none_or(|end| end > now_millis));
        let mut removed = 0;
        loop {
            let swept = writer.sweep(now_millis, max, |_| {}).unwrap();
            let Swept { looked, more, .. } = swept;
            assert!(looked <= max && (looked == max || !more), "{swept:?}");
            removed += swept.removed;
            if !more {
                break;
            }
        }
        assert_eq!(removed, before - self.records.len());
    }

    fn trim(&mut self, writer: &mut Writer<'_>, more: u64, max: usize) {
        let first = self.entries.keys().next().copied().unwrap_or(0);
        let below = first + more;
        let old = self.entries.range(..below.min(self.last)).count();
        let trimmed = writer.trim(LOG, below, max, |_| {}).unwrap();
        let expected = Trimmed {
            removed: old.min(max),
            more: old > max,
        };
        assert_eq!(trimmed, expected);
        for _ in 0..trimmed.removed {
            self.entries.pop_first();
        }
    }

    fn check(&self, database: &Database, commits: u64) {
        let verified = examine(database, Some(commits));
        assert!(verified.is_sound(), "{:?}", verified.findings);
        let (mut records, mut entries) = (BTreeMap::new(), BTreeMap::new());
        let walked = database.walk(|item| match item {
            Item::Record { key, record } => {
                records.insert(key, (record.version, record.expires_at_millis));
            }
            Item::Entries { entries: found, .. } => {
                entries.extend(found.into_iter().map(|e| (e.number, e.bytes.to_vec())));
            }
            _ => {}
        });
        walked.unwrap();
        assert_eq!(records, self.records);
        assert_eq!(entries, self.entries);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// What commits, sweeps and trims leave is what the model has, sound in itself, whatever was
    /// gathered with what.
    #[test]
    fn what_is_gathered_is_what_the_model_has(steps in steps()) {
        let (_directory, database) = database();
        let mut writer = Writer::new(&database, 0, Tails::new());
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Commit { writes, appends } => model.commit(&mut writer, writes, appends),
                Step::Sweep { now_millis, max } => model.sweep(&mut writer, *now_millis, *max),
                Step::Trim { more, max } => model.trim(&mut writer, *more, *max),
                Step::Apply => writer.apply().unwrap(),
            }
        }
        writer.apply().unwrap();
        let commits = writer.commits();
        model.check(&database, commits);
    }
}
