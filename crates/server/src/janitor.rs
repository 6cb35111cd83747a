//! Removes what has expired, a little at a time, so that commits go on between.

mod belief;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_jose::UnixTime;
use countersign_store::Store;
use countersign_telemetry::spans;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};

use crate::record::{self, REVOCATIONS};
use crate::refused::Refused;
use crate::revoked::Revoked;
use belief::Belief;

/// Expired records are refused by whoever reads them; they only cost room until they are swept.
const PAUSE: Duration = Duration::from_secs(30);

/// Records in one sweep. The store removes them in steps of its own; this is after how many of them
/// there is a rest.
const BATCH: usize = 256;

/// Records between two pauses, at most, whatever the clock says: it takes a clock that is wrong
/// for hours to remove what should stay, and then this leaves time to notice. 16,000 a second is
/// still more than a machine writes.
pub(crate) const PASS_MAX: usize = 500_000;

/// While there is more to sweep, the rest after a batch, in times of what it took: calls have the
/// disk to themselves for three quarters of the time, and for more where they are many and slow the
/// sweep down.
const REST_TIMES: u32 = 3;

/// Bounds of the rest. A timer does not measure out less; and what held up a sweep for longer than
/// the upper one is over by then.
const REST_MIN: Duration = Duration::from_millis(5);
const REST_MAX: Duration = Duration::from_secs(1);

/// Revocations that are looked at, and removed, together.
const REVOCATIONS_BATCH: usize = 256;

/// How long after its expiry a record stays, by a clock that is [believed](Belief). A clock that
/// was ahead by less when the service started deletes nothing that is still of use when it is set
/// back: a spent assertion above all, which would be accepted again.
pub(crate) const GRACE: Duration = Duration::from_secs(2 * 3600);

/// Sweeps until `stop`.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    revoked: Arc<Revoked>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut janitor = Janitor::new(Arc::clone(&store), clock, PASS_MAX);
    loop {
        let pause = janitor.sweep().await;
        // No sooner than what a clock that was set back could bring to life again.
        let until = janitor.until.minus(GRACE);
        revoked.forget(until);
        if let Err(refused) = trim_revocations(&*store, until).await {
            warn!(
                cause = refused.label(),
                "cannot remove revocations that hit nothing any more"
            );
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Removes what has expired from one store.
pub(crate) struct Janitor {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    belief: Belief,
    /// When the clock was last looked at, by the time that nobody sets.
    looked: Instant,
    pass_max: usize,
    /// How many records more this pass may look at.
    left: usize,
    /// Until when what has expired is over, by a clock that is believed.
    until: UnixTime,
}

impl Janitor {
    /// Looks at `pass_max` records at most between two pauses.
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, pass_max: usize) -> Self {
        Self {
            belief: Belief::of(clock.now()),
            until: UnixTime::default(),
            store,
            clock,
            looked: Instant::now(),
            pass_max,
            left: pass_max,
        }
    }

    /// Removes one batch, and says how long to wait before the next.
    pub(crate) async fn sweep(&mut self) -> Duration {
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
        self.until = self.belief.earlier(clock);
        self.until.minus(GRACE).as_millis()
    }
}

/// Removes the first entries of the log of revocations, as far as all of them were over by `until`.
async fn trim_revocations(store: &dyn Store, until: UnixTime) -> Result<(), Refused> {
    loop {
        let first = store.start(REVOCATIONS).await?.first;
        let page = store.entries(REVOCATIONS, first, REVOCATIONS_BATCH).await?;
        let mut below = first;
        for entry in &page {
            if record::revocation(&entry.bytes)?.forget_at > until {
                break;
            }
            below = entry.number + 1;
        }
        if below == first {
            return Ok(());
        }
        let trimmed = store.trim(REVOCATIONS, below, REVOCATIONS_BATCH).await?;
        // The last entry of a log stays.
        if trimmed.removed == 0 {
            return Ok(());
        }
        sleep(REST_MIN).await;
    }
}

fn rest(took: Duration) -> Duration {
    (took * REST_TIMES).clamp(REST_MIN, REST_MAX)
}
