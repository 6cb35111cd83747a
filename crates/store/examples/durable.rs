//! Durable commits of 64 writers, against the least that the disk asks: the same bytes, of as many
//! writers, gathered by one thread, written and synced once a group. Turn by turn in one run, since
//! a disk is not the same from minute to minute; the medians count. And what a commit pays for its
//! checksums and its place in the chain.
//!
//! `cargo run --release -p countersign-store --example durable [directory] [turns] [sync]`
//!
//! `sync` is the least time that a sync takes on both sides, in microseconds: on a fast disk it
//! shows what a slower one would.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use countersign_store::chain;
use countersign_store::embedded::Disk;
use countersign_store::{Change, Commit, EmbeddedStore, Key, Log, Options, Store, Write};
use tokio::sync::{mpsc, oneshot};

/// As the command has it (`docs/adr/0007-allocator.md`), for both sides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Any = Box<dyn std::error::Error + Send + Sync>;

const AUDIT: Log = Log::named("audit");
/// A family as it lies in a service's store: names, scopes, two thumbprints, five times.
const FAMILY_BYTES: usize = 350;
/// The event that notes it.
const EVENT_BYTES: usize = 150;

const WRITERS: u64 = 64;
const TURN: Duration = Duration::from_millis(1500);
const EXPIRES: u64 = 1 << 40;

/// What the store writes for a commit besides its record's and its entry's bytes, those of a
/// group's values aside: the record's key, tag, version, expiry and checksum; the entry's version,
/// hash and length; the reminder's time, length and key.
const AROUND_BYTES: usize = 37 + 22 + 44 + 46;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    // In the folder where it is run, or the one named: a temporary folder may be no disk at all.
    let place = arguments.next().unwrap_or_else(|| ".".to_owned());
    let turns: usize = arguments.next().map_or(Ok(9), |turns| turns.parse())?;
    let sync_min: u64 = arguments.next().map_or(Ok(0), |micros| micros.parse())?;
    let sync_min = Duration::from_micros(sync_min);
    let folder = tempfile::tempdir_in(place)?;
    let disk = Arc::new(Counting {
        syncs: AtomicU64::new(0),
        sync_min,
    });
    let options = Options {
        disk: disk.clone(),
        ..Options::default()
    };
    let store = Arc::new(EmbeddedStore::open(folder.path().join("store"), options)?);
    let bare = Bare::start(&folder.path().join("bare"), sync_min)?;
    let numbers = Arc::new(AtomicU64::new(0));
    let [mut stored, mut silent, mut floor] = [Vec::new(), Vec::new(), Vec::new()];
    for turn in 0..turns {
        let before = disk.syncs.load(Ordering::Relaxed);
        let committing = Arc::clone(&store);
        let commit = move |change| {
            let store = Arc::clone(&committing);
            async move {
                match store.commit(change).await? {
                    Commit::Done(_) => Ok(()),
                    Commit::Conflict(key) => Err(format!("{key} is there already").into()),
                }
            }
        };
        let there = turn_of(&numbers, approval, commit.clone()).await?;
        let groups = disk.syncs.load(Ordering::Relaxed) - before;
        let without = turn_of(&numbers, without_event, commit).await?;
        silent.push(without.rate);
        let before = bare.syncs.load(Ordering::Relaxed);
        let jobs = bare.jobs.clone();
        let least = turn_of(&numbers, approval, move |change| {
            let bytes = bytes(&change);
            let jobs = jobs.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                jobs.send((bytes, answer)).await?;
                Ok(answered.await?)
            }
        });
        let least = least.await?;
        let bare_groups = bare.syncs.load(Ordering::Relaxed) - before;
        println!(
            "turn {turn}: {:.0} commits a second in groups of {:.1}; the bytes alone {:.0} in groups \
             of {:.1}",
            there.rate,
            there.count / groups as f64,
            least.rate,
            least.count / bare_groups as f64,
        );
        stored.push(there.rate);
        floor.push(least.rate);
    }
    let mut ratios: Vec<_> = stored.iter().zip(&floor).map(|(a, b)| a / b).collect();
    println!(
        "medians: {:.0} commits a second, {:.0} without their events, the bytes alone {:.0}; of the \
         ratios {:.2}",
        median(&mut stored),
        median(&mut silent),
        median(&mut floor),
        median(&mut ratios)
    );
    store.close().await?;
    price();
    Ok(())
}

