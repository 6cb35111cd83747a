//! Revocations: refused as soon as they are known, and their streams ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::{ImportOrdersRequest, WatchOrdersRequest, WatchOrdersResponse};
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_guard::{
    BuildError, Builder, NonceMode, Revocation, RevocationSource, Revocations, RevocationsTold,
    RevokedTarget, WatchFailed,
};
use countersign_jose::UnixTime;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status, Streaming};

use crate::stand::{Expected, Shown, Stand, es256, published, sign};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

const HEARTBEAT: Duration = Duration::from_secs(5);

/// A source that tells what the test says, and remembers what it was asked for.
#[derive(Default)]
pub(crate) struct TestRevocations {
    asked: Mutex<Vec<Option<String>>>,
    telling: Mutex<Option<mpsc::UnboundedSender<Result<RevocationsTold, WatchFailed>>>>,
    /// Answers the next attempt, instead of a watch.
    fails: Mutex<Option<WatchFailed>>,
    told: Mutex<u64>,
}

impl RevocationSource for TestRevocations {
    fn watch(&self, cursor: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        self.asked.lock().push(cursor);
        if let Some(failed) = self.fails.lock().take() {
            return Box::pin(std::future::ready(Err(failed)));
        }
        let (telling, told) = mpsc::unbounded_channel();
        *self.telling.lock() = Some(telling);
        self.tell(Vec::new());
        let told = UnboundedReceiverStream::new(told).boxed();
        Box::pin(std::future::ready(Ok(told as Revocations)))
    }
}

impl TestRevocations {
    fn tell(&self, revocations: Vec<Revocation>) {
        let mut told = self.told.lock();
        *told += 1;
        let message = RevocationsTold {
            revocations,
            cursor: told.to_string(),
            complete: true,
            heartbeat: HEARTBEAT,
        };
        let telling = self.telling.lock();
        let _ = telling.as_ref().unwrap().send(Ok(message));
    }

    pub(crate) fn revoke(&self, target: RevokedTarget, revoked_at: UnixTime) {
        self.tell(vec![Revocation {
            target,
            revoked_at,
            forget_at: revoked_at.plus(Duration::from_secs(960)),
        }]);
    }

    fn end(&self) {
        *self.telling.lock() = None;
    }
}

