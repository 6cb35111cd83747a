//! Random operations on the store in a directory, compared step by step with the model in memory.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use countersign_store::embedded::verify;
use countersign_store::laws::Place;
use countersign_store::{
    Anchor, Append, Change, Commit, Expect, Key, Log, MemoryStore, Put, Store, Version, Write,
};
use proptest::prelude::*;

use crate::place::DirectoryPlace;
use crate::refused::copy;

const LOGS: [Log; 2] = [Log::named("a"), Log::named("ab")];

/// One thing to do. Versions are named by what a key had some steps ago, so that right and wrong
/// ones both come up.
#[derive(Clone, Debug)]
enum Step {
    Commit {
        writes: Vec<Planned>,
        appends: Vec<(usize, u8)>,
    },
    Scan {
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        limit: usize,
    },
    Sweep {
        now_millis: u64,
        max: usize,
    },
    Entries {
        log: usize,
        from: u64,
        limit: usize,
    },
    Trim {
        log: usize,
        below: u64,
        max: usize,
    },
    Reopen,
    /// The files as they are at some moment of a commit: what a killed process leaves.
    Crash {
        writes: Vec<Planned>,
        appends: Vec<(usize, u8)>,
    },
}

#[derive(Clone, Debug)]
struct Planned {
    key: Vec<u8>,
    guess: Guess,
    put: Option<(u8, Option<u64>)>,
}

#[derive(Copy, Clone, Debug)]
enum Guess {
    Right,
    Absent,
    Stale,
}

fn key_parts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..3_u8, 1..3)
}

fn planned() -> impl Strategy<Value = Planned> {
    let guess =
        prop_oneof![8 => Just(Guess::Right), 1 => Just(Guess::Absent), 1 => Just(Guess::Stale)];
    let put = prop::option::weighted(0.7, (any::<u8>(), prop::option::of(0..20_u64)));
    (key_parts(), guess, put).prop_map(|(key, guess, put)| Planned { key, guess, put })
}

fn step() -> impl Strategy<Value = Step> {
    let commit = || {
        (
            prop::collection::vec(planned(), 0..5),
            prop::collection::vec((0..LOGS.len(), any::<u8>()), 0..3),
        )
    };
    let scan = (
        prop::collection::vec(0..3_u8, 0..2),
        prop::option::of(key_parts()),
        0..6_usize,
    );
    prop_oneof![
        12 => commit().prop_map(|(writes, appends)| Step::Commit { writes, appends }),
        3 => scan.prop_map(|(prefix, after, limit)| Step::Scan { prefix, after, limit }),
        3 => (0..22_u64, 0..5_usize).prop_map(|(now_millis, max)| Step::Sweep { now_millis, max }),
        2 => (0..LOGS.len(), 0..8_u64, 0..5_usize)
            .prop_map(|(log, from, limit)| Step::Entries { log, from, limit }),
        2 => (0..LOGS.len(), 0..8_u64, 0..5_usize)
            .prop_map(|(log, below, max)| Step::Trim { log, below, max }),
        1 => Just(Step::Reopen),
        1 => commit().prop_map(|(writes, appends)| Step::Crash { writes, appends }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_does_as_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps));
    }
}

async fn compare(steps: Vec<Step>) {
    let place = DirectoryPlace::default();
    let mut pair = Pair {
        real: place.open().await,
        model: MemoryStore::new(),
    };
    for step in steps {
        match step {
            Step::Commit { writes, appends } => pair.commit(writes, appends).await,
            Step::Scan {
                prefix,
                after,
                limit,
            } => {
                let (prefix, after) = (key(&prefix), after.map(|after| key(&after)));
                let real = pair
                    .real
                    .scan(&prefix, after.as_ref(), limit)
                    .await
                    .unwrap();
                let model = pair
                    .model
                    .scan(&prefix, after.as_ref(), limit)
                    .await
                    .unwrap();
                let plain = |page: countersign_store::Page| {
                    let records = page.records.into_iter();
                    let records = records.map(|(k, r)| (k, r.value, r.expires_at_millis));
                    (records.collect::<Vec<_>>(), page.next)
                };
                assert_eq!(plain(real), plain(model));
            }
            Step::Sweep { now_millis, max } => {
                // Which are looked at first is the store's affair.
                let max = max.max(1);
                let mut removed = 0;
                loop {
                    let swept = pair.real.sweep(now_millis, max).await.unwrap();
                    assert!(swept.looked <= max && swept.removed <= swept.looked);
                    removed += swept.removed;
                    if !swept.more {
                        break;
                    }
                }
                let model = pair.model.sweep(now_millis, usize::MAX).await.unwrap();
                assert_eq!(removed, model.removed);
            }
            Step::Entries { log, from, limit } => {
                let real = pair.real.entries(LOGS[log], from, limit).await;
                assert_eq!(real, pair.model.entries(LOGS[log], from, limit).await);
            }
            Step::Trim { log, below, max } => {
                let real = pair.real.trim(LOGS[log], below, max).await;
                assert_eq!(real, pair.model.trim(LOGS[log], below, max).await);
            }
            Step::Crash { writes, appends } => pair.crash(&place, writes, appends).await,
            Step::Reopen => {
                pair.real.close().await.unwrap();
                pair.real = place.open().await;
                pair.model = pair.model.reopen();
            }
        }
        pair.compare().await;
    }
}

