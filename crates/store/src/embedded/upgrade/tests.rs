use std::fs;
use std::path::Path;

use futures_util::StreamExt as _;
use tempfile::{TempDir, tempdir};

use super::super::seal::seal;
use super::super::{EmbeddedStore, Fdatasync, Options, mark, restore, verify};
use super::*;
use crate::{Change, Entry, Key, Log, Store, Write};

const LOG: Log = Log::named("log");
const ENTRIES: u64 = 1_000;
const MARKER: &str = "countersign store, format ";

/// A directory as the first release left it: a record, one that expires, and a log.
fn old() -> TempDir {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("store"), format!("{MARKER}1\n")).unwrap();
    mark::write(&directory.path().join("mark"), ENTRIES).unwrap();
    let database = database(directory.path());
    let old = |tag: u8, fields: &[&[u8]]| [&[tag][..], &fields.concat()].concat();
    let [lasting, expiring] = ["lasting", "expiring"].map(Key::of);
    let mut edits = vec![
        (layout::COUNTER.to_vec(), old(1, &[&ENTRIES.to_be_bytes()])),
        (
            layout::record_key(&lasting),
            old(1, &[&1_u64.to_be_bytes(), b"1"]),
        ),
        (layout::reminder_key(5, &expiring), vec![]),
        (
            layout::record_key(&expiring),
            old(2, &[&2_u64.to_be_bytes(), &5_u64.to_be_bytes(), b"2"]),
        ),
    ];
    edits.extend((1..=ENTRIES).map(|number| {
        let entry = old(1, &[&number.to_be_bytes(), &bytes(number)]);
        (layout::entry_key(LOG.name(), number), entry)
    }));
    let edits = edits.into_iter().map(|(key, value)| (key, Some(value)));
    database.apply(edits.collect()).unwrap();
    database.settle(&Fdatasync).unwrap();
    database.release();
    directory
}

fn bytes(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// Everything is there, entries have their hashes, and the log goes on from the last.
#[tokio::test]
async fn a_store_of_the_first_release_is_read_and_goes_on() {
    for whole_bytes_max in [0, u64::MAX] {
        let directory = old();
        let options = Options {
            whole_bytes_max,
            ..Options::default()
        };
        let store = EmbeddedStore::open(directory.path(), options).unwrap();
        assert_eq!(marker(directory.path()), format!("{MARKER}3\n"));
        let keys = ["lasting", "expiring"].map(Key::of);
        let found = store.load(&keys).await.unwrap();
        let values = found.iter().flatten().map(|found| &found.value[..]);
        assert_eq!(values.collect::<Vec<_>>(), [b"1", b"2"]);
        let change = Change::of([Write::create(Key::of("new"), "3")]);
        store.commit(change.append(LOG, "new")).await.unwrap();
        check(&store, ENTRIES + 1).await;
        assert_eq!(store.sweep(5, 9).await.unwrap().removed, 1);
        store.close().await.unwrap();
    }
}

/// Format 2 had each entry and each reminder by itself. Pages, trims and sweeps cross the border to
/// those that lie together, and a backup takes both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_format_2_is_read_and_goes_on() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("store"), format!("{MARKER}2\n")).unwrap();
    mark::write(&directory.path().join("mark"), 10).unwrap();
    let database = database(directory.path());
    let record = |n: u64| Key::of("old").and(n.to_be_bytes());
    let mut edits = vec![(layout::COUNTER.to_vec(), layout::encode_counter(10))];
    let mut before = chain::origin(LOG);
    for n in 1..=10_u64 {
        let version = crate::Version::new(n);
        let key = layout::record_key(&record(n));
        let value = layout::encode_record(&key, version, Some(100 + n), b"old");
        edits.push((key, value));
        let key = layout::reminder_key(100 + n, &record(n));
        let value = seal(&key, 3, &[]);
        edits.push((key, value));
        before = chain::next(before, n, &bytes(n));
        let key = layout::entry_key(LOG.name(), n);
        let value = seal(&key, 5, &[&n.to_be_bytes(), before.as_bytes(), &bytes(n)]);
        edits.push((key, value));
    }
    let edits = edits.into_iter().map(|(key, value)| (key, Some(value)));
    database.apply(edits.collect()).unwrap();
    database.settle(&Fdatasync).unwrap();
    database.release();

    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    assert_eq!(marker(directory.path()), format!("{MARKER}3\n"));
    let mut change = Change::of([]);
    for n in 1..=5_u64 {
        let write = Write::create(Key::of("new").and(n.to_be_bytes()), "new");
        change.writes.push(write.expiring_at(105 + n));
        change = change.append(LOG, bytes(10 + n));
    }
    store.commit(change).await.unwrap();
    check(&store, 15).await;
    assert_eq!(store.sweep(108, 99).await.unwrap().removed, 8 + 3);
    let trimmed = store.trim(LOG, 13, 99).await.unwrap();
    assert_eq!((trimmed.removed, trimmed.more), (12, false));
    let rest = store.entries(LOG, 1, 99).await.unwrap();
    let rest: Vec<_> = rest.into_iter().map(|entry| entry.number).collect();
    assert_eq!(rest, [13, 14, 15]);

    let mut backup = store.backup().await.unwrap();
    let mut packed = Vec::new();
    while let Some(chunk) = backup.next().await {
        packed.extend_from_slice(&chunk.unwrap());
    }
    store.close().await.unwrap();
    let target = directory.path().join("restored");
    restore(&packed[..], &target, |_| Ok(())).unwrap();
    for directory in [directory.path(), &target] {
        let verified = verify(directory).unwrap();
        assert_eq!(verified.findings, []);
        assert_eq!(verified.report.records["old"], 2);
        assert_eq!(verified.report.records["new"], 2);
    }
}

