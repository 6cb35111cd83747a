//! Laws of logs: numbers, the chain, what a trim leaves, pages and watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;

use super::{LOG, OTHER_LOG, Place, SCAN_MAX, done, trim};
use crate::{Anchor, Change, Log, Store, chain};

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
