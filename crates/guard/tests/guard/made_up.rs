//! Made-up reference tokens, with keys and proofs of their makers' own: a guard asks about them,
//! and those who were right before are served all the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign::example::v1::CreateOrderRequest;
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_guard::{Introspected, IntrospectionUnavailable, Introspector, NonceMode};
use countersign_jose::{SigningKey, UnixTime};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tonic::Request;

use crate::references::reference;
use crate::stand::{Expected, ISSUER, ORIGIN, Shown, Stand, es256, proof_of};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Knows some tokens and says so at once. About others it does not come to an end.
#[derive(Default)]
struct Swamped {
    good: Mutex<HashMap<String, Introspected>>,
    /// How many questions it is thinking about, and how many that were at most.
    thinks: AtomicUsize,
    most: AtomicUsize,
}

/// Also of a question that nobody waits for any more.
struct Thinking<'a>(&'a Swamped);

impl Drop for Thinking<'_> {
    fn drop(&mut self) {
        self.0.thinks.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Introspector for Swamped {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        Box::pin(async move {
            if let Some(said) = self.good.lock().get(token).cloned() {
                return Ok(Some(said));
            }
            let now = self.thinks.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let _thinking = Thinking(self);
            std::future::pending().await
        })
    }
}

/// Presents made-up tokens, one after the other for ever, so many at a time by each of these keys.
fn flood(stand: &Arc<Stand>, keys: Vec<SigningKey>, at_a_time: usize) -> JoinSet<()> {
    let made_up = Arc::new(AtomicUsize::new(1_000));
    let mut flood = JoinSet::new();
    for key in keys {
        let key = Arc::new(key);
        let client = stand.client();
        for _ in 0..at_a_time {
            let (stand, made_up) = (Arc::clone(stand), Arc::clone(&made_up));
            let (key, mut client) = (Arc::clone(&key), client.clone());
            flood.spawn(async move {
                loop {
                    let token = reference(made_up.fetch_add(1, Ordering::SeqCst));
                    let proof = proof_of(&key, &stand.proof_claims("CreateOrder", &token));
                    let mut request = Request::new(CreateOrderRequest::default());
                    Shown::new(&token, &proof).onto(request.metadata_mut());
                    let status = client.create_order(request).await.unwrap_err();
                    assert!(Refused::of(&status).is_some(), "{status:?}");
                    // As a client waits that is told to.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
    }
    flood
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, waiting).await;
    assert!(waited.is_ok(), "{what}");
}

fn good(stand: &Stand, swamped: &Swamped, nth: usize, key: &SigningKey) -> String {
    let token = reference(nth);
    let said = Introspected {
        issuer: ISSUER.to_owned(),
        subject: "checkout".to_owned(),
        client_id: "checkout".to_owned(),
        audience: vec![ORIGIN.to_owned()],
        scopes: vec!["orders.write".to_owned()],
        token_id: format!("t{nth}"),
        family: None,
        issued_at: UnixTime::from_secs(stand.now()),
        expires_at: UnixTime::from_secs(stand.now() + 300),
        jkt: Some(key.public().thumbprint()),
        certificate: None,
        auth_time: None,
        acr: None,
        authorization_details: String::new(),
    };
    swamped.good.lock().insert(token.clone(), said);
    token
}

async fn stand() -> (Arc<Stand>, Arc<Swamped>) {
    let swamped = Arc::<Swamped>::default();
    let asked = Arc::clone(&swamped) as Arc<dyn Introspector>;
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).introspector(asked)).await;
    (Arc::new(stand), swamped)
}

fn shown(stand: &Stand, token: &str) -> Shown {
    Shown::new(token, &stand.proof("CreateOrder", token))
}

#[tokio::test]
async fn one_key_that_makes_up_tokens_keeps_nobody_waiting() {
    let (stand, swamped) = stand().await;
    let _flood = flood(&stand, vec![es256(9)], 100);
    until("some are refused", || {
        stand.guard.counts().introspections_full > 0
    })
    .await;
    // Also whoever calls for the first time.
    let token = good(&stand, &swamped, 1, &stand.caller_key);
    stand
        .check("a stranger", &shown(&stand, &token), Expected::Ok)
        .await;
    assert_eq!(swamped.most.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn many_keys_that_make_up_tokens_keep_out_nobody_who_was_right_before() {
    let (stand, swamped) = stand().await;
    let token = good(&stand, &swamped, 1, &stand.caller_key);
    stand
        .check("before", &shown(&stand, &token), Expected::Ok)
        .await;
    let _flood = flood(&stand, (10..34).map(es256).collect(), 8);
    until("all that strangers may have are taken", || {
        swamped.thinks.load(Ordering::SeqCst) >= 48
    })
    .await;
    // What was said is not gone by any more: the guard has to ask.
    stand.clock.advance(Duration::from_secs(5));
    let asked_again = shown(&stand, &token);
    stand
        .check("the same token", &asked_again, Expected::Ok)
        .await;
    let renewed = good(&stand, &swamped, 2, &stand.caller_key);
    stand
        .check("another of its key", &shown(&stand, &renewed), Expected::Ok)
        .await;
    stand.check("a JWT", &stand.good(), Expected::Ok).await;
    assert_eq!(swamped.most.load(Ordering::SeqCst), 48);
}
