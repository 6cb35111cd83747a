//! Hearing of new keys as they come, where the source can tell.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::timeout;
use tracing::debug;

use super::{KeyRing, KeySource, KeysTold, KeysUnavailable};
use crate::backoff::Backoff;

/// However seldom a source says that it is alive; three times of that without a word, and the
/// watch is dead.
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);
const HEARTBEATS_MISSED: u32 = 3;

/// A source that does not begin to answer within this time has failed.
const BEGIN: Duration = Duration::from_secs(10);

/// Watches for as long as the ring is there. Fetching goes on beside it, so a source that cannot be
/// watched is only slower.
pub(super) async fn watch(ring: Weak<KeyRing>, source: Arc<dyn KeySource>) {
    let mut backoff = Backoff::default();
    while let Some(watching) = source.watch() {
        let cause = told(&ring, watching, &mut backoff).await;
        debug!(%cause, "keys are not told as they change");
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Until the watch ends.
async fn told(
    ring: &Weak<KeyRing>,
    mut watching: super::KeysWatched,
    backoff: &mut Backoff,
) -> KeysUnavailable {
    let mut patience = BEGIN;
    loop {
        let told = match timeout(patience, watching.next()).await {
            Ok(Some(Ok(told))) => told,
            Ok(Some(Err(cause))) => return cause,
            Ok(None) => return KeysUnavailable::new("the watch ended"),
            Err(_) => return KeysUnavailable::new("no sign of life"),
        };
        *backoff = Backoff::default();
        let KeysTold { keys, heartbeat } = told;
        patience = heartbeat.min(HEARTBEAT_MAX) * HEARTBEATS_MISSED + BEGIN;
        let (Some(keys), Some(ring)) = (keys, ring.upgrade()) else {
            continue;
        };
        ring.told(keys).await;
    }
}
