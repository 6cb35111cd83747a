//! What every [`Store`] keeps, as functions to run against one.
//!
//! Each "must" in the trait's documentation names a law here. A backend joins with one line in its
//! tests, which makes a test of each law:
//!
//! ```text
//! countersign_store::store_laws!(memory, MemoryPlace::default());
//! ```
//!
//! A law takes a [`Place`], a home for records that can be opened again, and panics where it is
//! broken. An exemption belongs into the backend's test, with its reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::{
    Anchor, Change, Commit, Done, Expect, Key, Log, Malformed, Store, StoreError, Version, Write,
    chain,
};

/// The most records or entries in one page.
pub const SCAN_MAX: usize = 1000;

/// A home for records, empty at first. A law opens it, closes what it opened, and opens it again.
#[async_trait]
pub trait Place: Send + Sync {
    /// The store on the records of this place.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes a module of tests, one for each law, against fresh places made by an expression.
#[macro_export]
macro_rules! store_laws {
    ($backend:ident, $place:expr) => {
        $crate::store_laws! { @each $backend, $place;
            expired_records_are_returned_until_swept
            a_load_answers_in_order
            what_is_read_is_durable
            a_change_is_all_or_nothing
            a_wrong_expectation_conflicts
            of_two_racing_commits_one_is_done
            what_is_acknowledged_survives
            a_version_never_returns
            entries_are_numbered_without_a_gap
            entries_form_a_chain
            a_malformed_change_is_refused
            an_empty_change_is_done
            a_scan_visits_each_record_once
            a_scan_stays_under_its_prefix
            a_sweep_removes_what_has_expired
            a_sweep_is_bounded
            a_sweep_goes_by_the_latest_expiry
            a_trim_is_bounded
            a_trim_keeps_the_last_entry
            a_trimmed_log_keeps_its_anchor
            a_trimmed_log_is_read_from_its_start
            a_log_is_read_by_pages
            a_watch_has_no_gap_and_no_duplicate
            a_watch_ends_with_the_store
            a_closed_store_says_so
        }
    };
    (@each $backend:ident, $place:expr; $($law:ident)*) => {
        mod $backend {
            use super::*;
            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    let place = $place;
                    $crate::laws::$law(&place).await;
                }
            )*
        }
    };
}

const LOG: Log = Log::named("law");
const OTHER_LOG: Log = Log::named("law.other");

/// An expired record is loaded and scanned like any other, until a sweep removed it.
pub async fn expired_records_are_returned_until_swept(place: &dyn Place) {
    let store = place.open().await;
    let key = Key::of("old");
    done(
        &*store,
        Change::of([Write::create(key.clone(), "value").expiring_at(0)]),
    )
    .await;
    let record = load(&*store, &key)
        .await
        .expect("an expired record is there");
    assert_eq!(record.expires_at_millis, Some(0));
    assert_eq!(scan_all(&*store, &key, 10).await.len(), 1);
    sweep(&*store, 1, 10).await;
    assert_eq!(load(&*store, &key).await, None);
}

/// The answers are in the order of the keys, with none for what is not there.
pub async fn a_load_answers_in_order(place: &dyn Place) {
    let store = place.open().await;
    let key = |n: u8| Key::of("k").and([n]);
    done(
        &*store,
        Change::of([1, 3].map(|n| Write::create(key(n), vec![n]))),
    )
    .await;
    let found = store
        .load(&[key(3), key(2), key(1), key(3)])
        .await
        .expect("load");
    let values: Vec<_> = found
        .iter()
        .map(|r| r.as_ref().map(|r| r.value[0]))
        .collect();
    assert_eq!(values, [Some(3), None, Some(1), Some(3)]);
    assert_eq!(store.load(&[]).await, Ok(Vec::new()));
}

