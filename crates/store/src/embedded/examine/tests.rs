//! A sound store, altered in one place with the driver's own means, so that all its checksums are
//! right: it must be found, and named.

use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::super::{EmbeddedStore, Fdatasync, Options, restore, verify};
use super::*;
use crate::{Change, Health, Log, Store, StoreError, Version, Write};

const LOG: Log = Log::named("log");

/// Ten commits: a record that expires and one that does not, an entry; three entries are trimmed.
async fn store() -> (TempDir, EmbeddedStore) {
    let directory = tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    for n in 0..10_u8 {
        let [lasting, expiring] = ["client", "family"].map(|kind| Key::of(kind).and([b'a' + n]));
        let writes = [
            Write::create(lasting, vec![n; 40]),
            Write::create(expiring, vec![n; 40]).expiring_at(100 + u64::from(n)),
        ];
        store
            .commit(Change::of(writes).append(LOG, vec![n]))
            .await
            .unwrap();
    }
    store.trim(LOG, 4, 10).await.unwrap();
    (directory, store)
}

fn database(directory: &Path) -> Database {
    match Database::open(&directory.join("database"), 1024 * 1024) {
        Ok(database) => database,
        Err(_) => panic!("the database opens"),
    }
}

/// Alters one value; none removes it. Returns what is found then.
async fn altered(key: &[u8], alter: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Vec<String> {
    let (directory, store) = store().await;
    store.close().await.unwrap();
    let database = database(directory.path());
    let value = database.read(key, |_, value| Ok(value.to_vec())).unwrap();
    let value = alter(value.unwrap_or_default());
    database.apply(vec![(key.to_vec(), value)]).unwrap();
    database.settle(&Fdatasync).unwrap();
    database.release();
    let found = verify(directory.path()).unwrap().findings;
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_sound_store_is_reported() {
    let (directory, store) = store().await;
    let head = store.entries(LOG, 10, 1).await.unwrap().remove(0).hash;
    let counts = store.count().await.unwrap();
    let stats = store.stats().unwrap();
    store.close().await.unwrap();
    let verified = verify(directory.path()).unwrap();
    assert_eq!(
        (&verified.findings[..], verified.more_findings),
        (&[][..], 0)
    );
    let report = verified.report;
    let kinds = [("client", 10), ("family", 10)].map(|(kind, n)| (kind.to_owned(), n));
    assert_eq!(report.records, BTreeMap::from(kinds));
    let log = LogReport {
        first: 4,
        last: 10,
        head,
    };
    assert_eq!(report.logs, BTreeMap::from([("log".to_owned(), log)]));
    assert_eq!((report.last_commit, report.mark), (11, Some(11)));
    assert!(report.disk_bytes > 1000);

    // And while it serves.
    assert_eq!(counts.records, report.records);
    assert_eq!((stats.commits, stats.logs["log"]), (11, 10));
    assert!(stats.inspected && stats.waiting == 0 && stats.disk_bytes > 1000);
}

#[tokio::test]
async fn whatever_is_wrong_is_found_and_named() {
    let lasting = layout::record_key(&Key::of("client").and("c"));
    let family = Key::of("family").and("c");
    let expiring = layout::record_key(&family);
    let reminder = layout::reminders_key(102, 3, 0);
    let [entry, first, last] = [7, 4, 10].map(|n| layout::entry_key("log", n));
    let anchor = layout::anchor_key("log");
    let flip = |mut value: Vec<u8>| {
        value[20] ^= 1;
        Some(value)
    };
    let version = Version::new(7);
    let forged = |key: &[u8], n: u8| {
        let hash = EntryHash::from_bytes([n; 32]);
        Some(layout::encode_entry(key, version, hash, &[6]))
    };
    let later = layout::encode_record(&lasting, Version::new(99), None, b"value");
    let trimmed = |number: u64| Tail {
        number,
        hash: EntryHash::from_bytes([1; 32]),
    };
    let checks: [(&[u8], Vec<String>, &str); 12] = [
        (
            &lasting,
            altered(&lasting, flip).await,
            "record client/c: the checksum",
        ),
        (
            &expiring,
            altered(&expiring, flip).await,
            "record family/c: the checksum",
        ),
        (
            &entry,
            altered(&entry, flip).await,
            "entries up to 7 of log: the checksum",
        ),
        (
            &anchor,
            altered(&anchor, flip).await,
            "the anchor of log: the checksum",
        ),
        (
            &reminder,
            altered(&reminder, |_| None).await,
            "record family/c: it expires, and no",
        ),
        (
            &entry,
            altered(&entry, |_| None).await,
            "entry 8 of log: entry 7 is missing",
        ),
        (
            &first,
            altered(&first, |_| None).await,
            "entry 5 of log: entry 4 is missing",
        ),
        (
            &entry,
            altered(&entry, |_| forged(&entry, 1)).await,
            "entry 7 of log: its hash does not",
        ),
        (
            &last,
            altered(&last, |_| forged(&last, 1)).await,
            "entry 10 of log: its hash does not",
        ),
        (
            &anchor,
            altered(&anchor, |_| {
                Some(layout::encode_anchor(&anchor, trimmed(3)))
            })
            .await,
            "entry 4 of log: its hash does not",
        ),
        (
            &lasting,
            altered(&lasting, |_| Some(later)).await,
            "record client/c: commit 99 wrote it",
        ),
        (
            b"c",
            altered(b"c", |_| Some(layout::encode_counter(10))).await,
            "the mark: commit 11 was",
        ),
    ];
    for (key, found, expected) in checks {
        let name = layout::name_of(key);
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{name}: {expected}, not {found:?}"
        );
    }
}

/// Of what lies together, the one that is wrong is named.
#[tokio::test]
async fn what_is_wrong_in_the_middle_is_named() {
    let directory = tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    let mut change = Change::of([]);
    for n in 1..=5_u8 {
        let write = Write::create(Key::of("family").and([n]), vec![n]);
        change.writes.push(write.expiring_at(100 + u64::from(n)));
        change = change.append(LOG, vec![n]);
    }
    store.commit(change).await.unwrap();
    let entries = store.entries(LOG, 1, 5).await.unwrap();
    store.close().await.unwrap();

    let mut together = Vec::new();
    for entry in entries {
        let hash = match entry.number {
            3 => EntryHash::from_bytes([1; 32]),
            _ => entry.hash,
        };
        layout::add_entry(&mut together, Version::new(1), hash, &entry.bytes);
    }
    let key = layout::entry_key(LOG.name(), 5);
    let forged = layout::encode_entries(&key, &together);
    let reminders = layout::reminders_key(101, 1, 0);
    let without_one = [1, 2, 4, 5].map(|n: u8| Reminder {
        at_millis: 100 + u64::from(n),
        key: Key::of("family").and([n]),
    });
    let without_one = layout::encode_reminders(&reminders, &without_one);
    let database = database(directory.path());
    let edits = [(key, forged), (reminders, without_one)];
    let edits = edits.into_iter().map(|(key, value)| (key, Some(value)));
    database.apply(edits.collect()).unwrap();
    database.settle(&Fdatasync).unwrap();
    database.release();
    let found = verify(directory.path()).unwrap().findings;
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "entry 3 of log: its hash does not",
        // What comes after it was made from the hash that it had.
        "entry 4 of log: its hash does not",
        "record family/\\x03: it expires, and no",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}, not {expected}");
    }
}