struct Pair {
    real: Arc<dyn Store>,
    model: MemoryStore,
}

impl Pair {
    /// The same change for both. Their version numbers differ: a sweep takes one in the real store.
    async fn commit(&self, writes: Vec<Planned>, appends: Vec<(usize, u8)>) {
        let real = self
            .real
            .commit(change(&*self.real, &writes, &appends).await)
            .await;
        let model = self
            .model
            .commit(change(&self.model, &writes, &appends).await)
            .await;
        match (real, model) {
            (Ok(Commit::Done(real)), Ok(Commit::Done(model))) => {
                assert_eq!(real.numbers, model.numbers);
            }
            (real, model) => assert_eq!(real, model),
        }
    }

    /// Everything that was acknowledged is in a copy of the files, and what was under way when they
    /// were copied is there whole, or not at all.
    async fn crash(&self, place: &DirectoryPlace, writes: Vec<Planned>, appends: Vec<(usize, u8)>) {
        let before = state(&self.model).await;
        let change = change(&*self.real, &writes, &appends).await;
        let real = Arc::clone(&self.real);
        let committing = tokio::spawn(async move { real.commit(change).await });
        // On this thread nothing is sent before it has run.
        tokio::task::yield_now().await;
        let copied = DirectoryPlace::default();
        // A mark that is newer than the copied database would be a lost tail: at one instant, it is
        // never.
        for name in ["mark", "store"] {
            fs::copy(place.path().join(name), copied.path().join(name)).unwrap();
        }
        copy(
            &place.path().join("database"),
            &copied.path().join("database"),
        );
        let real = committing.await.unwrap();
        let model = self
            .model
            .commit(self::change(&self.model, &writes, &appends).await);
        match (real, model.await) {
            (Ok(Commit::Done(_)), Ok(Commit::Done(_))) => {}
            (real, model) => assert_eq!(real, model),
        }
        let after = state(&self.model).await;
        let left = copied.open().await;
        let found = state(&*left).await;
        assert!(
            found == before || found == after,
            "{before:?} {found:?} {after:?}"
        );
        left.close().await.unwrap();
        assert!(verify(copied.path()).unwrap().is_sound());
    }

    async fn compare(&self) {
        assert_eq!(state(&*self.real).await, state(&self.model).await);
        for log in LOGS {
            assert_eq!(
                self.real.last_number(log).await,
                self.model.last_number(log).await
            );
        }
    }
}

type State = (
    Vec<(Key, Bytes, Option<u64>)>,
    Vec<(Anchor, Vec<countersign_store::Entry>)>,
);

/// Everything that a store shows but versions.
async fn state(store: &dyn Store) -> State {
    let page = store.scan(&Key::new([""; 0]), None, 100).await.unwrap();
    let records = page.records.into_iter();
    let records: Vec<_> = records
        .map(|(k, r)| (k, r.value, r.expires_at_millis))
        .collect();
    let mut logs = Vec::new();
    for log in LOGS {
        let start = store.start(log).await.unwrap();
        logs.push((start, store.entries(log, 0, 200).await.unwrap()));
    }
    (records, logs)
}

async fn change(store: &dyn Store, writes: &[Planned], appends: &[(usize, u8)]) -> Change {
    let mut change = Change::default();
    for planned in writes {
        let key = key(&planned.key);
        let found = store
            .load(std::slice::from_ref(&key))
            .await
            .unwrap()
            .remove(0);
        let expect = match (planned.guess, found) {
            (Guess::Right, Some(found)) => Expect::Version(found.version),
            (Guess::Stale, Some(found)) => {
                Expect::Version(Version::new(found.version.as_u64() - 1))
            }
            (Guess::Stale, None) => Expect::Version(Version::new(u64::MAX)),
            (Guess::Right, None) | (Guess::Absent, _) => Expect::Absent,
        };
        let put = planned.put.map(|(value, expires_at_millis)| Put {
            value: vec![value].into(),
            expires_at_millis,
        });
        change.writes.push(Write { key, expect, put });
    }
    let appends = appends.iter();
    change.appends = appends
        .map(|&(log, byte)| Append {
            log: LOGS[log],
            entry: vec![byte].into(),
        })
        .collect();
    change
}

fn key(parts: &[u8]) -> Key {
    Key::new(parts.iter().map(|part| [*part]))
}
