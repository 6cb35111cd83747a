//! Removes what has expired, a little at a time, so that commits go on between.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_store::Store;
use countersign_telemetry::spans;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};

/// Expired records are refused by whoever reads them; they only cost room until they are swept.
const PAUSE: Duration = Duration::from_secs(30);

/// While there is more to sweep: long enough that callers come first.
const BREATH: Duration = Duration::from_millis(100);

/// Records in one sweep: some milliseconds of the committer's time.
const BATCH: usize = 1_000;

/// How long after its expiry a record stays. A clock that jumps ahead by less deletes nothing that
/// is still of use when it jumps back: a spent assertion above all, which would be accepted again.
const GRACE: Duration = Duration::from_secs(2 * 3600);

/// Sweeps until `stop`.
pub(crate) async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        let pause = sweep(&*store, &*clock).await;
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn sweep(store: &dyn Store, clock: &dyn Clock) -> Duration {
    let until = clock.now().minus(GRACE).as_millis();
    let span = spans::sweep();
    match store.sweep(until, BATCH).instrument(span).await {
        Ok(swept) if swept.more => BREATH,
        Ok(_) => PAUSE,
        Err(error) => {
            warn!(%error, "cannot remove what has expired");
            PAUSE
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_jose::UnixTime;
    use countersign_store::{Change, Key, MemoryStore, Write};

    use super::*;

    struct At(UnixTime);

    impl Clock for At {
        fn now(&self) -> UnixTime {
            self.0
        }
    }

    #[tokio::test]
    async fn what_expired_long_ago_goes_in_batches_and_nothing_else() {
        let store = MemoryStore::new();
        let expired = UnixTime::from_secs(1_000);
        let recent = expired.plus(Duration::from_secs(60));
        let mut writes = vec![Write::create(Key::of("kept"), "x")];
        writes.push(Write::create(Key::of("recent"), "x").expiring_at(recent.as_millis()));
        store.commit(Change::of(writes)).await.expect("written");
        for part in 0_u32..6 {
            let writes = (0_u32..200).map(|n| {
                let key = Key::of("old").and(part.to_be_bytes()).and(n.to_be_bytes());
                Write::create(key, "x").expiring_at(expired.as_millis())
            });
            store.commit(Change::of(writes)).await.expect("written");
        }
        let now = At(expired.plus(GRACE));
        assert_eq!(
            sweep(&store, &now).await,
            BREATH,
            "1,200 do not fit into one batch"
        );
        assert_eq!(sweep(&store, &now).await, PAUSE);
        let old = store.scan(&Key::of("old"), None, 1).await.expect("read");
        assert_eq!(old.records, []);
        for name in ["kept", "recent"] {
            let found = store.load(&[Key::of(name)]).await.expect("read");
            assert!(found[0].is_some(), "{name}");
        }
    }
}
