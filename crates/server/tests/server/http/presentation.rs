//! Attacks on proofs and grants: what fails over gRPC fails here.

use std::time::Duration;

use countersign::admin::v1::AuthenticationMethod;
use http::StatusCode;

use super::flow::{redeem, refresh, signed_in};
use super::web::{Ask, REVOKE, TOKEN, Web};
use crate::comes::Comes;
use crate::flow::{approved, pkce, push_request, with_login};
use crate::harness::{Client, ISSUE, ORDERS, Service, inner, person_client, service_client};
use crate::proof::Key;

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

fn ask(client: &Client) -> Ask {
    Ask::post(TOKEN, &[("grant_type", "client_credentials")]).basic(client)
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_are_not_exactly_one_right_proof_are_refused() {
    let (service, client) = service().await;
    let web = Web::of(&service);
    let key = Key::new();
    let right = || service.proof(&key, TOKEN);
    let draft = || service.draft(&key, TOKEN);
    let spent = right();
    let now = service.now().as_secs();
    for (what, fields, expected) in [
        ("no proof", vec![], Comes::P),
        ("one", vec![("dpop", spent.clone())], Comes::Ok),
        (
            "the same again",
            vec![("dpop", spent.clone())],
            Comes::Replayed,
        ),
        ("two", vec![("dpop", right()), ("dpop", right())], Comes::P),
        (
            "two by a comma",
            vec![("dpop", format!("{},{}", right(), right()))],
            Comes::P,
        ),
        ("only dpop-bin", vec![("dpop-bin", right())], Comes::P),
        (
            "with dpop-bin",
            vec![("dpop", right()), ("dpop-bin", right())],
            Comes::P,
        ),
        ("over 4 KiB", vec![("dpop", "A".repeat(4097))], Comes::P),
        (
            "htm GET",
            vec![("dpop", draft().claim("htm", "GET").sign(&key))],
            Comes::P,
        ),
        (
            "for another endpoint",
            vec![("dpop", service.proof(&key, REVOKE))],
            Comes::P,
        ),
        (
            "for gRPC",
            vec![("dpop", service.proof(&key, ISSUE))],
            Comes::P,
        ),
        (
            "for the address listened on",
            vec![(
                "dpop",
                draft()
                    .claim("htu", format!("{}{TOKEN}", service.running().url()))
                    .sign(&key),
            )],
            Comes::P,
        ),
        (
            "too old",
            vec![("dpop", draft().claim("iat", now - 61).sign(&key))],
            Comes::N,
        ),
        (
            "61 s ahead",
            vec![("dpop", draft().claim("iat", now + 61).sign(&key))],
            Comes::P,
        ),
        (
            "a nonce of nobody",
            vec![("dpop", draft().claim("nonce", "x").sign(&key))],
            Comes::N,
        ),
    ] {
        let mut ask = ask(&client);
        for (name, value) in fields {
            ask = ask.header(name, value);
        }
        web.send(ask).await.check(what, expected);
    }
}

/// RFC 9449 §8: one challenge, one retry.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_asked_for_and_taken() {
    let mut service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    // A cold start.
    service.restart().await;
    let web = Web::of(&service);
    let key = Key::new();
    let challenged = web.send(ask(&client).proven(&service, &key)).await;
    challenged.check("without a nonce", Comes::N);
    let nonce = challenged.header("dpop-nonce").expect("a nonce").to_owned();
    let proof = || key.mint(&service.htu(TOKEN), service.now(), Some(&nonce));
    let answer = web.send(ask(&client).header("dpop", proof())).await;
    answer.check("with it", Comes::Ok);
    assert_eq!(
        answer.header("dpop-nonce"),
        None,
        "it is still good for long"
    );
    // Ahead of its end, a success brings the next.
    let mut next = None;
    for _ in 0..60 {
        service.clock.advance(Duration::from_secs(5));
        let answer = web.send(ask(&client).header("dpop", proof())).await;
        if answer.status != StatusCode::OK {
            break;
        }
        if let Some(nonce) = answer.header("dpop-nonce") {
            next = Some(nonce.to_owned());
            break;
        }
    }
    assert_ne!(next.expect("handed out with a success"), nonce);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_refresh_tokens_are_worth_what_they_are_over_grpc() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let web = Web::of(&service);
    let key = Key::new();
    let lodge = async || {
        let (verifier, challenge) = pkce();
        let lodged = service
            .authorizations()
            .await
            .push_authorization(push_request(&shop, &challenge))
            .await;
        let uri = inner(lodged).expect("lodged").request_uri;
        (approved(&service, &login, &uri).await, verifier)
    };
    // Lodged over gRPC, redeemed here.
    let (code, verifier) = lodge().await;
    let by = |code: &str, verifier: &str, client: &Client| {
        redeem(code, verifier).basic(client).proven(&service, &key)
    };
    let led_to = |redirect_uri: &str, verifier: &str| {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let ask = Ask::post(TOKEN, &parameters);
        ask.basic(&shop).proven(&service, &key)
    };
    for (what, ask, expected) in [
        ("no verifier", by(&code, "", &shop), Comes::G),
        (
            "a short verifier",
            by(&code, &"a".repeat(42), &shop),
            Comes::R("code_verifier"),
        ),
        (
            "a long verifier",
            by(&code, &"a".repeat(129), &shop),
            Comes::R("code_verifier"),
        ),
        (
            "another verifier",
            by(&code, &"a".repeat(43), &shop),
            Comes::G,
        ),
        ("another client", by(&code, &verifier, &other), Comes::G),
        ("garbage", by("csc_garbage", &verifier, &shop), Comes::G),
        ("no code", by("", &verifier, &shop), Comes::R("code")),
        (
            "another redirect URI",
            led_to("https://shop.example.com/other", &verifier),
            Comes::G,
        ),
        (
            "no redirect URI and another verifier",
            led_to("", &"a".repeat(43)),
            Comes::G,
        ),
        // OAuth 2.1 §10.2.
        (
            "right, without the redirect URI",
            led_to("", &verifier),
            Comes::Ok,
        ),
        ("again", by(&code, &verifier, &shop), Comes::G),
    ] {
        web.send(ask).await.check(what, expected);
    }

    let first = signed_in(&service, &web, &login, &shop, &key).await;
    let token = first.text("refresh_token");
    let by = |client: &Client, key: &Key| refresh(&token).basic(client).proven(&service, key);
    let mut wider = by(&shop, &key);
    wider.body.extend_from_slice(b"&scope=admin");
    for (what, ask, expected) in [
        ("another client", by(&other, &key), Comes::G),
        ("another key", by(&shop, &Key::new()), Comes::G),
        ("a wider scope", wider, Comes::Scope),
        (
            "no token",
            refresh("").basic(&shop).proven(&service, &key),
            Comes::R("refresh_token"),
        ),
        ("not consumed by all that", by(&shop, &key), Comes::Ok),
    ] {
        web.send(ask).await.check(what, expected);
    }
    service.clock.advance(Duration::from_secs(11));
    let reused = by(&shop, &key);
    web.send(reused).await.check("reuse", Comes::G);
    // Another client's token cannot be revoked.
    let theirs = signed_in(&service, &web, &login, &shop, &key).await;
    let theirs = Ask::post(REVOKE, &[("token", &theirs.text("refresh_token"))]).basic(&other);
    web.send(theirs)
        .await
        .check("another client's", Comes::NotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_with_one_proof_get_one_token() {
    let (service, client) = service().await;
    let web = Web::of(&service);
    let proof = service.proof(&Key::new(), TOKEN);
    let send = || web.send(ask(&client).header("dpop", proof.clone()));
    let answers = futures_util::future::join_all((0..50).map(|_| send())).await;
    let granted = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!(granted, 1);
    let refused = answers
        .iter()
        .filter(|answer| answer.status != StatusCode::OK);
    for answer in refused {
        answer.check("the same proof", Comes::Replayed);
    }
}
