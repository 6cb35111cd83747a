//! Removes what has expired, a little at a time, so that commits go on between.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_store::Store;
use countersign_telemetry::spans;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};

/// Expired records are refused by whoever reads them; they only cost room until they are swept.
const PAUSE: Duration = Duration::from_secs(30);

/// Records in one sweep. The store removes them in steps of its own; this is after how many of them
/// there is a rest.
const BATCH: usize = 256;

/// While there is more to sweep, the rest after a batch, in times of what it took: calls have the
/// disk to themselves for three quarters of the time, and for more where they are many and slow the
/// sweep down.
const REST_TIMES: u32 = 3;

/// Bounds of the rest. A timer does not measure out less; and what held up a sweep for longer than
/// the upper one is over by then.
const REST_MIN: Duration = Duration::from_millis(5);
const REST_MAX: Duration = Duration::from_secs(1);

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
    let (begun, span) = (Instant::now(), spans::sweep());
    match store.sweep(until, BATCH).instrument(span).await {
        Ok(swept) if swept.more => rest(begun.elapsed()),
        Ok(_) => PAUSE,
        Err(error) => {
            warn!(%error, "cannot remove what has expired");
            PAUSE
        }
    }
}

fn rest(took: Duration) -> Duration {
    (took * REST_TIMES).clamp(REST_MIN, REST_MAX)
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
        let mut batches = 1;
        while sweep(&store, &now).await != PAUSE {
            batches += 1;
        }
        assert_eq!(batches, 1_200_usize.div_ceil(BATCH));
        let old = store.scan(&Key::of("old"), None, 1).await.expect("read");
        assert_eq!(old.records, []);
        for name in ["kept", "recent"] {
            let found = store.load(&[Key::of(name)]).await.expect("read");
            assert!(found[0].is_some(), "{name}");
        }
    }

    #[test]
    fn a_rest_follows_the_work_within_bounds() {
        let rests = [0, 10, 60_000].map(|millis| rest(Duration::from_millis(millis)));
        assert_eq!(rests, [REST_MIN, Duration::from_millis(30), REST_MAX]);
    }
}
