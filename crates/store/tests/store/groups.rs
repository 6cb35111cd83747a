//! Many writers at once: nothing is lost, and they share the cost of the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_store::embedded::Disk;
use countersign_store::laws::Place;
use countersign_store::{Change, Commit, EmbeddedStore, Expect, Key, Options, Put, Store, Write};
use futures_util::future::join_all;
use parking_lot::{Condvar, Mutex};

use crate::place::DirectoryPlace;

const WRITERS: u64 = 64;
const TIMES: u64 = 20;

/// Waits at its first sync until it is let go, and counts.
#[derive(Default)]
struct Counting {
    syncs: AtomicUsize,
    go: Mutex<bool>,
    changed: Condvar,
}

impl Disk for Counting {
    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        // No longer than that: a test that fails must end.
        let mut go = self.go.lock();
        self.changed
            .wait_while_for(&mut go, |go| !*go, Duration::from_secs(20));
        file.sync_data()
    }
}

/// On one thread every writer has asked before the disk is let go: the first is alone in its
/// group or with some others, and the rest are one group.
#[tokio::test]
async fn commits_that_wait_share_a_sync() {
    let place = DirectoryPlace::default();
    let disk = Arc::new(Counting {
        go: Mutex::new(true),
        ..Counting::default()
    });
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(place.path(), options).unwrap());
    *disk.go.lock() = false;
    let before = disk.syncs.load(Ordering::SeqCst);
    let mut writers = Vec::from_iter((0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            add(
                &*store,
                &Key::of("own").and(writer.to_be_bytes()),
                Guarded::Yes,
            )
            .await;
        })
    }));
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished));
    *disk.go.lock() = true;
    disk.changed.notify_all();
    for writer in &mut writers {
        writer.await.unwrap();
    }
    assert!(disk.syncs.load(Ordering::SeqCst) - before <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_lose_no_increment() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let own = Key::of("own").and(writer.to_be_bytes());
            for _ in 0..TIMES {
                add(&*store, &own, Guarded::Yes).await;
                add(&*store, &Key::of("common"), Guarded::Yes).await;
            }
        })
    });
    for end in join_all(writers).await {
        end.unwrap();
    }
    store.close().await.unwrap();

    let store = place.open().await;
    assert_eq!(value(&*store, &Key::of("common")).await, WRITERS * TIMES);
    for writer in 0..WRITERS {
        assert_eq!(
            value(&*store, &Key::of("own").and(writer.to_be_bytes())).await,
            TIMES
        );
    }
}

/// The control: who reads, and then writes whatever is there by now, loses increments. If this did
/// not fail, the test above would show nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_expectations_increments_are_lost() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    let writers = (0..WRITERS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..TIMES {
                add(&*store, &Key::of("common"), Guarded::No).await;
            }
        })
    });
    for end in join_all(writers).await {
        end.unwrap();
    }
    assert!(value(&*store, &Key::of("common")).await < WRITERS * TIMES);
}

#[derive(Copy, Clone, PartialEq)]
enum Guarded {
    Yes,
    No,
}

async fn add(store: &dyn Store, key: &Key, guarded: Guarded) {
    let mut sum = None;
    loop {
        let found = store
            .load(std::slice::from_ref(key))
            .await
            .unwrap()
            .remove(0);
        let expect = found
            .as_ref()
            .map_or(Expect::Absent, |found| Expect::Version(found.version));
        let fresh = found.map_or(0, |found| decode(&found.value)) + 1;
        let next = if guarded == Guarded::Yes {
            fresh
        } else {
            *sum.get_or_insert(fresh)
        };
        let put = Some(Put::new(next.to_be_bytes().to_vec()));
        let change = Change::of([Write {
            key: key.clone(),
            expect,
            put,
        }]);
        if let Commit::Done(_) = store.commit(change).await.unwrap() {
            return;
        }
    }
}

async fn value(store: &dyn Store, key: &Key) -> u64 {
    let found = store
        .load(std::slice::from_ref(key))
        .await
        .unwrap()
        .remove(0);
    found.map_or(0, |found| decode(&found.value))
}

fn decode(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}
