//! What a person is shown of an authorization request.

use countersign_issuer::authorize::{Lodged, Named, PushForm, Shown, shown};
use countersign_issuer::model::{Resource, Scope, ScopeAt, ScopeDescription};

use crate::world::{ORDERS, REDIRECT, START, World, permissions, pushing, resource};

/// What the person sees of a request of `checkout` now.
fn page_of(world: &World, lodged: &Lodged) -> Shown {
    let named = Named::parse(lodged.request_uri.reveal(), &world.issuer.mac_keys).unwrap();
    let known = &world.authorizations[&named.record].value;
    let client = world.client("checkout");
    let (catalogue, issuer) = (world.catalogue(), &world.issuer);
    let page = shown(
        named,
        Some(known),
        Some(&client),
        &catalogue,
        issuer,
        world.now,
    );
    page.unwrap()
}

#[test]
fn a_person_is_shown_what_was_asked_for() {
    let mut world = World::new();
    let form = PushForm {
        scopes: &["orders.read"],
        ..pushing()
    };
    let lodged = world.push("checkout", &form).unwrap();
    assert_eq!(lodged.expires_in.as_secs(), 600);
    assert!(
        lodged
            .request_uri
            .reveal()
            .starts_with("urn:ietf:params:oauth:request_uri:csp_")
    );

    let page = page_of(&world, &lodged);
    assert_eq!(page.client.as_str(), "checkout");
    assert_eq!(page.client_display_name.as_str(), "A client");
    assert_eq!(page.client_created_at, world.client("checkout").created_at);
    assert_eq!(page.redirect_uri.as_ref().unwrap().as_str(), REDIRECT);
    assert_eq!(page.permissions, permissions(&[(ORDERS, &["orders.read"])]));
    assert_eq!(page.expires_at.as_secs(), START.as_secs() + 600);
}

/// Each scope at each resource that it is asked for at, in the words that the resource has now.
#[test]
fn a_person_is_told_what_scopes_allow_where() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let words = |world: &World| {
        let page = page_of(world, &lodged);
        let told = |at: &ScopeAt| {
            let words = at.description.as_ref().map(ToString::to_string);
            (at.resource.to_string(), at.scope.to_string(), words)
        };
        page.scopes.iter().map(told).collect::<Vec<_>>()
    };
    let told = |scope: &str, words: Option<&str>| {
        (
            ORDERS.to_owned(),
            scope.to_owned(),
            words.map(str::to_owned),
        )
    };
    assert_eq!(
        words(&world),
        [told("orders.read", None), told("orders.write", None)]
    );
    let described = (
        Scope::parse("orders.read").unwrap(),
        ScopeDescription::parse("See your orders").unwrap(),
    );
    world.register(Resource {
        scope_descriptions: [described].into_iter().collect(),
        ..resource(ORDERS, &["orders.read"])
    });
    // What it asked for is asked for, also where the resource has it no more.
    assert_eq!(
        words(&world),
        [
            told("orders.read", Some("See your orders")),
            told("orders.write", None)
        ]
    );
}