/// What a load returned while commits were under way is there after the store was opened anew: at
/// that version or a later one.
pub async fn what_is_read_is_durable(place: &dyn Place) {
    let store = place.open().await;
    let key = Key::of("counter");
    let writer = tokio::spawn(count(Arc::clone(&store), key.clone(), 50));
    let mut seen = Version::new(0);
    while !writer.is_finished() {
        if let Some(record) = load(&*store, &key).await {
            assert!(
                record.version >= seen,
                "a later load returns a later version"
            );
            seen = record.version;
        }
        tokio::task::yield_now().await;
    }
    writer.await.expect("the writer counts to its end");
    store.close().await.expect("close");
    let store = place.open().await;
    let found = load(&*store, &key).await.expect("the counter survives");
    assert!(found.version >= seen);
}

/// Where one write of a change conflicts, no write and no append of it happens.
pub async fn a_change_is_all_or_nothing(place: &dyn Place) {
    let store = place.open().await;
    let key = |n: u8| Key::of("k").and([n]);
    done(&*store, Change::of([Write::create(key(2), "there")])).await;
    for position in 0..3 {
        let mut writes = vec![Write::create(key(0), "new"), Write::create(key(1), "new")];
        writes.insert(position, Write::create(key(2), "again"));
        let change = Change::of(writes).append(LOG, "entry");
        assert_eq!(store.commit(change).await, Ok(Commit::Conflict(key(2))));
    }
    let found = store.load(&[key(0), key(1)]).await.expect("load");
    assert_eq!(found, [None, None]);
    assert_eq!(store.last_number(LOG).await, Ok(0));

    let writes = [Write::create(key(0), "new"), Write::create(key(1), "new")];
    let both = done(&*store, Change::of(writes).append(LOG, "entry")).await;
    for n in [0, 1] {
        assert_eq!(
            load(&*store, &key(n)).await.map(|r| r.version),
            Some(both.version)
        );
    }
    assert_eq!(both.numbers, [1]);
}

/// Every combination of what is expected and what is there.
pub async fn a_wrong_expectation_conflicts(place: &dyn Place) {
    let store = place.open().await;
    let key = Key::of("k");
    let conflict = Ok(Commit::Conflict(key.clone()));
    let commit = async |write: Write| store.commit(Change::of([write])).await;
    let nowhere = Version::new(u64::MAX);

    assert_eq!(
        commit(Write::replace(key.clone(), nowhere, "x")).await,
        conflict
    );
    assert_eq!(commit(Write::delete(key.clone(), nowhere)).await, conflict);
    let absent = Write {
        key: key.clone(),
        expect: Expect::Absent,
        put: None,
    };
    done(&*store, Change::of([absent.clone()])).await;

    let first = done(&*store, Change::of([Write::create(key.clone(), "1")]))
        .await
        .version;
    assert_eq!(commit(Write::create(key.clone(), "x")).await, conflict);
    assert_eq!(commit(absent).await, conflict);
    let second = done(
        &*store,
        Change::of([Write::replace(key.clone(), first, "2")]),
    )
    .await
    .version;
    assert_eq!(
        commit(Write::replace(key.clone(), first, "x")).await,
        conflict
    );
    assert_eq!(commit(Write::delete(key.clone(), first)).await, conflict);
    assert_eq!(load(&*store, &key).await.map(|r| r.value), Some("2".into()));

    done(&*store, Change::of([Write::delete(key.clone(), second)])).await;
    assert_eq!(commit(Write::delete(key.clone(), second)).await, conflict);
    assert_eq!(load(&*store, &key).await, None);
}

/// Of two commits that expect the same, one is done and the other is a conflict; and of many
/// increments, repeated on conflict, none is lost.
pub async fn of_two_racing_commits_one_is_done(place: &dyn Place) {
    let store = place.open().await;
    for round in 0..50_u8 {
        let key = Key::of("race").and([round]);
        let racers = [0_u8, 1].map(|racer| {
            let (store, key) = (Arc::clone(&store), key.clone());
            tokio::spawn(async move {
                store
                    .commit(Change::of([Write::create(key, vec![racer])]))
                    .await
                    .expect("commit")
            })
        });
        let mut winners = Vec::new();
        for (racer, end) in (0..).zip(join_all(racers).await) {
            match end.expect("a racer ends") {
                Commit::Done(_) => winners.push(racer),
                Commit::Conflict(at) => assert_eq!(at, key),
            }
        }
        let there = load(&*store, &key).await.map(|record| record.value[0]);
        assert_eq!(winners, Vec::from_iter(there));
    }
    let key = Key::of("counter");
    let counts = (0..8).map(|_| tokio::spawn(count(Arc::clone(&store), key.clone(), 10)));
    join_all(counts)
        .await
        .into_iter()
        .for_each(|end| end.expect("a writer ends"));
    assert_eq!(number(&*store, &key).await, 80);
}

