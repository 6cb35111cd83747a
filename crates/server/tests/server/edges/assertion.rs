//! Attacks on client authentication.

use std::time::Duration;

use countersign::admin::v1 as admin;
use countersign_jose::{PublishedKey, base64url, jwks};
use serde_json::{Value, json};

use super::{Asker, By, Edge, Wish};
use crate::comes::{Comes, check};
use crate::harness::{
    Client, ISSUE, ORDERS, Service, credentials, random, service_client, with_proof,
};
use crate::proof::Key;

/// A client that signs assertions with `key`, and what it signs.
async fn add_signing(service: &Service, id: &str, key: &Key) {
    let jwks = jwks::publish(&[PublishedKey {
        kid: &format!("{id}-key"),
        algorithm: countersign_jose::Algorithm::Es256,
        key: key.0.public(),
    }]);
    service
        .add(admin::Client {
            authentication_method: admin::AuthenticationMethod::PrivateKeyJwt.into(),
            jwks,
            ..service_client(id, &[(ORDERS, &["orders.read"])])
        })
        .await;
}

fn claims(service: &Service) -> Value {
    json!({
        "iss": "signing",
        "sub": "signing",
        "aud": service.issuer(),
        "jti": base64url::encode(random::<16>()),
        "iat": service.now().as_secs(),
        "exp": service.now().plus(Duration::from_secs(60)).as_secs(),
    })
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "signing-key"})
}

