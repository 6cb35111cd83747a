//! Attacks on the presentation of proofs, at the token service.

use std::time::Duration;

use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::token::v1::IssueTokenRequest;
use tonic::{Request, Status};

use crate::comes::{Comes, check, nonce_of};
use crate::harness::{
    Client, INTROSPECT, ISSUE, ORDERS, ROTATE, Service, WARM, credentials, inner, service_client,
    with_proof,
};
use crate::proof::Key;

/// What is sent, as which metadata, and what comes back.
type Row = (&'static str, Vec<(&'static str, String)>, Comes);

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    let client = registered(&service).await;
    (service, client)
}

async fn registered(service: &Service) -> Client {
    service.add_orders().await;
    service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await
}

async fn send(service: &Service, request: Request<IssueTokenRequest>) -> Result<(), Status> {
    inner(service.tokens().await.issue_token(request).await).map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_are_not_exactly_one_right_proof_are_refused() {
    let (service, client) = service().await;
    let key = Key::new();
    let right = || service.proof(&key, ISSUE);
    let now = service.now();
    let later = |secs| now.plus(Duration::from_secs(secs)).as_secs();
    let earlier = |secs| now.minus(Duration::from_secs(secs)).as_secs();
    let draft = || service.draft(&key, ISSUE);
    let host = "localhost:7443";

    let rows: Vec<Row> = vec![
        ("no proof", vec![], Comes::P),
        ("one proof", vec![("dpop", right())], Comes::Ok),
        (
            "two proofs",
            vec![("dpop", right()), ("dpop", right())],
            Comes::P,
        ),
        (
            "two proofs joined by a comma",
            vec![("dpop", format!("{},{}", right(), right()))],
            Comes::P,
        ),
        ("an empty proof", vec![("dpop", String::new())], Comes::P),
        ("not a JWT", vec![("dpop", "proof".to_owned())], Comes::P),
        ("over 4 KiB", vec![("dpop", "A".repeat(4097))], Comes::P),
        (
            "ath at the token service",
            vec![("dpop", draft().ath("whatever").sign(&key))],
            Comes::Ok,
        ),
        (
            "htm GET",
            vec![("dpop", draft().claim("htm", "GET").sign(&key))],
            Comes::P,
        ),
        (
            "htm in lower case",
            vec![("dpop", draft().claim("htm", "post").sign(&key))],
            Comes::P,
        ),
        (
            "a sibling method",
            vec![("dpop", service.proof(&key, ROTATE))],
            Comes::P,
        ),
        (
            "host in upper case, a query",
            vec![(
                "dpop",
                draft()
                    .claim("htu", format!("HTTP://LOCALHOST:7443{ISSUE}?a=b#c"))
                    .sign(&key),
            )],
            Comes::Ok,
        ),
        (
            "another scheme",
            vec![(
                "dpop",
                draft()
                    .claim("htu", format!("https://{host}{ISSUE}"))
                    .sign(&key),
            )],
            Comes::P,
        ),
        (
            "a trailing slash",
            vec![(
                "dpop",
                draft()
                    .claim("htu", format!("http://{host}{ISSUE}/"))
                    .sign(&key),
            )],
            Comes::P,
        ),
        (
            "the address listened on, which is not an origin",
            vec![(
                "dpop",
                draft()
                    .claim("htu", format!("{}{ISSUE}", service.running().url()))
                    .sign(&key),
            )],
            Comes::P,
        ),
        (
            "iat 10 s ahead",
            vec![("dpop", draft().claim("iat", later(10)).sign(&key))],
            Comes::Ok,
        ),
        (
            "iat 11 s ahead",
            vec![("dpop", draft().claim("iat", later(11)).sign(&key))],
            Comes::N,
        ),
        (
            "iat 61 s ahead",
            vec![("dpop", draft().claim("iat", later(61)).sign(&key))],
            Comes::P,
        ),
        (
            "iat a second too old",
            vec![("dpop", draft().claim("iat", earlier(61)).sign(&key))],
            Comes::N,
        ),
        (
            "iat absurd",
            vec![("dpop", draft().claim("iat", 1e308).sign(&key))],
            Comes::P,
        ),
        (
            "a forged nonce",
            vec![("dpop", draft().claim("nonce", "AAAA").sign(&key))],
            Comes::N,
        ),
        (
            "a nonce that is a number",
            vec![("dpop", draft().claim("nonce", 7).sign(&key))],
            Comes::P,
        ),
        (
            "signed by another key",
            vec![("dpop", draft().sign(&Key::new()))],
            Comes::P,
        ),
    ];
    for (what, proofs, expected) in rows {
        let mut request = Request::new(credentials(&client));
        for (name, proof) in proofs {
            let value = proof.parse().expect("ASCII");
            request.metadata_mut().append(name, value);
        }
        check(what, &send(&service, request).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_proof_is_no_proof() {
    let (service, client) = service().await;
    let proof = service.proof(&Key::new(), ISSUE);
    let mut request = Request::new(credentials(&client));
    let value = tonic::metadata::MetadataValue::from_bytes(proof.as_bytes());
    request.metadata_mut().insert_bin("dpop-bin", value.clone());
    check("only dpop-bin", &send(&service, request).await, Comes::P);

    let mut request = with_proof(credentials(&client), &proof);
    request.metadata_mut().insert_bin("dpop-bin", value);
    check(
        "dpop and dpop-bin",
        &send(&service, request).await,
        Comes::P,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_works_once() {
    let (service, client) = service().await;
    let (key, other) = (Key::new(), Key::new());
    let draft = service.draft(&key, ISSUE);
    let proof = draft.sign(&key);
    let present = |proof: &str| with_proof(credentials(&client), proof);

    check("first", &send(&service, present(&proof)).await, Comes::Ok);
    check(
        "again",
        &send(&service, present(&proof)).await,
        Comes::Replayed,
    );
    // ECDSA signs anew each time: another proof with the same jti is the same proof.
    check(
        "the same jti in another proof",
        &send(&service, present(&draft.sign(&key))).await,
        Comes::Replayed,
    );
    let mut under_another = service.draft(&other, ISSUE);
    under_another.payload["jti"] = draft.payload["jti"].clone();
    check(
        "the same jti under another key",
        &send(&service, present(&under_another.sign(&other))).await,
        Comes::Ok,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_refused_is_not_spent() {
    let (service, client) = service().await;
    let key = Key::new();
    let draft = service.draft(&key, ISSUE);

    // The victim's jti under a bad signature.
    let mut forged = draft.sign(&key);
    let last = forged.pop().expect("not empty");
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    let request = with_proof(credentials(&client), &forged);
    check("bad signature", &send(&service, request).await, Comes::P);

    // The victim's own proof with a wrong secret.
    let stranger = Client {
        id: client.id.clone(),
        secret: Some("wrong".to_owned()),
    };
    let request = with_proof(credentials(&stranger), &draft.sign(&key));
    check("wrong secret", &send(&service, request).await, Comes::C);

    // And with a request that the decision refuses, which writes nothing.
    let mut wider = credentials(&client);
    wider.scopes = vec!["orders.burn".to_owned()];
    let request = with_proof(wider, &draft.sign(&key));
    check("wider scope", &send(&service, request).await, Comes::Scope);

    let request = with_proof(credentials(&client), &draft.sign(&key));
    check("the victim", &send(&service, request).await, Comes::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_copies_one_is_accepted() {
    // All of them wait for a slow machine, and none is shed.
    let service = Service::start_cold(|config| config.limits.waiting_max = 100).await;
    service.clock.advance(WARM);
    let client = registered(&service).await;
    let proof = service.proof(&Key::new(), ISSUE);
    let tokens = service.tokens().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut tokens = tokens.clone();
        let request = with_proof(credentials(&client), &proof);
        calls.spawn(async move { tokens.issue_token(request).await.map(|_| ()) });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        check("a copy", answer, Comes::Replayed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_a_spent_proof_is_challenged_and_stays_spent() {
    let (mut service, client) = service().await;
    let key = Key::new();
    let proof = service.proof(&key, ISSUE);
    let present = |proof: &str| with_proof(credentials(&client), proof);
    check("first", &send(&service, present(&proof)).await, Comes::Ok);

    service.restart().await;
    let replayed = send(&service, present(&proof)).await;
    check("replayed after a restart", &replayed, Comes::N);

    // A proof of its owner with the nonce of the challenge is fine, once.
    let nonce = nonce_of(&replayed.expect_err("challenged"));
    let fresh = key.mint(&service.htu(ISSUE), service.now(), Some(&nonce));
    check(
        "with the nonce",
        &send(&service, present(&fresh)).await,
        Comes::Ok,
    );
    check(
        "again",
        &send(&service, present(&fresh)).await,
        Comes::Replayed,
    );

    // When the cold start is over, so is the old proof's time.
    service.clock.advance(WARM);
    check(
        "too old now",
        &send(&service, present(&proof)).await,
        Comes::N,
    );
    let warm = service.proof(&key, ISSUE);
    check(
        "no nonce needed",
        &send(&service, present(&warm)).await,
        Comes::Ok,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_nonce_the_clients_clock_does_not_matter() {
    let (service, client) = service().await;
    let key = Key::new();
    let off = service.draft(&key, ISSUE).claim("iat", 1_000_000_000);
    let request = with_proof(credentials(&client), &off.sign(&key));
    let challenged = send(&service, request).await;
    check("a clock that is years off", &challenged, Comes::N);
    let nonce = nonce_of(&challenged.expect_err("challenged"));
    let request = with_proof(credentials(&client), &off.claim("nonce", nonce).sign(&key));
    check("with a nonce", &send(&service, request).await, Comes::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_can_be_asked_for_always() {
    let service = Service::start_cold(|config| config.proofs.nonce_always = true).await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    service.clock.advance(WARM);
    let key = Key::new();
    let challenged = service.issue(&client, &key).await;
    check("without a nonce", &challenged, Comes::N);
    let nonce = nonce_of(&challenged.expect_err("challenged"));
    let proof = key.mint(&service.htu(ISSUE), service.now(), Some(&nonce));
    let request = with_proof(credentials(&client), &proof);
    check("with a nonce", &send(&service, request).await, Comes::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_the_token_service_is_good_for_its_guarded_methods_too() {
    let service = Service::start_cold(|_| {}).await;
    let issuer = service.issuer().to_owned();
    let reader = service
        .add(service_client("reader", &[(&issuer, &["introspect"])]))
        .await;
    let key = Key::new();
    let challenged = service.issue(&reader, &key).await;
    check("a cold start", &challenged, Comes::N);
    let nonce = nonce_of(&challenged.expect_err("challenged"));
    let with_nonce = |draft: crate::proof::Draft| draft.claim("nonce", nonce.clone());

    let proof = with_nonce(service.draft(&key, ISSUE)).sign(&key);
    let issued = inner(
        service
            .tokens()
            .await
            .issue_token(with_proof(credentials(&reader), &proof))
            .await,
    )
    .expect("issued");
    let ask = |proof: &str| {
        let message = IntrospectTokenRequest {
            token: "x".to_owned(),
            token_type_hint: String::new(),
        };
        let mut request = with_proof(message, proof);
        let token = format!("DPoP {}", issued.access_token);
        let token = token.parse().expect("ASCII");
        request.metadata_mut().insert("authorization", token);
        request
    };
    let mut introspections = service.introspections().await;
    let bare = service
        .draft(&key, INTROSPECT)
        .ath(&issued.access_token)
        .sign(&key);
    let answer = introspections.introspect_token(ask(&bare)).await;
    check("without it", &answer, Comes::N);
    let fresh = with_nonce(service.draft(&key, INTROSPECT))
        .ath(&issued.access_token)
        .sign(&key);
    let answer = introspections.introspect_token(ask(&fresh)).await;
    check("with it", &answer, Comes::Ok);
}
