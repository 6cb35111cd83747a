//! A trim of much is many small steps: commits go on between them, and readers see no gap.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_store::embedded::Disk;
use countersign_store::laws::Place;
use countersign_store::{Change, Commit, EmbeddedStore, Log, Options, Store, chain};

use crate::place::DirectoryPlace;

const LOG: Log = Log::named("log");
const ENTRIES: u64 = 4_000;

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

async fn fill(store: &dyn Store) {
    for _ in 0..ENTRIES / 200 {
        let change = (0..200_u8).fold(Change::default(), |change, n| {
            change.append(LOG, [n; 40].to_vec())
        });
        store.commit(change).await.unwrap();
    }
}

/// A commit that comes while the trim is under way is answered long before the trim ends.
#[tokio::test]
async fn a_commit_does_not_wait_for_a_trim() {
    let place = DirectoryPlace::default();
    let disk = Arc::new(Counting::default());
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store = Arc::new(EmbeddedStore::open(place.path(), options).unwrap());
    fill(&*store).await;
    let before = disk.0.load(Ordering::SeqCst);
    let trimming = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.trim(LOG, ENTRIES, usize::MAX).await })
    };
    for _ in 0..5 {
        tokio::task::yield_now().await;
        let done = store.commit(Change::default().append(LOG, "new")).await;
        assert!(matches!(done, Ok(Commit::Done(_))));
        assert!(
            !trimming.is_finished(),
            "answered before the trim had ended"
        );
    }
    let trimmed = trimming.await.unwrap().unwrap();
    assert_eq!(
        (trimmed.removed, trimmed.more),
        (ENTRIES as usize - 1, false)
    );
    // Each group holds one step at the most: the next is asked for when it is answered.
    assert!(disk.0.load(Ordering::SeqCst) - before >= STEPS_MIN);
}

/// Pages that are read while the front of the log goes have no gap, and are parts of the chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_no_gap_while_a_trim_is_under_way() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    fill(&*store).await;
    let trimming = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.trim(LOG, u64::MAX, usize::MAX).await })
    };
    let mut pages = 0;
    loop {
        let last = trimming.is_finished();
        let page = store.entries(LOG, 1, 1000).await.unwrap();
        for pair in page.windows(2) {
            assert_eq!(pair[1].number, pair[0].number + 1);
            assert_eq!(
                pair[1].hash,
                chain::next(pair[0].hash, pair[1].number, &pair[1].bytes)
            );
        }
        assert!(!page.is_empty());
        pages += 1;
        if last {
            assert_eq!(page.len(), 1);
            break;
        }
    }
    assert!(pages > 1);
}
