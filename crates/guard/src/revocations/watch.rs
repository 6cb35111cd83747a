//! Watching: what is told goes into the set, and ends the streams that it hits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::set::Batch;
use super::{Knowledge, RevocationSource, Revocations, RevocationsTold, RevokedSet, WatchFailed};
use crate::backoff::{Backoff, at_random_within};
use crate::horizon::Horizon;
use crate::readiness::Readiness;
use crate::streams::OpenStreams;

/// A source that does not begin to answer within this time has failed.
const BEGIN: Duration = Duration::from_secs(10);

/// So many heartbeats missing, and the connection is dead.
const HEARTBEATS_MISSED: u32 = 3;

/// A watch whose sign of life is later than that is not taken for a live one any more.
const LATE_HEARTBEATS: u32 = 2;

/// However often or seldom a source says that it is alive.
const HEARTBEAT_MIN: Duration = Duration::from_secs(1);
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);

/// A watch that went on for so long was a good one.
const SETTLED: Duration = Duration::from_secs(30);

/// Within that time, at random, a watch is begun again that had its time.
const SPREAD: Duration = Duration::from_millis(500);

/// After a sign of life. One a second is more than enough; a source that cannot stop waits.
const PACE: Duration = Duration::from_millis(100);

/// How often it is looked whether knowledge is too old.
const LOOK: Duration = Duration::from_secs(1);

/// A watch that goes on for as long as this is there.
pub(crate) struct Watch(AbortHandle);

/// What a watch keeps up to date.
pub(crate) struct Kept {
    pub(crate) set: Arc<RevokedSet>,
    pub(crate) streams: Arc<OpenStreams>,
    pub(crate) knowledge: Arc<Knowledge>,
    pub(crate) horizon: Arc<Horizon>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) readiness: Arc<Readiness>,
}

impl Watch {
    /// Begins to watch. Returns when all that was revoked is known, or soon.
    pub(crate) async fn begin(source: Arc<dyn RevocationSource>, kept: Kept) -> Self {
        let (known, first) = oneshot::channel();
        let watching = Watching {
            source,
            kept,
            cursor: None,
            first: Some(known),
        };
        let task = tokio::spawn(watching.run());
        let watch = Self(task.abort_handle());
        // Whether it succeeds or not.
        let _ = timeout(BEGIN, first).await;
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Watching {
    source: Arc<dyn RevocationSource>,
    kept: Kept,
    cursor: Option<String>,
    /// Told after the first attempt.
    first: Option<oneshot::Sender<()>>,
}

impl Watching {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            // A source that panics must not end the watch.
            let watched = AssertUnwindSafe(self.watch()).catch_unwind().await;
            let failed = watched.unwrap_or_else(|_| {
                WatchFailed::Unavailable("the source of revocations panicked".to_owned())
            });
            let settled = begun.elapsed() > SETTLED;
            // Connections do not live for ever, nor do tokens: after a watch that had its time the
            // next begins at once, and until the next word would be due it is not taken for lost.
            // When it does not begin, this is no settled one, and is over.
            if !settled {
                self.kept.knowledge.ended();
            }
            self.judge();
            self.first = None;
            if failed == WatchFailed::CursorTooOld && self.cursor.take().is_some() {
                info!("revocations are asked for from the beginning");
                // A source that says so of each cursor that it gives is not asked without rest.
                self.wait(backoff.next()).await;
                continue;
            }
            if settled {
                debug!(cause = %failed, "the watch of revocations is begun again");
                backoff = Backoff::default();
                // Not everybody at once, where a token service was restarted.
                self.wait(at_random_within(SPREAD)).await;
                continue;
            }
            warn!(cause = %failed, age = ?self.kept.knowledge.age(), "the last known revocations stay in force");
            self.wait(backoff.next()).await;
        }
    }

    /// Until the watch ends.
    async fn watch(&mut self) -> WatchFailed {
        let late = |what: &str| WatchFailed::Unavailable(what.to_owned());
        let mut told = match self.begin().await {
            Ok(told) => told,
            Err(failed) => return failed,
        };
        let mut patience = BEGIN;
        let mut heard = Instant::now();
        loop {
            match timeout(LOOK, told.next()).await {
                Ok(Some(Ok(told))) => {
                    patience =
                        told.heartbeat.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX) * HEARTBEATS_MISSED;
                    heard = Instant::now();
                    let is_sign_of_life = told.revocations.is_empty();
                    self.take(told);
                    if is_sign_of_life {
                        sleep(PACE).await;
                    }
                }
                Ok(Some(Err(failed))) => return failed,
                Ok(None) => return late("the watch ended"),
                Err(_) if heard.elapsed() > patience => return late("no sign of life"),
                Err(_) => {}
            }
            self.judge();
        }
    }

    /// Waits for the answer, and sees to it that nobody takes old knowledge for recent.
    async fn begin(&self) -> Result<Revocations, WatchFailed> {
        let mut begun = self.source.watch(self.cursor.clone());
        let by = Instant::now() + BEGIN;
        while Instant::now() < by {
            match timeout(LOOK, &mut begun).await {
                Ok(begun) => return begun,
                Err(_) => self.judge(),
            }
        }
        Err(WatchFailed::Unavailable("no answer within 10 s".to_owned()))
    }

    fn take(&mut self, told: RevocationsTold) {
        let Kept {
            set,
            streams,
            knowledge,
            horizon,
            clock,
            ..
        } = &self.kept;
        horizon.saw(clock.now());
        let batch = Batch::of(&told.revocations, horizon.latest());
        if !batch.is_empty() {
            // First into the set: a stream that opens meanwhile finds it there.
            let batch = set.admit(batch, clock.now());
            streams.revoke(&batch);
        }
        self.cursor = Some(told.cursor);
        if told.complete {
            let heartbeat = told.heartbeat.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX);
            knowledge.complete(heartbeat * LATE_HEARTBEATS);
            // Before anybody is told that the watch has begun.
            self.judge();
            self.first = None;
        }
        set.forget(horizon.latest());
    }

    /// Waits, and sees to it that nobody takes old knowledge for recent.
    async fn wait(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.judge();
            sleep_until(until.min(Instant::now() + LOOK)).await;
        }
    }

    fn judge(&self) {
        let Kept {
            streams,
            knowledge,
            readiness,
            ..
        } = &self.kept;
        let recent = !knowledge.is_too_old();
        if !recent {
            streams.end_unvouched();
        }
        readiness.knowledge_is_recent(recent);
        readiness.hears_revocations(knowledge.is_live());
    }
}