/// The same without its event.
fn without_event(n: u64) -> Change {
    Change {
        appends: Vec::new(),
        ..approval(n)
    }
}

/// What one approval writes: a record that expires, and an event. Its key is any 16 bytes.
fn approval(n: u64) -> Change {
    let key = Key::of("family").and(u128::from(n).wrapping_mul(u128::MAX / 11 * 3).to_be_bytes());
    let write = Write::create(key, vec![n as u8; FAMILY_BYTES]).expiring_at(EXPIRES);
    Change::of([write]).append(AUDIT, vec![n as u8; EVENT_BYTES])
}

struct Turn {
    count: f64,
    rate: f64,
}

/// So long as a turn takes, each writer one commit after the other.
async fn turn_of<F>(
    numbers: &Arc<AtomicU64>,
    change: fn(u64) -> Change,
    commit: impl Fn(Change) -> F + Clone + Send + 'static,
) -> Result<Turn, Any>
where
    F: Future<Output = Result<(), Any>> + Send,
{
    let begun = Instant::now();
    let writers = (0..WRITERS).map(|_| {
        let (numbers, commit) = (Arc::clone(numbers), commit.clone());
        tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < TURN {
                let n = numbers.fetch_add(1, Ordering::Relaxed);
                commit(change(n)).await?;
                count += 1;
            }
            Ok::<_, Any>(count)
        })
    });
    let mut count = 0;
    for writer in writers.collect::<Vec<_>>() {
        count += writer.await??;
    }
    let count = count as f64;
    Ok(Turn {
        count,
        rate: count / begun.elapsed().as_secs_f64(),
    })
}

struct Counting {
    syncs: AtomicU64,
    sync_min: Duration,
}

impl Disk for Counting {
    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        sync(file, self.sync_min)
    }
}

fn sync(file: &File, sync_min: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let synced = file.sync_data();
    thread::sleep(sync_min.saturating_sub(begun.elapsed()));
    synced
}

/// One thread that takes what has come, writes it, syncs once, and answers.
struct Bare {
    jobs: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    syncs: Arc<AtomicU64>,
}

impl Bare {
    fn start(path: &Path, sync_min: Duration) -> io::Result<Self> {
        let mut file = File::create(path)?;
        let (jobs, mut received) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>(4096);
        let syncs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&syncs);
        thread::spawn(move || -> io::Result<()> {
            let (mut group, mut answers) = (Vec::new(), Vec::new());
            while let Some(first) = received.blocking_recv() {
                let mut next = Some(first);
                while let Some((bytes, answer)) = next {
                    group.extend_from_slice(&bytes);
                    answers.push(answer);
                    next = received.try_recv().ok();
                }
                file.write_all(&group)?;
                sync(&file, sync_min)?;
                counted.fetch_add(1, Ordering::Relaxed);
                group.clear();
                for answer in answers.drain(..) {
                    let _ = answer.send(());
                }
            }
            Ok(())
        });
        Ok(Self { jobs, syncs })
    }
}

/// As many bytes as the store gives to its database for a change, of the same kind.
fn bytes(change: &Change) -> Vec<u8> {
    let mut bytes = vec![0; AROUND_BYTES];
    for put in change.writes.iter().filter_map(|write| write.put.as_ref()) {
        bytes.extend_from_slice(&put.value);
    }
    for append in &change.appends {
        bytes.extend_from_slice(&append.entry);
    }
    bytes
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the checksums over a commit's bytes and the hash of its entry cost.
fn price() {
    const TIMES: u32 = 200_000;
    let each = |work: &dyn Fn(u64)| {
        let mut runs: Vec<_> = (0..5)
            .map(|_| {
                let begun = Instant::now();
                (0..u64::from(TIMES)).for_each(work);
                begun.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
            })
            .collect();
        median(&mut runs)
    };
    let record = [vec![1; 37], vec![2; 18 + FAMILY_BYTES]].concat();
    let shares = vec![3; 46 + 44 + EVENT_BYTES];
    let sums = each(&|n| {
        for bytes in [&record, &shares] {
            let mut sum = crc32fast::Hasher::new_with_initial(n as u32);
            sum.update(bytes);
            black_box(sum.finalize());
        }
    });
    let entry = vec![3; EVENT_BYTES];
    let before = chain::next(chain::origin(AUDIT), 1, &entry);
    let hash = each(&|n| {
        black_box(chain::next(black_box(before), n, &entry));
    });
    println!("{sums:.0} ns a commit for its checksums, {hash:.0} ns for its entry's hash");
}