/// Too much that is wrong is counted, not listed.
#[tokio::test]
async fn findings_are_bounded() {
    let (directory, store) = store().await;
    store.close().await.unwrap();
    let database = database(directory.path());
    let key = |n: u8| layout::record_key(&Key::of("more").and([n]));
    let edits = (0..150).map(|n| (key(n), Some(b"nonsense".to_vec())));
    database.apply(edits.collect()).unwrap();
    database.settle(&Fdatasync).unwrap();
    database.release();
    let verified = verify(directory.path()).unwrap();
    assert_eq!(verified.findings.len(), Verified::FINDINGS_MAX);
    assert_eq!(verified.more_findings, 50);
}

/// The driver is content with what it stored itself. We are not: the record is not answered, and
/// the store takes no more.
#[tokio::test]
async fn a_value_that_was_altered_under_the_driver_is_refused_by_every_read() {
    let key = Key::of("client").and("c");
    let name = layout::record_key(&key);
    for read in 0..3 {
        let (directory, store) = store().await;
        let whole = store
            .load(std::slice::from_ref(&key))
            .await
            .unwrap()
            .remove(0);
        let database = store.shared.database().unwrap();
        let value = database.read(&name, |_, value| Ok(value.to_vec())).unwrap();
        let mut value = value.unwrap();
        value[25] ^= 1;
        database.set(&name, value).unwrap();
        drop(database);
        let refused = match read {
            0 => store.load(std::slice::from_ref(&key)).await.map(drop),
            1 => store.scan(&Key::of("client"), None, 10).await.map(drop),
            _ => {
                let write = Write::replace(key.clone(), whole.unwrap().version, "new");
                store.commit(Change::of([write])).await.map(drop)
            }
        };
        let why = match refused.expect_err("the value is not right") {
            StoreError::Unavailable(why) | StoreError::UnknownOutcome(why) => why,
            other => panic!("{other}"),
        };
        assert!(why.contains("checksum"), "{why}");
        assert!(matches!(&*store.health().borrow(), Health::Failed(_)));
        drop(store);
        let refused = EmbeddedStore::open(directory.path(), Options::default());
        assert_eq!(refused.expect_err("it is damaged").label(), "damaged");
    }
}

