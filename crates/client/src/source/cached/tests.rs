use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::runtime::Builder;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::pauses::PATIENCE;
use super::*;

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_760_000_000)
    }
}

/// Longer than any of these tests moves its clock, also until a renewal.
const LIFE: Duration = Duration::from_secs(3_000);

/// Fetches that go as the list says, and then well.
#[derive(Default)]
struct Scripted {
    fetches: AtomicU32,
    script: &'static [Fate],
}

#[derive(Copy, Clone)]
enum Fate {
    Panics,
    NeverEnds,
    /// Answered with something else than a token that is bound.
    Bearer,
    /// Shed, to come back after so many seconds.
    Shed(u64),
}

impl Fetch for Scripted {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        Box::pin(async {
            let n = self.fetches.fetch_add(1, Ordering::SeqCst) as usize;
            match self.script.get(n) {
                Some(Fate::Panics) => panic!("the test says so"),
                Some(Fate::NeverEnds) => std::future::pending().await,
                Some(Fate::Bearer) => Err(TokenError::NotDpop("Bearer".to_owned())),
                Some(Fate::Shed(secs)) => Err(shed(Duration::from_secs(*secs))),
                None => AccessToken::new("t", Vec::new(), LIFE, Still.now()),
            }
        })
    }
}

fn cached(script: &'static [Fate]) -> Cached<Scripted> {
    let fetches = AtomicU32::new(0);
    Cached::new(Scripted { fetches, script }, Arc::new(Still))
}

#[tokio::test]
async fn a_fetch_that_panics_fails_its_callers_and_no_later_one() {
    let cached = cached(&[Fate::Panics]);
    let (one, two) = tokio::join!(cached.token(), cached.token());
    assert!(matches!(one, Err(TokenError::Interrupted)));
    assert!(matches!(two, Err(TokenError::Interrupted)));
    cached.token().await.unwrap();
    assert_eq!(cached.0.fetch.fetches.load(Ordering::SeqCst), 2);
}

/// As when a client is used from one runtime after another.
#[test]
fn a_fetch_that_its_runtime_took_along_is_made_again() {
    let cached = cached(&[Fate::NeverEnds]);
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        let moment = Duration::from_millis(10);
        let waited = tokio::time::timeout(moment, cached.token()).await;
        assert!(waited.is_err(), "it never ends");
    });
    drop(first);
    runtime().block_on(cached.token()).unwrap();
}

/// The caller that started the request gives up, and another still gets it.
#[tokio::test]
async fn a_caller_that_gives_up_takes_nothing_along() {
    let cached = cached(&[]);
    let mut first = cached.token();
    let waker = std::task::Waker::noop();
    let polled = first
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    drop(first);
    cached.token().await.unwrap();
    assert_eq!(cached.0.fetch.fetches.load(Ordering::SeqCst), 1);
}

fn shed(retry_after: Duration) -> TokenError {
    let mut details =
        ErrorDetails::with_error_info("REASON_OVERLOADED", "countersign", HashMap::new());
    details.set_retry_info(Some(retry_after));
    let code = tonic::Code::ResourceExhausted;
    TokenError::Unavailable(Status::with_error_details(code, "shed", details))
}

#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Arc<Hand> {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_760_000_000 + self.0.load(Ordering::SeqCst))
    }
}

#[derive(Default)]
struct Millis(AtomicU64);

impl Clock for Arc<Millis> {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(1_760_000_000_000 + self.0.load(Ordering::SeqCst))
    }
}

/// The whole crowd that waits for a first token must not come back as one.
#[tokio::test]
async fn a_token_service_that_asks_for_time_gets_it() {
    let clock = Arc::new(Hand::default());
    let fetches = AtomicU32::new(0);
    let script = &[Fate::Shed(2), Fate::Shed(1_000_000)];
    let cached = Cached::new(Scripted { fetches, script }, Arc::new(Arc::clone(&clock)));
    let asked = || cached.0.fetch.fetches.load(Ordering::SeqCst);
    for _ in 0..100 {
        let error = cached.token().await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    }
    assert_eq!(asked(), 1);
    // Not before, and not all in the same instant.
    clock.0.store(1, Ordering::SeqCst);
    cached.token().await.unwrap_err();
    assert_eq!(asked(), 1);
    clock.0.store(3, Ordering::SeqCst);
    cached.token().await.unwrap_err();
    cached.token().await.unwrap_err();
    assert_eq!(asked(), 2);
    // Days are not waited, whoever says so.
    clock.0.store(3 + PATIENCE.as_secs(), Ordering::SeqCst);
    cached.token().await.unwrap();
    assert_eq!(asked(), 3);
}

