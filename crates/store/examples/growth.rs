//! What a commit and a load cost as the store grows from 1 to 1,000,000 families, in processor time:
//! `cargo run --release -p countersign-store --example growth -- [directory] [cache in MiB]`.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

mod seeded;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_store::{Change, Commit, EmbeddedStore, Store, StoreError, Write};

use seeded::{AUDIT, Any, EVENT_BYTES, FAMILY_BYTES, family, open, processor, seed};

const SIZES: [u64; 7] = [1, 64, 1_000, 10_000, 100_000, 300_000, 1_000_000];
/// Each writer has families of its own, so that none conflicts.
const WRITERS: u64 = 64;
const ROUND: Duration = Duration::from_secs(3);
const LOADS: u64 = 20_000;
const LONG: u64 = u64::MAX / 2;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let place = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let cache_mib = match arguments.next() {
        Some(cache_mib) => cache_mib.parse()?,
        None => 64,
    };
    let folder = tempfile::tempdir_in(place)?;
    let store = open(&folder.path().join("store"), cache_mib)?;
    let mut there = 0;
    for size in SIZES {
        seed(&store, there..size, |_| LONG).await?;
        there = size;
        let load = loads(&store, size).await?;
        let commit = rotations(&store, size).await?;
        println!("{size:>9} families: {load:.2?} a load, {commit:.2?} a rotation");
    }
    Ok(())
}

/// Processor time of reading one family of so many.
async fn loads(store: &EmbeddedStore, size: u64) -> Result<Duration, StoreError> {
    let used = processor().unwrap_or_default();
    for n in 0..LOADS {
        store.load(&[family(any(n, size))]).await?;
    }
    Ok((processor().unwrap_or_default() - used) / LOADS as u32)
}

/// Processor time of reading and replacing one family of so many, and noting it.
async fn rotations(store: &Arc<EmbeddedStore>, size: u64) -> Result<Duration, Any> {
    let (begun, used) = (Instant::now(), processor()?);
    let writers: Vec<_> = (0..WRITERS.min(size))
        .map(|writer| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut commits = 0_u32;
                while begun.elapsed() < ROUND {
                    let own = (size / WRITERS).max(1);
                    let n = (writer + WRITERS * any(u64::from(commits), own)) % size;
                    let key = family(n);
                    let found = store.load(std::slice::from_ref(&key)).await?.remove(0);
                    let version = found.ok_or("a family is missing")?.version;
                    let write = Write::replace(key, version, vec![7; FAMILY_BYTES]);
                    let change = Change::of([write.expiring_at(LONG)]);
                    let done = store
                        .commit(change.append(AUDIT, vec![7; EVENT_BYTES]))
                        .await?;
                    commits += u32::from(matches!(done, Commit::Done(_)));
                }
                Ok::<_, Any>(commits)
            })
        })
        .collect();
    let mut commits = 0;
    for writer in writers {
        commits += writer.await??;
    }
    Ok((processor()? - used) / commits.max(1))
}

/// The `n`th of some numbers below `size` that are spread over it.
fn any(n: u64, size: u64) -> u64 {
    (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) % size
}