pub(crate) async fn stand(
    configure: impl FnOnce(Builder) -> Builder,
) -> (Stand, Arc<TestRevocations>) {
    let source = Arc::new(TestRevocations::default());
    let shared = Arc::clone(&source) as Arc<dyn RevocationSource>;
    let stand =
        Stand::with(|builder| configure(builder.nonces(NonceMode::Off)).revocation_source(shared));
    (stand.await, source)
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the guard is ready, or is not.
async fn becomes(ready: &mut watch::Receiver<bool>, expected: bool) {
    let change = ready.wait_for(|ready| *ready == expected);
    tokio::time::timeout(SOON, change).await.unwrap().unwrap();
}

pub(crate) fn now(stand: &Stand) -> UnixTime {
    UnixTime::from_secs(stand.now())
}

#[tokio::test]
async fn a_revoked_token_is_refused_whether_it_was_seen_or_not() {
    let client = |_: &Stand| RevokedTarget::Client("checkout".to_owned());
    let subject = |_: &Stand| RevokedTarget::Subject("checkout".to_owned());
    let key = |stand: &Stand| RevokedTarget::Key(stand.caller_key.public().thumbprint());
    let token = |_: &Stand| RevokedTarget::Token("t1".to_owned());
    let family = |_: &Stand| RevokedTarget::Family("f1".to_owned());
    let everything = |_: &Stand| RevokedTarget::Everything;
    type Of = fn(&Stand) -> RevokedTarget;
    let targets: [Of; 6] = [client, subject, key, token, family, everything];
    for target in targets {
        for seen in [false, true] {
            let (stand, source) = stand(|builder| builder).await;
            let target = target(&stand);
            let row = format!("{target:?}, seen: {seen}");
            let mut claims = stand.claims();
            claims["fam"] = "f1".into();
            let revoked = stand.token_of(&claims);
            let shown = |token: &str| Shown::new(token, &stand.proof("CreateOrder", token));
            if seen {
                stand.check(&row, &shown(&revoked), Expected::Ok).await;
            }
            source.revoke(target.clone(), now(&stand));
            until(&row, || {
                stand.guard.counts().revocations > 0 || target == RevokedTarget::Everything
            })
            .await;
            if target == RevokedTarget::Everything {
                // There is nothing to count: the next word comes behind it.
                source.revoke(RevokedTarget::Token("another".to_owned()), now(&stand));
                until(&row, || stand.guard.counts().revocations > 0).await;
            }
            stand.check(&row, &shown(&revoked), Expected::Revoked).await;

            // Somebody else's token, issued later.
            stand.clock.advance(Duration::from_secs(1));
            let mut claims = stand.claims();
            claims["jti"] = "t2".into();
            claims["fam"] = "f2".into();
            let other = stand.token_of(&claims);
            stand.check(&row, &shown(&other), Expected::Ok).await;
        }
    }
}

fn watch_request(stand: &Stand, id: &str) -> Request<WatchOrdersRequest> {
    let mut claims = stand.claims();
    claims["jti"] = id.into();
    let token = stand.token_of(&claims);
    let mut request = Request::new(WatchOrdersRequest {});
    Shown::new(&token, &stand.proof("WatchOrders", &token)).onto(request.metadata_mut());
    request
}

/// A stream that is open: its first message has come.
async fn watched(stand: &Stand, id: &str) -> Streaming<WatchOrdersResponse> {
    let opened = stand.client().watch_orders(watch_request(stand, id)).await;
    let mut stream = opened.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream
}

/// Ended by the guard, and in a way that no client sends the call again for.
fn ended(status: &Status, reason: Reason) {
    let refused = Refused::of(status).unwrap_or_else(|| panic!("{status:?}"));
    assert_eq!(refused.reason, reason);
    assert!(status.metadata().get("www-authenticate").is_none());
}

#[tokio::test]
async fn open_streams_of_a_revoked_token_end_and_others_go_on() {
    let (stand, source) = stand(|builder| builder).await;
    let mut client = stand.client();
    let mut hit = client
        .watch_orders(watch_request(&stand, "hit"))
        .await
        .unwrap()
        .into_inner();
    let mut spared = client
        .watch_orders(watch_request(&stand, "spared"))
        .await
        .unwrap()
        .into_inner();
    hit.message().await.unwrap().unwrap();
    spared.message().await.unwrap().unwrap();

    // A client's stream, before there is a response.
    let mut claims = stand.claims();
    claims["jti"] = "hit".into();
    let token = stand.token_of(&claims);
    let mut import = Request::new(tokio_stream::pending::<ImportOrdersRequest>());
    Shown::new(&token, &stand.proof("ImportOrders", &token)).onto(import.metadata_mut());
    let mut other = stand.client();
    let import = tokio::spawn(async move { other.import_orders(import).await });
    until("three streams", || stand.guard.counts().open_streams == 3).await;

    source.revoke(RevokedTarget::Token("hit".to_owned()), now(&stand));
    let end = tokio::time::timeout(SOON, hit.message()).await.unwrap();
    ended(&end.unwrap_err(), Reason::TokenRevoked);
    let end = tokio::time::timeout(SOON, import).await.unwrap().unwrap();
    ended(&end.unwrap_err(), Reason::TokenRevoked);
    until("they are gone", || stand.guard.counts().open_streams == 1).await;
    let quiet = tokio::time::timeout(Duration::from_millis(200), spared.message()).await;
    assert!(quiet.is_err(), "it goes on");
    drop(spared);
    drop(client);
    until("nothing is left", || stand.guard.counts().open_streams == 0).await;
}

#[tokio::test]
async fn streams_of_a_key_that_is_gone_end() {
    let (stand, _source) = stand(|builder| builder).await;
    let mut stream = watched(&stand, "t1").await;
    *stand.keys.published.lock() = Some(published(&[("k2", &es256(7))]));
    stand.guard.fetch_keys().await;
    let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
    ended(&end.unwrap_err(), Reason::TokenRevoked);
}

/// The key set still has the key: nobody told the guard of another. Whoever has the key says what
/// they like of when a token was issued.
#[tokio::test]
async fn what_a_revoked_key_signed_is_refused_whatever_the_key_set_says() {
    for seen in [false, true] {
        let (stand, source) = stand(|builder| builder).await;
        let mut stream = watched(&stand, "t1").await;
        let row = format!("seen: {seen}");
        let token = stand.token();
        let shown = || Shown::new(&token, &stand.proof("CreateOrder", &token));
        // Another key's, and one that only holds tokens.
        let caller = stand.caller_key.public().thumbprint();
        source.revoke(RevokedTarget::Signer(caller), now(&stand));
        until(&row, || stand.guard.counts().revocations == 1).await;
        if seen {
            stand.check(&row, &shown(), Expected::Ok).await;
        }
        let signer = stand.issuer_key.public().thumbprint();
        source.revoke(RevokedTarget::Signer(signer), now(&stand));
        let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
        ended(&end.unwrap_err(), Reason::TokenRevoked);
        stand.check(&row, &shown(), Expected::Revoked).await;
        stand.clock.advance(Duration::from_secs(60));
        let later = stand.token();
        let shown = Shown::new(&later, &stand.proof("CreateOrder", &later));
        stand.check(&row, &shown, Expected::Revoked).await;
    }
}

/// A client that has a token of it gets another at once: it does so when it is told that the token
/// was revoked, and not when nobody knows the token's key.
#[tokio::test]
async fn a_token_that_names_a_revoked_key_was_revoked_though_the_key_is_gone() {
    let (stand, source) = stand(|builder| builder).await;
    let signer = stand.issuer_key.public().thumbprint();
    let named = |kid: String| {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
        let token = sign(&stand.issuer_key, &header, &stand.claims());
        Shown::new(&token, &stand.proof("CreateOrder", &token))
    };
    *stand.keys.published.lock() = Some(published(&[("k2", &es256(7))]));
    stand.guard.fetch_keys().await;
    let row = "nobody knows why the key is gone";
    stand
        .check(row, &named(signer.to_string()), Expected::T)
        .await;

    source.revoke(RevokedTarget::Signer(signer), now(&stand));
    until(row, || stand.guard.counts().revocations == 1).await;
    let fetches = stand.keys.fetches.load(Ordering::SeqCst);
    let row = "it was revoked";
    stand
        .check(row, &named(signer.to_string()), Expected::Revoked)
        .await;
    assert_eq!(
        stand.keys.fetches.load(Ordering::SeqCst),
        fetches,
        "and is not looked for"
    );
    let other = es256(8).public().thumbprint();
    stand
        .check("another", &named(other.to_string()), Expected::T)
        .await;
    stand
        .check("no thumbprint", &named("k1".to_owned()), Expected::T)
        .await;
}

/// There is no watch of keys, and fetches hang, one after the other: what a watch of keys tells
/// would wait for them.
#[tokio::test]
async fn what_a_revoked_key_signed_is_refused_while_fetches_of_keys_hang() {
    let (stand, source) = stand(|builder| builder).await;
    let mut stream = watched(&stand, "t1").await;
    *stand.keys.takes.lock() = Duration::from_secs(3600);
    let hanging = async {
        loop {
            stand.guard.fetch_keys().await;
        }
    };
    let revoked = async {
        let fetches = || stand.keys.fetches.load(Ordering::SeqCst);
        until("it hangs", || fetches() == 2).await;
        let signer = stand.issuer_key.public().thumbprint();
        source.revoke(RevokedTarget::Signer(signer), now(&stand));
        let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
        ended(&end.unwrap_err(), Reason::TokenRevoked);
        let row = "a fetch hangs";
        stand.check(row, &stand.good(), Expected::Revoked).await;
    };
    tokio::select! {
        () = revoked => {}
        () = hanging => unreachable!(),
    }
}

#[tokio::test]
async fn a_stream_ends_at_the_age_that_is_allowed() {
    let (stand, _source) = stand(|builder| builder.stream_age_max(Duration::from_millis(50))).await;
    let mut stream = watched(&stand, "t1").await;
    let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
    let status = end.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    ended(&status, Reason::StreamTooOld);
}

#[tokio::test]
async fn a_watch_that_breaks_goes_on_behind_what_it_knows() {
    let (stand, source) = stand(|builder| builder).await;
    source.revoke(RevokedTarget::Token("t1".to_owned()), now(&stand));
    until("it is known", || stand.guard.counts().revocations == 1).await;
    assert!(stand.guard.knowledge().unwrap().live);

    source.end();
    until("it is cut off", || !stand.guard.knowledge().unwrap().live).await;
    // It goes by what it knows.
    stand
        .check("revoked", &stand.good(), Expected::Revoked)
        .await;
    until("it comes back", || stand.guard.knowledge().unwrap().live).await;
    assert_eq!(*source.asked.lock(), [None, Some("2".to_owned())]);

    // A cursor that is not known any more: from the beginning.
    *source.fails.lock() = Some(WatchFailed::CursorTooOld);
    source.end();
    until("it begins anew", || source.asked.lock().len() == 4).await;
    assert_eq!(source.asked.lock()[2..], [Some("3".to_owned()), None]);
    stand
        .check("still revoked", &stand.good(), Expected::Revoked)
        .await;
}

#[tokio::test]
async fn without_recent_knowledge_nobody_is_let_in_where_that_is_asked_for() {
    let least = Duration::from_secs(15);
    let (stand, source) = stand(|builder| builder.knowledge_age_max(least)).await;
    let mut ready = stand.guard.readiness();
    assert!(*ready.borrow());
    stand.check("recent", &stand.good(), Expected::Ok).await;

    let mut stream = watched(&stand, "t1").await;

    tokio::time::pause();
    // Not a word any more.
    tokio::time::advance(least + Duration::from_secs(2)).await;
    tokio::time::resume();
    stand
        .check("too old", &stand.good(), Expected::Unreachable)
        .await;
    assert_eq!(stand.guard.counts().knowledge_too_old, 1);
    // What is open could have been revoked meanwhile, too.
    let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
    ended(&end.unwrap_err(), Reason::AuthorityUnreachable);
    becomes(&mut ready, false).await;

    source.tell(Vec::new());
    becomes(&mut ready, true).await;
    stand
        .check("recent again", &stand.good(), Expected::Ok)
        .await;
}

#[tokio::test]
async fn what_may_have_been_revoked_before_the_start_counts_as_too_old() {
    let source = Arc::new(TestRevocations::default());
    *source.fails.lock() = Some(WatchFailed::Unavailable("the test says so".to_owned()));
    let shared = Arc::clone(&source) as Arc<dyn RevocationSource>;
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .knowledge_age_max(Duration::from_secs(15))
            .revocation_source(shared)
    })
    .await;
    stand
        .check("nothing is known", &stand.good(), Expected::Unreachable)
        .await;
    // The next attempt succeeds.
    let mut ready = stand.guard.readiness();
    becomes(&mut ready, true).await;
    stand
        .check("all is known", &stand.good(), Expected::Ok)
        .await;
}

