//! A guard that does not hear of revocations: it goes on, says so, and where a limit is set stops
//! in time.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::source::BoxFuture;
use countersign_guard::{
    Builder, Introspected, IntrospectionUnavailable, Introspector, NonceMode, RevocationSource,
    Revocations, RevocationsTold, WatchFailed,
};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{ServiceExt as _, service_fn};
use tower_layer::Layer as _;

use crate::references::{TOKEN, Told};
use crate::stand::{Expected, SERVICE, Shown, Stand};

const HEARTBEAT: Duration = Duration::from_secs(5);

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[derive(Copy, Clone, PartialEq, Eq)]
enum Then {
    /// The watch panics, and each attempt at another.
    Panics,
    /// The watch ends, and nobody answers who begins another.
    Hangs,
}

/// Tells that it is there for a while. What comes then is ill, until it is well again.
struct Fails {
    then: Then,
    lives: usize,
    watches: AtomicU64,
    well: AtomicBool,
}

impl Fails {
    fn new(then: Then, lives: usize) -> Arc<Self> {
        Arc::new(Self {
            then,
            lives,
            watches: AtomicU64::new(0),
            well: AtomicBool::new(false),
        })
    }
}

fn sign_of_life() -> Result<RevocationsTold, WatchFailed> {
    Ok(RevocationsTold {
        revocations: Vec::new(),
        cursor: "1".to_owned(),
        complete: true,
        heartbeat: HEARTBEAT,
    })
}

/// So many signs of life, one each heartbeat.
fn alive(times: usize) -> impl futures_util::Stream<Item = Result<RevocationsTold, WatchFailed>> {
    stream::iter(0..times).then(|nth| async move {
        if nth > 0 {
            sleep(HEARTBEAT).await;
        }
        sign_of_life()
    })
}

impl RevocationSource for Fails {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let first = self.watches.fetch_add(1, Ordering::SeqCst) == 0;
        if self.well.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Ok(alive(usize::MAX).boxed())));
        }
        let told = match (first, self.then) {
            (true, Then::Hangs) => alive(self.lives).boxed(),
            (true, Then::Panics) => alive(self.lives)
                .chain(stream::once(async { panic!("what a source is made of") }))
                .boxed(),
            (false, Then::Hangs) => return Box::pin(std::future::pending()),
            (false, Then::Panics) => panic!("what a source is made of"),
        };
        Box::pin(std::future::ready(Ok(told)))
    }
}

async fn stand(source: &Arc<Fails>, configure: impl FnOnce(Builder) -> Builder) -> Stand {
    let source = Arc::clone(source) as Arc<dyn RevocationSource>;
    Stand::with(|builder| configure(builder.nonces(NonceMode::Off).revocation_source(source))).await
}