/// Cut off at any step, the next start does the rest.
#[tokio::test]
async fn an_upgrade_that_was_cut_off_goes_on() {
    for hashed in [0, 1, STEP as u64, ENTRIES - 1] {
        let directory = old();
        let database = database(directory.path());
        let mut before = chain::origin(LOG);
        for number in 1..=hashed {
            before = chain::next(before, number, &bytes(number));
            let key = layout::entry_key(LOG.name(), number);
            let version = crate::Version::new(number);
            let entry = layout::encode_entry(&key, version, before, &bytes(number));
            database.set(&key, entry).unwrap();
        }
        database.settle(&Fdatasync).unwrap();
        database.release();
        // With the marker rewritten, as it is before the first entry is; for nothing done, without.
        if hashed > 0 {
            fs::write(directory.path().join("store"), format!("{MARKER}3\n")).unwrap();
        }
        let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
        check(&store, ENTRIES).await;
        store.close().await.unwrap();
    }
}

/// A directory that is refused is not changed: an earlier release may know what to do with it.
#[test]
fn a_refused_one_keeps_its_format() {
    let directory = old();
    mark::write(&directory.path().join("mark"), ENTRIES + 1).unwrap();
    let refused = EmbeddedStore::open(directory.path(), Options::default());
    assert_eq!(refused.expect_err("its end is lost").label(), "lost_tail");
    assert_eq!(marker(directory.path()), format!("{MARKER}1\n"));
}

fn marker(directory: &Path) -> String {
    fs::read_to_string(directory.join("store")).unwrap()
}

fn database(directory: &Path) -> Database {
    match Database::open(&directory.join("database"), 1024 * 1024) {
        Ok(database) => database,
        Err(_) => panic!("the database opens"),
    }
}

async fn check(store: &EmbeddedStore, last: u64) {
    let mut before = chain::origin(LOG);
    let mut count = 0;
    while count < last {
        let page: Vec<Entry> = store.entries(LOG, count + 1, 700).await.unwrap();
        assert!(!page.is_empty());
        for entry in page {
            count += 1;
            before = chain::next(before, count, &entry.bytes);
            assert_eq!((entry.number, entry.hash), (count, before));
        }
    }
    assert_eq!(store.last_number(LOG).await, Ok(last));
}
