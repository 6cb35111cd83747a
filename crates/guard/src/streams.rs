//! Streams that are open: a revocation ends those that it hits.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use countersign_jose::{Thumbprint, UnixTime};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::authority::Claims;
use crate::revocations::Marks;

/// Enough that two cores seldom wait for each other.
const SHARDS: u64 = 16;

/// The streams that are open now.
#[derive(Default)]
pub(crate) struct OpenStreams {
    shards: [Mutex<HashMap<u64, Arc<Open>>>; SHARDS as usize],
    opened: AtomicU64,
}

/// One stream.
struct Open {
    claims: Arc<Claims>,
    /// One of [`Ended`], or 0.
    ended: AtomicU8,
    /// Both directions wait, maybe in different tasks.
    wakers: [AtomicWaker; 2],
}

/// What ended a stream, besides time.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its token was revoked.
    Revoked = 1,
    /// What was revoked was last heard too long ago.
    Unvouched = 2,
}

/// A direction of a stream.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What the client asks.
    Asked,
    /// What it is answered.
    Answered,
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
            ended: AtomicU8::new(0),
            wakers: Default::default(),
        });
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.shard(number).lock().insert(number, Arc::clone(&open));
        // Made before anything is asked, so that it is given back whatever comes of that.
        let place = Place {
            streams: Arc::clone(self),
            number,
            open,
        };
        if !stands(&place.open.claims) {
            place.open.end(Ended::Revoked);
        }
        Arc::new(place)
    }

    /// Ends the streams of tokens that were revoked.
    pub(crate) fn revoke(&self, hits: impl Fn(&Marks, UnixTime) -> bool) {
        self.end(Ended::Revoked, |claims| {
            hits(claims.marks(), claims.issued_at)
        });
    }

    /// Ends the streams of tokens whose signer is none of these any more.
    pub(crate) fn keep(&self, signer: impl Fn(&Thumbprint) -> bool) {
        self.end(Ended::Revoked, |claims| {
            claims.signer.as_ref().is_some_and(|by| !signer(by))
        });
    }

    /// Ends all of them: nobody can vouch for their tokens any more.
    pub(crate) fn end_unvouched(&self) {
        self.end(Ended::Unvouched, |_| true);
    }

    /// How many are open, counted one by one.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn end(&self, by: Ended, ends: impl Fn(&Claims) -> bool) {
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

    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Arc<Open>>> {
        let at = usize::try_from(number % SHARDS).expect("the number of a shard");
        &self.shards[at]
    }
}

impl Open {
    /// What ended it first stays.
    fn end(&self, by: Ended) {
        let _ = self
            .ended
            .compare_exchange(0, by as u8, Ordering::AcqRel, Ordering::Acquire);
        for waker in &self.wakers {
            waker.wake();
        }
    }
}

impl Place {
    /// Ready when the stream was ended.
    pub(crate) fn poll_ended(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<Ended> {
        // Registered first, so that a revocation in between is not missed.
        self.open.wakers[direction as usize].register(cx.waker());
        match self.open.ended.load(Ordering::Acquire) {
            0 => Poll::Pending,
            by if by == Ended::Unvouched as u8 => Poll::Ready(Ended::Unvouched),
            _ => Poll::Ready(Ended::Revoked),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.shard(self.number).lock().remove(&self.number);
    }
}