/// Without a token at all, by calls ten times a second.
#[tokio::test]
async fn a_token_service_that_gives_no_token_is_asked_seldom() {
    let clock = Arc::new(Millis::default());
    let fetches = AtomicU32::new(0);
    let script = &[Fate::Bearer; 1_000];
    let cached = Cached::new(Scripted { fetches, script }, Arc::new(Arc::clone(&clock)));
    let asked = || cached.0.fetch.fetches.load(Ordering::SeqCst);
    for n in 0..1_000 {
        clock.0.store(n * 100, Ordering::SeqCst);
        let error = cached.token().await.unwrap_err();
        assert!(matches!(error, TokenError::NotDpop(_)), "{error}");
        if n == 4 {
            assert_eq!(asked(), 5, "whoever mends it sees it at once");
        }
    }
    // Pauses that double, of 8 s together, and then one in every 2.5 to 5 s.
    assert!((20..=55).contains(&asked()), "{}", asked());
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nobody_wait() {
    let clock = Arc::new(Hand(AtomicU64::new(3_600)));
    let fetches = AtomicU32::new(0);
    let script = &[Fate::Shed(2)];
    let cached = Cached::new(Scripted { fetches, script }, Arc::new(Arc::clone(&clock)));
    cached.token().await.unwrap_err();
    clock.0.store(0, Ordering::SeqCst);
    cached.token().await.unwrap();
}

/// Every token is refused, by calls ten times a second.
#[tokio::test]
async fn tokens_that_are_refused_one_after_the_other_are_fetched_after_pauses() {
    const CALLS: u64 = 1_000;
    let clock = Arc::new(Millis::default());
    let cached = Cached::new(Scripted::default(), Arc::new(Arc::clone(&clock)));
    let fetches = || cached.0.fetch.fetches.load(Ordering::SeqCst);
    let refused = async |n: u64| {
        clock.0.store(n * 100, Ordering::SeqCst);
        let token = cached.token().await.unwrap();
        cached.discard(&token);
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        token
    };
    assert!(!refused(0).await.is_doubted());
    assert!(refused(0).await.is_doubted());
    assert_eq!(fetches(), 2, "the first is replaced at once");
    for n in 1..CALLS {
        refused(n).await;
    }
    // Six pauses that double, of 16 s together, and then one in every 5 to 10 s.
    let asked = fetches();
    assert!((8..=30).contains(&asked), "{asked} for a thousand calls");

    // A call gets past a guard: the next that is refused is replaced at once, and once.
    cached.token().await.unwrap().accept();
    for n in CALLS..CALLS + 150 {
        clock.0.store(n * 100, Ordering::SeqCst);
        cached.token().await.unwrap();
        tokio::task::yield_now().await;
    }
    let new = cached.token().await.unwrap();
    assert!(!new.is_doubted(), "its pause is over, and it was replaced");
    let before = fetches();
    refused(CALLS + 150).await;
    cached.token().await.unwrap();
    assert_eq!(fetches(), before + 1);
    refused(CALLS + 150).await;
    cached.token().await.unwrap();
    assert_eq!(fetches(), before + 1);
}

/// Each was in use before it was revoked.
#[tokio::test]
async fn a_token_that_was_accepted_is_replaced_at_once() {
    let cached = cached(&[]);
    for n in 1..=100 {
        let token = cached.token().await.unwrap();
        assert_eq!(cached.0.fetch.fetches.load(Ordering::SeqCst), n);
        token.accept();
        cached.discard(&token);
        // As do all the calls that were refused with it.
        cached.discard(&token);
    }
    assert_eq!(cached.0.tally.counts().refused, 100);
}

/// A clock that is set back makes the pause no longer.
#[tokio::test]
async fn doubt_ends_when_the_clock_is_set_back() {
    let clock = Arc::new(Millis(AtomicU64::new(60_000)));
    let cached = Cached::new(Scripted::default(), Arc::new(Arc::clone(&clock)));
    for _ in 0..2 {
        let token = cached.token().await.unwrap();
        cached.discard(&token);
    }
    let doubted = cached.token().await.unwrap();
    assert!(doubted.is_doubted() && !doubted.wants_renewal(clock.now()));
    clock.0.store(0, Ordering::SeqCst);
    assert!(doubted.wants_renewal(clock.now()));
}

/// A request that would go on for ever ends with the last who could use what it brings.
#[test]
fn a_request_in_flight_ends_with_its_cache() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let cached = cached(&[Fate::NeverEnds]);
        let clone = cached.clone();
        let moment = Duration::from_millis(10);
        let waited = tokio::time::timeout(moment, cached.token()).await;
        assert!(waited.is_err(), "it never ends");
        drop(cached);
        tokio::time::sleep(moment).await;
        assert_eq!(tasks(), 1, "a clone may want it");
        drop(clone);
        let ended = async {
            while tasks() > 0 {
                tokio::time::sleep(moment).await;
            }
        };
        let soon = Duration::from_secs(30);
        tokio::time::timeout(soon, ended).await.unwrap();
    });
}
