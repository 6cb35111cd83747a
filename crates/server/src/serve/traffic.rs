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
    in_flight: AtomicUsize,
    /// Since `opened`.
    idle_since_millis: AtomicU64,
}

impl Traffic {
    pub(super) fn new(opened: Instant, load: Arc<Load>) -> Self {
        Self {
            opened,
            load,
            received_bytes: AtomicU64::new(0),
            paid_bytes: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            idle_since_millis: AtomicU64::new(0),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        let millis = self.idle_since_millis.load(Ordering::Relaxed);
        let idle = self.in_flight.load(Ordering::Relaxed) == 0;
        Seen {
            whole: self.whole.load(Ordering::Relaxed),
            idle_since: idle.then(|| self.opened + Duration::from_millis(millis)),
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
        if !self.whole.load(Ordering::Relaxed) {
            self.whole.store(true, Ordering::Relaxed);
        }
    }

    /// The head of a call has come.
    pub(super) fn begin(self: &Arc<Self>) -> (InFlight, UnderWay) {
        self.pay(CALL_BYTES);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.load.call_begins();
        (InFlight(Arc::clone(self)), UnderWay(Arc::clone(&self.load)))
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
pub(super) struct InFlight(Arc<Traffic>);

impl InFlight {
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            let millis = self.0.opened.elapsed().as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            self.0.idle_since_millis.store(millis, Ordering::Relaxed);
        }
    }
}

/// A call, until its answer begins.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Load>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.call_ends();
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
}
