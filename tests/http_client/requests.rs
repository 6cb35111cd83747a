//! What every request carries, and what comes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_client::CallError;
use countersign_guard::NonceMode;
use countersign_jose::{base64url, sha256};
use reqwest::{Method, Request, Url};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::stand::{Arrived, Orders, Stand, client_of, plain};

fn claims(arrived: &Arrived) -> Value {
    let proof = arrived.one("dpop");
    let claims = proof.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_has_a_token_and_a_proof_for_it() {
    let stand = Stand::start(NonceMode::Off).await;
    let orders = &stand.orders;
    let answer = stand.http.get(orders.at("/orders/7?full#part")).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ann");

    let arrived = orders.log.last();
    assert_eq!(orders.log.len(), 1);
    let token = arrived.one("authorization").strip_prefix("DPoP ").unwrap();
    let claims = claims(&arrived);
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["htu"], orders.at("/orders/7"));
    assert_eq!(
        claims["ath"],
        base64url::encode(sha256(&[token.as_bytes()]))
    );
    assert_eq!(claims["nonce"], Value::Null);

    // Bodies and other methods.
    let created = stand.http.post(orders.at("/orders")).body("tea").send();
    assert_eq!(created.await.unwrap().text().await.unwrap(), "3");
    assert_eq!(self::claims(&orders.log.last())["htm"], "POST");
    assert_eq!(stand.countersign.counts().fetched, 1, "one token for both");
}

/// As the guard compares them (RFC 3986 §6.2.2), whatever the path is made of.
#[tokio::test]
async fn a_proof_names_the_url_as_the_guard_reads_it() {
    let stand = Stand::start(NonceMode::Off).await;
    for (asked, path) in [
        ("/orders/two words", "/orders/two%20words"),
        ("/orders/café", "/orders/caf%C3%A9"),
        ("/orders/a%2Fb/../7", "/orders/7"),
        ("/orders/./7", "/orders/7"),
        ("/orders/7;v=1,2:3@4", "/orders/7;v=1,2:3@4"),
        ("/orders/7?a=/b/../c&d=%20", "/orders/7"),
    ] {
        let answer = stand.http.get(stand.orders.at(asked)).send().await.unwrap();
        let arrived = stand.orders.log.last();
        assert_eq!(answer.status(), 200, "{asked}: {arrived:?}");
        assert_eq!(arrived.path, path);
        assert_eq!(claims(&arrived)["htu"], stand.orders.at(path));
    }
    // What is not written in the one way is refused by the guard, and by nobody read in another.
    for asked in ["/orders/%61", "/orders/caf%c3%a9"] {
        let answer = stand.http.get(stand.orders.at(asked)).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{asked}");
    }
}

#[tokio::test]
async fn what_a_request_carries_already_is_replaced() {
    let stand = Stand::start(NonceMode::Off).await;
    let default = [("authorization", "Bearer default"), ("dpop", "default")];
    let default = default.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let http = stand
        .countersign
        .http(plain().default_headers(default.into_iter().collect()))
        .server(stand.orders.as_server())
        .build()
        .unwrap();
    let mut url = Url::parse(&stand.orders.at("/orders/7")).unwrap();
    url.set_username("somebody").unwrap();
    url.set_password(Some("s3cret")).unwrap();
    let answer = http
        .get(url.clone())
        .bearer_auth("a-token")
        .header("dpop", "a.b.c")
        .send();
    assert_eq!(answer.await.unwrap().status(), 200);
    let arrived = stand.orders.log.last();
    assert!(arrived.one("authorization").starts_with("DPoP "));
    assert_eq!(arrived.one("dpop").split('.').count(), 3);

    // A URL that reqwest has not taken the password out of is no target.
    let error = http.execute(Request::new(Method::GET, url)).await;
    let error = error.unwrap_err();
    assert!(matches!(CallError::of(&error), Some(CallError::Target(_))));
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert_eq!(stand.orders.log.len(), 1);
}

