//! Watches of keys and of revocations that go wrong: what they tell, how much, or that they tell
//! nothing. Calls go on by the last good knowledge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::source::BoxFuture;
use countersign_guard::{
    Builder, KeySource, KeysTold, KeysUnavailable, KeysWatched, NonceMode, PublishedKeys,
    RevocationSource, Revocations, RevocationsTold, WatchFailed,
};
use countersign_jose::SigningKey;
use futures_util::StreamExt as _;
use futures_util::stream;
use parking_lot::Mutex;
use serde_json::json;

use crate::stand::{Expected, Shown, Stand, es256, published, sign};

/// What the test counts while it sleeps; nobody waits for it.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

#[derive(Copy, Clone, PartialEq, Eq)]
enum Ill {
    /// Begins, and says nothing.
    Silent,
    /// Says something, and ends.
    Ends,
    /// Never stops.
    Floods,
    /// Panics at its first message.
    Panics,
}

/// Keys whose watch is ill.
struct IllKeys {
    ill: Ill,
    published: Mutex<PublishedKeys>,
    watches: AtomicU64,
    told: Arc<AtomicU64>,
}

impl IllKeys {
    fn new(ill: Ill) -> Arc<Self> {
        Arc::new(Self {
            ill,
            published: Mutex::new(published(&[("k1", &es256(1))])),
            watches: AtomicU64::new(0),
            told: Arc::default(),
        })
    }
}

impl KeySource for IllKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(std::future::ready(Ok(self.published.lock().clone())))
    }

    fn watch(&self) -> Option<KeysWatched> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&self.told);
        // Another set each time, so that each would be put into use.
        let sets = [
            published(&[("k1", &es256(1)), ("k8", &es256(8))]),
            published(&[("k1", &es256(1)), ("k9", &es256(9))]),
        ];
        let endless = stream::repeat_with(move || {
            let nth = told.fetch_add(1, Ordering::SeqCst);
            Ok(KeysTold {
                keys: Some(sets[nth as usize % 2].clone()),
                heartbeat: Duration::ZERO,
            })
        });
        Some(match self.ill {
            Ill::Silent => stream::pending().boxed(),
            Ill::Ends => endless.take(1).boxed(),
            Ill::Floods => endless.boxed(),
            // In the second attempt before there is a watch.
            Ill::Panics if self.watches.load(Ordering::SeqCst) == 2 => panic!("of the test"),
            Ill::Panics => stream::once(async { panic!("of the test") }).boxed(),
        })
    }
}

async fn with_keys(ill: Ill) -> (Stand, Arc<IllKeys>) {
    let source = IllKeys::new(ill);
    let given = Arc::clone(&source) as Arc<dyn KeySource>;
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).key_source(given)).await;
    (stand, source)
}

