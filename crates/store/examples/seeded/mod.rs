//! What the examples share: a store like a service's, and the processor's clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_store::{Change, Commit, EmbeddedStore, Key, Log, Options, Store, Write};
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::time::{ClockId, clock_gettime};

pub(crate) type Any = Box<dyn std::error::Error + Send + Sync>;

/// The log that a service notes its events in.
pub(crate) const AUDIT: Log = Log::named("audit");

/// A family as it lies in a service's store: names, scopes, two thumbprints, five times.
pub(crate) const FAMILY_BYTES: usize = 350;
/// The event that notes it.
pub(crate) const EVENT_BYTES: usize = 150;

/// How many commits wait for the disk at once: enough to fill its groups.
const WRITERS: usize = 512;

/// The family's key: as a service's, any 16 bytes.
pub(crate) fn family(n: u64) -> Key {
    Key::of("family").and(scattered(n))
}

/// What one approval writes: a record that expires, and an event.
pub(crate) fn approval(n: u64, expires_at_millis: u64) -> Change {
    let write = Write::create(family(n), bytes(n, FAMILY_BYTES)).expiring_at(expires_at_millis);
    Change::of([write]).append(AUDIT, bytes(!n, EVENT_BYTES))
}

/// Writes the families of some numbers.
pub(crate) async fn seed(
    store: &Arc<EmbeddedStore>,
    numbers: std::ops::Range<u64>,
    expires_at_millis: impl Fn(u64) -> u64,
) -> Result<(), Any> {
    stream::iter(numbers)
        .map(|n| {
            let (store, change) = (Arc::clone(store), approval(n, expires_at_millis(n)));
            async move {
                match store.commit(change).await? {
                    Commit::Done(_) => Ok::<_, Any>(()),
                    Commit::Conflict(key) => Err(format!("{key} is there already").into()),
                }
            }
        })
        .buffer_unordered(WRITERS)
        .try_collect()
        .await
}

/// Opens the store in a directory, with a cache of so many MiB.
pub(crate) fn open(directory: &Path, cache_mib: u64) -> Result<Arc<EmbeddedStore>, Any> {
    let options = Options {
        cache_bytes: cache_mib * 1024 * 1024,
        ..Options::default()
    };
    Ok(Arc::new(EmbeddedStore::open(directory, options)?))
}

/// What all threads of this process have used of the processor.
pub(crate) fn processor() -> Result<Duration, Any> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

/// Bytes that follow from a number, and compress as little as a service's do.
fn bytes(n: u64, length: usize) -> Bytes {
    let blocks = (0..).flat_map(|block: u64| mixed(n.wrapping_add(block << 40)).to_be_bytes());
    blocks.take(length).collect()
}

fn scattered(n: u64) -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&mixed(n).to_be_bytes());
    name[8..].copy_from_slice(&mixed(!n).to_be_bytes());
    name
}

/// A number that looks like any other: the end of SplitMix64, which maps no two to the same.
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}
