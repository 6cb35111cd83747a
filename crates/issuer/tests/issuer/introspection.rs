//! Introspection: attacks.md, "Introspection, revocation".

use countersign_issuer::introspect::{Introspection, introspect, recognise};
use countersign_issuer::model::{Client, ResourceUri};

use crate::world::{BILLING, KEY_A, World, ask, by_secret, refresh_token};

#[test]
fn an_access_token_is_shown_to_those_it_is_for() {
    let mut world = World::new();
    world.enrol(Client {
        serves: vec![ResourceUri::parse(BILLING).unwrap()],
        ..by_secret("billing")
    });
    let issued = world.grant("checkout");
    let token = world.sign(&issued);
    for (caller, active) in [
        ("guard", true),
        ("billing", false),
        ("checkout", false),
        ("nobody", false),
    ] {
        assert_eq!(world.is_active(&token, caller), active, "{caller}");
    }
    world.change("guard", |client| client.disabled = true);
    assert!(!world.is_active(&token, "guard"), "disabled");
}

#[test]
fn an_active_access_token_is_shown_as_it_was_issued() {
    let mut world = World::new();
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    let recognised = recognise(&world.sign(&issued), &world.published(), &world.issuer);
    let standing = world.standing_of(&recognised);
    let caller = world.client("guard");
    let answer = introspect(
        &recognised,
        &standing,
        Some(&caller),
        &world.issuer,
        world.now,
    );
    assert_eq!(answer, Introspection::Access(&issued.claims));
}

#[test]
fn an_access_token_is_active_until_it_ends_or_is_revoked() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let token = world.sign(&issued);
    world.pass(299);
    assert!(world.is_active(&token, "guard"));
    world.pass(1);
    assert!(!world.is_active(&token, "guard"), "expired");

    let mut world = World::new();
    let issued = world.grant("checkout");
    let token = world.sign(&issued);
    world.families.clear();
    assert!(!world.is_active(&token, "guard"), "its family is gone");
}

#[test]
fn anything_else_is_inactive() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let token = world.sign(&issued);
    let refresh = refresh_token(&issued);
    for text in [
        "",
        "x",
        "a.b.c",
        &token[1..],
        &format!("{token}x"),
        "csr_garbage",
        &refresh[..70],
        &refresh,
    ] {
        assert!(!world.is_active(text, "guard"));
    }
}

#[test]
fn a_refresh_token_is_shown_to_its_own_client() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let first = refresh_token(&issued);
    for (caller, active) in [("checkout", true), ("other", false), ("guard", false)] {
        assert_eq!(world.is_active(&first, caller), active, "{caller}");
    }
    let recognised = recognise(&first, &world.published(), &world.issuer);
    let standing = world.standing_of(&recognised);
    let caller = world.client("checkout");
    let answer = introspect(
        &recognised,
        &standing,
        Some(&caller),
        &world.issuer,
        world.now,
    );
    let Introspection::Refresh(shown) = answer else {
        panic!("it is active")
    };
    assert_eq!(shown.subject.as_str(), "alice");
    assert_eq!(shown.jkt, Some(KEY_A));
    assert_eq!(shown.expires_at.as_secs(), world.now.as_secs() + 7 * 86_400);

    let rotated = world.rotate("checkout", &first, &[], KEY_A).unwrap();
    assert!(!world.is_active(&first, "checkout"), "spent");
    let second = refresh_token(&rotated);
    assert!(world.is_active(&second, "checkout"));
    world.change("checkout", |client| {
        client.grant_types.refresh_token = false;
    });
    assert!(!world.is_active(&second, "checkout"), "of no use");
    world.change("checkout", |client| {
        client.grant_types.refresh_token = true;
    });
    world.pass(7 * 86_400);
    assert!(!world.is_active(&second, "checkout"), "expired");
}
