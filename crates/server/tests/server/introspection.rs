//! Attacks on introspection.

use countersign::admin::v1 as admin;
use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use tonic::{Request, Status};

use crate::comes::{Comes, check};
use crate::flow::with_login;
use crate::harness::{Client, INTROSPECT, ORDERS, Service, inner, service_client};

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
