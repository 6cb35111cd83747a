//! What anybody may read: metadata, keys, health.

use std::time::Duration;

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use http::{Method, StatusCode};
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::web::{Ask, HEALTH, KEYS, METADATA, Speaks, Web};
use crate::harness::Service;
use crate::health;

#[tokio::test(flavor = "multi_thread")]
async fn metadata_say_what_there_is_and_where() {
    let service = Service::start_cold(|config| {
        config.http.login_url = Some("https://login.example.com/enter".to_owned());
        config.device.verification_uri = Some("https://login.example.com/device".to_owned());
    })
    .await;
    for speaks in [Speaks::One, Speaks::Two] {
        let answer = Web::speaking(&service, speaks).get(METADATA).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], service.issuer());
        for (member, path) in [
            ("authorization_endpoint", "/authorize"),
            ("token_endpoint", "/token"),
            ("introspection_endpoint", "/introspect"),
            ("revocation_endpoint", "/revoke"),
            ("pushed_authorization_request_endpoint", "/par"),
            ("device_authorization_endpoint", "/device_authorization"),
            ("jwks_uri", "/jwks"),
        ] {
            assert_eq!(metadata[member], service.htu(path), "{member}");
        }
        assert_eq!(
            metadata["code_challenge_methods_supported"],
            json!(["S256"])
        );
        assert_eq!(
            metadata["dpop_signing_alg_values_supported"],
            json!(["ES256", "Ed25519", "EdDSA"])
        );
        assert_eq!(
            metadata["grant_types_supported"],
            json!([
                "authorization_code",
                "client_credentials",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code"
            ])
        );
    }
}

/// RFC 8414 §2: there is no grant by codes without an endpoint that hands them out, and none of devices
/// without a page where people type their codes.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_name_no_grant_that_has_no_endpoint() {
    let service = Service::start().await;
    let metadata = Web::of(&service).get(METADATA).await.json();
    assert_eq!(metadata.get("authorization_endpoint"), None);
    assert_eq!(metadata.get("device_authorization_endpoint"), None);
    assert_eq!(
        metadata["grant_types_supported"],
        json!(["client_credentials", "refresh_token"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_of_the_key_service_and_are_kept_for_their_age() {
    let service = Service::start().await;
    let web = Web::of(&service);
    let first = web.get(KEYS).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(
        first.header("content-type"),
        Some("application/jwk-set+json")
    );
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    let listed = KeyServiceClient::new(service.public().await)
        .list_keys(ListKeysRequest {})
        .await
        .expect("listed")
        .into_inner();
    let keys = first.json()["keys"].as_array().expect("keys").clone();
    let both: Vec<_> = keys.iter().map(|key| key["kid"].as_str()).collect();
    let theirs: Vec<_> = listed.keys.iter().map(|key| Some(&*key.kid)).collect();
    assert_eq!(both, theirs);
    assert!(
        keys.iter().all(|key| key.get("d").is_none()),
        "public alone"
    );

    let etag = first.header("etag").expect("a tag").to_owned();
    for (known, status, empty) in [
        (etag.clone(), 304, true),
        (format!("W/{etag}"), 304, true),
        (format!("\"x\", {etag}"), 304, true),
        ("*".to_owned(), 304, true),
        ("\"x\"".to_owned(), 200, false),
    ] {
        let again = web
            .send(Ask::get(KEYS).header("if-none-match", &known))
            .await;
        assert_eq!(again.status, status, "{known}");
        assert_eq!(again.body.is_empty(), empty, "{known}");
        assert_eq!(again.header("etag"), Some(&*etag));
    }
}

/// Also while the service stops: a balancer that speaks no gRPC must hear of it, too.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_what_grpc_says() {
    // Longer than any test lasts: the stop is not waited for.
    let service =
        Service::start_cold(|config| config.stop.notice = Duration::from_secs(3600)).await;
    let web = Web::of(&service);
    let channel = service.public().await;
    let mut watch = HealthClient::new(channel.clone())
        .watch(HealthCheckRequest::default())
        .await
        .expect("watched")
        .into_inner();
    let mut stopping = None;
    let mut service = Some(service);
    for (over_grpc, status, over_http) in [
        (ServingStatus::Serving, 200, "SERVING"),
        (ServingStatus::NotServing, 503, "NOT_SERVING"),
    ] {
        let told = watch.message().await.expect("a message").expect("one");
        assert_eq!(told.status(), over_grpc);
        assert_eq!(health::status(channel.clone(), "").await, Ok(over_grpc));
        let answer = web.get(HEALTH).await;
        assert_eq!(answer.status, status, "{over_http}");
        assert_eq!(answer.json(), json!({"status": over_http}));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        if let Some(mut service) = service.take() {
            stopping = Some(tokio::spawn(async move { service.stop().await }));
        }
    }
    stopping.expect("it was told to stop").abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused_by_name() {
    let service = Service::start().await;
    let web = Web::speaking(&service, Speaks::One);
    for path in [
        "/",
        "/tokens",
        "/token/",
        "/Token",
        "/%74oken",
        "//token",
        "/authorize/x",
    ] {
        let answer = web.send(Ask::post(path, &[])).await;
        answer.check_error(path, 404, "invalid_request");
    }
    for (method, path, allow) in [
        (Method::GET, "/token", "POST"),
        (Method::PUT, "/token", "POST"),
        (Method::DELETE, "/introspect", "POST"),
        (Method::GET, "/device_authorization", "POST"),
        (Method::OPTIONS, "/token", "POST"),
        (Method::POST, KEYS, "GET,HEAD"),
        (Method::POST, METADATA, "GET,HEAD"),
    ] {
        let answer = web
            .send(Ask {
                method: method.clone(),
                ..Ask::get(path)
            })
            .await;
        let what = format!("{method} {path}");
        answer.check_error(&what, 405, "invalid_request");
        assert_eq!(answer.header("allow"), Some(allow), "{what}");
    }
    let head = web
        .send(Ask {
            method: Method::HEAD,
            ..Ask::get(KEYS)
        })
        .await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}
