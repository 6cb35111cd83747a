//! Laws of records: what is loaded and scanned, and what a sweep removes.

use std::sync::Arc;

use super::{LOG, Place, count, done, load, scan_all, sweep};
use crate::{Change, Key, StoreError, Version, Write};

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
