//! Attacks on introspection.

use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use prost_reflect::prost::Message as _;
use tonic::{Request, Status};

use crate::comes::{Comes, check};
use crate::flow::{signed_in, with_login};
use crate::harness::{Client, INTROSPECT, ORDERS, Service, inner, person_client, service_client};
use crate::proof::Key;

/// Registers who serves the resource and may introspect, once.
pub(crate) async fn gateway(service: &Service, id: &str, serves: &[&str]) -> Client {
    let issuer = service.issuer().to_owned();
    service
        .add(admin::Client {
            serves: crate::harness::strings(serves),
            ..service_client(id, &[(issuer.as_str(), &["introspect"])])
        })
        .await
}

pub(crate) async fn introspect(
    service: &Service,
    caller: &Client,
    token: &str,
    hint: &str,
) -> Result<IntrospectTokenResponse, Status> {
    let request = IntrospectTokenRequest {
        token: token.to_owned(),
        token_type_hint: hint.to_owned(),
    };
    let request = service.guarded(caller, INTROSPECT, request).await;
    inner(
        service
            .introspections()
            .await
            .introspect_token(request)
            .await,
    )
}

/// Whether the token is worth anything to who serves the resource.
pub(crate) async fn is_active(service: &Service, token: &str) -> bool {
    let caller = gateway(service, "", &[ORDERS]).await;
    introspect(service, &caller, token, "")
        .await
        .expect("introspected")
        .active
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_token_is_shown_to_who_serves_its_resource() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let key = Key::new();
    let issued = signed_in(&service, &login, &shop, &key).await;
    for hint in ["", "access_token", "refresh_token", "nonsense"] {
        let shown = introspect(&service, &gateway, &issued.access_token, hint)
            .await
            .expect("introspected");
        assert!(shown.active, "hint {hint:?}");
        assert_eq!(shown.iss, service.issuer());
        assert_eq!(shown.sub, "ann");
        assert_eq!(shown.aud, [ORDERS]);
        assert_eq!(shown.client_id, "shop");
        assert_eq!(shown.scopes, ["orders.read", "orders.write"]);
        assert_eq!(shown.token_type, "DPoP");
        assert_eq!(shown.cnf.expect("bound").jkt, key.jkt().to_string());
        assert_eq!(shown.family_id, issued.family_id);
        assert!(!shown.jti.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_active_is_the_same_bytes() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let elsewhere = "https://billing.example.com";
    inner(
        service
            .resources()
            .await
            .create_resource(admin::CreateResourceRequest {
                resource: Some(admin::Resource {
                    uri: elsewhere.to_owned(),
                    ..admin::Resource::default()
                }),
            })
            .await,
    )
    .expect("registered");
    let serves = gateway(&service, "gateway", &[ORDERS]).await;
    let serves_another = gateway(&service, "billing", &[elsewhere]).await;
    let serves_none = gateway(&service, "nobody", &[]).await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let access = issued.access_token.as_str();
    let (signed, _) = access.rsplit_once('.').expect("three segments");
    let forged = format!("{signed}.{}", "A".repeat(86));

    for (what, caller, token) in [
        ("garbage", &serves, "garbage"),
        ("a forged token", &serves, forged.as_str()),
        ("a caller outside the audience", &serves_another, access),
        ("a caller that serves nothing", &serves_none, access),
        (
            "a refresh token shown by a resource server",
            &serves,
            issued.refresh_token.as_str(),
        ),
        ("a code", &serves, "csc_AAAA"),
    ] {
        let shown = introspect(&service, caller, token, "").await;
        assert_eq!(shown.expect(what).encode_to_vec(), b"", "{what}");
    }
    service.clock.advance(Duration::from_secs(301));
    let expired = introspect(&service, &serves, access, "").await;
    assert_eq!(
        expired.expect("introspected").encode_to_vec(),
        b"",
        "expired"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_introspect_learns_nothing() {
    let (service, login) = with_login().await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let message = || IntrospectTokenRequest {
        token: "x".to_owned(),
        token_type_hint: String::new(),
    };
    let mut introspections = service.introspections().await;

    let bare = introspections.introspect_token(message()).await;
    check("no credentials", &bare, Comes::Credentials);

    let request = service.guarded(&login, INTROSPECT, message()).await;
    let other_scope = introspections.introspect_token(request).await;
    check("another scope", &other_scope, Comes::ScopeInsufficient);

    let as_bearer = |request: Request<IntrospectTokenRequest>| {
        let mut request = request;
        let value = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .expect("a token")
            .replace("DPoP", "Bearer");
        let value = value.parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        request
    };
    let request = as_bearer(service.guarded(&gateway, INTROSPECT, message()).await);
    check(
        "as Bearer",
        &introspections.introspect_token(request).await,
        Comes::T,
    );

    let mut request = service.guarded(&gateway, INTROSPECT, message()).await;
    request.metadata_mut().remove("dpop");
    check(
        "without a proof",
        &introspections.introspect_token(request).await,
        Comes::P,
    );

    let first = service.guarded(&gateway, INTROSPECT, message()).await;
    let mut again = Request::new(message());
    *again.metadata_mut() = first.metadata().clone();
    introspections.introspect_token(first).await.expect("once");
    check(
        "a proof again",
        &introspections.introspect_token(again).await,
        Comes::Replayed,
    );

    let mut empty = message();
    empty.token.clear();
    let request = service.guarded(&gateway, INTROSPECT, empty).await;
    check(
        "no token",
        &introspections.introspect_token(request).await,
        Comes::R("token"),
    );
}