fn of_key(stand: &Stand, kid: &str, key: &SigningKey) -> Shown {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
    let token = sign(key, &header, &stand.claims());
    Shown::new(&token, &stand.proof("CreateOrder", &token))
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_keys_that_says_nothing_is_begun_again_and_keys_are_fetched() {
    let (stand, source) = with_keys(Ill::Silent).await;
    stand.check("fetched", &stand.good(), Expected::Ok).await;
    let new = es256(7);
    *source.published.lock() = published(&[("k1", &stand.issuer_key), ("k7", &new)]);
    tokio::time::sleep(FIVE_MINUTES).await;
    let watches = source.watches.load(Ordering::SeqCst);
    assert!((5..=40).contains(&watches), "{watches}");
    stand
        .check("of the old key", &stand.good(), Expected::Ok)
        .await;
    stand
        .check("of the new key", &of_key(&stand, "k7", &new), Expected::Ok)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_keys_that_panics_is_begun_again() {
    let (stand, source) = with_keys(Ill::Panics).await;
    tokio::time::sleep(FIVE_MINUTES).await;
    let watches = source.watches.load(Ordering::SeqCst);
    assert!((5..=25).contains(&watches), "{watches}");
    stand.check("meanwhile", &stand.good(), Expected::Ok).await;
}

/// A token service that ends each watch after its first message has guards at its door every half
/// minute, not twice a second.
#[tokio::test(start_paused = true)]
async fn a_watch_of_keys_that_ends_at_once_is_begun_seldom() {
    let (stand, source) = with_keys(Ill::Ends).await;
    tokio::time::sleep(FIVE_MINUTES).await;
    let watches = source.watches.load(Ordering::SeqCst);
    assert!((5..=25).contains(&watches), "{watches}");
    stand.check("told", &stand.good(), Expected::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_is_taken_at_the_guards_own_pace() {
    let (stand, source) = with_keys(Ill::Floods).await;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stand.check("meanwhile", &stand.good(), Expected::Ok).await;
    }
    let told = source.told.load(Ordering::SeqCst);
    assert!((1..=4_000).contains(&told), "{told} in some five minutes");
}

/// Revocations whose watch is ill.
struct IllRevocations {
    ill: Ill,
    watches: AtomicU64,
    told: Arc<AtomicU64>,
}

impl RevocationSource for IllRevocations {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        let told = Arc::clone(&self.told);
        let endless = stream::repeat_with(move || {
            let nth = told.fetch_add(1, Ordering::SeqCst);
            Ok(RevocationsTold {
                revocations: Vec::new(),
                cursor: nth.to_string(),
                complete: true,
                heartbeat: Duration::ZERO,
            })
        });
        let told = match self.ill {
            Ill::Silent => stream::pending().boxed(),
            // Of the very cursor that it gave.
            Ill::Ends => endless
                .take(1)
                .chain(stream::iter([Err(WatchFailed::CursorTooOld)]))
                .boxed(),
            Ill::Floods => endless.boxed(),
            Ill::Panics => stream::once(async { panic!("of the test") }).boxed(),
        };
        Box::pin(std::future::ready(Ok(told as Revocations)))
    }
}

async fn with_revocations(
    ill: Ill,
    configure: impl FnOnce(Builder) -> Builder,
) -> (Stand, Arc<IllRevocations>) {
    let source = Arc::new(IllRevocations {
        ill,
        watches: AtomicU64::new(0),
        told: Arc::default(),
    });
    let given = Arc::clone(&source) as Arc<dyn RevocationSource>;
    let configure =
        |builder: Builder| configure(builder.nonces(NonceMode::Off).revocation_source(given));
    (Stand::with(configure).await, source)
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_revocations_that_says_nothing_keeps_nobody_out_unless_that_is_asked_for() {
    let (stand, source) = with_revocations(Ill::Silent, |builder| builder).await;
    stand.check("started", &stand.good(), Expected::Ok).await;
    tokio::time::sleep(FIVE_MINUTES).await;
    let watches = source.watches.load(Ordering::SeqCst);
    assert!((5..=40).contains(&watches), "{watches}");
    let knowledge = stand.guard.knowledge().unwrap();
    assert!(!knowledge.live);
    assert!(knowledge.age >= FIVE_MINUTES);
    stand.check("later", &stand.good(), Expected::Ok).await;

    let limit = Duration::from_secs(60);
    let strict = |builder: Builder| builder.knowledge_age_max(limit);
    let (stand, _) = with_revocations(Ill::Silent, strict).await;
    stand
        .check("nothing is known", &stand.good(), Expected::Unreachable)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_always_too_old_is_not_asked_for_without_rest() {
    let (stand, source) = with_revocations(Ill::Ends, |builder| builder).await;
    tokio::time::sleep(FIVE_MINUTES).await;
    let watches = source.watches.load(Ordering::SeqCst);
    assert!((5..=25).contains(&watches), "{watches}");
    stand.check("meanwhile", &stand.good(), Expected::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_signs_of_life_is_taken_at_the_guards_own_pace() {
    let (stand, source) = with_revocations(Ill::Floods, |builder| builder).await;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stand.check("meanwhile", &stand.good(), Expected::Ok).await;
    }
    let told = source.told.load(Ordering::SeqCst);
    assert!((1..=4_000).contains(&told), "{told} in some five minutes");
    assert!(stand.guard.knowledge().unwrap().live);
}
