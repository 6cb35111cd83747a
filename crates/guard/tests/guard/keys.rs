//! The key set: fetched, refreshed, kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_client::source::BoxFuture;
use countersign_guard::{KeySource, KeysUnavailable, NonceMode, PublishedKeys};
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stand::{Expected, Shown, Stand, es256, published, sign};

fn of_key(stand: &Stand, kid: &str, key: &countersign_jose::SigningKey) -> Shown {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
    let token = sign(key, &header, &stand.claims());
    Shown::new(&token, &stand.proof("CreateOrder", &token))
}

#[tokio::test]
async fn a_storm_of_unknown_keys_causes_one_fetch() {
    let stand = Stand::start().await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 1, "at the start");
    *stand.keys.takes.lock() = Duration::from_millis(100);
    let stand = Arc::new(stand);
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let stand = Arc::clone(&stand);
        calls.spawn(async move {
            let shown = of_key(&stand, &format!("unknown-{n}"), &es256(8));
            stand.check("unknown", &shown, Expected::T).await;
        });
    }
    calls.join_all().await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let stand = Stand::start().await;
    let new = es256(8);
    let both = published(&[("k1", &stand.issuer_key), ("k2", &new)]);
    *stand.keys.published.lock() = Some(both);
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    stand
        .check("of the old key", &stand.good(), Expected::Ok)
        .await;
    let wrong = of_key(&stand, "k2", &stand.issuer_key);
    stand
        .check("of the old key under the new name", &wrong, Expected::T)
        .await;
}

/// A remembered token does not outlive the key that signed it.
#[tokio::test]
async fn a_key_that_is_gone_takes_its_tokens_along() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    let token = stand.token();
    let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand
        .check("while the key is there", &call(), Expected::Ok)
        .await;
    let new = es256(8);
    *stand.keys.published.lock() = Some(published(&[("k2", &new)]));
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    stand
        .check("remembered, of the old key", &call(), Expected::T)
        .await;
    // The same name for another key does not bring it back.
    *stand.keys.published.lock() = Some(published(&[("k1", &new)]));
    stand
        .check("of the new key", &of_key(&stand, "k1", &new), Expected::Ok)
        .await;
    stand
        .check("of the old key, of that name", &call(), Expected::T)
        .await;
}

#[tokio::test]
async fn the_last_good_set_is_kept() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    let unknown = es256(8);
    *stand.keys.published.lock() = None;
    stand
        .check("unknown", &of_key(&stand, "k2", &unknown), Expected::T)
        .await;
    stand.check("known", &stand.good(), Expected::Ok).await;
    // Keys of another issuer are not taken either.
    let mut foreign = published(&[("k2", &unknown)]);
    foreign.issuer = "https://evil.test".to_owned();
    *stand.keys.published.lock() = Some(foreign);
    stand
        .check("foreign", &of_key(&stand, "k2", &unknown), Expected::T)
        .await;
    stand.check("known", &stand.good(), Expected::Ok).await;
    assert!(stand.keys.fetches.load(Ordering::SeqCst) >= 3);
}

/// One that takes its time is no answer.
#[tokio::test(start_paused = true)]
async fn a_slow_answer_leaves_the_last_good_set() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    let new = es256(8);
    *stand.keys.published.lock() = Some(published(&[("k2", &new)]));
    *stand.keys.takes.lock() = Duration::from_secs(6);
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::T)
        .await;
    stand.check("known", &stand.good(), Expected::Ok).await;
    *stand.keys.takes.lock() = Duration::from_secs(4);
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    stand.check("replaced", &stand.good(), Expected::T).await;
}

/// Opening a pipe that nobody reads hangs as a file on a disk that is gone does.
#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_hangs_keeps_no_key_set_from_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let hangs = folder.path().join("keys.json.new");
    let made = std::process::Command::new("mkfifo").arg(&hangs).status();
    assert!(made.unwrap().success());
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_set_file(&path)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    stand
        .check("of the first", &stand.good(), Expected::Ok)
        .await;
    for (kid, seed) in [("k2", 8), ("k3", 9)] {
        let new = es256(seed);
        *stand.keys.published.lock() = Some(published(&[(kid, &new)]));
        let of_new = of_key(&stand, kid, &new);
        stand.check("of the new key", &of_new, Expected::Ok).await;
        stand
            .check("of the one before", &stand.good(), Expected::T)
            .await;
    }
    assert!(!path.exists());
    // The disk is back. What waits for it goes on, and the newest is written.
    let same = folder.path().join("pipe");
    std::fs::hard_link(&hangs, &same).unwrap();
    std::fs::remove_file(&hangs).unwrap();
    let reader = std::thread::spawn(move || std::fs::read_to_string(same).unwrap());
    assert!(reader.join().unwrap().contains("jwks"));
    let written = async {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.contains("k3") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), written).await;
    assert!(waited.is_ok(), "the newest set was never written");
}

/// The key set is fetched again in the background, without any call asking.
#[tokio::test(start_paused = true)]
async fn it_is_refreshed_in_the_background() {
    let stand = Stand::start().await;
    tokio::time::sleep(Duration::from_secs(151)).await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 2);
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 3);
}

/// A source whose answers are as of when it was asked, however late they come.
struct Late {
    published: Mutex<PublishedKeys>,
    takes: Mutex<Duration>,
    asked: AtomicU32,
    panics_at: u32,
}

impl Late {
    fn new(published: PublishedKeys) -> Arc<Self> {
        Arc::new(Self {
            published: Mutex::new(published),
            takes: Mutex::new(Duration::ZERO),
            asked: AtomicU32::new(0),
            panics_at: 0,
        })
    }
}

impl KeySource for Late {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(async {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            assert_ne!(asked, self.panics_at, "the test says so");
            let answer = self.published.lock().clone();
            let takes = std::mem::take(&mut *self.takes.lock());
            tokio::time::sleep(takes).await;
            Ok(answer)
        })
    }
}

/// A key is taken out of the set while an older answer is still under way.
#[tokio::test]
async fn a_late_answer_does_not_bring_back_a_key_that_is_gone() {
    let (old, new) = (es256(1), es256(8));
    let mut first = published(&[("k1", &old)]);
    // The shortest there is: the next fetch follows after five seconds at most.
    first.max_age = Duration::ZERO;
    let source = Late::new(first);
    let given = Arc::clone(&source) as Arc<dyn KeySource>;
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).key_source(given)).await;
    *source.takes.lock() = Duration::from_secs(1);
    while source.asked.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The background's answer will come in a second, and hold the old key.
    *source.published.lock() = published(&[("k2", &new)]);
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stand
        .check("of the key that is gone", &stand.good(), Expected::T)
        .await;
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_asked_again() {
    let source = Arc::new(Late {
        panics_at: 2,
        ..Arc::into_inner(Late::new(published(&[("k1", &es256(1))]))).unwrap()
    });
    let given = Arc::clone(&source) as Arc<dyn KeySource>;
    let _stand = Stand::with(|builder| builder.key_source(given)).await;
    tokio::time::sleep(Duration::from_secs(151)).await;
    assert!(source.asked.load(Ordering::SeqCst) >= 2);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(source.asked.load(Ordering::SeqCst), 3);
}
