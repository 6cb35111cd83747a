//! Stores that another release wrote, or that lack what they need.

use std::sync::Arc;
use std::time::Duration;

use countersign_issuer::IssuerName;
use countersign_store::{Change, MemoryStore, Store, Write};
use tempfile::TempDir;

use countersign_issuer::Actor;
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

/// A store of the first release: one active key of each purpose, and records that say no more than
/// it knew.
#[tokio::test]
async fn a_store_of_the_first_release_gets_its_next_keys() {
    let folder = TempDir::new().expect("a folder");
    let mut config = Config::default();
    config.store.directory = folder.path().join("data");
    let (place, data) = (config.key_place(), config.store.directory.clone());
    let custody = Custody::at(&place, &data, IfMissing::Make).expect("made");
    let mut change = Change::of([Write::create(
        record::store_key(),
        StoreMark::new(NOW).encode(),
    )]);
    let mut old = Vec::new();
    for purpose in KeyPurpose::ALL {
        let (mut key, _) = keyring::make(&custody, purpose, NOW).await.expect("made");
        key.state = KeyState::Active;
        let name = record::key_key(Some(key.id.as_str()));
        change.writes.push(Write::create(name, key.encode()));
        old.push(key.id);
    }
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    store.commit(change).await.expect("written");

    let records = Records::new(Arc::clone(&store));
    let opened = open(&records, &data, &place, config.schedules(), NOW).await;
    let opened = opened.expect("opens");
    assert!(!opened.first);
    let issuer = "http://localhost:7443";
    let health = crate::health::Health::serving(&[]).await;
    let clock = Arc::new(countersign_client::clock::SystemClock);
    let name = IssuerName::parse(issuer).unwrap();
    let started =
        crate::start::platform(&config, clock, records, opened, &name, None, health, NOW).await;
    let (platform, _) = started.expect("a platform");
    platform.keeper.look().await.expect("looked");
    let keys = platform.keeper.list().await.expect("listed");
    for (purpose, old) in KeyPurpose::ALL.into_iter().zip(&old) {
        let of = |state| {
            let mut keys = keys.iter();
            keys.find(|key| key.purpose == purpose && key.state == state)
        };
        assert_eq!(of(KeyState::Active).map(|key| &key.id), Some(old));
        let next = of(KeyState::Next).expect("a next key");
        assert!(next.published_at.is_some(), "and it is published");
    }
    // What the first release allowed others to keep is not known: a day, at most.
    let rotated = platform.keeper.rotate(KeyPurpose::Signing, Actor::Service);
    let due = rotated.await.expect("rotated").due.expect("not at once");
    let now = platform.engine.now();
    assert!(
        due > now.plus(Duration::from_secs(86_000)),
        "a key set of before is kept"
    );
}
