//! What came over a connection so far: its calls, and bytes that belong to none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::life::Seen;
use super::workers::Load;
use super::{CONNECTION_WINDOW_BYTES, HEADER_BYTES_MAX};

/// What the head of a call pays for: the largest header list, and as much again for a small body
/// that nobody reads because the call was refused, for frame heads, and for what HTTP/2 says
/// around a call (two window updates of 13 bytes, a ping of 17).
const CALL_BYTES: u64 = 2 * HEADER_BYTES_MAX as u64;

/// Bytes that no call has paid for. What flow control lets in before a handler reads it (256 KiB)
/// must pass, and a quarter as much again for the greeting (a TLS handshake with a large chain: 16
/// KiB) and keep-alive pings. An honest peer comes near it only with the full window. A flood of
/// empty frames (9 bytes each) is cut after 36,000 of them, some 4 ms of processor time; with a
/// call between, a flooder gets 3,600 for each.
const NOISE_BYTES_MAX: u64 = CONNECTION_WINDOW_BYTES as u64 * 5 / 4;

/// The traffic of one connection.
#[derive(Debug)]
pub(super) struct Traffic {
    opened: Instant,
    load: Arc<Load>,
    received_bytes: AtomicU64,
    /// Never more than what was received: nobody saves up.
    paid_bytes: AtomicU64,
    whole: AtomicBool,
    ends_twice: AtomicBool,
    in_flight: AtomicUsize,
    under_way: AtomicUsize,
    /// Since `opened`, as the next.
    idle_since_millis: AtomicU64,
    answered_since_millis: AtomicU64,
    /// Answers of which a piece waits for the peer, and how many pieces it has taken.
    offers: AtomicUsize,
    taken: AtomicU64,
}

