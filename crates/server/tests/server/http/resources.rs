//! What is too much: shares of clients, limits of endpoints, a stop.

use http::StatusCode;

use super::web::{Ask, HEALTH, KEYS, TOKEN, Web};
use crate::harness::{ORDERS, Service, service_client};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_has_had_its_share_says_when_to_come_back() {
    let service = Service::start_cold(|config| {
        config.limits.method_calls_per_sec = vec![("jwks".to_owned(), 1)];
    })
    .await;
    let web = Web::of(&service);
    let mut limited = None;
    for _ in 0..100 {
        let answer = web.get(KEYS).await;
        if answer.status != StatusCode::OK {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("one a second");
    limited.check_error("the second", 429, "temporarily_unavailable");
    let wait = limited.header("retry-after").expect("says when");
    assert!(wait.parse::<u64>().expect("seconds") >= 1, "{wait}");
    assert_eq!(
        web.get(HEALTH).await.status,
        StatusCode::OK,
        "nothing else is limited"
    );
}

/// Each is hashed: whoever gives them, from however many addresses, the processors are not theirs.
#[tokio::test(flavor = "multi_thread")]
async fn passwords_have_a_share_of_all_people_together() {
    let service = Service::start_cold(|config| {
        config.login.serve = true;
        config.limits.method_calls_per_sec = vec![("password".to_owned(), 1)];
    })
    .await;
    let web = Web::of(&service);
    let mut limited = None;
    for _ in 0..100 {
        let answer = web.send(Ask::post("/login/password", &[])).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("one a second");
    assert_eq!(
        limited.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(limited.header("retry-after").is_some());
    assert_eq!(
        web.get("/login").await.status,
        StatusCode::OK,
        "nothing else is limited"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_had_its_share_says_when_to_come_back() {
    let service = Service::start_with(|config| config.limits.client_calls_per_sec = 1).await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let web = Web::of(&service);
    let ask = || {
        Ask::post(TOKEN, &[("grant_type", "client_credentials")])
            .basic(&client)
            .proven(&service, &Key::new())
    };
    let mut limited = None;
    for _ in 0..100 {
        let answer = web.send(ask()).await;
        if answer.status != StatusCode::OK {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("one a second");
    limited.check_error("one more", 429, "temporarily_unavailable");
    assert!(limited.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_limited_for_one_protocol_is_not_for_the_other() {
    let service = Service::start_cold(|config| {
        config.limits.method_calls_per_sec = vec![("ListKeys".to_owned(), 1)];
    })
    .await;
    let web = Web::of(&service);
    for _ in 0..10 {
        assert_eq!(web.get(KEYS).await.status, StatusCode::OK);
    }
}