async fn becomes(told: &mut watch::Receiver<bool>, expected: bool) {
    let waited = tokio::time::timeout(SOON, told.wait_for(|now| *now == expected)).await;
    assert!(waited.is_ok(), "it never became {expected}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_leaves_a_guard_that_says_that_it_is_cut_off() {
    let source = Fails::new(Then::Panics, 1);
    let stand = stand(&source, |builder| builder).await;
    let mut hears = stand.guard.hears_revocations();
    let ready = stand.guard.readiness();
    becomes(&mut hears, false).await;
    let knowledge = stand.guard.knowledge().unwrap();
    assert!(!knowledge.live);
    let before = stand.guard.counts().decided_cut_off;
    for _ in 0..3 {
        stand.check("meanwhile", &stand.good(), Expected::Ok).await;
    }
    assert_eq!(stand.guard.counts().decided_cut_off, before + 3);
    // Nobody asked for a limit: it serves.
    sleep(Duration::from_secs(300)).await;
    assert!(*ready.borrow());
    assert!(stand.guard.knowledge().unwrap().age >= Duration::from_secs(300));
    assert!(source.watches.load(Ordering::SeqCst) > 2, "it tries again");

    source.well.store(true, Ordering::SeqCst);
    becomes(&mut hears, true).await;
    let before = stand.guard.counts().decided_cut_off;
    stand.check("again", &stand.good(), Expected::Ok).await;
    assert_eq!(stand.guard.counts().decided_cut_off, before);
}

/// Tokens and connections end every few minutes, and watches with them.
struct Renewed;

impl RevocationSource for Renewed {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        Box::pin(async {
            // A new token, a new connection.
            sleep(Duration::from_secs(1)).await;
            Ok(alive(8).boxed())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_begun_again_in_time_was_never_lost() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .revocation_source(Arc::new(Renewed))
    })
    .await;
    let hears = stand.guard.hears_revocations();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(300) {
        assert!(*hears.borrow(), "after {:?}", begun.elapsed());
        assert!(stand.guard.knowledge().unwrap().live);
        sleep(Duration::from_millis(100)).await;
    }
}

/// Guards whose token service was restarted do not all begin at the same moment.
#[tokio::test(start_paused = true)]
async fn watches_that_ended_together_are_not_begun_together() {
    let mut guards = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..16 {
        let source = Fails::new(Then::Hangs, 8);
        guards.push(stand(&source, |builder| builder).await);
        sources.push(source);
    }
    let begun = || {
        let watches = |source: &Arc<Fails>| source.watches.load(Ordering::SeqCst) > 1;
        sources.iter().filter(|source| watches(source)).count()
    };
    let mut moments = std::collections::BTreeSet::new();
    while begun() < sources.len() {
        sleep(Duration::from_millis(10)).await;
        moments.insert(begun());
    }
    assert!(moments.len() > 4, "begun at {moments:?}");
}

#[tokio::test]
async fn a_guard_hears_from_the_start_and_one_that_does_not_watch_never() {
    let source = Fails::new(Then::Hangs, usize::MAX);
    let watching = stand(&source, |builder| builder).await;
    assert!(*watching.guard.hears_revocations().borrow());
    let alone = Stand::start().await;
    assert!(!*alone.guard.hears_revocations().borrow());
    assert!(*alone.guard.readiness().borrow());
    alone.check("a call", &alone.good(), Expected::Ok).await;
    assert_eq!(alone.guard.counts().decided_cut_off, 0);
}

/// Also while it waits for an answer of whoever does not answer.
#[tokio::test(start_paused = true)]
async fn a_limit_is_kept_to_the_second_whatever_the_source_does() {
    let limit = Duration::from_secs(15);
    // A connection that had its time, and ended after a sign of life.
    let lives = 8;
    let source = Fails::new(Then::Hangs, lives);
    let stand = stand(&source, |builder| builder.knowledge_age_max(limit)).await;
    let begun = Instant::now();
    let mut ready = stand.guard.readiness();
    becomes(&mut ready, false).await;
    let last = HEARTBEAT * (lives as u32 - 1);
    let late = begun.elapsed().saturating_sub(last + limit);
    assert!(late <= Duration::from_secs(2), "{late:?}");
}

/// Answers when it is let.
struct Slow {
    told: Told,
    lets: Notify,
}

impl Introspector for Slow {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        let said = self.told.introspect(token);
        Box::pin(async move {
            self.lets.notified().await;
            said.await
        })
    }
}

/// A call without a socket, so that no time passes but what the test lets pass.
async fn call(stand: &Stand) -> Status {
    let shown = Shown::new(TOKEN, &stand.proof("CreateOrder", TOKEN));
    let request = http::Request::post(format!("{SERVICE}CreateOrder"))
        .header("authorization", shown.of("authorization"))
        .header("dpop", shown.of("dpop"))
        .body(Body::empty())
        .unwrap();
    let handler = service_fn(|_: http::Request<Body>| async {
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    });
    let guarded = stand.guard.layer().layer(handler);
    let response = guarded.oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok("it went on"))
}

#[tokio::test(start_paused = true)]
async fn references_want_recent_knowledge_too() {
    let slow = Arc::new(Slow {
        told: Told::default(),
        lets: Notify::new(),
    });
    let source = Fails::new(Then::Hangs, 1);
    let asked = Arc::clone(&slow) as Arc<dyn Introspector>;
    let limit = Duration::from_secs(15);
    let stand = stand(&source, |builder| {
        builder.knowledge_age_max(limit).introspector(asked)
    })
    .await;
    slow.told.says(&stand, TOKEN, |_| {});
    slow.lets.notify_one();
    assert_eq!(call(&stand).await.code(), Code::Ok);

    // What was said is not gone by any more; what is said now comes too late.
    stand.clock.advance(Duration::from_secs(5));
    sleep(limit - Duration::from_secs(2)).await;
    let overtaken = async {
        for _ in 0..100_000 {
            if slow.told.asked() == 2 {
                break;
            }
            yield_now().await;
        }
        sleep(Duration::from_secs(3)).await;
        slow.lets.notify_one();
    };
    let (status, ()) = tokio::join!(call(&stand), overtaken);
    assert_eq!(status.code(), Code::Unavailable, "overtaken");
    assert_eq!(stand.guard.counts().knowledge_too_old, 1);

    // From then on nobody is asked.
    assert_eq!(call(&stand).await.code(), Code::Unavailable, "too old");
    assert_eq!(slow.told.asked(), 2);
    assert_eq!(stand.guard.counts().knowledge_too_old, 2);
}
