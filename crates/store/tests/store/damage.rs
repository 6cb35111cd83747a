//! A database with wrong bytes in it: an error, and neither a panic nor a wrong record.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use countersign_store::laws::Place;
use countersign_store::{Change, EmbeddedStore, Health, Key, Log, Options, Store, Write};

use crate::child;
use crate::place::{DirectoryPlace, large};
use crate::refused::copy;

/// As the store has it.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
const RECORDS: u32 = 400;
/// Each with an entry, so many in a commit.
const TOGETHER: usize = 4;
const LOG: Log = Log::named("log");
const FLIPS: u64 = 200;
const OPENED: &str = "opened, all records whole";
const REFUSED: &str = "refused:";
const INSPECTED: &str = "read whole";
const FAILED: &str = "failed while it served";

#[tokio::test]
async fn flipped_bytes_are_an_error_or_harmless() {
    let place = filled().await;
    let used = used_bytes(&place.path().join("database/db"));
    assert!(
        !check(copy_of(&place).path(), "a copy"),
        "an undamaged copy opens"
    );
    let mut refused = 0;
    for n in 0..FLIPS {
        let copied = copy_of(&place);
        let offset = used * n / FLIPS + n * 7;
        flip(&copied.path().join("database/db"), offset);
        refused += u64::from(check(
            copied.path(),
            &format!("byte {offset} of {used} flipped"),
        ));
    }
    assert!(refused > 0, "some of the bytes mattered");
}

/// What a process leaves that is killed while the driver writes a snapshot, which it does whenever it
/// opens a database.
#[tokio::test]
async fn an_unfinished_snapshot_is_no_damage() {
    let place = filled().await;
    place.open().await.close().await.unwrap();
    let database = place.path().join("database");
    let whole = fs::read_dir(&database)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("/snap."))
        .unwrap();
    let bytes = fs::read(&whole).unwrap();
    for length in [0, 1, bytes.len() - 12, bytes.len() - 4, bytes.len()] {
        let copied = copy_of(&place);
        // A later one than the one that is there.
        let unfinished = copied
            .path()
            .join("database/snap.00000000FFFFFFFF.generating");
        fs::write(&unfinished, &bytes[..length]).unwrap();
        let what = format!("{length} bytes of a snapshot");
        assert!(!check(copied.path(), &what), "{what}");
        assert!(!unfinished.exists(), "{what}");
    }
}

/// What a process leaves that is killed while the driver makes its first file.
#[tokio::test]
async fn unfinished_settings_are_no_damage() {
    let place = filled().await;
    let settings = fs::read(place.path().join("database/conf")).unwrap();
    for length in [0, 1, settings.len() - 4, settings.len()] {
        let made = DirectoryPlace::default();
        fs::create_dir(made.path().join("database")).unwrap();
        fs::copy(place.path().join("store"), made.path().join("store")).unwrap();
        fs::write(made.path().join("mark"), "countersign mark, commit 0\n").unwrap();
        fs::write(made.path().join("database/conf"), &settings[..length]).unwrap();
        let store = made.open().await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn cut_tails_are_an_error() {
    let place = filled().await;
    let used = used_bytes(&place.path().join("database/db"));
    for part in [0, 1, 50, 90, 99] {
        let copied = copy_of(&place);
        let file = OpenOptions::new()
            .write(true)
            .open(copied.path().join("database/db"))
            .unwrap();
        file.set_len(used * part / 100).unwrap();
        assert!(
            check(copied.path(), &format!("cut at {part} %")),
            "cut at {part} % and opened"
        );
    }
}

/// A large one opens with damage in it, and finds it by itself: nobody asks for the record.
#[tokio::test]
async fn damage_in_a_large_one_is_found_while_it_serves() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    for n in 0..200 {
        let large = value(n).repeat(300);
        let change = Change::of([Write::create(key(n), large)]);
        store.commit(change).await.unwrap();
    }
    store.close().await.unwrap();
    // The driver itself reads what was written since the last start, and the segment that it
    // writes to; now that is the last one.
    place.open().await.close().await.unwrap();
    assert_eq!(inspect(place.path(), "undamaged"), INSPECTED);

    let file = place.path().join("database/db");
    let segments = used_bytes(&file) / SEGMENT_BYTES;
    assert!(segments >= 2);
    // Some bytes nobody needs any more, and some the start needs: tried until one is a record's.
    let found = (0..segments * 8).any(|n| {
        let copied = copy_of(&place);
        let offset = n * SEGMENT_BYTES / 8 + 12_345;
        flip(&copied.path().join("database/db"), offset);
        inspect(copied.path(), &format!("byte {offset} flipped")) == FAILED
    });
    assert!(found, "some of the bytes mattered");
}

/// The process: opens as a large one, and waits until it was read whole, or has failed.
#[tokio::test]
async fn inspector() {
    let Some(directory) = child::directory() else {
        return;
    };
    let store = match EmbeddedStore::open(directory, large()) {
        Ok(store) => store,
        Err(error) => return println!("{REFUSED} {error}"),
    };
    let (mut inspected, mut health) = (store.inspected(), store.health());
    tokio::select! {
        read = inspected.wait_for(|inspected| *inspected) => {
            read.unwrap();
            println!("{INSPECTED}");
        }
        failed = health.wait_for(|health| *health != Health::Serving) => {
            assert!(matches!(&*failed.unwrap(), Health::Failed(_)));
            println!("{FAILED}");
        }
    }
}

/// What the process found out.
fn inspect(directory: &Path, what: &str) -> &'static str {
    let output = end(child::command("damage::inspector", directory)
        .spawn()
        .unwrap());
    let (said, erred) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{what}: {said}{erred}");
    assert!(!erred.contains("panicked"), "{what}: {erred}");
    let found = [INSPECTED, FAILED, REFUSED]
        .into_iter()
        .find(|found| said.contains(found));
    found.unwrap_or_else(|| panic!("{what}: {said}"))
}

