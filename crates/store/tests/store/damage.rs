//! A database with wrong bytes in it: an error, and neither a panic nor a wrong record.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use countersign_store::laws::Place;
use countersign_store::{Change, EmbeddedStore, Key, Options, Store, Write};

use crate::child;
use crate::place::DirectoryPlace;
use crate::refused::copy;

const RECORDS: u32 = 400;
const FLIPS: u64 = 24;
const OPENED: &str = "opened, all records whole";
const REFUSED: &str = "refused:";

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

/// The process: opens, reads everything, says how that went.
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
    store.close().await?;
    Ok(())
}

async fn filled() -> DirectoryPlace {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    for n in 0..RECORDS {
        let change = Change::of([Write::create(key(n), value(n)).expiring_at(u64::MAX)]);
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