impl Traffic {
    pub(super) fn new(opened: Instant, load: Arc<Load>) -> Self {
        Self {
            opened,
            load,
            received_bytes: AtomicU64::new(0),
            paid_bytes: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            ends_twice: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            idle_since_millis: AtomicU64::new(0),
            answered_since_millis: AtomicU64::new(0),
            offers: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        let since = |calls: &AtomicUsize, millis: &AtomicU64| {
            let millis = Duration::from_millis(millis.load(Ordering::Relaxed));
            (calls.load(Ordering::Relaxed) == 0).then_some(self.opened + millis)
        };
        Seen {
            whole: self.has_greeted(),
            idle_since: since(&self.in_flight, &self.idle_since_millis),
            answered_since: since(&self.under_way, &self.answered_since_millis),
            offers: self.offers.load(Ordering::Relaxed) > 0,
            taken: self.taken.load(Ordering::Relaxed),
        }
    }

    /// Whether it may go on.
    pub(super) fn received(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let received = self.received_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let paid = self.paid_bytes.load(Ordering::Relaxed);
        received.saturating_sub(paid) <= NOISE_BYTES_MAX
    }

    /// Bytes of a call's body were read by whoever answers it.
    pub(super) fn read(&self, bytes: usize) {
        self.pay(bytes as u64);
    }

    /// A request has come whole, or was answered.
    pub(super) fn whole(&self) {
        if !self.has_greeted() {
            self.whole.store(true, Ordering::Relaxed);
        }
    }

    /// Whether one has.
    pub(super) fn has_greeted(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// The head of a request says twice where its body ends.
    pub(super) fn ends_twice(&self) {
        self.ends_twice.store(true, Ordering::Relaxed);
    }

    /// Whether one did.
    pub(super) fn one_ends_twice(&self) -> bool {
        self.ends_twice.load(Ordering::Relaxed)
    }

    /// The head of a call has come.
    pub(super) fn begin(self: &Arc<Self>) -> (InFlight, UnderWay) {
        self.pay(CALL_BYTES);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.load.call_begins();
        let in_flight = InFlight {
            traffic: Arc::clone(self),
            offers: false,
        };
        (in_flight, UnderWay(Arc::clone(self)))
    }

    /// Notes the time if the last of these calls has ended.
    fn one_less(&self, calls: &AtomicUsize, since_millis: &AtomicU64) {
        if calls.fetch_sub(1, Ordering::Relaxed) == 1 {
            let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            since_millis.store(millis, Ordering::Relaxed);
        }
    }

    fn pay(&self, bytes: u64) {
        let received = self.received_bytes.load(Ordering::Relaxed);
        let more = |paid: u64| Some((paid + bytes).min(received));
        let _ = self
            .paid_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// A call, until its answer has left or is given up.
#[derive(Debug)]
pub(super) struct InFlight {
    traffic: Arc<Traffic>,
    /// A piece of its answer waits for the peer.
    offers: bool,
}

impl InFlight {
    /// The head of its answer is there.
    pub(super) fn answered(&mut self) {
        self.traffic.whole();
        self.offers(true);
    }

    /// The peer has room for a piece of the answer: whether there `is_one`.
    pub(super) fn taken(&mut self, is_one: bool) {
        if is_one {
            self.traffic.taken.fetch_add(1, Ordering::Relaxed);
        }
        self.offers(is_one);
    }

    fn offers(&mut self, offers: bool) {
        if self.offers != offers {
            self.offers = offers;
            match offers {
                true => self.traffic.offers.fetch_add(1, Ordering::Relaxed),
                false => self.traffic.offers.fetch_sub(1, Ordering::Relaxed),
            };
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.offers(false);
        let traffic = &self.traffic;
        traffic.one_less(&traffic.in_flight, &traffic.idle_since_millis);
    }
}

/// A call, until its answer begins.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Traffic>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.load.call_ends();
        self.0
            .one_less(&self.0.under_way, &self.0.answered_since_millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic() -> Arc<Traffic> {
        Arc::new(Traffic::new(Instant::now(), Arc::default()))
    }

    #[tokio::test]
    async fn noise_is_bounded_and_calls_pay_for_some() {
        let traffic = traffic();
        let most = NOISE_BYTES_MAX as usize;
        // Paid for nothing: there was no call.
        traffic.read(most);
        assert!(traffic.received(most));
        assert!(!traffic.received(1));
        let calls = traffic.begin();
        assert!(traffic.received(CALL_BYTES as usize - 1));
        assert!(!traffic.received(1));
        traffic.read(1);
        assert!(traffic.received(0));
        drop(calls);
    }

    #[tokio::test]
    async fn nobody_saves_up() {
        let traffic = traffic();
        for _ in 0..1_000 {
            drop(traffic.begin());
        }
        assert!(!traffic.received(NOISE_BYTES_MAX as usize + 1));
    }

    #[tokio::test]
    async fn honest_callers_are_far_from_it() {
        let traffic = traffic();
        for _ in 0..10_000 {
            // A hundred calls at once, 4 KiB of metadata and 2 KiB of body each.
            assert!(traffic.received(4 * 1024));
            let call = traffic.begin();
            assert!(traffic.received(2 * 1024 + 9));
            traffic.read(2 * 1024);
            drop(call);
        }
        let noise = traffic.received_bytes.load(Ordering::Relaxed)
            - traffic.paid_bytes.load(Ordering::Relaxed);
        assert!(noise < CALL_BYTES, "{noise}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_from_the_end_of_the_last_call() {
        let traffic = traffic();
        let opened = Instant::now();
        assert_eq!(traffic.seen().idle_since, Some(opened));
        let (first, second) = (traffic.begin(), traffic.begin());
        drop(first);
        assert_eq!(traffic.seen().idle_since, None);
        tokio::time::advance(Duration::from_secs(7)).await;
        drop(second);
        let since = traffic.seen().idle_since.expect("idle");
        assert_eq!((since - opened).as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_peer_does_not_take_is_seen() {
        let traffic = traffic();
        let (mut call, under_way) = traffic.begin();
        assert_eq!(traffic.seen().answered_since, None);
        assert!(!traffic.seen().offers, "it is our turn");
        tokio::time::advance(Duration::from_secs(3)).await;
        drop(under_way);
        call.answered();
        let answered = traffic.seen().answered_since.expect("answered");
        assert_eq!((answered - traffic.opened).as_secs(), 3);
        assert_eq!(traffic.seen().idle_since, None);
        // What was seen after the peer had room: a piece, nothing yet, a piece.
        for (is_one, offers, taken) in [(true, true, 1), (false, false, 1), (true, true, 2)] {
            call.taken(is_one);
            let seen = traffic.seen();
            assert_eq!((seen.offers, seen.taken), (offers, taken));
        }
        drop(call);
        assert!(!traffic.seen().offers);
    }
}
