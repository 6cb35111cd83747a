//! Neither tokens nor proofs go where they do not belong.

use countersign_client::{CallError, ConnectError, HttpServer};
use countersign_guard::NonceMode;
use countersign_testkit::service_client;
use http::StatusCode;
use http::header::LOCATION;

use crate::scripted::Scripted;
use crate::stand::{Orders, SCOPES, Stand, client_of, plain};

#[tokio::test]
async fn a_request_for_another_origin_is_not_sent() {
    let stand = Stand::start(NonceMode::Off).await;
    let other = Scripted::start([]).await;
    let port = stand.orders.url.rsplit(':').next().unwrap();
    for url in [
        other.at("/orders/7"),
        // The same machine by another name, and by another scheme.
        format!("http://localhost:{port}/orders/7"),
        format!("https://127.0.0.1:{port}/orders/7"),
        // What merely begins alike.
        format!("http://127.0.0.1:{port}0/orders/7"),
        format!("http://127.0.0.1:{port}.other.test/orders/7"),
    ] {
        let Err(error) = stand.http.get(&url).send().await else {
            panic!("{url} was answered");
        };
        if let Some(error) = CallError::of(&error) {
            assert!(matches!(error, CallError::Elsewhere(_)), "{url}: {error}");
            assert!(!error.to_string().contains("/orders/7"), "{error}");
        } else {
            assert!(error.is_builder(), "{url}: {error}");
        }
    }
    assert_eq!(other.log.len(), 0);
    assert_eq!(stand.orders.log.len(), 0);
    assert_eq!(
        stand.countersign.counts().fetched,
        0,
        "no token was asked for"
    );
}

/// Wherever it leads: reqwest would take the proof along, and within an origin the token, too.
#[tokio::test]
async fn no_redirect_is_followed() {
    let stand = Stand::start(NonceMode::Off).await;
    let other = Scripted::start([]).await;
    // Whatever the builder was told.
    let http = stand
        .countersign
        .http(plain().redirect(reqwest::redirect::Policy::limited(5)))
        .server(stand.orders.as_server())
        .build()
        .unwrap();
    for to in [other.at("/"), stand.orders.at("/orders/7")] {
        let before = stand.orders.log.len();
        let answer = http
            .get(stand.orders.at("/moved"))
            .header("x-to", &to)
            .send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.headers()[LOCATION], to);
        assert_eq!(stand.orders.log.len(), before + 1);
    }
    assert_eq!(other.log.len(), 0);
}

/// Whatever the builder was told: below the middleware it would be the same proof.
#[tokio::test]
async fn nothing_is_repeated_below() {
    let stand = Stand::start(NonceMode::Off).await;
    let server = Scripted::start([(503, &[] as &[_])]).await;
    let platform = &stand.platform;
    let countersign = platform.caller("of", &server.url, &["all"]).await.unwrap();
    let again = reqwest::retry::for_host("127.0.0.1")
        .classify_fn(|answer| match answer.status() {
            Some(StatusCode::SERVICE_UNAVAILABLE) => answer.retryable(),
            _ => answer.success(),
        })
        .no_budget();
    let http = countersign
        .http(plain().retry(again))
        .server(HttpServer::at(&server.url))
        .build()
        .unwrap();
    let answer = http.get(server.at("/")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), server.log.len()), (503, 1));
}

#[tokio::test]
async fn each_server_gets_tokens_and_nonces_of_its_own() {
    let stand = Stand::start(NonceMode::Always).await;
    let platform = &stand.platform;
    let stock = Orders::start(platform, NonceMode::Always).await;
    platform
        .register_resource(&stock.url, &SCOPES)
        .await
        .unwrap();
    let mut both = service_client("both", &stand.orders.url, &SCOPES);
    both.permissions
        .extend(service_client("both", &stock.url, &SCOPES).permissions);
    let registered = platform.register(both).await.unwrap();
    let countersign = platform.client(&registered).connect().await.unwrap();
    let http = client_of(&countersign, [stand.orders.as_server(), stock.as_server()]);

    let mut tokens = Vec::new();
    for server in [&stand.orders, &stock] {
        for _ in 0..3 {
            let answer = http.get(server.at("/orders/7")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "both");
        }
        // A nonce is asked for once.
        let all = server.log.all();
        assert_eq!(all.len(), 4);
        tokens.push(all[0].one("authorization").to_owned());
        assert!(
            all.iter()
                .all(|one| one.one("authorization") == tokens.last().unwrap())
        );
    }
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(countersign.counts().fetched, 2);
}

/// Of two servers at one host, each has what is below its path.
#[tokio::test]
async fn the_longest_path_decides() {
    let stand = Stand::start(NonceMode::Off).await;
    let site = Scripted::start([]).await;
    let ledger = site.at("/ledger");
    let all = ["orders.read"];
    let platform = &stand.platform;
    for resource in [&site.url, &ledger] {
        platform.register_resource(resource, &all).await.unwrap();
    }
    let mut client = service_client("two", &site.url, &all);
    client
        .permissions
        .extend(service_client("two", &ledger, &all).permissions);
    let registered = platform.register(client).await.unwrap();
    let two = platform.client(&registered).connect().await.unwrap();
    let http = client_of(&two, [HttpServer::at(&site.url), HttpServer::at(&ledger)]);
    let mut sent = Vec::new();
    for path in ["/", "/ledger/1", "/ledgers", "/ledger", "/ledger/2"] {
        http.get(site.at(path)).send().await.unwrap();
        sent.push(site.log.last().one("authorization").to_owned());
    }
    let [root, one, ledgers, bare, another] = sent.try_into().unwrap();
    assert_ne!(root, one);
    assert_eq!(one, another);
    assert_eq!(root, ledgers);
    assert_eq!(root, bare);
}

#[tokio::test]
async fn what_is_wrong_with_servers_is_said() {
    let stand = Stand::start(NonceMode::Off).await;
    let http = || stand.countersign.http(plain());
    let error = http().build().unwrap_err();
    assert!(matches!(error, ConnectError::ServerMissing), "{error}");
    let same = |url: &str| HttpServer::at(url);
    let twice = http()
        .server(same("https://orders.example"))
        .server(same("HTTPS://Orders.Example:443/"));
    let error = twice.build().unwrap_err();
    assert!(matches!(error, ConnectError::ServerTwice { .. }), "{error}");
    for url in [
        "http://orders.example",
        "ftp://orders.example",
        "orders",
        "",
    ] {
        assert!(http().server(same(url)).build().is_err(), "{url:?}");
    }
    let error = http().server(same("http://orders.example")).build();
    assert!(matches!(error, Err(ConnectError::Plaintext { .. })));
}
