//! Device authorization over HTTP (RFC 8628): asked for, polled, and attacked. What a person does is
//! the login application's affair, over gRPC.

use std::time::Duration;

use countersign::admin::v1::AuthenticationMethod;
use http::StatusCode;
use serde_json::Value;

use super::flow::refresh;
use super::web::{Answer, Ask, DEVICE, PAR, Speaks, TOKEN, Web};
use crate::comes::Comes;
use crate::devices::{approve_by, begin, decline_by, device_client, poll, television};
use crate::flow::with_login;
use crate::harness::{Client, ISSUE, ORDERS, Service, person_client};
use crate::proof::Key;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a device asks for, by its name alone.
fn asks(client: &Client) -> Ask {
    let id = ("client_id", client.id.as_str());
    let what = [id, ("scope", "orders.read"), ("resource", ORDERS)];
    Ask::post(DEVICE, &what)
}

fn polls(client: &Client, device_code: &str) -> Ask {
    Ask::post(
        TOKEN,
        &[
            ("grant_type", DEVICE_CODE),
            ("client_id", &client.id),
            ("device_code", device_code),
        ],
    )
}

async fn begun(service: &Service, web: &Web, client: &Client, key: &Key) -> Answer {
    let answer = web.send(asks(client).proven(service, key)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_a_device_in() {
    let (service, login, tv) = television().await;
    for speaks in [Speaks::One, Speaks::Two] {
        let web = Web::speaking(&service, speaks);
        let key = Key::new();
        let waits = begun(&service, &web, &tv, &key).await;
        assert_eq!(waits.header("content-type"), Some("application/json"));
        assert_eq!(waits.header("cache-control"), Some("no-store"));
        let said = waits.json();
        let (code, user_code) = (waits.text("device_code"), waits.text("user_code"));
        assert!(code.starts_with("csd_"), "{said}");
        let page = format!("{}/device", service.issuer());
        assert_eq!(said["verification_uri"], page);
        assert_eq!(
            said["verification_uri_complete"],
            format!("{page}?user_code={user_code}")
        );
        assert_eq!(said["expires_in"], 600);
        assert_eq!(said["interval"], 5);
        assert_eq!(said.as_object().map(serde_json::Map::len), Some(6));

        let ask = || polls(&tv, &code).proven(&service, &key);
        for (what, expected, wait) in [
            ("nobody decided", Comes::Pending(5), "5"),
            ("too soon", Comes::SlowDown(10), "10"),
        ] {
            let answer = web.send(ask()).await;
            answer.check(what, expected);
            assert_eq!(answer.header("retry-after"), Some(wait), "{what}");
        }
        approve_by(&service, &login, &user_code).await;
        let issued = web.send(ask()).await;
        assert_eq!(issued.status, StatusCode::OK, "{issued:?}");
        assert_eq!(issued.header("cache-control"), Some("no-store"));
        let said = issued.json();
        assert_eq!(said["token_type"], "DPoP");
        assert_eq!(said["scope"], "orders.read");
        let token = issued.text("refresh_token");
        let mut next = refresh(&token);
        next.body.extend_from_slice(b"&client_id=tv");
        let next = web.send(next.proven(&service, &key)).await;
        next.check("its refresh token", Comes::Ok);
        web.send(ask()).await.check("used twice", Comes::G);
    }
}

/// One request, both protocols.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_by_one_protocol_ends_by_the_other() {
    let (service, login, tv) = television().await;
    let web = Web::of(&service);
    let key = Key::new();
    let by_grpc = begin(&service, &tv, &key).await;
    approve_by(&service, &login, &by_grpc.user_code).await;
    let ask = polls(&tv, &by_grpc.device_code).proven(&service, &key);
    web.send(ask).await.check("begun over gRPC", Comes::Ok);

    let by_http = begun(&service, &web, &tv, &key).await;
    approve_by(&service, &login, &by_http.text("user_code")).await;
    let issued = poll(&service, &tv, &key, &by_http.text("device_code")).await;
    assert!(issued.is_ok(), "begun over HTTP: {issued:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_right_are_not_taken() {
    let (service, login, tv) = television().await;
    let set = service
        .add(device_client("set", AuthenticationMethod::ClientSecret))
        .await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let web = Web::of(&service);
    let key = Key::new();
    let with = |more: &[(&str, &str)]| Ask::post(DEVICE, more).basic(&set);
    let many = vec!["orders.read"; 101].join(" ");
    let nine: Vec<_> = (0..9).map(|_| ("resource", ORDERS)).collect();
    let proof = service.proof(&key, DEVICE);
    for (what, ask, expected) in [
        ("all that it may have", with(&[]), Comes::Ok),
        ("by its name alone", asks(&tv), Comes::Ok),
        (
            "no credential of a client that has one",
            asks(&set),
            Comes::C,
        ),
        ("nobody", Ask::post(DEVICE, &[]), Comes::C),
        (
            "two methods",
            with(&[("client_id", "set"), ("client_secret", "x")]),
            Comes::R("body"),
        ),
        ("unknown scope", with(&[("scope", "admin")]), Comes::Scope),
        (
            "unknown resource",
            with(&[("resource", "https://elsewhere.example.com")]),
            Comes::Target,
        ),
        (
            "details of a type that it may not ask for",
            with(&[("authorization_details", r#"[{"type":"parcel"}]"#)]),
            Comes::Details,
        ),
        ("101 scopes", with(&[("scope", &many)]), Comes::R("scope")),
        ("9 resources", with(&nine), Comes::R("resource")),
        (
            "a parameter twice",
            with(&[("scope", "orders.read"), ("scope", "orders.read")]),
            Comes::R("body"),
        ),
        (
            "in the query",
            Ask {
                path: format!("{DEVICE}?client_id=tv"),
                ..asks(&tv)
            },
            Comes::R("query"),
        ),
        (
            "for codes only",
            Ask::post(DEVICE, &[]).basic(&shop),
            Comes::NotAllowed,
        ),
        (
            "for itself only",
            Ask::post(DEVICE, &[]).basic(&login),
            Comes::NotAllowed,
        ),
        (
            "a proof",
            asks(&tv).header("dpop", proof.clone()),
            Comes::Ok,
        ),
        (
            "the same proof again",
            asks(&tv).header("dpop", proof.clone()),
            Comes::Replayed,
        ),
        (
            "a proof for another endpoint",
            asks(&tv).header("dpop", service.proof(&key, PAR)),
            Comes::P,
        ),
        (
            "a proof for gRPC",
            asks(&tv).header("dpop", service.proof(&key, ISSUE)),
            Comes::P,
        ),
        (
            "two proofs",
            asks(&tv)
                .header("dpop", service.proof(&key, DEVICE))
                .header("dpop", service.proof(&key, DEVICE)),
            Comes::P,
        ),
        (
            "garbage for a proof",
            asks(&tv).header("dpop", "x"),
            Comes::P,
        ),
    ] {
        web.send(ask).await.check(what, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_good_for_its_client_with_its_key() {
    let (service, login, tv) = television().await;
    let other = service
        .add(device_client("other", AuthenticationMethod::None))
        .await;
    let web = Web::of(&service);
    let key = Key::new();
    let waits = begun(&service, &web, &tv, &key).await;
    let code = waits.text("device_code");
    let (cut, as_code) = (&code[..code.len() - 1], code.replace("csd_", "csc_"));
    let wider = |ask: Ask| Ask {
        body: [&ask.body[..], b"&scope=orders.write"].concat(),
        ..ask
    };
    for approved in [false, true] {
        if approved {
            approve_by(&service, &login, &waits.text("user_code")).await;
        }
        let by = |client: &Client, key: &Key, code: &str| polls(client, code).proven(&service, key);
        for (what, ask, expected) in [
            ("another client", by(&other, &key, &code), Comes::G),
            ("another key", by(&tv, &Key::new(), &code), Comes::G),
            ("cut short", by(&tv, &key, cut), Comes::G),
            ("garbage", by(&tv, &key, "csd_AAAA"), Comes::G),
            ("a code", by(&tv, &key, &as_code), Comes::G),
            ("none", by(&tv, &key, ""), Comes::R("device_code")),
            ("no proof", polls(&tv, &code), Comes::P),
        ] {
            web.send(ask).await.check(what, expected);
        }
    }
    let ask = wider(polls(&tv, &code)).proven(&service, &key);
    web.send(ask)
        .await
        .check("more than was asked", Comes::Scope);
    let ask = polls(&tv, &code).proven(&service, &key);
    web.send(ask).await.check("whose it is", Comes::Ok);
}

/// Who brought no proof to begin with has its tokens bound to the key that it redeems with.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_proves_no_key_at_first_proves_one_for_its_tokens() {
    let (service, login, tv) = television().await;
    let web = Web::of(&service);
    let waits = web.send(asks(&tv)).await;
    assert_eq!(waits.status, StatusCode::OK, "{waits:?}");
    approve_by(&service, &login, &waits.text("user_code")).await;
    let code = waits.text("device_code");
    web.send(polls(&tv, &code)).await.check("no key", Comes::P);
    let key = Key::new();
    let issued = web.send(polls(&tv, &code).proven(&service, &key)).await;
    issued.check("a key", Comes::Ok);
    let payload = issued.text("access_token");
    let payload = payload.split('.').nth(1).expect("a JWT");
    let claims = countersign_jose::base64url::decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    assert_eq!(claims["cnf"]["jkt"], key.jkt().to_string());
    assert_eq!(claims["sub"], "ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_ends_denied_or_expired() {
    let (service, login, tv) = television().await;
    let web = Web::of(&service);
    let key = Key::new();
    let denied = begun(&service, &web, &tv, &key).await;
    decline_by(&service, &login, &denied.text("user_code")).await;
    let waiting = begun(&service, &web, &tv, &key).await;
    let ask = |begun: &Answer| polls(&tv, &begun.text("device_code")).proven(&service, &key);
    web.send(ask(&denied))
        .await
        .check("declined", Comes::Denied);
    service.clock.advance(Duration::from_secs(599));
    let late = web.send(ask(&waiting)).await;
    late.check("a second before its end", Comes::Pending(5));
    service.clock.advance(Duration::from_secs(1));
    web.send(ask(&waiting)).await.check("ended", Comes::Expired);
}

/// RFC 9449 §8: a challenge at the endpoint of devices, and one retry.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_asked_for_and_taken() {
    let (mut service, _, tv) = television().await;
    service.restart().await;
    let web = Web::of(&service);
    let key = Key::new();
    let challenged = web.send(asks(&tv).proven(&service, &key)).await;
    challenged.check("without a nonce", Comes::N);
    let nonce = challenged.header("dpop-nonce").expect("a nonce");
    let proof = key.mint(&service.htu(DEVICE), service.now(), Some(nonce));
    let answer = web.send(asks(&tv).header("dpop", proof)).await;
    answer.check("with it", Comes::Ok);
}

/// A store in which no client is registered for devices serves none.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_who_is_not_registered_for_it() {
    let (service, _) = with_login().await;
    let app = service
        .add(person_client("app", AuthenticationMethod::None))
        .await;
    let web = Web::of(&service);
    let key = Key::new();
    let ask = asks(&app).proven(&service, &key);
    web.send(ask).await.check("for codes", Comes::NotAllowed);
    // The same answer as for a client that there is not: its name is not shown to be one.
    let unknown = Ask::post(DEVICE, &[("client_id", "nobody")]).proven(&service, &key);
    web.send(unknown).await.check("unknown", Comes::C);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_short_address_leads_to_the_page_and_is_kept_by_nobody() {
    let service = Service::start_cold(|config| config.login.serve = true).await;
    let web = Web::of(&service);
    for (path, expected) in [
        ("/device", "/login/device"),
        (
            "/device?user_code=BCDF-GHJK",
            "/login/device?user_code=BCDF-GHJK",
        ),
    ] {
        let answer = web.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), Some(&*service.htu(expected)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}