#[tokio::test(flavor = "multi_thread")]
async fn assertions_that_are_not_right_are_refused_alike() {
    let service = Service::start().await;
    service.add_orders().await;
    let (key, other) = (Key::new(), Key::new());
    add_signing(&service, "signing", &key).await;
    add_signing(&service, "other", &other).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims(&service);
        claims[name] = value;
        key.sign(&header(), &claims)
    };
    let without = |name: &str| {
        let mut claims = claims(&service);
        claims.as_object_mut().expect("an object").remove(name);
        key.sign(&header(), &claims)
    };
    let with_header = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        key.sign(&header, &claims(&service))
    };
    let in_a_day = service.now().plus(Duration::from_secs(86_400)).as_secs();
    let past = service.now().minus(Duration::from_secs(60)).as_secs();
    let issuer = service.issuer();
    // A right one is spent, and each edge wants its own.
    let rows = || {
        [
            ("right", with("x", json!(1)), Comes::Ok),
            (
                "right, with its type",
                with_header("typ", json!("client-authentication+jwt")),
                Comes::Ok,
            ),
            (
                "another type",
                with_header("typ", json!("at+jwt")),
                Comes::C,
            ),
            ("alg none", with_header("alg", json!("none")), Comes::C),
            ("alg HS256", with_header("alg", json!("HS256")), Comes::C),
            (
                "another client's kid",
                with_header("kid", json!("other-key")),
                Comes::C,
            ),
            ("jti missing", without("jti"), Comes::C),
            ("exp missing", without("exp"), Comes::C),
            ("exp in 24 h", with("exp", json!(in_a_day)), Comes::C),
            ("exp past", with("exp", json!(past)), Comes::C),
            ("exp absurd", with("exp", json!(1e308)), Comes::C),
            ("iss is not sub", with("iss", json!("other")), Comes::C),
            ("sub is not iss", with("sub", json!("other")), Comes::C),
            (
                "aud is the gRPC method",
                with("aud", json!(format!("{issuer}{ISSUE}"))),
                Comes::C,
            ),
            (
                "aud is the endpoint",
                with("aud", json!(format!("{issuer}/token"))),
                Comes::C,
            ),
            (
                "aud is the issuer and another",
                with("aud", json!([issuer, "https://other.example.com"])),
                Comes::C,
            ),
            (
                "aud with a slash",
                with("aud", json!(format!("{issuer}/"))),
                Comes::C,
            ),
            (
                "signed by another client",
                other.sign(&header(), &claims(&service)),
                Comes::C,
            ),
            ("garbage", "a.b.c".to_owned(), Comes::C),
            ("empty", String::new(), Comes::C),
            (
                "10,000 deep",
                format!(
                    "{}.{}.{}",
                    base64url::encode(header().to_string()),
                    base64url::encode("[".repeat(10_000)),
                    base64url::encode([0; 64])
                ),
                Comes::C,
            ),
        ]
    };
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let mut peers = Vec::new();
        for (what, assertion, expected) in rows() {
            let by = By::Assertion("signing", &assertion);
            let answer = asker.ask(by, Wish::Own(&[]), &Key::new()).await;
            answer.check(what, expected);
            if answer.is_refused() {
                peers.push(answer.said());
            }
        }
        // One answer for all causes, byte for byte.
        peers.dedup();
        assert_eq!(peers.len(), 1, "{edge:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_works_once_also_at_once_and_after_a_restart() {
    for edge in Edge::BOTH {
        let mut service = Service::start().await;
        service.add_orders().await;
        let key = Key::new();
        add_signing(&service, "signing", &key).await;
        let asker = Asker::of(&service, edge).await;
        let present = async |assertion: &str| {
            let by = By::Assertion("signing", assertion);
            asker.ask(by, Wish::Own(&[]), &Key::new()).await
        };

        let assertion = key.sign(&header(), &claims(&service));
        present(&assertion).await.check("first", Comes::Ok);
        present(&assertion).await.check("again", Comes::C);
        // What was shown by one protocol is spent for the other.
        for other in Edge::BOTH.into_iter().filter(|other| *other != edge) {
            let asker = Asker::of(&service, other).await;
            let by = By::Assertion("signing", &assertion);
            let answer = asker.ask(by, Wish::Own(&[]), &Key::new()).await;
            answer.check("by the other protocol", Comes::C);
        }

        let assertion = key.sign(&header(), &claims(&service));
        let racers = (0..20).map(|_| present(&assertion));
        let answers = futures_util::future::join_all(racers).await;
        let refused = answers.iter().filter(|answer| answer.is_refused());
        assert_eq!(refused.clone().count(), 19, "{edge:?}");
        for answer in refused {
            answer.check("one of many", Comes::C);
        }

        let long = {
            let mut claims = claims(&service);
            claims["exp"] = json!(service.now().plus(Duration::from_secs(290)).as_secs());
            key.sign(&header(), &claims)
        };
        present(&long).await.check("long", Comes::Ok);
        service.restart().await;
        service.clock.advance(crate::harness::WARM);
        let asker = Asker::of(&service, edge).await;
        let by = By::Assertion("signing", &long);
        let late = asker.ask(by, Wish::Own(&[]), &Key::new()).await;
        late.check("after a restart", Comes::C);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_not_who_they_say_are_refused_alike() {
    let service = Service::start().await;
    service.add_orders().await;
    let batch = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let gone = service
        .add(admin::Client {
            disabled: true,
            ..service_client("gone", &[(ORDERS, &["orders.read"])])
        })
        .await;
    let wrong = |id: &str, secret: Option<&str>| Client {
        id: id.to_owned(),
        secret: secret.map(str::to_owned),
    };
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let mut peers = Vec::new();
        for (what, client, expected) in [
            ("right", batch.clone(), Comes::Ok),
            ("wrong secret", wrong("batch", Some("wrong")), Comes::C),
            ("no secret", wrong("batch", None), Comes::C),
            ("unknown", wrong("nobody", Some("wrong")), Comes::C),
            ("unknown, no secret", wrong("nobody", None), Comes::C),
            ("disabled", gone.clone(), Comes::C),
            (
                "another's secret",
                wrong("batch", gone.secret.as_deref()),
                Comes::C,
            ),
            (
                "no id",
                wrong("", Some("wrong")),
                Comes::R("client.client_id"),
            ),
            (
                "an id that none can have",
                wrong("a b", Some("wrong")),
                Comes::R("client.client_id"),
            ),
        ] {
            let wish = Wish::Own(&[]);
            let answer = asker.ask(By::Client(&client), wish, &Key::new()).await;
            answer.check(what, expected);
            if expected == Comes::C {
                peers.push(answer.said());
            }
        }
        peers.dedup();
        assert_eq!(peers.len(), 1, "{edge:?}");
    }

    let mut request = credentials(&batch);
    request.client = None;
    let proof = service.proof(&Key::new(), ISSUE);
    let answer = service
        .tokens()
        .await
        .issue_token(with_proof(request, &proof))
        .await;
    check("no client", &answer, Comes::R("client"));
}
