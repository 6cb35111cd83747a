use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Builder;

use super::*;

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_760_000_000)
    }
}

/// Fetches that go as the list says, and then well.
struct Scripted {
    fetches: AtomicU32,
    script: &'static [Fate],
}

#[derive(Copy, Clone)]
enum Fate {
    Panics,
    NeverEnds,
}

impl Fetch for Scripted {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        Box::pin(async {
            let n = self.fetches.fetch_add(1, Ordering::SeqCst) as usize;
            match self.script.get(n) {
                Some(Fate::Panics) => panic!("the test says so"),
                Some(Fate::NeverEnds) => std::future::pending().await,
                None => AccessToken::new("t", Vec::new(), Duration::from_secs(300), Still.now()),
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
