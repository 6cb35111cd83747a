//! A disk that fails or is slow: what is answered then, and what is not.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_store::embedded::Disk;
use countersign_store::laws::Place;
use countersign_store::{
    Change, Commit, EmbeddedStore, Health, Key, Log, Options, Store, StoreError, Write,
};
use futures_util::StreamExt;
use parking_lot::{Condvar, Mutex};

use crate::place::DirectoryPlace;

const LOG: Log = Log::named("log");

/// Fails at one of its steps, once it was told to.
#[derive(Default)]
struct Failing {
    flushes: AtomicUsize,
    syncs: AtomicUsize,
}

const WELL: usize = 0;
const FAILS: usize = 1;

impl Disk for Failing {
    fn flush(&self, flush: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        match self.flushes.load(Ordering::SeqCst) {
            WELL => flush(),
            _ => Err(io::Error::from_raw_os_error(28)), // ENOSPC
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        match self.syncs.load(Ordering::SeqCst) {
            WELL => file.sync_data(),
            // Only once: whoever tried again would be told that all is well.
            _ => {
                self.syncs.store(WELL, Ordering::SeqCst);
                Err(io::Error::from_raw_os_error(5)) // EIO
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_the_store() {
    let disk = Arc::new(Failing::default());
    a_failure_ends_the_store(disk.clone(), || disk.syncs.store(FAILS, Ordering::SeqCst)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_flush_ends_the_store() {
    let disk = Arc::new(Failing::default());
    a_failure_ends_the_store(disk.clone(), || disk.flushes.store(FAILS, Ordering::SeqCst)).await;
}

async fn a_failure_ends_the_store(disk: Arc<dyn Disk>, fail: impl FnOnce()) {
    let place = DirectoryPlace::default();
    let options = Options {
        disk,
        ..Options::default()
    };
    let store = EmbeddedStore::open(place.path(), options).unwrap();
    let [before, during, after] = ["before", "during", "after"].map(Key::of);
    let create = |key: &Key| Change::of([Write::create(key.clone(), "value")]);
    let mut health = store.health();
    let mut entries = store.watch(LOG, 1).await.unwrap();
    assert!(matches!(
        store.commit(create(&before)).await,
        Ok(Commit::Done(_))
    ));

    fail();
    let change = create(&during).append(LOG, "entry");
    assert!(matches!(
        store.commit(change).await,
        Err(StoreError::UnknownOutcome(_))
    ));
    let failed = health
        .wait_for(|health| *health != Health::Serving)
        .await
        .unwrap();
    assert!(matches!(&*failed, Health::Failed(reason) if reason.contains("failed")));
    drop(failed);
    // Nothing is acknowledged, read or followed any more, though the disk is well again.
    for _ in 0..3 {
        assert!(matches!(
            store.commit(create(&after)).await,
            Err(StoreError::Unavailable(_))
        ));
    }
    let load = store.load(std::slice::from_ref(&during)).await;
    assert!(matches!(load, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        entries.next().await,
        Some(Err(StoreError::Unavailable(_)))
    ));
    assert!(entries.next().await.is_none());
    assert!(matches!(
        store.close().await,
        Err(StoreError::Unavailable(_))
    ));

    // The next start: what was acknowledged is there, what was not begun is not.
    let store = place.open().await;
    let found = store.load(&[before, after]).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none());
    // What was unknown is found out by trying again.
    let again = store.commit(create(&during)).await.unwrap();
    let there = store
        .load(std::slice::from_ref(&during))
        .await
        .unwrap()
        .remove(0);
    assert!(matches!(again, Commit::Done(_) | Commit::Conflict(_)) && there.is_some());
}

/// A disk that takes its time, until it is let go.
#[derive(Default)]
struct Held {
    held: Mutex<bool>,
    changed: Condvar,
}

impl Held {
    fn hold(&self, hold: bool) {
        *self.held.lock() = hold;
        self.changed.notify_all();
    }
}

impl Disk for Held {
    fn sync(&self, file: &File) -> io::Result<()> {
        let mut held = self.held.lock();
        // No longer than that: a test that fails must end.
        let limit = Duration::from_secs(20);
        self.changed.wait_while_for(&mut held, |held| *held, limit);
        file.sync_data()
    }
}

/// A disk that never answers ends the store as a failed one does: who waits is told, and nobody who
/// ends it waits with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_come_back_ends_the_store() {
    let place = DirectoryPlace::default();
    let disk = Arc::new(Held::default());
    let options = Options {
        disk: disk.clone(),
        stuck_max: Duration::from_millis(200),
        ..Options::default()
    };
    let store = EmbeddedStore::open(place.path(), options).unwrap();
    let mut health = store.health();
    disk.hold(true);
    let change = Change::of([Write::create(Key::of("during"), "value")]);
    let unknown = store.commit(change).await;
    assert!(
        matches!(&unknown, Err(StoreError::UnknownOutcome(why)) if why.contains("did not come back")),
        "{unknown:?}"
    );
    let failed = health.wait_for(|health| *health != Health::Serving).await;
    assert!(matches!(&*failed.unwrap(), Health::Failed(_)));
    assert!(matches!(
        store.close().await,
        Err(StoreError::Unavailable(_))
    ));
    drop(store);
    disk.hold(false);
    // Let go, it finishes what it was at: the next start finds that, or nothing.
    let store = place.open().await;
    let there = store.load(&[Key::of("during")]).await.unwrap().remove(0);
    assert!(there.is_none_or(|found| found.value == "value"));
}

/// What is written but not yet on the disk is neither answered nor shown: not as a value, not as
/// an absence, not as a conflict, not as an entry. What is older is read without waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_shown_before_it_is_durable() {
    let place = DirectoryPlace::default();
    let disk = Arc::new(Held::default());
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(place.path(), options).unwrap());
    let [old, new, gone, never] = ["old", "new", "gone", "never"].map(Key::of);
    let create = |key: &Key| Write::create(key.clone(), "value");
    let first = store
        .commit(Change::of([create(&old), create(&gone)]))
        .await
        .unwrap();
    let Commit::Done(first) = first else {
        panic!("a conflict in an empty store")
    };
    disk.hold(true);

    let spawn = |change: Change| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(change).await })
    };
    let writes = [create(&new), Write::delete(gone.clone(), first.version)];
    let commit = spawn(Change::of(writes).append(LOG, "entry"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let conflict = spawn(Change::of([create(&new)]));
    let load = |key: &Key| {
        let (store, key) = (Arc::clone(&store), key.clone());
        tokio::spawn(async move { store.load(&[key]).await.map(|mut found| found.remove(0)) })
    };
    let (written, removed, absent) = (load(&new), load(&gone), load(&never));
    let scan = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.scan(&Key::new([""; 0]), None, 10).await })
    };
    let mut entries = store.watch(LOG, 1).await.unwrap();
    let entry = tokio::spawn(async move { entries.next().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waits = [
        commit.is_finished(),
        conflict.is_finished(),
        written.is_finished(),
    ];
    assert_eq!(waits, [false; 3]);
    assert!(!removed.is_finished() && !scan.is_finished() && !entry.is_finished());
    assert!(load(&old).await.unwrap().unwrap().is_some());
    assert_eq!(store.last_number(LOG).await, Ok(0));
    assert_eq!(store.entries(LOG, 1, 10).await, Ok(Vec::new()));

    disk.hold(false);
    assert!(matches!(commit.await.unwrap(), Ok(Commit::Done(_))));
    assert_eq!(conflict.await.unwrap(), Ok(Commit::Conflict(new)));
    assert!(written.await.unwrap().unwrap().is_some());
    assert!(removed.await.unwrap().unwrap().is_none());
    assert!(absent.await.unwrap().unwrap().is_none());
    assert_eq!(scan.await.unwrap().unwrap().records.len(), 2);
    assert!(matches!(entry.await.unwrap(), Some(Ok(entry)) if entry.number == 1));
}

/// What a trim took away is gone only when the disk has it: until then nobody is told where the log
/// begins, and no page shows that it begins later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trim_is_not_shown_before_it_is_durable() {
    let place = DirectoryPlace::default();
    let disk = Arc::new(Held::default());
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(place.path(), options).unwrap());
    for _ in 0..3 {
        let change = Change::default().append(LOG, "entry");
        store.commit(change).await.unwrap();
    }
    disk.hold(true);
    let on = |store: &Arc<dyn Store>| Arc::clone(store);
    let (one, two, three) = (on(&store), on(&store), on(&store));
    let trim = tokio::spawn(async move { one.trim(LOG, 3, 10).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = tokio::spawn(async move { two.start(LOG).await });
    let page = tokio::spawn(async move { three.entries(LOG, 1, 10).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!trim.is_finished() && !start.is_finished() && !page.is_finished());
    // What was not trimmed is read without waiting.
    assert_eq!(store.entries(LOG, 3, 10).await.unwrap().len(), 1);
    assert_eq!(store.last_number(LOG).await, Ok(3));

    disk.hold(false);
    assert_eq!(trim.await.unwrap().unwrap().removed, 2);
    assert_eq!(start.await.unwrap().unwrap().first, 3);
    assert_eq!(page.await.unwrap().unwrap()[0].number, 3);
}
