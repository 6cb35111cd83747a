//! What is sent again, and how often.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock as _;
use countersign_client::outcome::{ChallengeError, HttpRefused, LeftAtThat};
use countersign_client::source::{AccessToken, BoxFuture, TokenSource};
use countersign_client::{Countersign, HttpServer, TokenError};
use countersign_guard::NonceMode;
use countersign_jose::UnixTime;
use countersign_testkit::MovableClock;
use parking_lot::Mutex;

use crate::scripted::{Scripted, Step};
use crate::stand::{SCOPES, Stand, client_of};

#[tokio::test]
async fn a_nonce_is_answered_once_and_remembered() {
    let stand = Stand::start(NonceMode::Always).await;
    let orders = &stand.orders;
    for requests in [2, 3, 4] {
        let answer = stand.http.post(orders.at("/orders")).body("tea").send();
        assert_eq!(answer.await.unwrap().status(), 200);
        assert_eq!(orders.log.len(), requests);
    }
    assert_eq!(orders.effects(), 3);
    let all = orders.log.all();
    assert_eq!(all[0].one("authorization"), all[1].one("authorization"));
    assert_ne!(all[0].one("dpop"), all[1].one("dpop"));
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed_once() {
    let stand = Stand::start(NonceMode::Off).await;
    let (http, orders) = (&stand.http, &stand.orders);
    let ask = async || {
        let answer = http.post(orders.at("/orders")).body("tea").send().await;
        answer.unwrap().status()
    };
    assert_eq!(ask().await, 200);
    let first = orders.log.last().one("authorization").to_owned();
    let token = first.strip_prefix("DPoP ").unwrap().to_owned();
    let service = stand.countersign.token_service();
    service.revoke(&token.into()).await.unwrap();
    // Until the guard knows; until then the token is good.
    let known = async {
        while stand.countersign.counts().refused == 0 {
            assert_eq!(ask().await, 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), known)
        .await
        .unwrap();
    let all = orders.log.all();
    let [refused, again] = &all[all.len() - 2..] else {
        panic!("{all:?}")
    };
    assert_eq!(refused.one("authorization"), first);
    assert_ne!(again.one("authorization"), first);
    assert_eq!(stand.countersign.counts().fetched, 2);
    assert_eq!(orders.effects(), all.len() - 1, "the refused one had none");
}

/// Tokens of which it is said that they live for long.
struct Praised {
    countersign: Countersign,
    resource: String,
    clock: Arc<MovableClock>,
    held: Mutex<Option<Arc<AccessToken>>>,
    discarded: Mutex<usize>,
}

impl TokenSource for Praised {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(async {
            let held = self.held.lock().clone();
            if let Some(held) = held {
                return Ok(held);
            }
            let scopes = SCOPES.map(str::to_owned);
            let service = self.countersign.token_service();
            let issued = service
                .issue(&scopes, std::slice::from_ref(&self.resource))
                .await?;
            let now: UnixTime = self.clock.now();
            let life = Duration::from_secs(86_400);
            let token = AccessToken::new(issued.access_token.expose(), issued.scopes, life, now)?;
            let token = Arc::new(token);
            *self.held.lock() = Some(Arc::clone(&token));
            Ok(token)
        })
    }

    fn discard(&self, token: &Arc<AccessToken>) {
        let mut held = self.held.lock();
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            *held = None;
            *self.discarded.lock() += 1;
        }
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_renewed_once() {
    let stand = Stand::start(NonceMode::Off).await;
    let orders = &stand.orders;
    let praised = Arc::new(Praised {
        countersign: stand.countersign.clone(),
        resource: orders.url.clone(),
        clock: stand.platform.clock().clone(),
        held: Mutex::default(),
        discarded: Mutex::default(),
    });
    let server = HttpServer::at(&orders.url).tokens(praised.clone());
    let http = client_of(&stand.countersign, [server]);
    let ask = async || {
        let asked = http.post(orders.at("/orders")).body("tea").send().await;
        asked.unwrap().status()
    };
    assert_eq!(ask().await, 200);
    stand.platform.clock().advance(Duration::from_secs(3600));
    assert_eq!(ask().await, 200);
    assert_eq!(*praised.discarded.lock(), 1);
    let all = orders.log.all();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].one("authorization"), all[1].one("authorization"));
    assert_ne!(all[1].one("authorization"), all[2].one("authorization"));
    assert_eq!(orders.effects(), 2);
}

const NONCE_A: Step = (
    401,
    &[
        ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
        ("dpop-nonce", "a"),
    ],
);
const NONCE_B: Step = (
    401,
    &[
        ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
        ("dpop-nonce", "b"),
    ],
);
const NONCE_MISSING: Step = (
    401,
    &[("www-authenticate", "DPoP error=\"use_dpop_nonce\"")],
);
const TOKEN: Step = (401, &[("www-authenticate", "DPoP error=\"invalid_token\"")]);

