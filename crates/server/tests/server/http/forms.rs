//! Bodies that are no form, or say a thing twice; the service goes on.

use std::time::{Duration, Instant};

use http::Method;

use super::web::{Ask, FORM, PAR, Speaks, TOKEN, Web, form, raw};
use crate::comes::Comes;
use crate::harness::{Client, ORDERS, Service, service_client};
use crate::proof::Key;

/// How long the rest of a request is waited for.
const BODY_DUE: Duration = Duration::from_secs(5);

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_is_refused_and_the_service_goes_on() {
    let (service, client) = service().await;
    let right = form(&[("grant_type", "client_credentials")]);
    for speaks in [Speaks::One, Speaks::Two] {
        let web = Web::speaking(&service, speaks);
        let ask = |body: &[u8], media_type: Option<&str>, path: &str| {
            let ask = Ask {
                method: Method::POST,
                path: path.to_owned(),
                headers: Vec::new(),
                body: body.to_vec(),
            };
            let ask = match media_type {
                Some(media_type) => ask.header("content-type", media_type),
                None => ask,
            };
            let proof = service.proof(&Key::new(), TOKEN);
            ask.header("dpop", proof).basic(&client)
        };
        let body = right.as_bytes();
        for (what, ask, status) in [
            ("no content type", ask(body, None, TOKEN), 415),
            ("JSON", ask(b"{}", Some("application/json"), TOKEN), 415),
            (
                "multipart",
                ask(body, Some("multipart/form-data; boundary=x"), TOKEN),
                415,
            ),
            (
                "gRPC's",
                ask(body, Some("application/grpc-web"), TOKEN),
                415,
            ),
            (
                "another charset",
                ask(body, Some(&format!("{FORM}; charset=utf-16")), TOKEN),
                415,
            ),
            (
                "an encoding",
                ask(body, Some(FORM), TOKEN).header("content-encoding", "gzip"),
                415,
            ),
            (
                "64 KiB and one",
                ask(&vec![b'a'; 64 * 1024 + 1], Some(FORM), TOKEN),
                413,
            ),
            (
                "1 MiB",
                ask(&vec![b'a'; 1024 * 1024], Some(FORM), TOKEN),
                413,
            ),
        ] {
            let answer = web.send(ask).await;
            answer.check_error(&format!("{what}, {speaks:?}"), status, "invalid_request");
        }
        let joined = |more: &str| format!("{right}&{more}").into_bytes();
        for (what, body, path, field) in [
            (
                "twice",
                joined("grant_type=client_credentials"),
                TOKEN,
                "body",
            ),
            ("twice, once empty", joined("grant_type="), TOKEN, "body"),
            (
                "twice, once encoded",
                joined("gr%61nt_type=x"),
                TOKEN,
                "body",
            ),
            (
                "scope twice",
                joined("scope=orders.read&scope=orders.read"),
                TOKEN,
                "body",
            ),
            ("unknown, twice", joined("x=1&x=2"), TOKEN, "body"),
            ("half a percent-encoding", joined("x=%4"), TOKEN, "body"),
            ("no percent-encoding", joined("x=%zz"), TOKEN, "body"),
            ("not UTF-8", joined("x=%ff"), TOKEN, "body"),
            (
                "not UTF-8, plainly",
                [joined("x="), vec![0xff]].concat(),
                TOKEN,
                "body",
            ),
            ("NUL", joined("x=%00"), TOKEN, "body"),
            ("a query", right.clone().into_bytes(), "/token?x=1", "query"),
            (
                "an empty query",
                right.clone().into_bytes(),
                "/token?",
                "query",
            ),
            ("no grant type", b"x=1".to_vec(), TOKEN, "grant_type"),
            ("nothing", Vec::new(), TOKEN, "grant_type"),
        ] {
            let answer = web.send(ask(&body, Some(FORM), path)).await;
            answer.check(&format!("{what}, {speaks:?}"), Comes::R(field));
        }
        let unknown = form(&[
            ("grant_type", "password"),
            ("username", "ann"),
            ("password", "x"),
        ]);
        let answer = web.send(ask(unknown.as_bytes(), Some(FORM), TOKEN)).await;
        answer.check("the password grant", Comes::GrantType);
        let answer = web
            .send(ask(
                body,
                Some("application/x-www-form-urlencoded; charset=UTF-8"),
                TOKEN,
            ))
            .await;
        answer.check("a right one after all that", Comes::Ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_and_resources_are_those_of_grpc() {
    let (service, client) = service().await;
    let web = Web::of(&service);
    let long = "a ".repeat(10_000);
    for (what, parameters, expected) in [
        ("a scope", vec![("scope", "orders.read")], Comes::Ok),
        // RFC 6749 §3.2.
        (
            "parameters that nobody knows",
            vec![("ui_locales", "de"), ("audience", ORDERS)],
            Comes::Ok,
        ),
        ("one without a value", vec![("scope", "")], Comes::Ok),
        ("spaces", vec![("scope", " orders.read  ")], Comes::Ok),
        (
            "not its scope",
            vec![("scope", "orders.write")],
            Comes::Scope,
        ),
        ("not a scope", vec![("scope", "orders\\read")], Comes::Scope),
        (
            "too many",
            vec![("scope", long.as_str())],
            Comes::R("scope"),
        ),
        ("a resource", vec![("resource", ORDERS)], Comes::Ok),
        (
            "not registered",
            vec![("resource", "https://x.example")],
            Comes::Target,
        ),
        (
            "a fragment",
            vec![("resource", "https://x.example#a")],
            Comes::Target,
        ),
        ("relative", vec![("resource", "/orders")], Comes::Target),
        (
            "two resources",
            vec![("resource", ORDERS), ("resource", "https://x.example")],
            Comes::Target,
        ),
    ] {
        let grant = [("grant_type", "client_credentials")];
        let ask = Ask::post(TOKEN, &[&grant[..], &parameters].concat());
        let ask = ask.basic(&client).proven(&service, &Key::new());
        web.send(ask).await.check(what, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_checked() {
    let service = Service::start().await;
    service.add_orders().await;
    let method = countersign::admin::v1::AuthenticationMethod::ClientSecret;
    let shop = service
        .add(crate::harness::person_client("shop", method))
        .await;
    let web = Web::of(&service);
    let right = [
        ("response_type", "code"),
        ("redirect_uri", crate::harness::CALLBACK),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ];
    let with = |name: &'static str, value: &'static str| {
        let others = right.iter().copied().filter(|(other, _)| *other != name);
        others.chain([(name, value)]).collect::<Vec<_>>()
    };
    for (what, parameters, expected) in [
        ("right", right.to_vec(), Comes::Ok),
        (
            "no response type",
            with("response_type", ""),
            Comes::R("response_type"),
        ),
        (
            "plain",
            with("code_challenge_method", "plain"),
            Comes::R("code_challenge_method"),
        ),
        (
            "no method",
            with("code_challenge_method", ""),
            Comes::R("code_challenge_method"),
        ),
        (
            "no challenge",
            with("code_challenge", ""),
            Comes::R("code_challenge"),
        ),
        (
            "another redirect URI",
            with("redirect_uri", "https://evil.example/"),
            Comes::R("redirect_uri"),
        ),
        (
            "a request_uri inside",
            with("request_uri", "urn:x"),
            Comes::R("request_uri"),
        ),
        (
            "a request object",
            with("request", "x.y.z"),
            Comes::R("request"),
        ),
    ] {
        let answer = web.send(Ask::post(PAR, &parameters).basic(&shop)).await;
        answer.check(what, expected);
    }
    let implicit = Ask::post(PAR, &with("response_type", "token")).basic(&shop);
    web.send(implicit)
        .await
        .check_error("implicit", 400, "unsupported_response_type");
}

/// Before any of it is there, and without asking for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_says_that_it_is_too_long_is_refused_by_what_it_says() {
    let service = Service::start().await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let head = format!(
            "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{expect}\
             Content-Length: 10000000\r\n\r\n"
        );
        let begun = Instant::now();
        let answer = raw(&service, head.as_bytes(), 1).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(begun.elapsed() < BODY_DUE, "it waited for the rest");
    }
}

/// What a person reads who has to find out what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn descriptions_say_what_would_be_right() {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let web = Web::of(&service);
    let grant = ("grant_type", "client_credentials");
    for (what, ask, proven, expected) in [
        (
            "no proof",
            Ask::post(TOKEN, &[grant]),
            false,
            "a DPoP proof must be there",
        ),
        (
            "another grant",
            Ask::post(TOKEN, &[("grant_type", "password")]),
            true,
            "grant_type: must be one of authorization_code, client_credentials, refresh_token, \
             urn:ietf:params:oauth:grant-type:device_code",
        ),
        (
            "a scope with a quotation mark",
            Ask::post(TOKEN, &[grant, ("scope", "a\"b")]),
            true,
            "scope: must be 1 to 128 printable ASCII characters other than space, quotation mark and \
             backslash",
        ),
    ] {
        let ask = match proven {
            true => ask.proven(&service, &Key::new()),
            false => ask,
        };
        let answer = web.send(ask.basic(&client)).await;
        assert_eq!(answer.text("error_description"), expected, "{what}");
    }
}
