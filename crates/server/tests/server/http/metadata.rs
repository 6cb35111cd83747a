//! What the metadata say is what is done: members that follow the registry and the
//! configuration.

use countersign::admin::v1 as admin;
use http::StatusCode;
use serde_json::{Value, json};

use super::web::{Answer, Ask, METADATA, Web};
use crate::harness::{ORDERS, Service, strings};

const TYPES: &str = "authorization_details_types_supported";

async fn told(service: &Service) -> Value {
    Web::of(service).get(METADATA).await.json()
}

/// The resource has exactly these types from now on.
async fn has_types(service: &Service, uri: &str, types: &[&str]) {
    let of = |name: &&str| admin::DetailsType {
        name: (*name).to_owned(),
        schema: "{}".to_owned(),
    };
    let request = admin::UpdateResourceRequest {
        resource: Some(admin::Resource {
            uri: uri.to_owned(),
            details_types: types.iter().map(of).collect(),
            ..admin::Resource::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: strings(&["details_types"]),
        }),
    };
    let mut resources = service.resources().await;
    resources.update_resource(request).await.expect("changed");
}

async fn add(service: &Service, uri: &str, scopes: &[&str]) {
    let request = admin::CreateResourceRequest {
        resource: Some(admin::Resource {
            uri: uri.to_owned(),
            scopes: strings(scopes),
            ..admin::Resource::default()
        }),
    };
    let mut resources = service.resources().await;
    resources.create_resource(request).await.expect("added");
}

async fn remove(service: &Service, uri: &str) {
    let request = admin::DeleteResourceRequest {
        uri: uri.to_owned(),
        etag: String::new(),
    };
    let mut resources = service.resources().await;
    resources.delete_resource(request).await.expect("removed");
}

/// RFC 9396 §10. Whatever changes the registry changes the next answer, and its tag.
#[tokio::test(flavor = "multi_thread")]
async fn types_of_details_are_those_that_are_registered_now() {
    const PARCELS: &str = "https://parcels.example.com";
    let mut service = Service::start().await;
    service.add_orders().await;
    // RFC 8414 §3.2: an empty list is left out.
    assert_eq!(told(&service).await.get(TYPES), None);
    has_types(&service, ORDERS, &["payment", "account"]).await;
    assert_eq!(told(&service).await[TYPES], json!(["account", "payment"]));
    add(&service, PARCELS, &[]).await;
    has_types(&service, PARCELS, &["account", "parcel"]).await;
    let all = json!(["account", "parcel", "payment"]);
    assert_eq!(told(&service).await[TYPES], all);
    service.restart().await;
    assert_eq!(told(&service).await[TYPES], all);
    has_types(&service, ORDERS, &["payment"]).await;
    assert_eq!(told(&service).await[TYPES], all, "another resource has it");
    remove(&service, PARCELS).await;
    assert_eq!(told(&service).await[TYPES], json!(["payment"]));
    has_types(&service, ORDERS, &[]).await;
    assert_eq!(told(&service).await.get(TYPES), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_is_that_of_what_is_told() {
    let service = Service::start().await;
    service.add_orders().await;
    let web = Web::of(&service);
    let again = |etag: &str| {
        let ask = Ask::get(METADATA).header("if-none-match", etag);
        web.send(ask)
    };
    let tag = |answer: &Answer| answer.header("etag").expect("a tag").to_owned();

    let first = web.get(METADATA).await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    let etag = tag(&first);
    let same = again(&etag).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert!(same.body.is_empty());
    assert_eq!(tag(&same), etag);

    has_types(&service, ORDERS, &["account"]).await;
    let changed = again(&etag).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(changed.json()[TYPES], json!(["account"]));
    assert_ne!(tag(&changed), etag);

    has_types(&service, ORDERS, &[]).await;
    let back = again(&etag).await;
    assert_eq!(back.status, StatusCode::NOT_MODIFIED, "it is what it was");
}

/// Scopes are told only where the operator says so, and the service's own never.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_listed_where_the_operator_says_so() {
    let silent = Service::start().await;
    silent.add_orders().await;
    assert_eq!(told(&silent).await.get("scopes_supported"), None);

    let service = Service::start_cold(|config| config.http.list_scopes = true).await;
    assert_eq!(told(&service).await.get("scopes_supported"), None);
    service.add_orders().await;
    add(&service, "https://parcels.example.com", &["parcels.track"]).await;
    assert_eq!(
        told(&service).await["scopes_supported"],
        json!(["orders.read", "orders.write", "parcels.track"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_to_log_in_are_those_of_the_application_that_is_led_to() {
    let acr_values = |change: fn(&mut countersign_server::Config)| async move {
        let service = Service::start_cold(change).await;
        told(&service).await.get("acr_values_supported").cloned()
    };
    let said = strings(&["urn:example:gold", "pwd"]);
    assert_eq!(acr_values(|_| {}).await, None);
    assert_eq!(
        acr_values(|config| config.login.serve = true).await,
        Some(json!(["pwd"]))
    );
    let elsewhere = |config: &mut countersign_server::Config| {
        config.login.serve = true;
        config.http.login_url = Some("https://login.example.com".to_owned());
    };
    // The one that is served is not the one that browsers are sent to.
    assert_eq!(acr_values(elsewhere).await, None);
    let service = Service::start_cold(|config| {
        elsewhere(config);
        config.http.login_acr_values.clone_from(&said);
    })
    .await;
    assert_eq!(told(&service).await["acr_values_supported"], json!(said));
}
