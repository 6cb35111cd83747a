//! What scopes allow, in plain words: registered with a resource, told to the login application.

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign::authorization::v1 as authorization;

use crate::admin::{mask, words};
use crate::comes::{Comes, check};
use crate::flow::{pkce, push_request, with_login};
use crate::harness::{GET, ORDERS, Service, inner, person_client};

/// In the words that the resource is registered with now.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_application_is_told_what_scopes_allow() {
    let (service, login) = with_login().await;
    let app = service
        .add(person_client("app", AuthenticationMethod::None))
        .await;
    let (_, challenge) = pkce();
    let mut authorizations = service.authorizations().await;
    let lodged = authorizations
        .push_authorization(push_request(&app, &challenge))
        .await;
    let request_uri = inner(lodged).expect("lodged").request_uri;
    let told = async || {
        let get = authorization::GetAuthorizationRequest {
            request_uri: request_uri.clone(),
        };
        let request = service.guarded(&login, GET, get).await;
        let mut authorizations = service.authorizations().await;
        let shown = inner(authorizations.get_authorization(request).await);
        let shown = shown.expect("shown").authorization;
        shown.expect("an authorization").scopes_at_resources
    };
    let at = |scope: &str, description: &str| authorization::ScopeAtResource {
        scope: scope.to_owned(),
        resource: ORDERS.to_owned(),
        description: description.to_owned(),
    };
    assert_eq!(
        told().await,
        [at("orders.read", ""), at("orders.write", "")]
    );

    let change = async |described: Vec<admin::ScopeDescription>| {
        let request = admin::UpdateResourceRequest {
            resource: Some(admin::Resource {
                uri: ORDERS.to_owned(),
                scope_descriptions: described,
                ..admin::Resource::default()
            }),
            update_mask: mask(&["scope_descriptions"]),
        };
        let changed = service.resources().await.update_resource(request).await;
        let changed = inner(changed).expect("changed").resource;
        changed.expect("a resource").scope_descriptions
    };
    let both = vec![
        words("orders.read", "See <your> orders"),
        words("orders.write", "Order in your name"),
    ];
    assert_eq!(change(both.clone()).await, both);
    assert_eq!(
        told().await,
        [
            at("orders.read", "See <your> orders"),
            at("orders.write", "Order in your name")
        ]
    );
    change(both[1..].to_vec()).await;
    assert_eq!(
        told().await,
        [
            at("orders.read", ""),
            at("orders.write", "Order in your name")
        ]
    );
}

/// Several changes that each fit into a message do not add up to a resource that fits into none.
#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_would_fit_into_no_message_is_refused() {
    let service = Service::start().await;
    let mut resources = service.resources().await;
    let scopes: Vec<_> = (0..100).map(|nth| format!("{nth:0>128}")).collect();
    // Four bytes a character: 62 KiB in all.
    let long = "\u{1f511}".repeat(91);
    let described = scopes.iter().map(|scope| words(scope, &long)).collect();
    let too_much = admin::Resource {
        uri: ORDERS.to_owned(),
        scopes: scopes.clone(),
        scope_descriptions: described,
        ..admin::Resource::default()
    };
    let request = admin::CreateResourceRequest {
        resource: Some(too_much.clone()),
    };
    let answer = resources.create_resource(request).await;
    check("all at once", &answer, Comes::R("resource"));
    let request = admin::CreateResourceRequest {
        resource: Some(admin::Resource {
            scope_descriptions: Vec::new(),
            ..too_much.clone()
        }),
    };
    let answer = resources.create_resource(request).await;
    check("without words", &answer, Comes::Ok);
    let request = admin::UpdateResourceRequest {
        resource: Some(too_much),
        update_mask: mask(&["scope_descriptions"]),
    };
    let answer = resources.update_resource(request).await;
    check("the words", &answer, Comes::R("resource"));
}