/// Records, deletions, expiries and entries are as they were answered, after a close and an open.
pub async fn what_is_acknowledged_survives(place: &dyn Place) {
    let store = place.open().await;
    let [kept, gone, swept] = ["kept", "gone", "swept"].map(Key::of);
    let keys = [kept.clone(), gone.clone(), swept.clone()];
    let writes = [
        Write::create(kept.clone(), "1").expiring_at(20),
        Write::create(gone.clone(), "1"),
        Write::create(swept.clone(), "1").expiring_at(10),
    ];
    let first = done(&*store, Change::of(writes).append(LOG, "one"))
        .await
        .version;
    done(&*store, Change::of([Write::delete(gone, first)])).await;
    sweep(&*store, 10, 10).await;
    let before = store.load(&keys).await.expect("load");
    store.close().await.expect("close");

    let store = place.open().await;
    assert_eq!(store.load(&keys).await.expect("load"), before);
    assert_eq!(before.iter().flatten().count(), 1);
    assert_eq!(store.last_number(LOG).await, Ok(1));
    let entries = store.entries(LOG, 1, 10).await.expect("entries");
    assert_eq!(
        entries.iter().map(|e| &e.bytes[..]).collect::<Vec<_>>(),
        [b"one"]
    );
    sweep(&*store, 20, 10).await;
    assert_eq!(load(&*store, &kept).await, None);
}

/// Versions grow over everything that happens to a record, and to others.
pub async fn a_version_never_returns(place: &dyn Place) {
    let mut store = place.open().await;
    let (key, other) = (Key::of("k"), Key::of("other"));
    let mut last = Version::new(0);
    for round in 0..3 {
        let made = done(&*store, Change::of([Write::create(key.clone(), "1")]))
            .await
            .version;
        let changed = Write::replace(key.clone(), made, "2").expiring_at(1);
        let changed = done(&*store, Change::of([changed])).await.version;
        assert!(last < made && made < changed);
        last = changed;
        if round == 1 {
            sweep(&*store, 1, 1).await;
        } else {
            last = done(&*store, Change::of([Write::delete(key.clone(), changed)]))
                .await
                .version;
            assert!(changed < last);
        }
        store.close().await.expect("close");
        store = place.open().await;
    }
    let elsewhere = done(&*store, Change::of([Write::create(other, "1")]))
        .await
        .version;
    assert!(last < elsewhere);
}

/// Each log counts for itself, from 1, also for many writers, and goes on after an open.
pub async fn entries_are_numbered_without_a_gap(place: &dyn Place) {
    let store = place.open().await;
    let first = Change::default()
        .append(LOG, "a")
        .append(OTHER_LOG, "x")
        .append(LOG, "b");
    assert_eq!(done(&*store, first).await.numbers, [1, 1, 2]);

    let writers = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { done(&*store, Change::default().append(LOG, "c")).await })
    });
    let ends = join_all(writers)
        .await
        .into_iter()
        .map(|end| end.expect("a writer ends"));
    let by_version: BTreeMap<_, _> = ends.map(|end| (end.version, end.numbers)).collect();
    let numbers: Vec<u64> = by_version.into_values().flatten().collect();
    assert_eq!(
        numbers,
        Vec::from_iter(3..=22),
        "in the order of the commits"
    );

    store.close().await.expect("close");
    let store = place.open().await;
    let next = Change::default().append(LOG, "d").append(OTHER_LOG, "y");
    assert_eq!(done(&*store, next).await.numbers, [23, 2]);
}

