//! Client credentials, and what may be asked for.

use countersign_issuer::Ask;
use countersign_issuer::model::{Client, GrantTypes};

use crate::world::{BILLING, KEY_A, ORDERS, World, ask, by_secret, outcome, permissions, resource};

const LEDGER: &str = "https://ledger.internal:8443";

/// A client of two resources, and a third that has a scope named as one of the first's.
fn world() -> World {
    let mut world = World::new();
    world.register(resource(LEDGER, &["orders.read", "ledger.read"]));
    world.enrol(Client {
        permissions: permissions(&[
            (ORDERS, &["orders.read", "orders.write"]),
            (BILLING, &["bills.read"]),
            (LEDGER, &["ledger.read"]),
        ]),
        ..by_secret("many")
    });
    world
}

#[test]
fn scopes_and_resources_are_those_of_the_registration() {
    for (who, scopes, resources, expected) in [
        ("checkout", &[][..], &[][..], Ok("orders.read orders.write")),
        ("checkout", &["orders.read"], &[], Ok("orders.read")),
        (
            "checkout",
            &["orders.read", "orders.read"],
            &[ORDERS, ORDERS],
            Ok("orders.read"),
        ),
        ("checkout", &[], &[ORDERS], Ok("orders.read orders.write")),
        ("checkout", &["bills.read"], &[], Err("scope_not_permitted")),
        (
            "checkout",
            &["orders.read", "bills.read"],
            &[],
            Err("scope_not_permitted"),
        ),
        (
            "checkout",
            &["orders"],
            &[ORDERS],
            Err("scope_not_permitted"),
        ),
        ("checkout", &[], &[BILLING], Err("target_not_permitted")),
        (
            "checkout",
            &[],
            &["https://orders.internal:8443/"],
            Err("target_not_permitted"),
        ),
        ("guard", &[], &[], Err("target_not_permitted")),
        ("many", &[], &[], Err("target_ambiguous")),
        ("many", &["bills.read"], &[], Ok("bills.read")),
        (
            "many",
            &["orders.read", "bills.read"],
            &[],
            Err("target_ambiguous"),
        ),
        (
            "many",
            &[],
            &[ORDERS, BILLING],
            Ok("bills.read orders.read orders.write"),
        ),
        (
            "many",
            &["orders.read"],
            &[ORDERS, BILLING],
            Ok("orders.read"),
        ),
        (
            "many",
            &["bills.read"],
            &[ORDERS],
            Err("scope_not_permitted"),
        ),
        // `orders.read` of ORDERS would open LEDGER, where it is not the client's.
        ("many", &[], &[ORDERS, LEDGER], Err("scope_spills")),
        (
            "many",
            &["orders.write", "ledger.read"],
            &[ORDERS, LEDGER],
            Ok("ledger.read orders.write"),
        ),
    ] {
        let answer = world().issue(who, &ask(scopes, resources));
        let granted = answer.map(|issued| issued.claims.scopes.to_string());
        let granted = granted.map_err(|refusal| refusal.label());
        assert_eq!(
            granted,
            expected.map(str::to_owned),
            "{who} {scopes:?} {resources:?}"
        );
    }
}

#[test]
fn what_was_unregistered_is_not_issued() {
    let mut world = world();
    world.resources.remove(ORDERS);
    assert_eq!(
        outcome(world.issue("checkout", &ask(&[], &[]))),
        Some("target_not_permitted")
    );
    assert_eq!(
        outcome(world.issue("checkout", &ask(&[], &[ORDERS]))),
        Some("target_not_permitted")
    );
    world.register(resource(ORDERS, &["orders.read"]));
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    assert_eq!(issued.claims.scopes.to_string(), "orders.read");
}

#[test]
fn a_token_says_what_was_granted_and_lives_as_long_as_its_resources_allow() {
    let mut world = world();
    let mut hasty = resource(BILLING, &["bills.read"]);
    hasty.access_token_lifetime = Some(std::time::Duration::from_secs(30));
    world.register(hasty);
    for (resources, lifetime_secs) in [(&[ORDERS][..], 300), (&[ORDERS, BILLING], 30)] {
        let issued = world.issue("many", &ask(&[], resources)).unwrap();
        assert_eq!(issued.claims.lifetime().as_secs(), lifetime_secs);
        assert_eq!(issued.claims.subject.as_str(), "many");
        assert_eq!(issued.claims.client.as_str(), "many");
        assert_eq!(issued.claims.jkt, KEY_A);
        let audience: Vec<_> = issued
            .claims
            .audience
            .iter()
            .map(|uri| uri.as_str())
            .collect();
        assert_eq!(audience.len(), resources.len());
        assert!(resources.iter().all(|uri| audience.contains(uri)));
        assert!(issued.refresh_token.is_none() && issued.family.is_none());
    }
    assert!(world.families.is_empty() && world.events.is_empty());
}

#[test]
fn only_clients_registered_for_the_grant_get_it() {
    let mut world = world();
    assert_eq!(
        outcome(world.issue("spa", &ask(&[], &[]))),
        Some("public_client")
    );
    world.change("checkout", |client| {
        client.grant_types = GrantTypes {
            client_credentials: false,
            ..crate::world::all_grants()
        };
    });
    assert_eq!(
        outcome(world.issue("checkout", &ask(&[], &[]))),
        Some("grant_type_not_allowed")
    );
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let parse = |scopes: &[String], resources: &[String]| {
        let refusal = Ask::parse(scopes, resources).unwrap_err();
        let (field, _) = refusal.fault().map(|(f, d)| (f.to_owned(), d)).unwrap();
        (refusal.label(), field)
    };
    let many = |text: &str, count: usize| vec![text.to_owned(); count];
    let expected = |label, field: &str| (label, field.to_owned());
    assert_eq!(
        parse(&many("s", 500_000), &[]),
        expected("too_many_scopes", "scopes")
    );
    assert_eq!(
        parse(&many("s", 101), &[]),
        expected("too_many_scopes", "scopes")
    );
    assert_eq!(
        parse(&many("a b", 1), &[]),
        expected("scope_malformed", "scopes")
    );
    assert_eq!(
        parse(&many("", 1), &[]),
        expected("scope_malformed", "scopes")
    );
    assert_eq!(
        parse(&[], &many(ORDERS, 9)),
        expected("too_many_resources", "resources")
    );
    assert_eq!(
        parse(&[], &many("orders", 1)),
        expected("target_malformed", "resources")
    );
    assert_eq!(
        parse(&[], &many("https://a/#f", 1)),
        expected("target_malformed", "resources")
    );
}
