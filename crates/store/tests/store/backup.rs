//! Backups while the store serves, and what becomes of them: exactly one commit's state, or an
//! error that says why not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use countersign_store::embedded::{BackupError, restore, verify, verify_backup};
use countersign_store::{
    Change, Commit, EmbeddedStore, Key, Log, Options, Store, StoreError, Write, chain,
};
use futures_util::StreamExt;
use tempfile::tempdir;

use crate::place::DirectoryPlace;

const LOG: Log = Log::named("log");
const WRITERS: u8 = 16;
const SEEDED: u32 = 4_000;

/// Chunks are no larger than a message may be.
const CHUNK_BYTES_MAX: usize = 32 * 1024;

/// What was written under a key by which commit; none for a deletion.
type History = Vec<(u64, Key, Option<Bytes>)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_writers_is_the_state_after_one_commit() {
    let place = DirectoryPlace::default();
    let store = open(place.path());
    let mut history = seed(&store).await;
    let seeded = history.last().unwrap().0;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&store), writer, Arc::clone(&stop))))
        .collect();
    let trimmer = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let last = store.last_number(LOG).await.unwrap();
                store.trim(LOG, last.saturating_sub(50), 10).await.unwrap();
            }
        })
    };
    let backup = read(&store).await.unwrap();
    // Some more, which must not be in it.
    store.trim(LOG, u64::MAX, 1).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    let mut entries = BTreeMap::new();
    for writer in writers {
        let (written, entered) = writer.await.unwrap();
        history.extend(written);
        entries.extend(entered);
    }
    trimmer.await.unwrap();
    let last = history.iter().map(|(version, ..)| *version).max().unwrap();

    let folder = tempdir().unwrap();
    let directory = folder.path().join("restored");
    let report = restore(&backup[..], &directory, |_| Ok(())).unwrap().report;
    let commit = report.last_commit;
    assert!(seeded < commit && commit < last, "{seeded} {commit} {last}");
    let verified = verify(&directory).unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!(
        (verified.report.mark, verified.report.last_commit),
        (Some(commit), commit)
    );

    let restored = open(&directory);
    let mut expected = BTreeMap::new();
    history.sort_by_key(|(version, ..)| *version);
    for (version, key, value) in history.into_iter().filter(|(v, ..)| *v <= commit) {
        match value {
            Some(value) => drop(expected.insert(key, (version, value))),
            None => drop(expected.remove(&key)),
        }
    }
    assert_eq!(all(&restored).await, expected);
    // The entries of just these commits, from the anchor on.
    let there: BTreeMap<_, _> = entries.into_iter().filter(|(v, _)| *v <= commit).collect();
    let there: BTreeMap<_, _> = there.into_values().collect();
    let start = restored.start(LOG).await.unwrap();
    let found = restored.entries(LOG, 0, 1000).await.unwrap();
    let found: BTreeMap<_, _> = found.into_iter().map(|e| (e.number, e.bytes)).collect();
    let kept: BTreeMap<_, _> = there
        .into_iter()
        .filter(|(n, _)| *n >= start.first)
        .collect();
    assert!(start.first > 1, "some were trimmed before");
    assert_eq!(found, kept);
}

async fn seed(store: &EmbeddedStore) -> History {
    let mut history = History::new();
    for chunk in 0..SEEDED / 200 {
        let keys = (0..200).map(|n| Key::of("seeded").and((chunk * 200 + n).to_be_bytes()));
        let writes = keys.clone().map(|key| Write::create(key, vec![7; 300]));
        let version = done(store.commit(Change::of(writes)).await.unwrap()).0;
        history.extend(keys.map(|key| (version, key, Some(vec![7; 300].into()))));
    }
    history
}

/// Writes over the seeded records, makes some anew and takes some away, with an entry each time.
async fn write(
    store: Arc<EmbeddedStore>,
    writer: u8,
    stop: Arc<AtomicBool>,
) -> (History, Vec<(u64, (u64, Bytes))>) {
    let (mut history, mut entries) = (History::new(), Vec::new());
    let mut round = u32::from(writer);
    while !stop.load(Ordering::SeqCst) {
        round = round.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let own = (round >> 8) % (SEEDED / u32::from(WRITERS));
        let key =
            Key::of("seeded").and((own * u32::from(WRITERS) + u32::from(writer)).to_be_bytes());
        let value = Bytes::from(round.to_be_bytes().to_vec());
        let found = store
            .load(std::slice::from_ref(&key))
            .await
            .unwrap()
            .remove(0);
        let (write, left) = match found {
            None => (
                Write::create(key.clone(), value.clone()),
                Some(value.clone()),
            ),
            Some(found) if round % 3 == 0 => (Write::delete(key.clone(), found.version), None),
            Some(found) => (
                Write::replace(key.clone(), found.version, value.clone()).expiring_at(1 << 40),
                Some(value.clone()),
            ),
        };
        let change = Change::of([write]).append(LOG, value.clone());
        let (version, number) = done(store.commit(change).await.unwrap());
        history.push((version, key, left));
        entries.push((version, (number, value)));
    }
    (history, entries)
}

