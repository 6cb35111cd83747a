//! Stores that another release wrote, or that lack what they need.

use std::sync::Arc;

use countersign_store::{Change, MemoryStore, Store, Write};
use tempfile::TempDir;

use countersign_issuer::model::KeyState;

use super::*;
use crate::config::Config;
use crate::keyring::file;
use crate::record::{self, Recorded as _};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

async fn opened(store: &Arc<MemoryStore>, folder: &TempDir) -> Result<Opened, StartError> {
    let records = Records::new(Arc::clone(store) as Arc<dyn Store>);
    let place = KeyPlace::File(folder.path().join("store.key"));
    let schedules = Config::default().schedules();
    let data = folder.path().join("data");
    open(&records, &data, &place, schedules, NOW).await
}

#[tokio::test]
async fn a_new_store_gets_keys_once() {
    let folder = TempDir::new().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let first = opened(&store, &folder).await.expect("opens");
    assert!(first.first);
    let second = opened(&store, &folder).await.expect("opens");
    assert!(!second.first);
    assert_eq!(first.keys.known, second.keys.known);
    let count = |state| {
        let keys = first.keys.known.iter();
        keys.filter(|known| known.value.state == state).count()
    };
    assert_eq!((count(KeyState::Active), count(KeyState::Next)), (2, 2));
    assert_eq!(
        store.last_number(record::AUDIT).await,
        Ok(4),
        "all of them are in the audit log"
    );
}

#[tokio::test]
async fn a_store_of_a_later_release_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mark = StoreMark {
        format: FORMAT + 1,
        ..StoreMark::new(NOW)
    };
    let change = Change::of([Write::create(record::store_key(), mark.encode())]);
    store.commit(change).await.expect("written");
    let refused = opened(&store, &folder).await.err().expect("refused");
    assert!(
        matches!(refused, StartError::NewerRecords { found: 2, known: 1 }),
        "{refused}"
    );
    assert!(refused.to_string().contains("later release"));
}

#[tokio::test]
async fn a_store_without_its_keys_or_with_a_damaged_record_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let store = Arc::new(MemoryStore::new());
    let mark = StoreMark::new(NOW).encode();
    let change = Change::of([Write::create(record::store_key(), mark)]);
    store.commit(change).await.expect("written");
    file::create(&folder.path().join("store.key"), &[7; 32]).expect("made");
    let refused = opened(&store, &folder).await.err().expect("refused");
    assert!(
        matches!(refused, StartError::DamagedRecords { .. }),
        "{refused}"
    );

    let store = Arc::new(MemoryStore::new());
    let change = Change::of([Write::create(record::store_key(), &[0xff; 3][..])]);
    store.commit(change).await.expect("written");
    let refused = opened(&store, &folder).await.err().expect("refused");
    assert!(
        matches!(refused, StartError::DamagedRecords { .. }),
        "{refused}"
    );
}
