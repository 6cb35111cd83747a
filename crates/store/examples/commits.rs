//! Durable commits a second by 64 writers, and what one read costs. A look, not a benchmark:
//! `cargo run --release -p countersign-store --example commits [directory]`.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_store::{Change, EmbeddedStore, Key, Options, Store, StoreError, Write};

const WRITERS: u64 = 64;
const SECS: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In the folder where it is run, or the one named: a temporary folder may be no disk at all.
    let place = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::tempdir_in(place)?;
    let directory = folder.path().join("store");
    let store = Arc::new(EmbeddedStore::open(&directory, Options::default())?);
    let run = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
    let begun = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < SECS {
                let key =
                    Key::of("family").and([run, writer, count].map(u64::to_be_bytes).concat());
                store
                    .commit(Change::of([Write::create(key, vec![7; 300])]))
                    .await?;
                count += 1;
            }
            Ok::<_, StoreError>(count)
        })
    });
    let mut total = 0;
    for writer in writers.collect::<Vec<_>>() {
        total += writer.await??;
    }
    let rate = total as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{total} durable commits, {rate:.0} a second, {:.2} ms each",
        WRITERS as f64 * 1e3 / rate
    );

    let keys = store.scan(&Key::of("family"), None, 1000).await?.records;
    let begun = Instant::now();
    for (key, _) in &keys {
        store.load(std::slice::from_ref(key)).await?;
    }
    println!(
        "{:.2} µs a load",
        begun.elapsed().as_secs_f64() * 1e6 / keys.len() as f64
    );
    let begun = Instant::now();
    store.close().await?;
    println!("{:?} to close", begun.elapsed());
    drop(store);
    let begun = Instant::now();
    drop(EmbeddedStore::open(&directory, Options::default())?);
    println!("{:?} to open again", begun.elapsed());
    Ok(())
}
