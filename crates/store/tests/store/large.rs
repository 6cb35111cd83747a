//! Records as large as they may be.

use std::fs;

use countersign_store::laws::Place;
use countersign_store::{Change, Commit, Key, Log, Write};

use crate::place::DirectoryPlace;

const LOG: Log = Log::named("log");

/// The driver would put a page that is too large into a file of its own, and no sync of ours would
/// reach it. As many of the largest records as a page takes do not make one so large.
#[tokio::test]
async fn the_largest_records_stay_in_the_file_that_is_synced() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    let value = |n: u8| vec![n; Change::VALUE_BYTES_MAX];
    // Keys of a few hundred bytes, as near to each other as can be.
    let key = |n: u8| Key::of("k").and([7; 700]).and([n]);
    let blobs = place.path().join("database/blobs");
    let all = Change::of((0..60).map(|n| Write::create(key(n), value(n))));
    let Commit::Done(made) = store.commit(all).await.unwrap() else {
        panic!("a conflict")
    };
    for n in 0..60 {
        // Each replaces its page.
        let change = Change::of([Write::replace(key(n), made.version, value(n))]);
        store.commit(change.append(LOG, value(n))).await.unwrap();
        assert_eq!(fs::read_dir(&blobs).unwrap().count(), 0);
    }
    store.close().await.unwrap();
    assert_eq!(fs::read_dir(&blobs).unwrap().count(), 0);

    let store = place.open().await;
    let found = store
        .load(&(0..60).map(key).collect::<Vec<_>>())
        .await
        .unwrap();
    for (n, found) in (0..).zip(found) {
        assert_eq!(found.unwrap().value, value(n));
    }
    assert_eq!(store.last_number(LOG).await, Ok(60));
}