fn done(commit: Commit) -> (u64, u64) {
    match commit {
        Commit::Done(done) => (
            done.version.as_u64(),
            done.numbers.first().copied().unwrap_or(0),
        ),
        Commit::Conflict(key) => panic!("a conflict at {key}"),
    }
}

async fn all(store: &EmbeddedStore) -> BTreeMap<Key, (u64, Bytes)> {
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store
            .scan(&Key::new([""; 0]), after.as_ref(), 1000)
            .await
            .unwrap();
        let records = page.records.into_iter();
        found.extend(records.map(|(key, record)| (key, (record.version.as_u64(), record.value))));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

/// Nothing is taken for a backup that ends at any of its frames, or in one, or goes on after its
/// end; and nothing is left of the attempt.
#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused() {
    let (_place, backup) = small().await;
    let folder = tempdir().unwrap();
    let frames = frames(&backup);
    assert!(frames.len() > 10 && *frames.last().unwrap() == backup.len());
    let cuts = frames.iter().flat_map(|end| [end - 1, *end]);
    for cut in cuts.chain([0, 10]).filter(|cut| *cut < backup.len()) {
        check_refused(&backup[..cut], folder.path(), "not_whole");
    }
    let longer = [&backup[..], b"h"].concat();
    check_refused(&longer, folder.path(), "not_whole");
    // Two frames in the other order: each is whole, and as many as there were.
    let [a, b, c] = [frames[1], frames[2], frames[3]];
    let swapped = [&backup[..a], &backup[b..c], &backup[a..b], &backup[c..]].concat();
    check_refused(&swapped, folder.path(), "not_whole");
    check_refused(
        b"-- a dump of something else --\n",
        folder.path(),
        "not_whole",
    );
    let later = backup.clone();
    let later = [&b"countersign backup, format 2\n"[..], &later[29..]].concat();
    check_refused(&later, folder.path(), "newer");
    for offset in (0..backup.len()).step_by(backup.len() / 60) {
        let mut flipped = backup.clone();
        flipped[offset] ^= 0x10;
        let label = restored(&flipped, folder.path()).expect_err("a byte is wrong");
        assert!(["not_whole", "newer"].contains(&label), "{offset}: {label}");
    }
    assert_eq!(restored(&backup, folder.path()), Ok(()), "the control");
}

#[track_caller]
fn check_refused(backup: &[u8], folder: &Path, label: &str) {
    assert_eq!(
        restored(backup, folder),
        Err(label),
        "{} bytes",
        backup.len()
    );
    let verified = verify_backup(backup, folder).expect_err("it is not verified either");
    assert_eq!(verified.label(), label);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is left");
}

fn restored(backup: &[u8], folder: &Path) -> Result<(), &'static str> {
    let restored = restore(backup, folder.join("restored"), |_| Ok(()));
    restored.map(drop).map_err(|error| error.label())
}

/// Where each frame ends, the magic line being the first.
fn frames(backup: &[u8]) -> Vec<usize> {
    let mut at = backup.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut ends = vec![at];
    while at < backup.len() {
        let length: [u8; 4] = backup[at + 1..at + 5].try_into().unwrap();
        at += 9 + u32::from_be_bytes(length) as usize;
        ends.push(at);
    }
    ends
}

async fn small() -> (DirectoryPlace, Vec<u8>) {
    let place = DirectoryPlace::default();
    let store = open(place.path());
    for n in 0..5_u8 {
        let write = Write::create(Key::of("k").and([n]), vec![n; 10]).expiring_at(1 << 40);
        store
            .commit(Change::of([write]).append(LOG, vec![n]))
            .await
            .unwrap();
    }
    store.trim(LOG, 3, 10).await.unwrap();
    let backup = read(&store).await.unwrap();
    (place, backup)
}