/// Each entry's hash follows from its bytes and the hash before it: in one change, over many
/// writers, over an open, and for each log by itself.
pub async fn entries_form_a_chain(place: &dyn Place) {
    let mut store = place.open().await;
    let origin = Anchor {
        first: 1,
        before: chain::origin(LOG),
    };
    assert_eq!(store.start(LOG).await, Ok(origin));
    assert_ne!(chain::origin(LOG), chain::origin(OTHER_LOG));
    for round in 0..2_u8 {
        let writers = (0..20_u8).map(|n| {
            let store = Arc::clone(&store);
            let change = Change::default()
                .append(LOG, vec![round, n])
                .append(OTHER_LOG, "same")
                .append(LOG, "");
            tokio::spawn(async move { done(&*store, change).await })
        });
        join_all(writers)
            .await
            .into_iter()
            .for_each(|end| drop(end.expect("a writer ends")));
        store.close().await.expect("close");
        store = place.open().await;
    }
    assert_eq!(check_chain(&*store, LOG).await.len(), 80);
    assert_eq!(check_chain(&*store, OTHER_LOG).await.len(), 40);
}

/// A change that breaks a bound, or writes a record twice, is refused and leaves nothing.
pub async fn a_malformed_change_is_refused(place: &dyn Place) {
    let store = place.open().await;
    let key = Key::of("k");
    let create = |key: Key, bytes: usize| Write::create(key, vec![0; bytes]);
    let long = Key::of("k").and(vec![1; Key::BYTES_MAX]);
    let large = Change::VALUE_BYTES_MAX + 1;
    let many = |n: usize| Change::of((0..n).map(|n| create(Key::of("k").and(n.to_be_bytes()), 1)));
    let twice = Change::of([
        create(key.clone(), 1),
        create(Key::of("l"), 1),
        create(key.clone(), 1),
    ]);
    let refusals = [
        (many(Change::ITEMS_MAX + 1), Malformed::TooManyItems),
        (
            many(Change::ITEMS_MAX).append(LOG, "entry"),
            Malformed::TooManyItems,
        ),
        (Change::of([create(long, 1)]), Malformed::Key),
        (Change::of([create(Key::new([""; 0]), 1)]), Malformed::Key),
        (twice, Malformed::WrittenTwice(key.clone())),
        (
            Change::of([create(key.clone(), large)]),
            Malformed::TooLarge(key.clone()),
        ),
        (
            Change::default().append(LOG, vec![0; large]),
            Malformed::EntryTooLarge(LOG),
        ),
    ];
    for (change, malformed) in refusals {
        assert_eq!(
            store.commit(change).await,
            Err(StoreError::Malformed(malformed))
        );
    }
    assert_eq!(scan_all(&*store, &Key::new([""; 0]), 10).await.len(), 0);
    assert_eq!(store.last_number(LOG).await, Ok(0));
    done(&*store, many(Change::ITEMS_MAX)).await;
    done(
        &*store,
        Change::of([create(key, large - 1)]).append(LOG, vec![0; large - 1]),
    )
    .await;
}

/// A change without writes is done, and takes a version of its own.
pub async fn an_empty_change_is_done(place: &dyn Place) {
    let store = place.open().await;
    let first = done(&*store, Change::default()).await;
    let second = done(&*store, Change::default()).await;
    assert!(first.version < second.version && second.numbers.is_empty());
}

/// Whatever the size of the pages; and where records come and go between them, those that stay are
/// visited once.
pub async fn a_scan_visits_each_record_once(place: &dyn Place) {
    let store = place.open().await;
    let prefix = Key::of("k");
    let key = |n: u8| prefix.clone().and([n]);
    let made = done(
        &*store,
        Change::of((0..100).map(|n| Write::create(key(n), vec![n]))),
    )
    .await;
    for limit in [0, 1, 7, 99, 100, 101, usize::MAX] {
        let values: Vec<_> = scan_all(&*store, &prefix, limit).await;
        assert_eq!(values, Vec::from_iter(0..100), "in pages of {limit}");
    }
    let mut page = store.scan(&prefix, None, 10).await.expect("scan");
    let mut seen = Vec::new();
    for step in 0.. {
        seen.extend(page.records.iter().map(|(_, record)| record.value[0]));
        let Some(next) = page.next else { break };
        // The record that the next page starts after may be gone by then.
        if step == 0 {
            let deletions = [key(9), key(50)].map(|key| Write::delete(key, made.version));
            done(&*store, Change::of(deletions)).await;
        }
        page = store.scan(&prefix, Some(&next), 10).await.expect("scan");
    }
    assert_eq!(seen, Vec::from_iter((0..100).filter(|n| *n != 50)));
}