#[tokio::test]
async fn a_limit_that_cannot_be_kept_is_refused_at_start() {
    let builder = || {
        Builder::new("http://127.0.0.1:1")
            .serve("https://orders.test")
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
    };
    let short = builder()
        .revocation_source(Arc::new(TestRevocations::default()))
        .knowledge_age_max(Duration::from_secs(14));
    assert!(matches!(
        short.connect().await,
        Err(BuildError::KnowledgeAge(_))
    ));
    let unwatched = builder().knowledge_age_max(Duration::from_secs(60));
    assert!(matches!(
        unwatched.connect().await,
        Err(BuildError::NoWatch)
    ));
}

#[tokio::test]
async fn a_watch_ends_with_its_guard() {
    let source = Arc::new(TestRevocations::default());
    let guard = Stand::describe()
        .revocation_source(Arc::clone(&source) as Arc<dyn RevocationSource>)
        .connect()
        .await
        .unwrap();
    let layer = guard.layer();
    drop(guard);
    // Whoever is still guarded is told.
    source.tell(Vec::new());
    assert!(!source.telling.lock().as_ref().unwrap().is_closed());
    drop(layer);
    until("nobody listens", || {
        source.telling.lock().as_ref().unwrap().is_closed()
    })
    .await;
    assert_eq!(Arc::strong_count(&source), 1);
}
