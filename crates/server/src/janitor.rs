//! Removes what has expired, a little at a time, so that commits go on between.

mod belief;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_store::Store;
use countersign_telemetry::spans;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};

use belief::Belief;

/// Expired records are refused by whoever reads them; they only cost room until they are swept.
const PAUSE: Duration = Duration::from_secs(30);

/// Records in one sweep. The store removes them in steps of its own; this is after how many of them
/// there is a rest.
const BATCH: usize = 256;

/// Records between two pauses, at most, whatever the clock says: it takes a clock that is wrong
/// for hours to remove what should stay, and then this leaves time to notice. 16,000 a second is
/// still more than a machine writes.
const PASS_MAX: usize = 500_000;

/// While there is more to sweep, the rest after a batch, in times of what it took: calls have the
/// disk to themselves for three quarters of the time, and for more where they are many and slow the
/// sweep down.
const REST_TIMES: u32 = 3;

/// Bounds of the rest. A timer does not measure out less; and what held up a sweep for longer than
/// the upper one is over by then.
const REST_MIN: Duration = Duration::from_millis(5);
const REST_MAX: Duration = Duration::from_secs(1);

/// How long after its expiry a record stays, by a clock that is [believed](Belief). A clock that
/// was ahead by less when the service started deletes nothing that is still of use when it is set
/// back: a spent assertion above all, which would be accepted again.
const GRACE: Duration = Duration::from_secs(2 * 3600);

/// Sweeps until `stop`.
pub(crate) async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut janitor = Janitor::new(store, clock, PASS_MAX);
    loop {
        let pause = janitor.sweep().await;
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Janitor {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    belief: Belief,
    /// When the clock was last looked at, by the time that nobody sets.
    looked: Instant,
    pass_max: usize,
    /// How many records more this pass may look at.
    left: usize,
}

impl Janitor {
    fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, pass_max: usize) -> Self {
        Self {
            belief: Belief::of(clock.now()),
            store,
            clock,
            looked: Instant::now(),
            pass_max,
            left: pass_max,
        }
    }

    /// Removes one batch, and says how long to wait before the next.
    async fn sweep(&mut self) -> Duration {
        let until = self.look();
        let (begun, span) = (Instant::now(), spans::sweep());
        let batch = BATCH.min(self.left);
        match self.store.sweep(until, batch).instrument(span).await {
            Ok(swept) => {
                self.left = self.left.saturating_sub(swept.looked);
                if swept.more && self.left > 0 {
                    return rest(begun.elapsed());
                }
            }
            Err(error) => warn!(%error, "cannot remove what has expired"),
        }
        self.left = self.pass_max;
        PAUSE
    }

    /// Until when what has expired is removed, in milliseconds since the Unix epoch.
    fn look(&mut self) -> u64 {
        let (clock, looked) = (self.clock.now(), Instant::now());
        let passed = looked.duration_since(self.looked);
        self.looked = looked;
        let before = self.belief;
        self.belief = before.look(clock, passed);
        if self.belief.doubts() && !before.doubts() {
            warn!(
                "the clock jumped; what has expired by it alone is kept until it has stayed there \
                 for two hours"
            );
        }
        self.belief.earlier(clock).minus(GRACE).as_millis()
    }
}

fn rest(took: Duration) -> Duration {
    (took * REST_TIMES).clamp(REST_MIN, REST_MAX)
}
