//! A thousand clients of one token service, before, while and after it is away. The rules of their
//! pauses are tested alone, with numbers from a seed (`source/cached/pauses/tests.rs`); here whole
//! clients draw their own, so what is allowed is six times as far as chance goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::TokenError;
use countersign_client::clock::Clock;
use countersign_client::source::{AccessToken, BoxFuture, Cached, Fetch, TokenSource as _};
use countersign_jose::UnixTime;
use parking_lot::Mutex;
use tonic::Status;

const CLIENTS: usize = 1_000;
const BEGUN: u64 = 1_760_000_000_000;
const LIFE: Duration = Duration::from_secs(300);

/// Moved by hand.
#[derive(Default)]
struct Hand(AtomicU64);

impl Hand {
    fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    fn millis(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for Hand {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(BEGUN + self.millis())
    }
}

/// Answers at once, if it is there, and writes down when it was asked.
#[derive(Default)]
struct Service {
    clock: Arc<Hand>,
    away: AtomicBool,
    asked: Mutex<BTreeMap<u64, u32>>,
    /// The most that one client ever had under way.
    at_once: AtomicU32,
}

/// What one client asks with.
struct Asking {
    service: Arc<Service>,
    in_flight: AtomicU32,
}

impl Fetch for Asking {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        Box::pin(async {
            let others = self.in_flight.fetch_add(1, Ordering::SeqCst);
            self.service.at_once.fetch_max(others + 1, Ordering::SeqCst);
            let second = self.service.clock.millis() / 1000;
            *self.service.asked.lock().entry(second).or_default() += 1;
            tokio::task::yield_now().await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            if self.service.away.load(Ordering::SeqCst) {
                return Err(TokenError::Unavailable(Status::unavailable("away")));
            }
            AccessToken::new("t", Vec::new(), LIFE, self.service.clock.now())
        })
    }
}

struct Crowd {
    service: Arc<Service>,
    clients: Vec<Cached<Asking>>,
}

impl Crowd {
    fn new() -> Self {
        let service = Arc::<Service>::default();
        let client = |_| {
            let asking = Asking {
                service: Arc::clone(&service),
                in_flight: AtomicU32::new(0),
            };
            Cached::new(asking, Arc::clone(&service.clock) as Arc<dyn Clock>)
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { service, clients }
    }

    /// Calls of every client, two at a time and four times a second, from here to there. How many had no token.
    async fn call(&self, seconds: std::ops::Range<u64>) -> usize {
        let mut without = 0;
        for quarter in seconds.start * 4..seconds.end * 4 {
            self.service.clock.set(quarter * 250);
            for client in &self.clients {
                let (one, other) = tokio::join!(client.token(), client.token());
                without += usize::from(one.is_err() || other.is_err());
            }
            // What runs in the background has run: it waits for nothing.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
        without
    }

    /// The most requests of any second among these, and all of them.
    fn asked(&self, seconds: std::ops::Range<u64>) -> (u32, u32) {
        assert_eq!(self.service.at_once.load(Ordering::SeqCst), 1);
        let asked = self.service.asked.lock();
        let counts = || asked.range(seconds.clone()).map(|(_, count)| *count);
        (counts().max().unwrap_or(0), counts().sum())
    }
}

#[tokio::test]
async fn a_thousand_clients_renew_spread_over_time() {
    let crowd = Crowd::new();
    assert_eq!(crowd.call(0..1).await, 0);
    // All at once, as after a deployment.
    assert_eq!(crowd.asked(0..1), (1_000, 1_000));
    assert_eq!(crowd.call(1..151).await, 0);
    let (most, all) = crowd.asked(1..151);
    assert_eq!(
        all, 1_000,
        "each renewed once, before half of its life was over"
    );
    assert_eq!(crowd.asked(1..90).1, 0, "none before 30 % of its life");
    // Seventeen a second is the mean over sixty seconds.
    assert!(most <= 45, "{most} in a second");
}

/// Half a life is in hand whenever it begins: also when some tokens are just short of the latest
/// renewal, the first that they had (149) or the second (239).
#[tokio::test]
async fn an_outage_of_half_a_life_fails_no_call_whenever_it_begins() {
    for begins in [149, 239] {
        let crowd = Crowd::new();
        assert_eq!(crowd.call(0..begins).await, 0);
        crowd.service.away.store(true, Ordering::SeqCst);
        let without = crowd.call(begins..begins + 150).await;
        assert_eq!(without, 0, "from {begins} on");
    }
}

#[tokio::test]
async fn an_outage_within_their_lives_fails_no_call_and_its_end_is_no_stampede() {
    let crowd = Crowd::new();
    crowd.call(0..1).await;
    crowd.service.away.store(true, Ordering::SeqCst);
    // From a tenth to six tenths of their lives: half a life.
    assert_eq!(crowd.call(30..180).await, 0, "nobody was without a token");
    crowd.service.away.store(false, Ordering::SeqCst);
    // Whoever is renewed now is not again for ninety seconds.
    assert_eq!(crowd.call(180..270).await, 0);
    let (most, all) = crowd.asked(180..270);
    assert_eq!(all, 1_000, "each renewed once, and nobody twice");
    assert!(most <= 100, "{most} in a second");
}

#[tokio::test]
async fn after_an_outage_longer_than_their_lives_they_come_back_one_by_one() {
    let crowd = Crowd::new();
    crowd.call(0..1).await;
    crowd.service.away.store(true, Ordering::SeqCst);
    assert!(crowd.call(1..360).await > 0, "they have ended");
    // Without a token each asks every 2.5 to 5 seconds, not with every call: 8,000 a second. Of a
    // thousand, 267 in a second are to be expected, and 14 more or fewer.
    let (most, _) = crowd.asked(330..360);
    assert!(most <= 370, "{most} in a second while it was away");
    crowd.service.away.store(false, Ordering::SeqCst);
    crowd.call(360..366).await;
    let (most, all) = crowd.asked(360..366);
    assert_eq!(all, 1_000, "each asked once");
    assert!(most <= 370, "{most} in a second of its return");
    assert_eq!(crowd.call(366..370).await, 0, "all have a token again");
}
