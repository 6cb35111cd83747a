//! Streams that are open: a revocation ends those that it hits.

mod index;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use countersign_jose::Thumbprint;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use self::index::Index;
use crate::authority::Claims;
use crate::revocations::Batch;

/// Enough that two cores seldom wait for each other.
const SHARDS: u64 = 16;

/// The streams that are open now.
#[derive(Default)]
pub(crate) struct OpenStreams {
    shards: [Mutex<HashMap<u64, Arc<Open>>>; SHARDS as usize],
    /// By what a revocation finds them: it costs what it hits, however many are open.
    index: Index,
    opened: AtomicU64,
}

/// One stream.
struct Open {
    claims: Arc<Claims>,
    /// What ended it first.
    ended: OnceLock<EndCause>,
    /// Both directions wait, maybe in different tasks, and whoever ends it in its time.
    wakers: [AtomicWaker; 3],
}

/// What ends a stream before its handler does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// Its token has expired.
    Expired,
    /// Its token was revoked.
    Revoked,
    /// Nobody can vouch for its token any more.
    Unvouched,
    /// It was open for as long as the guard allows.
    TooOld,
}

/// A direction of a stream.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What the client asks.
    Asked,
    /// What it is answered.
    Answered,
}

/// Of [`Open::wakers`], that of [`Watched`]; the others are by direction.
const WATCHED: usize = 2;

/// A stream, for whoever ends it in its time. Does not keep it its place.
pub(crate) struct Watched {
    streams: Arc<OpenStreams>,
    number: u64,
    open: Arc<Open>,
}

/// A stream's place among those that are open, given back when it is dropped.
pub(crate) struct Place {
    streams: Arc<OpenStreams>,
    number: u64,
    open: Arc<Open>,
}

impl OpenStreams {
    /// A stream of this token opens. Whether the token still `stands` is asked once the stream has
    /// its place: a revocation that came before that did not find it, and is known by then.
    pub(crate) fn open(
        self: &Arc<Self>,
        claims: Arc<Claims>,
        stands: impl FnOnce(&Claims) -> bool,
    ) -> Arc<Place> {
        let open = Arc::new(Open {
            claims,
            ended: OnceLock::new(),
            wakers: Default::default(),
        });
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.shard(number).lock().insert(number, Arc::clone(&open));
        self.index.insert(open.claims.marks(), number);
        // Made before anything is asked, so that it is given back whatever comes of that.
        let place = Place {
            streams: Arc::clone(self),
            number,
            open,
        };
        if !stands(&place.open.claims) {
            place.open.end(EndCause::Revoked);
        }
        Arc::new(place)
    }

    /// Ends the streams of tokens that were revoked.
    pub(crate) fn revoke(&self, batch: &Batch) {
        for mark in batch.marks() {
            for number in self.index.of(mark) {
                // Not under the lock: whoever is woken may drop the stream.
                let open = self.shard(number).lock().get(&number).map(Arc::clone);
                if let Some(open) = open
                    && batch.hits(open.claims.marks(), open.claims.issued_at)
                {
                    open.end(EndCause::Revoked);
                }
            }
        }
        if batch.is_of_everything() {
            self.end(EndCause::Revoked, |claims| {
                batch.hits(claims.marks(), claims.issued_at)
            });
        }
    }

    /// Ends the streams of tokens whose signer is none of these any more.
    pub(crate) fn keep(&self, signer: impl Fn(&Thumbprint) -> bool) {
        self.end(EndCause::Revoked, |claims| {
            claims.signer.as_ref().is_some_and(|by| !signer(by))
        });
    }

    /// Ends all of them: nobody can vouch for their tokens any more.
    pub(crate) fn end_unvouched(&self) {
        self.end(EndCause::Unvouched, |_| true);
    }

    /// How many are open, counted one by one.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn end(&self, by: EndCause, ends: impl Fn(&Claims) -> bool) {
        for shard in &self.shards {
            let hit: Vec<_> = shard
                .lock()
                .values()
                .filter(|open| ends(&open.claims))
                .map(Arc::clone)
                .collect();
            // Woken without the lock: whoever wakes may drop the stream.
            for open in hit {
                open.end(by);
            }
        }
    }

    fn give_back(&self, number: u64) {
        let gone = self.shard(number).lock().remove(&number);
        // Once, although it may be given back twice.
        if let Some(open) = gone {
            self.index.remove(open.claims.marks(), number);
        }
    }

    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Arc<Open>>> {
        let at = usize::try_from(number % SHARDS).expect("the number of a shard");
        &self.shards[at]
    }
}

impl Open {
    /// What ended it first stays.
    fn end(&self, by: EndCause) {
        let _ = self.ended.set(by);
        for waker in &self.wakers {
            waker.wake();
        }
    }

    fn poll_ended(&self, waker: usize, cx: &mut Context<'_>) -> Poll<EndCause> {
        // Registered first, so that a revocation in between is not missed.
        self.wakers[waker].register(cx.waker());
        self.ended
            .get()
            .map_or(Poll::Pending, |by| Poll::Ready(*by))
    }
}

impl Place {
    /// Ready when the stream was ended.
    pub(crate) fn poll_ended(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<EndCause> {
        self.open.poll_ended(direction as usize, cx)
    }

    /// What has ended the stream by now.
    pub(crate) fn ended(&self) -> Option<EndCause> {
        self.open.ended.get().copied()
    }

    pub(crate) fn watched(&self) -> Watched {
        Watched {
            streams: Arc::clone(&self.streams),
            number: self.number,
            open: Arc::clone(&self.open),
        }
    }
}

impl Watched {
    /// Waits until somebody else has ended it.
    pub(crate) async fn ended(&self) -> EndCause {
        std::future::poll_fn(|cx| self.open.poll_ended(WATCHED, cx)).await
    }

    /// Ends it, and gives its place back, whoever keeps the rest of it.
    pub(crate) fn end(&self, by: EndCause) {
        self.open.end(by);
        self.streams.give_back(self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.give_back(self.number);
    }
}