/// Keys beside the prefix are not visited, however close they are.
pub async fn a_scan_stays_under_its_prefix(place: &dyn Place) {
    let store = place.open().await;
    let prefix = Key::of("k").and("m");
    let inside = [
        prefix.clone(),
        prefix.clone().and(""),
        prefix.clone().and([0xFF; 9]),
    ];
    let outside = [
        Key::of("k"),
        Key::of("k").and("l"),
        Key::of("k").and("mm"),
        Key::of("k").and("m\0"),
        Key::of("k").and("n"),
        Key::of("km"),
        Key::of("l").and("m"),
    ];
    let keys = inside.iter().chain(&outside).cloned();
    done(
        &*store,
        Change::of(keys.map(|key| Write::create(key, "value"))),
    )
    .await;
    let page = store.scan(&prefix, None, 100).await.expect("scan");
    assert_eq!(
        page.records
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>(),
        inside
    );
    // A page token from elsewhere leads nowhere else.
    let before = store
        .scan(&prefix, Some(&Key::of("a")), 100)
        .await
        .expect("scan");
    assert_eq!(before.records.len(), inside.len());
    let behind = store
        .scan(&prefix, Some(&Key::of("z")), 100)
        .await
        .expect("scan");
    assert_eq!(behind, crate::Page::default());
    assert_eq!(scan_all(&*store, &Key::new([""; 0]), 3).await.len(), 10);
}

/// What expires at the given time or earlier goes, and nothing else.
pub async fn a_sweep_removes_what_has_expired(place: &dyn Place) {
    let store = place.open().await;
    let key = |n: u64| Key::of("k").and(n.to_be_bytes());
    let expiries = [0, 1, 99, 100, 101, u64::MAX];
    let writes = expiries.map(|at| Write::create(key(at), "value").expiring_at(at));
    done(&*store, Change::of(writes)).await;
    done(
        &*store,
        Change::of([Write::create(Key::of("lasting"), "value")]),
    )
    .await;
    let swept = sweep(&*store, 100, 100).await;
    assert_eq!((swept.removed, swept.more), (4, false));
    for at in expiries {
        assert_eq!(
            load(&*store, &key(at)).await.is_some(),
            at > 100,
            "expiring at {at}"
        );
    }
    assert_eq!(sweep(&*store, 100, 100).await.removed, 0);
    assert_eq!(sweep(&*store, u64::MAX, 100).await.removed, 2);
    assert!(load(&*store, &Key::of("lasting")).await.is_some());
}

/// No more than asked for, and it says whether there is more.
pub async fn a_sweep_is_bounded(place: &dyn Place) {
    let store = place.open().await;
    let key = |n: u16| Key::of("k").and(n.to_be_bytes());
    for chunk in 0..3 {
        let numbers = (chunk * 200..chunk * 200 + 200).rev();
        let writes = numbers.map(|n| Write::create(key(n), "value").expiring_at(n.into()));
        done(&*store, Change::of(writes)).await;
    }
    let mut left = 600;
    for (max, removed) in [(0, 0), (1, 1), (10, 10), (400, 400), (189, 189), (10, 0)] {
        let swept = sweep(&*store, 10_000, max).await;
        left -= removed;
        assert_eq!(
            (swept.removed, swept.more),
            (removed, left > 0),
            "of at most {max}"
        );
        assert_eq!(scan_all(&*store, &Key::of("k"), 1_000).await.len(), left);
    }
}

