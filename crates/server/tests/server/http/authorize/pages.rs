//! What must not be sent anywhere is shown as a page.

use super::super::web::{Ask, FORM, HEALTH, KEYS, Web, form, raw};
use super::browser::{AUTHORIZE, World, borrowed, check_page, interaction, plain};
use crate::flow::pkce;
use crate::harness::{CALLBACK, Service};
use countersign::admin::v1::AuthenticationMethod;
use http::Method;

use crate::harness::person_client;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_where_the_client_is_not() {
    let world = World::new().await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let good = plain(&world.shop, &challenge);
    let with = |name: &'static str, value: &str| {
        let mut changed = good.clone();
        changed.retain(|(other, _)| *other != name);
        changed.push((name, value.to_owned()));
        form(&borrowed(&changed))
    };
    let without = |name: &str| {
        let mut changed = good.clone();
        changed.retain(|(other, _)| *other != name);
        form(&borrowed(&changed))
    };
    let all = form(&borrowed(&good));
    for (what, query, says) in [
        (
            "no client",
            without("client_id"),
            "client_id: must not be empty",
        ),
        (
            "an unknown client",
            with("client_id", "nobody"),
            "client_id: must name",
        ),
        (
            "no name",
            with("client_id", "<script>"),
            "client_id: must be",
        ),
        (
            "no redirect URI",
            without("redirect_uri"),
            "redirect_uri: must not",
        ),
        (
            "elsewhere",
            with("redirect_uri", "https://evil.example/cb"),
            "redirect_uri: must be a redirect URI",
        ),
        (
            "deeper",
            with("redirect_uri", &format!("{CALLBACK}/x")),
            "redirect_uri: must be a redirect URI",
        ),
        (
            "with a query",
            with("redirect_uri", &format!("{CALLBACK}?x=1")),
            "redirect_uri: must be a redirect URI",
        ),
        (
            "a script",
            with("redirect_uri", "javascript:alert(1)"),
            "redirect_uri: must be an absolute",
        ),
        (
            "user information",
            with(
                "redirect_uri",
                "https://shop.example.com@evil.example/callback",
            ),
            "redirect_uri: must be",
        ),
        // Also where something else is wrong as well.
        (
            "elsewhere, of another type",
            with("redirect_uri", "https://evil.example/cb") + "&response_mode=form_post",
            "redirect_uri: must be a redirect URI",
        ),
        (
            "twice",
            format!("{all}&state=s-2"),
            "query: must not have a parameter twice",
        ),
        (
            "twice, the redirect URI",
            format!("{all}&redirect_uri=https%3A%2F%2Fevil.example"),
            "must not have a parameter twice",
        ),
        (
            "broken",
            format!("{all}&x=%zz"),
            "query: must be UTF-8, percent-encoded",
        ),
        ("nothing", String::new(), "client_id: must not be empty"),
    ] {
        let answer = browser.open(&format!("{AUTHORIZE}?{query}")).await;
        check_page(what, &answer, 400, says);
    }
    let cut = Ask::post(AUTHORIZE, &borrowed(&good));
    let json = Ask {
        headers: vec![("content-type", "application/json".to_owned())],
        ..cut
    };
    check_page(
        "no form",
        &browser.send(json).await,
        415,
        "application/x-www-form",
    );
    let mut put = Ask::post(AUTHORIZE, &borrowed(&good));
    put.method = Method::PUT;
    check_page("another method", &browser.send(put).await, 405, "methods");
    assert!(browser.jar.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_uri_is_brought_once_by_its_client_in_its_time() {
    let world = World::new().await;
    let other = world
        .service
        .add(person_client("other", AuthenticationMethod::None))
        .await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let uri = world.push(&world.shop, &challenge).await;
    let not_waiting = "request_uri: must be a request_uri that waits";
    let bring = |client: &str, uri: &str| form(&[("client_id", client), ("request_uri", uri)]);
    let flipped = {
        let last = if uri.ends_with('A') { 'E' } else { 'A' };
        format!("{}{last}", &uri[..uri.len() - 1])
    };
    for (what, query, says) in [
        ("another client's", bring(&other.id, &uri), not_waiting),
        (
            "an unknown client's",
            bring("nobody", &uri),
            "client_id: must name",
        ),
        (
            "nobody's",
            form(&[("request_uri", uri.as_str())]),
            "client_id: must not",
        ),
        ("changed", bring("shop", &flipped), not_waiting),
        (
            "garbage",
            bring("shop", "urn:ietf:params:oauth:request_uri:csp_x"),
            not_waiting,
        ),
        (
            "somewhere to fetch from",
            bring("shop", "https://evil.example/r.jwt"),
            not_waiting,
        ),
        (
            "with a request object",
            bring("shop", &uri) + "&request=e30.e30.",
            "request: must be absent",
        ),
    ] {
        let answer = browser.open(&format!("{AUTHORIZE}?{query}")).await;
        check_page(what, &answer, 400, says);
    }
    // Looking at it first uses nothing up.
    let path = format!("{AUTHORIZE}?{}", bring("shop", &uri));
    let head = Ask {
        method: Method::HEAD,
        ..Ask::get(&path)
    };
    assert_eq!(browser.send(head).await.status, 405);
    let handle = interaction(&browser.open(&path).await);
    check_page("again", &browser.open(&path).await, 400, not_waiting);
    let mut second = world.browser();
    check_page("by another", &second.open(&path).await, 400, not_waiting);
    // The handle is no request_uri here, and a way back is none either.
    let as_uri = format!("{AUTHORIZE}?{}", bring("shop", &handle));
    check_page("a handle", &browser.open(&as_uri).await, 400, not_waiting);

    let uri = world.push(&world.shop, &challenge).await;
    let path = format!("{AUTHORIZE}?{}", bring("shop", &uri));
    world
        .service
        .clock
        .advance(std::time::Duration::from_secs(600));
    check_page("expired", &browser.open(&path).await, 400, not_waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_told_those_that_there_are() {
    let world = World::new().await;
    let mut browser = world.browser();
    for method in [Method::HEAD, Method::PUT, Method::OPTIONS, Method::DELETE] {
        let ask = Ask {
            method: method.clone(),
            ..Ask::get(AUTHORIZE)
        };
        let answer = browser.send(ask).await;
        assert_eq!(answer.status, 405, "{method}");
        // RFC 9110 §15.5.6.
        assert_eq!(answer.header("allow"), Some("GET, POST"), "{method}");
    }
}

/// Where a person is, nobody answers with JSON: not what sheds, and not what gives up, either.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_in_front_of_a_page_is_a_page() {
    let service = Service::start_cold(|config| {
        config.login.serve = true;
        config.limits.method_calls_per_sec = vec![("authorize".to_owned(), 1)];
    })
    .await;
    let web = Web::of(&service);
    // A slow machine may ask less often than once a second.
    let limited = loop {
        let answer = web.get(AUTHORIZE).await;
        if answer.status == 429 {
            break answer;
        }
    };
    check_page("limited", &limited, 429, "too many calls");
    assert!(limited.header("retry-after").is_some());
    // What a caller gives as its time has passed. Nothing is limited here.
    let service = Service::start_cold(|config| config.login.serve = true).await;
    let web = Web::of(&service);
    for path in [AUTHORIZE, "/login", "/login/password", "/device"] {
        let answer = web.send(Ask::get(path).header("grpc-timeout", "0m")).await;
        check_page(path, &answer, 503, "the deadline had passed");
    }
    let json = web.send(Ask::get("/jwks").header("grpc-timeout", "0m"));
    json.await
        .check_error("keys", 503, "temporarily_unavailable");
    // The only place is taken, and the rest of the form does not come.
    let service = Service::start_cold(|config| {
        config.login.serve = true;
        config.limits.in_flight_max = 1;
    })
    .await;
    let head = format!(
        "POST {AUTHORIZE} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\
         Content-Length: 9\r\n\r\na="
    );
    let shed = raw(&service, head.as_bytes(), 1).await;
    assert!(shed.starts_with("HTTP/1.1 503 "), "{shed}");
    for part in [
        "content-type: text/html",
        "content-security-policy: default-src 'none'",
        "x-frame-options: DENY",
        "retry-after: ",
        "This does not work right now",
    ] {
        assert!(shed.contains(part), "{part}: {shed}");
    }
}

/// RFC 6797: who was here by https does not come otherwise again. It goes for refusals, too.
#[tokio::test(flavor = "multi_thread")]
async fn where_people_come_by_https_they_never_come_otherwise() {
    let year = Some("max-age=31536000");
    for (issuer, path, expected) in [
        ("https://tokens.example.com", "", year),
        ("https://tokens.example.com/a", "/a", year),
        ("http://localhost:7443", "", None),
        // Everybody's who develops there.
        ("https://localhost:7443", "", None),
    ] {
        let service = Service::start_cold(|config| {
            config.issuer = Some(issuer.to_owned());
            config.login.serve = true;
        })
        .await;
        let web = Web::of(&service);
        for page in [
            AUTHORIZE,
            "/login",
            "/login/account",
            "/login/style.css",
            "/login/none",
            "/device",
        ] {
            let late = Ask::get(page).header("grpc-timeout", "0m");
            let posted = Ask::post(page, &[]);
            for mut ask in [Ask::get(page), late, posted] {
                ask.path.insert_str(0, path);
                let answer = web.send(ask).await;
                let strict = answer.header("strict-transport-security");
                assert_eq!(strict, expected, "{issuer}{page}");
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            }
        }
        // Where no browser goes by itself it is not said.
        for endpoint in [KEYS, HEALTH] {
            let answer = web.get(&format!("{path}{endpoint}")).await;
            assert_eq!(answer.status, 200, "{issuer}{endpoint}");
            let strict = answer.header("strict-transport-security");
            assert_eq!(strict, None, "{issuer}{endpoint}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_codes_are_typed_another_method_gets_a_page() {
    let service = Service::start_cold(|config| config.login.serve = true).await;
    let web = Web::of(&service);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let ask = Ask {
            method: method.clone(),
            ..Ask::post("/device", &[("user_code", "BCDF-GHJK")])
        };
        let answer = web.send(ask).await;
        check_page(
            method.as_str(),
            &answer,
            405,
            "the methods that Allow lists",
        );
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method}");
    }
}