#[tokio::test]
async fn many_at_once_have_one_token_and_each_a_proof_of_its_own() {
    let stand = Stand::start(NonceMode::WhereNeeded).await;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let request = stand.http.get(stand.orders.at("/orders/7"));
        asking.spawn(async move { request.send().await.unwrap().status() });
    }
    while let Some(status) = asking.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let all = stand.orders.log.all();
    let proofs: BTreeSet<&str> = all.iter().map(|one| one.one("dpop")).collect();
    assert_eq!(proofs.len(), all.len());
    assert!((50..=100).contains(&all.len()), "{}", all.len());
    assert_eq!(stand.countersign.counts().fetched, 1);
}

/// A proof that was seen on the way opens nothing.
#[tokio::test]
async fn a_proof_that_is_sent_again_is_refused() {
    let stand = Stand::start(NonceMode::Off).await;
    let (http, orders) = (&stand.http, &stand.orders);
    let created = http.post(orders.at("/orders")).body("tea").send().await;
    assert_eq!(created.unwrap().status(), 200);
    let stolen = orders.log.last();
    let thief = plain().build().unwrap();
    for (method, path) in [("POST", "/orders"), ("GET", "/orders/7")] {
        let answer = thief
            .request(method.parse().unwrap(), orders.at(path))
            .header("authorization", stolen.one("authorization"))
            .header("dpop", stolen.one("dpop"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{method}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.contains("invalid_dpop_proof"),
            "{method}: {challenge}"
        );
    }
    assert_eq!(orders.effects(), 1);
}

/// Sends each request twice, as one that retries does.
struct Twice;

#[async_trait::async_trait]
impl Middleware for Twice {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let first = request.try_clone().unwrap();
        let first = next.clone().run(first, extensions).await?;
        assert_eq!(first.status(), 200);
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn each_attempt_of_a_middleware_above_has_a_proof_of_its_own() {
    let stand = Stand::start(NonceMode::Off).await;
    let http: ClientWithMiddleware = stand
        .countersign
        .http(plain())
        .with(Twice)
        .server(stand.orders.as_server())
        .build()
        .unwrap();
    let answer = http.get(stand.orders.at("/orders/7")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let all = stand.orders.log.all();
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].one("dpop"), all[1].one("dpop"));
}

#[tokio::test]
async fn the_time_of_a_request_is_that_of_all_it_waits_for() {
    let stand = Stand::start(NonceMode::Off).await;
    // A token service that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = countersign_client::Builder::new(format!("http://{}", silent.local_addr().unwrap()))
        .client("ann", countersign_client::Credential::Public)
        .connect()
        .await
        .unwrap();
    let http = client_of(&away, [stand.orders.as_server()]);
    let asked = http.get(stand.orders.at("/orders/7"));
    let answer = asked.timeout(Duration::from_millis(50)).send().await;
    let error = answer.unwrap_err();
    assert!(
        matches!(CallError::of(&error), Some(CallError::DeadlinePassed)),
        "{error}"
    );
    assert_eq!(stand.orders.log.len(), 0);
}

/// Over HTTP/2 all is the same.
#[tokio::test]
async fn over_http_2() {
    let stand = Stand::start(NonceMode::Always).await;
    let http = stand
        .countersign
        .http(plain().http2_prior_knowledge())
        .server(stand.orders.as_server())
        .build()
        .unwrap();
    for requests in [2, 3] {
        let answer = http.get(stand.orders.at("/orders/7")).send().await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "ann");
        assert_eq!(stand.orders.log.len(), requests);
    }
}

/// The client's counts are those of its tokens, whatever they are for.
#[tokio::test]
async fn requests_are_counted_as_calls_are() {
    let stand = Stand::start(NonceMode::Off).await;
    for _ in 0..3 {
        let answer = stand.http.get(stand.orders.at("/orders/7")).send().await;
        assert_eq!(answer.unwrap().status(), 200);
    }
    let counts = stand.countersign.counts();
    assert_eq!((counts.fetched, counts.waited, counts.at_hand), (1, 1, 2));
    // A second server of the same client has a token of its own.
    let second = Orders::start(&stand.platform, NonceMode::Off).await;
    let http = client_of(&stand.countersign, [second.as_server()]);
    let error = http.get(second.at("/orders/7")).send().await.unwrap_err();
    // Its resource is not registered for the client.
    assert!(matches!(CallError::of(&error), Some(CallError::Token(_))));
    assert_eq!(stand.countersign.counts().failed, 1);
    assert_eq!(second.log.len(), 0);
}