/// A record whose expiry was moved, or taken away, or that was made anew, goes by the new one.
pub async fn a_sweep_goes_by_the_latest_expiry(place: &dyn Place) {
    let store = place.open().await;
    let [later, sooner, never, anew] = ["later", "sooner", "never", "anew"].map(Key::of);
    let keys = [&later, &sooner, &never, &anew];
    let writes = keys.map(|key| Write::create(key.clone(), "1").expiring_at(50));
    let first = done(&*store, Change::of(writes)).await.version;
    let writes = [
        Write::replace(later.clone(), first, "2").expiring_at(200),
        Write::replace(sooner.clone(), first, "2").expiring_at(10),
        Write::replace(never.clone(), first, "2"),
        Write::delete(anew.clone(), first),
    ];
    done(&*store, Change::of(writes)).await;
    done(
        &*store,
        Change::of([Write::create(anew.clone(), "3").expiring_at(60)]),
    )
    .await;
    assert_eq!(sweep(&*store, 10, 10).await.removed, 1);
    assert_eq!(load(&*store, &sooner).await, None);
    assert_eq!(sweep(&*store, 59, 10).await.removed, 0);
    assert_eq!(sweep(&*store, 199, 10).await.removed, 1);
    assert_eq!(load(&*store, &anew).await, None);
    assert_eq!(sweep(&*store, u64::MAX, 10).await.removed, 1);
    assert_eq!(load(&*store, &later).await, None);
    assert!(load(&*store, &never).await.is_some());
}

/// No more than asked for, the oldest first, and it says whether there is more. Nothing at or above
/// the number goes, nor anything of another log.
pub async fn a_trim_is_bounded(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(trim(&*store, 10, 10).await, (0, false), "nothing is there");
    for _ in 0..3 {
        let change = (0..100).fold(Change::default(), |change, n: u8| {
            change.append(LOG, vec![n]).append(OTHER_LOG, "other")
        });
        done(&*store, change).await;
    }
    let trims = [
        ((0, 9), (0, false), 1),
        ((1, 9), (0, false), 1),
        ((201, 0), (0, true), 1),
        ((201, 1), (1, true), 2),
        ((201, 9), (9, true), 11),
        ((201, 150), (150, true), 161),
        ((201, 40), (40, false), 201),
        ((201, 9), (0, false), 201),
        ((150, 9), (0, false), 201),
    ];
    for ((below, max), done, first) in trims {
        let what = format!("below {below}, at most {max}");
        assert_eq!(trim(&*store, below, max).await, done, "{what}");
        let kept = check_chain(&*store, LOG).await;
        assert_eq!(kept, Vec::from_iter(first..=300), "{what}");
    }
    assert_eq!(check_chain(&*store, OTHER_LOG).await.len(), 300);
}

/// Whatever the number, one entry stays, and the next one follows it in number and hash.
pub async fn a_trim_keeps_the_last_entry(place: &dyn Place) {
    let mut store = place.open().await;
    for n in 1..=3 {
        let change = Change::default().append(LOG, "a").append(LOG, "b");
        done(&*store, change).await;
        assert!(!trim(&*store, u64::MAX, 100).await.1, "there is no more");
        assert_eq!(check_chain(&*store, LOG).await, [n * 2]);
        store.close().await.expect("close");
        store = place.open().await;
        assert_eq!(store.last_number(LOG).await, Ok(n * 2));
    }
    assert_eq!(trim(&*store, u64::MAX, 100).await, (0, false));
}

/// Where a log begins is known after the trim, and after an open: its number, and the hash that a
/// reader of the removed entries has.
pub async fn a_trimmed_log_keeps_its_anchor(place: &dyn Place) {
    let store = place.open().await;
    let change = (0..100).fold(Change::default(), |change, n: u8| {
        change.append(LOG, vec![n])
    });
    done(&*store, change).await;
    let before = store.entries(LOG, 1, 100).await.expect("entries");
    for below in [2, 3, 80, 100] {
        trim(&*store, below, 100).await;
        let anchor = Anchor {
            first: below,
            before: before[below as usize - 2].hash,
        };
        assert_eq!(store.start(LOG).await, Ok(anchor));
    }
    let anchor = store.start(LOG).await;
    store.close().await.expect("close");
    let store = place.open().await;
    assert_eq!(store.start(LOG).await, anchor);
    assert_eq!(check_chain(&*store, LOG).await, [100]);
    assert_eq!(store.start(OTHER_LOG).await.map(|start| start.first), Ok(1));
}

