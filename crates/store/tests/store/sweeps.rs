//! A sweep of much is many small steps, and commits go on between them.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_store::embedded::Disk;
use countersign_store::laws::Place;
use countersign_store::{Change, Commit, EmbeddedStore, Key, Options, Store, Write};

use crate::place::DirectoryPlace;

const EXPIRED: usize = 2_000;

/// As many steps as this are enough for commits to go on between them.
const STEPS_MIN: usize = 30;

#[derive(Default)]
struct Counting(AtomicUsize);

impl Disk for Counting {
    fn sync(&self, file: &File) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        file.sync_data()
    }
}

/// A commit that comes while the sweep is under way is answered long before the sweep ends.
#[tokio::test]
async fn a_commit_does_not_wait_for_a_sweep() {
    let place = DirectoryPlace::default();
    fill(&place).await;
    let disk = Arc::new(Counting::default());
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store = Arc::new(EmbeddedStore::open(place.path(), options).unwrap());
    let before = disk.0.load(Ordering::SeqCst);
    let sweeping = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.sweep(1, EXPIRED).await })
    };
    let mut commits = 0;
    for n in 0..5_u8 {
        tokio::task::yield_now().await;
        let change = Change::of([Write::create(Key::of("new").and([n]), "value")]);
        let done = store.commit(change).await.unwrap();
        assert!(matches!(done, Commit::Done(_)));
        commits += usize::from(!sweeping.is_finished());
    }
    assert_eq!(commits, 5, "answered before the sweep had ended");
    let swept = sweeping.await.unwrap().unwrap();
    assert_eq!((swept.removed, swept.more), (EXPIRED, false));
    // Each group holds one step at the most: the next is asked for when it is answered.
    assert!(disk.0.load(Ordering::SeqCst) - before >= STEPS_MIN);
}

async fn fill(place: &DirectoryPlace) {
    let store = place.open().await;
    for part in 0..EXPIRED / 200 {
        let writes = (0..200_u32).map(|n| {
            let key = Key::of("old").and(part.to_be_bytes()).and(n.to_be_bytes());
            Write::create(key, "value").expiring_at(0)
        });
        store.commit(Change::of(writes)).await.unwrap();
    }
    store.close().await.unwrap();
}
