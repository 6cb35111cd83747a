//! What commits take while much that has expired is swept, against what they take when nothing is:
//! `cargo run --release -p countersign-store --example sweep -- [directory] [expired]`.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

mod seeded;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_store::{Change, EmbeddedStore, Key, Store, Write};

use seeded::{Any, open, processor, seed};

const WRITERS: u64 = 16;
/// One round: long enough for some ten thousand commits, short enough to have many.
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;
/// As the service's janitor sweeps.
const BATCH: usize = 256;
const REST_TIMES: u32 = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let place = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let expired: u64 = match arguments.next() {
        Some(expired) => expired.parse()?,
        None => 500_000,
    };
    let folder = tempfile::tempdir_in(place)?;
    let store = open(&folder.path().join("store"), 64)?;
    // Every second one lives on, and lies between those that go.
    seed(&store, 0..expired * 2, |n| n % 2 * u64::MAX / 2).await?;
    println!("{expired} of {} have expired", expired * 2);
    commits(&store).await?;
    for _ in 0..ROUNDS {
        let quiet = commits(&store).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let sweeper = tokio::spawn(sweeps(Arc::clone(&store), Arc::clone(&stop)));
        let swept = commits(&store).await?;
        stop.store(true, Ordering::SeqCst);
        let removed = sweeper.await??;
        println!(
            "quiet: {quiet}; swept: {swept}; p99 × {:.2}; {:.0} removed a second",
            swept.p99.as_secs_f64() / quiet.p99.as_secs_f64(),
            removed as f64 / ROUND.as_secs_f64()
        );
    }
    Ok(())
}

async fn sweeps(store: Arc<EmbeddedStore>, stop: Arc<AtomicBool>) -> Result<usize, Any> {
    let mut removed = 0;
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let swept = store.sweep(1, BATCH).await?;
        removed += swept.removed;
        if !swept.more {
            return Err("nothing is left to sweep".into());
        }
        tokio::time::sleep(begun.elapsed() * REST_TIMES).await;
    }
    Ok(removed)
}

struct Took {
    commits: usize,
    /// Of all threads, the sweeping one included.
    processor: Duration,
    p50: Duration,
    p99: Duration,
    p999: Duration,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} commits, p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, {:.1?} of the processor each",
            self.commits,
            self.p50,
            self.p99,
            self.p999,
            self.processor / self.commits as u32
        )
    }
}

/// One round of commits by some writers, each of which waits for its answer.
async fn commits(store: &Arc<EmbeddedStore>) -> Result<Took, Any> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (begun, used) = (Instant::now(), processor()?);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut took = Vec::new();
                while begun.elapsed() < ROUND {
                    let n = NEXT.fetch_add(1, Ordering::Relaxed);
                    let key =
                        Key::of("new").and(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
                    let asked = Instant::now();
                    let change = Change::of([Write::create(key, vec![7; seeded::FAMILY_BYTES])]);
                    store.commit(change).await?;
                    took.push(asked.elapsed());
                }
                Ok::<_, Any>(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for writer in writers {
        took.append(&mut writer.await??);
    }
    let processor = processor()? - used;
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    Ok(Took {
        commits: took.len(),
        processor,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
    })
}