/// From a number that is gone, pages and followers begin at the first entry that is kept.
pub async fn a_trimmed_log_is_read_from_its_start(place: &dyn Place) {
    let store = place.open().await;
    for n in 0..60_u8 {
        done(&*store, Change::default().append(LOG, vec![n])).await;
    }
    trim(&*store, 41, 100).await;
    for (from, limit, first, last) in [(0, 3, 41, 43), (1, 100, 41, 60), (42, 2, 42, 43)] {
        let page = store.entries(LOG, from, limit).await.expect("entries");
        let numbers = page.iter().map(|entry| entry.number);
        assert_eq!(numbers.collect::<Vec<_>>(), Vec::from_iter(first..=last));
        let entries = store.watch(LOG, from).await.expect("watch");
        let followed: Vec<_> = entries.take(page.len()).collect().await;
        assert_eq!(followed, Vec::from_iter(page.into_iter().map(Ok)));
    }
}

/// Pages of any size, from any number on; nothing after the end.
pub async fn a_log_is_read_by_pages(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.entries(LOG, 1, 10).await, Ok(Vec::new()));
    let change = (1..=50_u8).fold(Change::default(), |change, n| {
        change.append(LOG, vec![n]).append(OTHER_LOG, "other")
    });
    done(&*store, change).await;
    let page = async |from: u64, limit: usize| {
        let entries = store.entries(LOG, from, limit).await.expect("entries");
        entries
            .iter()
            .for_each(|entry| assert_eq!(u64::from(entry.bytes[0]), entry.number));
        entries
            .into_iter()
            .map(|entry| entry.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3).await, [1, 2, 3]);
    assert_eq!(page(1, 3).await, [1, 2, 3]);
    assert_eq!(page(48, 40).await, [48, 49, 50]);
    assert_eq!(page(50, 0).await, [50]);
    assert_eq!(page(51, 40).await, [0; 0]);
    assert_eq!(page(u64::MAX, 40).await, [0; 0]);
    assert_eq!(page(1, usize::MAX).await, Vec::from_iter(1..=50));
    assert_eq!(store.last_number(LOG).await, Ok(50));
}

/// What was there, then what comes, for followers that start before, amid and after the writers.
pub async fn a_watch_has_no_gap_and_no_duplicate(place: &dyn Place) {
    let store = place.open().await;
    for _ in 0..30 {
        done(&*store, Change::default().append(LOG, "history")).await;
    }
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..35 {
                let change = Change::default()
                    .append(LOG, "live")
                    .append(OTHER_LOG, "noise");
                done(
                    &*store,
                    if n % 2 == 0 {
                        change.append(LOG, "live")
                    } else {
                        change
                    },
                )
                .await;
            }
        })
    };
    let total = 30 + 35 + 18;
    let followers = [0, 1, 25, 31, 60, 83].map(|from| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let entries = store.watch(LOG, from).await.expect("watch");
            let expected = Vec::from_iter(from.max(1)..=total);
            let seen: Vec<_> = entries.take(expected.len()).collect().await;
            let seen = seen
                .into_iter()
                .map(|entry| entry.expect("an entry").number);
            assert_eq!(seen.collect::<Vec<_>>(), expected, "from {from}");
        })
    });
    writer.await.expect("the writer ends");
    join_all(followers)
        .await
        .into_iter()
        .for_each(|end| end.expect("a follower ends"));
}

/// A follower that waits is let go.
pub async fn a_watch_ends_with_the_store(place: &dyn Place) {
    let store = place.open().await;
    done(&*store, Change::default().append(LOG, "one")).await;
    let mut entries = store.watch(LOG, 1).await.expect("watch");
    assert!(matches!(entries.next().await, Some(Ok(entry)) if entry.number == 1));
    let waiting = tokio::spawn(async move { entries.next().await });
    tokio::task::yield_now().await;
    store.close().await.expect("close");
    assert_eq!(waiting.await.expect("the follower ends"), None);
}

