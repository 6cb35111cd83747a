use std::path::Path;

use tempfile::tempdir;

use super::super::{EmbeddedStore, Fdatasync, Options};
use super::*;
use crate::{Change, Commit, Done, Key, Log, Store, Version, Write};

const LOGS: [Log; 5] = [
    Log::named("a"),
    Log::named("b"),
    Log::named("ab"),
    Log::named("ac"),
    Log::named("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
];

/// All that a group can leave that is killed before its counter is passed over, in one jump.
#[tokio::test]
async fn no_version_of_a_killed_group_comes_again() {
    let directory = tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    let first = commit(&store, "first", LOGS[0]).await;
    store.close().await.unwrap();
    let last = first.version.as_u64() + GROUP_MAX as u64;
    kill_a_group(directory.path(), first.version.as_u64() + 1..=last);

    for round in 0..2 {
        let store = open(directory.path(), large());
        assert!(!*store.inspected().borrow());
        assert_eq!(
            store.last_number(LOGS[0]).await,
            Ok(1 + GROUP_MAX as u64 + round)
        );
        let done = commit(&store, &format!("round {round}"), LOGS[0]).await;
        assert!(
            done.version.as_u64() > last,
            "{:?} after {last}",
            done.version
        );
        assert_eq!(done.numbers, [2 + GROUP_MAX as u64 + round]);
        store.close().await.unwrap();
    }
    // And the mark, which has followed, takes nothing for lost.
    open(directory.path(), Options::default());
}

/// Read whole, the same store goes on with the very next number.
#[tokio::test]
async fn a_small_one_goes_on_where_a_killed_group_ended() {
    let directory = tempdir().unwrap();
    open(directory.path(), Options::default())
        .close()
        .await
        .unwrap();
    kill_a_group(directory.path(), 1..=7);
    let store = open(directory.path(), Options::default());
    let done = commit(&store, "next", LOGS[0]).await;
    assert_eq!((done.version, done.numbers), (Version::new(8), vec![8]));
}

/// The counter stands on the disk before the mark can follow what was found beyond it.
#[tokio::test]
async fn what_was_found_beyond_the_counter_is_counted() {
    let directory = tempdir().unwrap();
    open(directory.path(), Options::default())
        .close()
        .await
        .unwrap();
    kill_a_group(directory.path(), 1..=7);
    open(directory.path(), Options::default())
        .close()
        .await
        .unwrap();
    let database = database(directory.path());
    let counter = database.read(layout::COUNTER, layout::decode_counter);
    assert_eq!(counter.unwrap(), Some(7));
}

/// A store of an earlier release may be marked above its counter, with nothing lost.
#[tokio::test]
async fn a_counter_behind_the_mark_is_looked_into() {
    let directory = tempdir().unwrap();
    open(directory.path(), Options::default())
        .close()
        .await
        .unwrap();
    kill_a_group(directory.path(), 1..=7);
    super::super::mark::write(&directory.path().join("mark"), 7).unwrap();
    let store = open(directory.path(), large());
    assert!(*store.inspected().borrow(), "it was read whole");
    assert_eq!(
        commit(&store, "next", LOGS[0]).await.version,
        Version::new(8)
    );
}

#[tokio::test]
async fn the_heads_by_the_ends_are_those_of_all_entries() {
    let directory = tempdir().unwrap();
    let store = open(directory.path(), Options::default());
    for (n, log) in (1..).zip(LOGS) {
        for entry in 0..n * 10 {
            commit(&store, &format!("{} {entry}", log.name()), log).await;
        }
    }
    store.close().await.unwrap();
    let database = database(directory.path());
    let found = heads(&database).unwrap();
    assert_eq!(found, Contents::whole(&database).unwrap().heads);
    assert_eq!(found.len(), LOGS.len());
    assert_eq!(found.get("ac").map(|(number, _)| *number), Some(40));
    assert!(found.values().all(|(_, hash)| hash.is_some()));
}

fn large() -> Options {
    Options {
        whole_bytes_max: 0,
        ..Options::default()
    }
}

fn open(directory: &Path, options: Options) -> EmbeddedStore {
    EmbeddedStore::open(directory, options).unwrap()
}

fn database(directory: &Path) -> Database {
    match Database::open(&directory.join("database"), 1024 * 1024) {
        Ok(database) => database,
        Err(_) => panic!("the database opens"),
    }
}

async fn commit(store: &EmbeddedStore, name: &str, log: Log) -> Done {
    let change = Change::of([Write::create(Key::of(name), "value")]).append(log, "entry");
    match store.commit(change).await.unwrap() {
        Commit::Done(done) => done,
        Commit::Conflict(key) => panic!("a conflict at {key}"),
    }
}

/// Leaves these commits, a record and an entry each, without their counter.
fn kill_a_group(directory: &Path, commits: std::ops::RangeInclusive<u64>) {
    let database = database(directory);
    for commit in commits {
        let version = Version::new(commit);
        let key = layout::record_key(&Key::of("killed").and(commit.to_be_bytes()));
        let record = old(version, b"value");
        database.set(&key, record).unwrap();
        let key = layout::entry_key(LOGS[0].name(), commit);
        database.set(&key, old(version, b"entry")).unwrap();
    }
    database.settle(&Fdatasync).unwrap();
    database.release();
}

/// A value in the form of the first release, which alone left groups in parts.
fn old(version: Version, value: &[u8]) -> Vec<u8> {
    [&[layout::OLD][..], &version.as_u64().to_be_bytes(), value].concat()
}
