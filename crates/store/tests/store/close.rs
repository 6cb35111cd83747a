//! What a close leaves for the next start.

use std::fs;
use std::path::Path;

use countersign_store::laws::Place;
use countersign_store::{Change, Key, Store, Write};
use futures_util::future::join_all;

use crate::place::DirectoryPlace;

/// The driver reads at its start what was written since it last wrote down where everything lies.
/// It does so only when it opens: hence once more at the end of much writing.
#[tokio::test]
async fn much_writing_is_put_in_order_before_the_next_start() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    commit(&*store, 0..100).await;
    store.close().await.unwrap();
    let little = written_down(place.path());

    let store = place.open().await;
    let opened = written_down(place.path());
    assert!(opened > little, "what little there was, the start has read");
    commit(&*store, 100..10_200).await;
    store.close().await.unwrap();
    assert!(written_down(place.path()) > opened);

    let store = place.open().await;
    let page = store.scan(&Key::of("k"), None, 1).await.unwrap();
    assert_eq!(page.records.len(), 1);
}

async fn commit(store: &dyn Store, numbers: std::ops::Range<u64>) {
    let change = |n: u64| Change::of([Write::create(Key::of("k").and(n.to_be_bytes()), "value")]);
    for committed in join_all(numbers.map(|n| store.commit(change(n)))).await {
        committed.unwrap();
    }
}

/// How far into its log the driver has written down where everything lies.
fn written_down(directory: &Path) -> u64 {
    let names = fs::read_dir(directory.join("database")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let reached =
        names.filter_map(|name| u64::from_str_radix(name.strip_prefix("snap.")?, 16).ok());
    reached.max().unwrap_or(0)
}
