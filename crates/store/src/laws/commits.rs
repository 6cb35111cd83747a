//! Laws of commits: what a change leaves, what it conflicts with, what stays of it.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{LOG, Place, as_number, count, done, load, scan_all, sweep};
use crate::{Change, Commit, Expect, Key, Malformed, Store, StoreError, Version, Write};

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

async fn number(store: &dyn Store, key: &Key) -> u32 {
    load(store, key)
        .await
        .map_or(0, |record| as_number(&record.value))
}