#[tokio::test]
async fn a_restored_store_goes_on() {
    let (_place, backup) = small().await;
    let scratch = tempdir().unwrap();
    let verified = verify_backup(&backup[..], scratch.path()).unwrap();
    assert!(verified.is_sound());
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    // An empty directory will do as well as none.
    let directory = tempdir().unwrap();
    let report = restore(&backup[..], directory.path(), |_| Ok(()))
        .unwrap()
        .report;
    assert_eq!(
        report,
        countersign_store::embedded::Report {
            disk_bytes: report.disk_bytes,
            ..verified.report
        }
    );
    assert_eq!(report.records.get("k"), Some(&5));
    let log = report.logs["log"];
    assert_eq!((log.first, log.last, report.last_commit), (3, 5, 6));

    let store = open(directory.path());
    let change = Change::of([Write::create(Key::of("new"), "value")]).append(LOG, "new");
    assert_eq!(done(store.commit(change).await.unwrap()), (7, 6));
    let entry = store.entries(LOG, 6, 1).await.unwrap().remove(0);
    assert_eq!(entry.hash, chain::next(log.head, 6, b"new"));
    assert_eq!(store.sweep(1 << 40, 10).await.unwrap().removed, 5);
}

#[tokio::test]
async fn nothing_is_restored_over_something() {
    let (place, backup) = small().await;
    for directory in [place.path().to_owned(), place.path().join("mark")] {
        let refused = restore(&backup[..], &directory, |_| Ok(())).expect_err("something is there");
        assert_eq!(refused.label(), "occupied", "{refused}");
    }
    drop(open(place.path()));
    let refused = restore(&backup[..], place.path().join("none").join("below"), |_| {
        Ok(())
    });
    assert_eq!(refused.expect_err("no folder").label(), "unwritable");
    assert!(!place.path().join("none").exists());
}

/// What is to be there whenever the store is comes before the directory says that it is one; without
/// it, nothing is left.
#[tokio::test]
async fn what_comes_before_a_restoration_is_there_or_nothing_is() {
    let (place, backup) = small().await;
    let directory = place.path().join("restored");
    let full = |made: &std::path::Path| {
        assert_eq!(verify(made).expect_err("not yet").label(), "not_ours");
        Err(std::io::Error::from_raw_os_error(28))
    };
    let refused = restore(&backup[..], &directory, full).expect_err("no room");
    assert_eq!(refused.label(), "unwritable", "{refused}");
    assert!(!directory.exists());
    let note = |made: &std::path::Path| std::fs::write(made.join("note"), "x");
    restore(&backup[..], &directory, note).unwrap();
    assert!(directory.join("note").is_file());
}

/// A reader that does not read gets no backup. Commits do not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_too_slow_stops_nobody() {
    let place = DirectoryPlace::default();
    let store = open(place.path());
    seed(&store).await;
    let mut backup = store.backup().await.unwrap();
    let large = vec![7; Change::VALUE_BYTES_MAX];
    for n in 0..240_u32 {
        let keys =
            (0..4_u32).map(|part| Key::of("large").and([n, part].map(u32::to_be_bytes).concat()));
        let change = Change::of(keys.map(|key| Write::create(key, large.clone())));
        done(store.commit(change).await.unwrap());
    }
    let mut last = None;
    while let Some(chunk) = backup.next().await {
        last = Some(chunk);
    }
    assert_eq!(last, Some(Err(BackupError::TooSlow)));
    // The store is as well as before, and the next reader may be faster.
    assert!(read(&store).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_backups_at_once_and_no_more() {
    let place = DirectoryPlace::default();
    let store = open(place.path());
    seed(&store).await;
    let (first, second) = (store.backup().await.unwrap(), store.backup().await.unwrap());
    assert_eq!(store.backup().await.err(), Some(BackupError::Busy));
    drop(first);
    // The one that was dropped ends by itself.
    while store.backup().await.err() == Some(BackupError::Busy) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let folder = tempdir().unwrap();
    let backup = collect(second).await.unwrap();
    restore(&backup[..], folder.path(), |_| Ok(())).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_ends_with_the_store() {
    let place = DirectoryPlace::default();
    let store = open(place.path());
    seed(&store).await;
    let backup = store.backup().await.unwrap();
    store.close().await.unwrap();
    let closed = BackupError::Store(StoreError::Closed);
    assert_eq!(collect(backup).await, Err(closed.clone()));
    assert_eq!(store.backup().await.err(), Some(closed));
    drop(store);
    // A drop, too, waits for no reader.
    let store = open(place.path());
    let _backup = store.backup().await.unwrap();
    drop(store);
    drop(open(place.path()));
}

fn open(directory: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(directory, Options::default()).unwrap())
}

async fn read(store: &EmbeddedStore) -> Result<Vec<u8>, BackupError> {
    collect(store.backup().await?).await
}

async fn collect(mut backup: countersign_store::embedded::Backup) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = backup.next().await {
        let chunk = chunk?;
        assert!((1..=CHUNK_BYTES_MAX).contains(&chunk.len()));
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
