//! What it takes to open a store of many families. It fills the directory where there is no store
//! yet; for a cold start, drop the operating system's page cache between two runs:
//! `cargo run --release -p countersign-store --example start -- directory [families]`.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

mod seeded;

use std::path::PathBuf;
use std::time::Instant;

use countersign_store::Store;

use seeded::{AUDIT, Any, family, open, processor, seed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let families = match arguments.next() {
        Some(families) => families.parse()?,
        None => 1_000_000,
    };
    if !directory.join("store").exists() {
        let begun = Instant::now();
        let store = open(&directory, 64)?;
        seed(&store, 0..families, |_| u64::MAX / 2).await?;
        println!("{families} families written in {:.1?}", begun.elapsed());
        let begun = Instant::now();
        store.close().await?;
        println!("closed in {:.2?}", begun.elapsed());
        return Ok(());
    }
    let (begun, used) = (Instant::now(), processor()?);
    let store = open(&directory, 64)?;
    println!(
        "opened in {:.2?}, of which {:.2?} of the processor's",
        begun.elapsed(),
        processor()? - used
    );
    let begun = Instant::now();
    let last = store.load(&[family(families - 1)]).await?;
    println!(
        "the last family is there: {}; {} events; {:.2?}",
        last[0].is_some(),
        store.last_number(AUDIT).await?,
        begun.elapsed()
    );
    let begun = Instant::now();
    store.close().await?;
    println!("closed in {:.2?}", begun.elapsed());
    Ok(())
}
