//! Attacks on pushed requests and their approval; those on codes are with both protocols.

use std::time::Duration;

use countersign::authorization::v1 as authorization;

use crate::comes::{Comes, check};
use crate::flow::{approved, code, pkce, push_request, shop};
use crate::harness::{APPROVE, Client, PUSH, Service, inner, service_client, strings, with_proof};
use crate::proof::Key;

type Push = authorization::PushAuthorizationRequest;

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_right_are_not_lodged() {
    let (service, login, shop) = shop().await;
    let (_, challenge) = pkce();
    let row = |change: &dyn Fn(&mut Push)| {
        let mut request = push_request(&shop, &challenge);
        change(&mut request);
        request
    };
    let jkt = Key::new().jkt().to_string();
    let rows = [
        ("right", row(&|_| {}), Comes::Ok),
        ("no scopes", row(&|r| r.scopes.clear()), Comes::Ok),
        ("no resources", row(&|r| r.resources.clear()), Comes::Ok),
        (
            "with dpop_jkt",
            row(&|r| r.dpop_jkt = jkt.clone()),
            Comes::Ok,
        ),
        (
            "plain",
            row(&|r| r.code_challenge_method = "plain".to_owned()),
            Comes::R("code_challenge_method"),
        ),
        (
            "method absent",
            row(&|r| r.code_challenge_method.clear()),
            Comes::R("code_challenge_method"),
        ),
        (
            "challenge absent",
            row(&|r| r.code_challenge.clear()),
            Comes::R("code_challenge"),
        ),
        (
            "challenge padded",
            row(&|r| r.code_challenge.push('=')),
            Comes::R("code_challenge"),
        ),
        (
            "redirect URI absent",
            row(&|r| r.redirect_uri.clear()),
            Comes::R("redirect_uri"),
        ),
        (
            "redirect URI of another path",
            row(&|r| r.redirect_uri.push_str("/x")),
            Comes::R("redirect_uri"),
        ),
        (
            "redirect URI with a fragment",
            row(&|r| r.redirect_uri.push_str("#x")),
            Comes::R("redirect_uri"),
        ),
        (
            "state of 513 bytes",
            row(&|r| r.state = "s".repeat(513)),
            Comes::R("state"),
        ),
        (
            "dpop_jkt malformed",
            row(&|r| r.dpop_jkt = "x".to_owned()),
            Comes::R("dpop_jkt"),
        ),
        (
            "unknown scope",
            row(&|r| r.scopes = strings(&["orders.admin"])),
            Comes::Scope,
        ),
        (
            "unknown resource",
            row(&|r| r.resources = strings(&["https://elsewhere.example.com"])),
            Comes::Target,
        ),
        (
            "unauthenticated",
            row(&|r| {
                r.client.as_mut().expect("a client").credential = None;
            }),
            Comes::C,
        ),
        ("no client", row(&|r| r.client = None), Comes::R("client")),
        (
            "a client without codes",
            row(&|r| r.client = login.authentication()),
            Comes::NotAllowed,
        ),
    ];
    let mut authorizations = service.authorizations().await;
    for (what, request, expected) in rows {
        let answer = authorizations.push_authorization(request).await;
        check(what, &answer, expected);
    }

    // RFC 9449 §10.1: header and field must agree.
    let key = Key::new();
    let mut request = push_request(&shop, &challenge);
    request.dpop_jkt = jkt;
    let request = with_proof(request, &service.proof(&key, PUSH));
    let answer = authorizations.push_authorization(request).await;
    check("dpop_jkt of another key", &answer, Comes::R("dpop_jkt"));
    let request = with_proof(push_request(&shop, &challenge), "garbage");
    let answer = authorizations.push_authorization(request).await;
    check("a proof that is none", &answer, Comes::P);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_end() {
    let (service, login, shop) = shop().await;
    let (_, challenge) = pkce();
    let code = code(&service, &login, push_request(&shop, &challenge)).await;
    let lodged = inner(
        service
            .authorizations()
            .await
            .push_authorization(push_request(&shop, &challenge))
            .await,
    )
    .expect("lodged");
    service.clock.advance(Duration::from_secs(601));
    for (what, request_uri) in [
        ("expired", lodged.request_uri.as_str()),
        ("garbage", "urn:ietf:params:oauth:request_uri:csp_AAAA"),
        ("a code", code.as_str()),
        ("empty", ""),
    ] {
        check_approval(&service, &login, what, request_uri, Comes::R("request_uri")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_decided_once() {
    let (service, login, shop) = shop().await;
    let (_, challenge) = pkce();
    let lodged = inner(
        service
            .authorizations()
            .await
            .push_authorization(push_request(&shop, &challenge))
            .await,
    )
    .expect("lodged");
    approved(&service, &login, &lodged.request_uri).await;
    let uri = lodged.request_uri.as_str();
    check_approval(&service, &login, "again", uri, Comes::R("request_uri")).await;
}

/// RFC 9700 §4.15: what a person is called must not make their token a client's own, whichever
/// client it is.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_under_the_name_of_a_client() {
    let (service, login, shop) = shop().await;
    let (_, challenge) = pkce();
    let lodged = inner(
        service
            .authorizations()
            .await
            .push_authorization(push_request(&shop, &challenge))
            .await,
    )
    .expect("lodged");
    let uri = lodged.request_uri.as_str();
    let by = &login;
    for (subject, expected) in [
        ("shop", Comes::R("subject")),
        ("login", Comes::R("subject")),
        // No client can be called so, and nobody is called so.
        ("login@", Comes::Ok),
    ] {
        check_approval_of(&service, by, subject, subject, uri, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_login_application_decides() {
    let (service, _, shop) = shop().await;
    let issuer = service.issuer().to_owned();
    let reader = service
        .add(service_client(
            "reader",
            &[(issuer.as_str(), &["introspect"])],
        ))
        .await;
    let (_, challenge) = pkce();
    let lodged = inner(
        service
            .authorizations()
            .await
            .push_authorization(push_request(&shop, &challenge))
            .await,
    )
    .expect("lodged");
    let uri = lodged.request_uri.as_str();
    check_approval(
        &service,
        &reader,
        "another scope",
        uri,
        Comes::ScopeInsufficient,
    )
    .await;
    let bare = inner(
        service
            .authorizations()
            .await
            .approve_authorization(authorization::ApproveAuthorizationRequest {
                request_uri: lodged.request_uri.clone(),
                subject: "ann".to_owned(),
                ..authorization::ApproveAuthorizationRequest::default()
            })
            .await,
    );
    check("no token", &bare, Comes::Credentials);
}

async fn check_approval(
    service: &Service,
    by: &Client,
    what: &str,
    request_uri: &str,
    expected: Comes,
) {
    check_approval_of(service, by, what, "ann", request_uri, expected).await;
}

async fn check_approval_of(
    service: &Service,
    by: &Client,
    what: &str,
    subject: &str,
    request_uri: &str,
    expected: Comes,
) {
    let approve = authorization::ApproveAuthorizationRequest {
        request_uri: request_uri.to_owned(),
        subject: subject.to_owned(),
        ..authorization::ApproveAuthorizationRequest::default()
    };
    let request = service.guarded(by, APPROVE, approve).await;
    let answer = service
        .authorizations()
        .await
        .approve_authorization(request)
        .await;
    check(what, &answer, expected);
}