/// Every call to a closed store says that it is closed; closing it again is nothing.
pub async fn a_closed_store_says_so(place: &dyn Place) {
    let store = place.open().await;
    let key = Key::of("k");
    done(
        &*store,
        Change::of([Write::create(key.clone(), "1")]).append(LOG, "one"),
    )
    .await;
    assert_eq!(*store.health().borrow(), crate::Health::Serving);
    assert_eq!(store.close().await, Ok(()));
    assert_eq!(store.close().await, Ok(()));
    assert_eq!(*store.health().borrow(), crate::Health::Closed);
    let closed = Err(StoreError::Closed);
    assert_eq!(
        store.load(std::slice::from_ref(&key)).await.map(drop),
        closed
    );
    assert_eq!(store.commit(Change::default()).await.map(drop), closed);
    assert_eq!(store.scan(&key, None, 1).await.map(drop), closed);
    assert_eq!(store.sweep(0, 1).await.map(drop), closed);
    assert_eq!(store.last_number(LOG).await.map(drop), closed);
    assert_eq!(store.entries(LOG, 1, 1).await.map(drop), closed);
    assert_eq!(store.watch(LOG, 1).await.map(drop), closed);
    assert_eq!(store.trim(LOG, 1, 1).await.map(drop), closed);
    assert_eq!(store.start(LOG).await.map(drop), closed);
}

async fn done(store: &dyn Store, change: Change) -> Done {
    match store.commit(change).await.expect("a commit is answered") {
        Commit::Done(done) => done,
        Commit::Conflict(key) => panic!("a conflict at {key}, where nothing else writes"),
    }
}

async fn load(store: &dyn Store, key: &Key) -> Option<crate::Versioned> {
    let found = store
        .load(std::slice::from_ref(key))
        .await
        .expect("a load is answered");
    assert_eq!(found.len(), 1);
    found.into_iter().next().flatten()
}

async fn sweep(store: &dyn Store, now_millis: u64, max: usize) -> crate::Swept {
    store
        .sweep(now_millis, max)
        .await
        .expect("a sweep is answered")
}

async fn trim(store: &dyn Store, below: u64, max: usize) -> (usize, bool) {
    let trimmed = store.trim(LOG, below, max).await;
    let trimmed = trimmed.expect("a trim is answered");
    (trimmed.removed, trimmed.more)
}

/// The numbers of all entries of a log; panics where one does not follow from the one before.
async fn check_chain(store: &dyn Store, log: Log) -> Vec<u64> {
    let Anchor { first, mut before } = store.start(log).await.expect("start");
    let entries = store.entries(log, 0, SCAN_MAX).await.expect("entries");
    for (number, entry) in (first..).zip(&entries) {
        assert_eq!(entry.number, number, "numbers have no gap");
        before = chain::next(before, number, &entry.bytes);
        assert_eq!(entry.hash, before, "the hash of entry {number}");
    }
    entries.into_iter().map(|entry| entry.number).collect()
}

/// The first bytes of all values under a prefix, by pages.
async fn scan_all(store: &dyn Store, prefix: &Key, limit: usize) -> Vec<u8> {
    let mut values = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .scan(prefix, after.as_ref(), limit)
            .await
            .expect("a scan is answered");
        assert!(page.records.len() <= limit.max(1));
        values.extend(page.records.into_iter().map(|(_, record)| record.value[0]));
        match page.next {
            Some(next) => after = Some(next),
            None => return values,
        }
    }
}

/// Adds 1 so many times: reads, commits what it expects, and reads again after a conflict.
async fn count(store: Arc<dyn Store>, key: Key, times: u32) {
    for _ in 0..times {
        loop {
            let write = match load(&*store, &key).await {
                None => Write::create(key.clone(), 1_u32.to_be_bytes().to_vec()),
                Some(found) => {
                    let next = as_number(&found.value) + 1;
                    Write::replace(key.clone(), found.version, next.to_be_bytes().to_vec())
                }
            };
            let end = store
                .commit(Change::of([write]))
                .await
                .expect("a commit is answered");
            if matches!(end, Commit::Done(_)) {
                break;
            }
        }
    }
}

async fn number(store: &dyn Store, key: &Key) -> u32 {
    load(store, key)
        .await
        .map_or(0, |record| as_number(&record.value))
}

fn as_number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value.try_into().expect("a counter has four bytes"))
}