/// However a server answers, a request ends: it is sent three times at most.
#[tokio::test]
async fn a_request_is_sent_again_for_each_reason_once() {
    let stand = Stand::start(NonceMode::Off).await;
    let bearer: Step = (
        401,
        &[("www-authenticate", "Bearer error=\"invalid_token\"")],
    );
    let proof: Step = (
        401,
        &[("www-authenticate", "DPoP error=\"invalid_dpop_proof\"")],
    );
    let step_up: Step = (
        401,
        &[(
            "www-authenticate",
            "DPoP error=\"insufficient_user_authentication\"",
        )],
    );
    let bare: Step = (401, &[("www-authenticate", "DPoP algs=\"ES256\"")]);
    let forbidden: Step = (403, &[("www-authenticate", "DPoP error=\"invalid_token\"")]);
    let asked_for: Step = (
        400,
        &[
            ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
            ("dpop-nonce", "a"),
        ],
    );
    let away: Step = (503, &[]);
    for (steps, sent, status) in [
        (vec![], 1, 200),
        (vec![NONCE_A], 2, 200),
        (vec![NONCE_A, NONCE_B], 2, 401),
        (vec![NONCE_MISSING], 1, 401),
        (vec![TOKEN], 2, 200),
        (vec![TOKEN, TOKEN], 2, 401),
        (vec![NONCE_A, TOKEN], 3, 200),
        (vec![TOKEN, NONCE_A], 3, 200),
        (vec![NONCE_A, TOKEN, NONCE_B], 3, 401),
        (vec![TOKEN, NONCE_A, TOKEN], 3, 401),
        (vec![bearer], 1, 401),
        (vec![proof], 1, 401),
        (vec![step_up], 1, 401),
        (vec![bare], 1, 401),
        (vec![forbidden], 1, 403),
        (vec![asked_for], 1, 400),
        (vec![away], 1, 503),
    ] {
        let server = Scripted::start(steps.clone()).await;
        let platform = &stand.platform;
        let name = format!("of-{}", server.url.rsplit(':').next().unwrap());
        let countersign = platform.caller(&name, &server.url, &["all"]).await.unwrap();
        let http = client_of(&countersign, [HttpServer::at(&server.url)]);
        let answer = http.get(server.at("/")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{steps:?}");
        assert_eq!(server.log.len(), sent, "{steps:?}");
    }
}

/// A nonce is taken from every answer, whatever it is.
#[tokio::test]
async fn the_newest_nonce_is_sent_next() {
    let stand = Stand::start(NonceMode::Off).await;
    let server = Scripted::start([
        (200, &[("dpop-nonce", "first")] as &[_]),
        (404, &[("dpop-nonce", "second")]),
        (503, &[("dpop-nonce", "third")]),
        // Which of the two would be the newest?
        (200, &[("dpop-nonce", "x"), ("dpop-nonce", "y")]),
        (302, &[("dpop-nonce", "fourth")]),
    ])
    .await;
    let platform = &stand.platform;
    let countersign = platform.caller("of", &server.url, &["all"]).await.unwrap();
    let http = client_of(&countersign, [HttpServer::at(&server.url)]);
    for expected in [
        None,
        Some("first"),
        Some("second"),
        Some("third"),
        Some("third"),
        Some("fourth"),
    ] {
        http.get(server.at("/")).send().await.unwrap();
        let proof = server.log.last().one("dpop").to_owned();
        let claims = proof.split('.').nth(1).unwrap();
        let claims = countersign_jose::base64url::decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["nonce"].as_str(), expected);
    }
}

/// A server that refuses all tokens does not have one fetched for each request.
#[tokio::test]
async fn where_all_tokens_are_refused_few_are_fetched() {
    let stand = Stand::start(NonceMode::Off).await;
    let server = Scripted::start(vec![TOKEN; 1000]).await;
    let platform = &stand.platform;
    let countersign = platform.caller("of", &server.url, &["all"]).await.unwrap();
    let http = client_of(&countersign, [HttpServer::at(&server.url)]);
    let mut told = 0;
    for _ in 0..100 {
        let answer = http.get(server.at("/")).send().await.unwrap();
        let refused = HttpRefused::of_response(&answer).unwrap();
        assert_eq!(refused.error, Some(ChallengeError::InvalidToken));
        told += usize::from(refused.left_at_that == Some(LeftAtThat::TokensRefused));
    }
    // All but the first, and those for which a new one has come: seldom, the longer this goes on.
    assert!(told >= 60, "{told}");
    let counts = countersign.counts();
    let fetched = counts.fetched + counts.renewed;
    assert!(fetched <= 30, "{fetched}");
    assert!(server.log.len() <= 130, "{}", server.log.len());
}
