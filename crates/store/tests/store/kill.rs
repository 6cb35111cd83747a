//! A process that is killed while it commits: what it acknowledged is there, and changes are whole.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_store::{Change, Commit, EmbeddedStore, Key, Log, Options, Store, Write};
use futures_util::future::join_all;

use crate::child;
use crate::place::{DirectoryPlace, large};

const LOG: Log = Log::named("log");
const WRITERS: u64 = 16;
const ROUNDS: u32 = 6;
const ACKNOWLEDGED: &str = "acknowledged";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let place = DirectoryPlace::default();
    let mut acknowledged: HashMap<u64, u64> = HashMap::new();
    for round in 0..ROUNDS {
        kill_at(some_millis(), &place, &mut acknowledged);
        // Read whole at the start, or by its ends.
        let options = if round % 2 == 0 {
            Options::default()
        } else {
            large()
        };
        check(&place, options, &mut acknowledged).await;
    }
    assert!(
        !acknowledged.is_empty(),
        "the process acknowledged something before it was killed"
    );
}

fn kill_at(millis: u64, place: &DirectoryPlace, acknowledged: &mut HashMap<u64, u64>) {
    let mut process = child::command("kill::writers", place.path())
        .spawn()
        .unwrap();
    let output = process.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        // A line that the kill cut short acknowledged nothing.
        lines.filter_map(|line| parse(&line)).collect::<Vec<_>>()
    });
    thread::sleep(Duration::from_millis(millis));
    // SIGKILL.
    process.kill().unwrap();
    process.wait().unwrap();
    for (writer, count) in reader.join().unwrap() {
        acknowledged.insert(writer, count);
    }
}

async fn check(place: &DirectoryPlace, options: Options, acknowledged: &mut HashMap<u64, u64>) {
    let store = EmbeddedStore::open(place.path(), options).unwrap();
    let mut total = 0;
    for writer in 0..WRITERS {
        let found = store.load(&keys(writer)).await.unwrap();
        let counts: Vec<_> = found
            .iter()
            .map(|found| found.as_ref().map_or(0, |found| decode(&found.value)))
            .collect();
        assert_eq!(counts, [counts[0]; 3], "a change is there in parts");
        let sent = acknowledged.get(&writer).copied().unwrap_or(0);
        let range = sent..=sent + 1;
        assert!(
            range.contains(&counts[0]),
            "{sent} acknowledged, {} there",
            counts[0]
        );
        total += counts[0];
        // What was read after the start stays, as if it had been acknowledged.
        acknowledged.insert(writer, counts[0]);
    }
    assert_eq!(
        store.last_number(LOG).await,
        Ok(total),
        "an entry for each change"
    );
    store.close().await.unwrap();
}

/// The process: counts up, each count a change of three records and an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers() {
    let Some(directory) = child::directory() else {
        return;
    };
    let store = Arc::new(EmbeddedStore::open(directory, large()).unwrap());
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let found = store.load(&keys(writer)).await.unwrap();
                let next = found[0].as_ref().map_or(0, |found| decode(&found.value)) + 1;
                let writes = keys(writer)
                    .into_iter()
                    .zip(found)
                    .map(|(key, found)| match found {
                        None => Write::create(key, encode(next)),
                        Some(found) => Write::replace(key, found.version, encode(next)),
                    });
                let change = Change::of(writes).append(LOG, encode(next));
                assert!(matches!(store.commit(change).await, Ok(Commit::Done(_))));
                println!("{ACKNOWLEDGED} {writer} {next} .");
            }
        })
    });
    join_all(writers).await;
}

fn parse(line: &str) -> Option<(u64, u64)> {
    let mut words = line
        .split(' ')
        .skip_while(|word| *word != ACKNOWLEDGED)
        .skip(1);
    let pair = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next() == Some(".")).then_some(pair)
}

fn keys(writer: u64) -> [Key; 3] {
    // Far apart, so that they lie on different pages once there is more than one.
    ["a", "m", "z"].map(|part| Key::of(part).and(writer.to_be_bytes()))
}

fn encode(count: u64) -> Vec<u8> {
    count.to_be_bytes().to_vec()
}

fn decode(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}

/// Between 60 and 400: a start takes some 50.
fn some_millis() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "any number will do, as long as it varies"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    60 + u64::from(now.subsec_micros()) % 340
}