/// A value that lies under another record's key is not that record.
#[tokio::test]
async fn a_value_under_another_key_is_refused() {
    let (_directory, store) = store().await;
    let [from, to] = ["c", "d"].map(|name| Key::of("client").and(name));
    let database = store.shared.database().unwrap();
    let value = database.read(&layout::record_key(&from), |_, value| Ok(value.to_vec()));
    let moved = value.unwrap().unwrap();
    database.set(&layout::record_key(&to), moved).unwrap();
    drop(database);
    let refused = store.load(&[to]).await.map(drop);
    assert!(matches!(refused, Err(StoreError::Unavailable(why)) if why.contains("checksum")));
}

/// A backup of a damaged store ends in an error, and so does one whose every frame is right but
/// what it holds is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_not_backed_up_and_not_restored() {
    use futures_util::StreamExt;

    let (directory, store) = store().await;
    let key = layout::entry_key("log", 7);
    let hash = EntryHash::from_bytes([1; 32]);
    let forged = layout::encode_entry(&key, Version::new(7), hash, &[6]);
    store.shared.database().unwrap().set(&key, forged).unwrap();
    let mut bytes = Vec::new();
    let mut backup = store.backup().await.unwrap();
    while let Some(chunk) = backup.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let target = directory.path().join("restored");
    let refused = restore(&bytes[..], &target, |_| Ok(())).expect_err("the chain is broken");
    assert_eq!(refused.label(), "unsound", "{refused}");
    assert!(refused.to_string().contains("entry 7 of log"), "{refused}");
    assert!(!target.exists());

    let database = store.shared.database().unwrap();
    database.set(&key, b"nonsense".to_vec()).unwrap();
    drop(database);
    let mut backup = store.backup().await.unwrap();
    let mut last = None;
    while let Some(chunk) = backup.next().await {
        last = Some(chunk);
    }
    let error = last.unwrap().expect_err("a value has no known form");
    assert_eq!(error.label(), "unavailable", "{error}");
}
