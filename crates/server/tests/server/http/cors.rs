//! Scripts of other origins.

use http::{Method, StatusCode};

use super::web::{AUTHORIZE, Ask, FORM, INTROSPECT, KEYS, METADATA, PAR, REVOKE, TOKEN, Web, raw};
use crate::harness::Service;

/// Where a browser takes a person's request.
const APP: &str = "https://app.example.com";

fn preflight(path: &str, origin: &str) -> Ask {
    let ask = Ask {
        method: Method::OPTIONS,
        ..Ask::get(path)
    };
    ask.header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "dpop,authorization,content-type",
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_configured_origins_see_the_answer_and_its_nonce() {
    let service = Service::start_cold(|config| {
        config.http.cors_origins = vec![APP.to_owned()];
    })
    .await;
    let web = Web::of(&service);
    for path in [TOKEN, PAR, REVOKE, METADATA, KEYS] {
        let allowed = web.send(preflight(path, APP)).await;
        assert_eq!(allowed.status, StatusCode::OK, "{path}");
        assert_eq!(
            allowed.header("access-control-allow-origin"),
            Some(APP),
            "{path}"
        );
        let headers = allowed
            .header("access-control-allow-headers")
            .expect("headers");
        assert!(headers.contains("dpop"), "{path}: {headers}");
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
        let other = web.send(preflight(path, "https://evil.example")).await;
        assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
    }
    let refused = web.send(Ask::post(TOKEN, &[]).header("origin", APP)).await;
    refused.check_error("no client", 401, "invalid_client");
    assert_eq!(refused.header("access-control-allow-origin"), Some(APP));
    let exposed = refused
        .header("access-control-expose-headers")
        .expect("some");
    assert!(exposed.contains("dpop-nonce"), "{exposed}");
    // A browser has no business there.
    let introspect = web.send(preflight(INTROSPECT, APP)).await;
    introspect.check_error("introspection", 405, "invalid_request");
}

/// A browser goes there itself; a script that may read tokens must not be able to walk a person
/// through it.
#[tokio::test(flavor = "multi_thread")]
async fn no_script_reads_what_a_browser_is_sent_to() {
    for origin in [APP, "*"] {
        let service = Service::start_cold(|config| {
            config.http.cors_origins = vec![origin.to_owned()];
            config.http.login_url = Some("https://login.example.com/enter".to_owned());
        })
        .await;
        let web = Web::of(&service);
        let known = web.send(Ask::get(KEYS).header("origin", APP)).await;
        assert_eq!(known.header("access-control-allow-origin"), Some(origin));
        for (what, ask) in [
            ("a preflight", preflight(AUTHORIZE, APP)),
            (
                "a request by GET",
                Ask::get(&format!("{AUTHORIZE}?client_id=x")).header("origin", APP),
            ),
            (
                "a request by POST",
                Ask::post(AUTHORIZE, &[("client_id", "x")]).header("origin", APP),
            ),
        ] {
            let answer = web.send(ask).await;
            assert!(answer.status.is_client_error(), "{what}: {answer:?}");
            let told = answer.headers.keys().map(|name| name.as_str());
            let allowed: Vec<_> = told
                .filter(|name| name.starts_with("access-control-"))
                .collect();
            assert_eq!(allowed, [""; 0], "{what}, {origin}");
        }
    }
}

/// A script must know that it is to wait, and how long; and what its browser asks beforehand is no
/// call of its own.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_read_what_is_refused_in_front_of_the_endpoints() {
    let service = Service::start_cold(|config| {
        config.http.cors_origins = vec![APP.to_owned()];
        config.limits.method_calls_per_sec = vec![("token".to_owned(), 1)];
        config.limits.in_flight_max = 1;
    })
    .await;
    let web = Web::of(&service);
    for _ in 0..10 {
        let allowed = web.send(preflight(TOKEN, APP)).await;
        assert_eq!(allowed.status, StatusCode::OK);
    }
    let ask = || Ask::post(TOKEN, &[]).header("origin", APP);
    web.send(ask())
        .await
        .check_error("the first", 401, "invalid_client");
    // A slow machine may ask less often than once a second.
    let limited = loop {
        let answer = web.send(ask()).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
    };
    let readable = |header: &str| {
        let readable = limited.header("access-control-expose-headers");
        readable.is_some_and(|headers| headers.contains(header))
    };
    assert!(limited.header("retry-after").is_some() && readable("retry-after"));
    assert_eq!(limited.header("access-control-allow-origin"), Some(APP));
    let allowed = web.send(preflight(TOKEN, APP)).await;
    assert_eq!(allowed.status, StatusCode::OK);

    // The only place is taken, and the rest of the request does not come.
    let head = format!(
        "POST /par HTTP/1.1\r\nHost: x\r\nOrigin: {APP}\r\nContent-Type: {FORM}\r\n\
         Content-Length: 9\r\n\r\na="
    );
    let shed = raw(&service, head.as_bytes(), 1).await;
    assert!(shed.starts_with("HTTP/1.1 503 "), "{shed}");
    let allows = format!("access-control-allow-origin: {APP}\r\n");
    assert!(shed.contains(&allows), "{shed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configuration_no_script_is_let_in() {
    let service = Service::start().await;
    let web = Web::of(&service);
    let answer = web.send(preflight(TOKEN, APP)).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let answer = web.send(Ask::get(KEYS).header("origin", APP)).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_may_be_let_in() {
    let service = Service::start_cold(|config| {
        config.http.cors_origins = vec!["*".to_owned()];
    })
    .await;
    let answer = Web::of(&service)
        .send(Ask::get(KEYS).header("origin", APP))
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}