/// The process: opens, reads everything, says how that went. What it reads must be what was written.
#[tokio::test]
async fn opener() {
    let Some(directory) = child::directory() else {
        return;
    };
    match read_all(&directory).await {
        Ok(()) => println!("{OPENED}"),
        Err(error) => println!("{REFUSED} {error}"),
    }
}

async fn read_all(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let store = EmbeddedStore::open(directory, Options::default())?;
    for n in 0..RECORDS {
        let found = store.load(&[key(n)]).await?.remove(0);
        assert_eq!(
            found.map(|found| found.value.to_vec()),
            Some(value(n)),
            "record {n}"
        );
    }
    let entries = store.entries(LOG, 1, RECORDS as usize).await?;
    let entries = entries.into_iter().map(|entry| entry.bytes.to_vec());
    assert!(entries.eq((0..RECORDS).map(value)), "the entries");
    store.close().await?;
    Ok(())
}

async fn filled() -> DirectoryPlace {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    for first in (0..RECORDS).step_by(TOGETHER) {
        let mut change = Change::of([]);
        for n in first..first + TOGETHER as u32 {
            let write = Write::create(key(n), value(n)).expiring_at(u64::MAX);
            change.writes.push(write);
            change = change.append(LOG, value(n));
        }
        store.commit(change).await.unwrap();
    }
    store.close().await.unwrap();
    place
}

fn copy_of(place: &DirectoryPlace) -> DirectoryPlace {
    let copied = DirectoryPlace::default();
    copy(place.path(), copied.path());
    copied
}

/// Whether it was refused; the process must end by itself, and without a panic.
fn check(directory: &Path, what: &str) -> bool {
    let output = end(child::command("damage::opener", directory).spawn().unwrap());
    let (said, erred) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{what}: {said}{erred}");
    assert!(!erred.contains("panicked"), "{what}: {erred}");
    let refused = said.contains(REFUSED);
    assert!(refused || said.contains(OPENED), "{what}: {said}");
    refused
}

fn end(mut process: Child) -> Output {
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            process.kill().unwrap();
            panic!("the process hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
    process.wait_with_output().unwrap()
}

/// Up to the last byte that is not zero.
fn used_bytes(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

fn flip(file: &Path, offset: u64) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
    file.flush().unwrap();
}

fn key(n: u32) -> Key {
    Key::of("record").and(n.to_be_bytes())
}

fn value(n: u32) -> Vec<u8> {
    let seed = n.wrapping_mul(0x9E37_79B9).to_be_bytes();
    seed.iter().cycle().take(200).copied().collect()
}
