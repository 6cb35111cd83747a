//! Hearing of new keys as they come, where the source can tell.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::{KeyRing, KeySource, KeysTold, KeysUnavailable};
use crate::backoff::Backoff;

/// However seldom a source says that it is alive; three times of that without a word, and the
/// watch is dead.
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);
const HEARTBEATS_MISSED: u32 = 3;

/// A watch that went on for so long was a good one: the next is begun soon.
const SETTLED: Duration = Duration::from_secs(30);

/// Between two messages. Keys change seldom; a source that cannot stop telling of them costs no
/// more than this, and waits meanwhile.
const PACE: Duration = Duration::from_millis(100);

/// A source that does not begin to answer within this time has failed.
const BEGIN: Duration = Duration::from_secs(10);

/// Watches for as long as the ring is there. Fetching goes on beside it, so a source that cannot be
/// watched is only slower.
pub(super) async fn watch(ring: Weak<KeyRing>, source: Arc<dyn KeySource>) {
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        // A source that panics must not end the watch: a key that is revoked would go on.
        let watched = async { Some(told(&ring, source.watch()?).await) };
        let cause = match AssertUnwindSafe(watched).catch_unwind().await {
            Ok(Some(cause)) => cause,
            Ok(None) => return,
            Err(_) => KeysUnavailable::new("the source of keys panicked"),
        };
        if begun.elapsed() > SETTLED {
            backoff = Backoff::default();
        }
        debug!(%cause, "keys are not told as they change");
        sleep(backoff.next()).await;
    }
}

/// Until the watch ends.
async fn told(ring: &Weak<KeyRing>, mut watching: super::KeysWatched) -> KeysUnavailable {
    let mut patience = BEGIN;
    loop {
        let told = match timeout(patience, watching.next()).await {
            Ok(Some(Ok(told))) => told,
            Ok(Some(Err(cause))) => return cause,
            Ok(None) => return KeysUnavailable::new("the watch ended"),
            Err(_) => return KeysUnavailable::new("no sign of life"),
        };
        let KeysTold { keys, heartbeat } = told;
        patience = heartbeat.min(HEARTBEAT_MAX) * HEARTBEATS_MISSED + BEGIN;
        if let (Some(keys), Some(ring)) = (keys, ring.upgrade()) {
            ring.told(keys).await;
        }
        sleep(PACE).await;
    }
}
