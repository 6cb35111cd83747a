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
