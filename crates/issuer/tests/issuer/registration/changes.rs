//! What a change of a registration touches and leaves alone, and how two at once end.

use countersign_issuer::model::{Authentication, Client};
use countersign_issuer::register::{ClientChange, ClientForm, etag, parse_etag, update_client};
use countersign_issuer::{Decision, Refusal, Version};

use super::{ADMIN, create, fault, form, jwks};
use crate::world::{KEY_A, ORDERS, START, World, outcome, refresh_token};

fn update(world: &mut World, form: &ClientForm, mask: &[&str]) -> Result<Client, Refusal> {
    let change = ClientChange::parse(form, mask)?;
    let known = world.clients.get(change.id().as_str());
    let decision = update_client(&change, known, &world.catalogue(), &ADMIN, world.now);
    world.settle(decision)
}

#[test]
fn a_change_touches_what_the_mask_names() {
    let mut world = World::new();
    create(&mut world, &form()).unwrap();
    world.pass(5);
    let new = ClientForm {
        client_id: "new".into(),
        display_name: "Newer".into(),
        disabled: true,
        ..ClientForm::default()
    };
    let changed = update(&mut world, &new, &["display_name"]).unwrap();
    assert_eq!(changed.display_name.as_str(), "Newer");
    assert!(!changed.disabled && !changed.permissions.is_empty());
    assert!(matches!(changed.authentication, Authentication::Secret(_)));
    assert_eq!((changed.created_at, changed.updated_at), (START, world.now));

    assert_eq!(
        fault(update(&mut world, &new, &["client_id"])),
        ("update_mask", "update_mask".to_owned())
    );
    // Named often, read once.
    let often = update(&mut world, &new, &vec!["display_name"; 10_000]).unwrap();
    assert_eq!(often.display_name.as_str(), "Newer");
    // An empty mask means all fields, and all of them must be right.
    assert_eq!(fault(update(&mut world, &new, &[])).1, "client.grant_types");
    let all = ClientForm {
        display_name: "Newest".into(),
        jwks: String::new(),
        ..form()
    };
    assert_eq!(
        update(&mut world, &all, &[]).unwrap().display_name.as_str(),
        "Newest"
    );
}

#[test]
fn a_change_keeps_the_rules_between_fields() {
    let mut world = World::new();
    create(&mut world, &form()).unwrap();
    let empty = ClientForm {
        client_id: "new".into(),
        ..ClientForm::default()
    };
    assert_eq!(
        fault(update(&mut world, &empty, &["redirect_uris"])).0,
        "redirect_uri_needed"
    );
    let keys = ClientForm {
        jwks: jwks(),
        ..empty
    };
    assert_eq!(fault(update(&mut world, &keys, &["jwks"])).0, "jwks_unused");
    // A resource that is gone since does not stand in the way.
    world.resources.remove(ORDERS);
    let off = ClientForm {
        client_id: "new".into(),
        disabled: true,
        ..ClientForm::default()
    };
    assert!(update(&mut world, &off, &["disabled"]).unwrap().disabled);
}

#[test]
fn what_a_client_had_when_it_was_disabled_stays_dead_when_it_is_enabled() {
    let mut world = World::new();
    let switch = |world: &mut World, disabled| {
        let form = ClientForm {
            client_id: "checkout".into(),
            disabled,
            ..ClientForm::default()
        };
        update(world, &form, &["disabled"]).unwrap()
    };
    let before = world.grant("checkout");
    let access = world.sign(&before);
    assert!(world.is_active(&access, "guard"));
    let off = switch(&mut world, true);
    let told = world.revocations.last().unwrap();
    assert_eq!(off.tokens_revoked_at, Some(told.at), "both say the same");
    // Neither a second switch nor a clock that was set back moves it.
    world.now = world.now.minus(std::time::Duration::from_secs(3_600));
    assert_eq!(
        switch(&mut world, true).tokens_revoked_at,
        off.tokens_revoked_at
    );
    switch(&mut world, false);
    assert_eq!(
        switch(&mut world, true).tokens_revoked_at,
        off.tokens_revoked_at
    );
    world.now = world.now.plus(std::time::Duration::from_secs(3_600));
    assert_eq!(
        switch(&mut world, false).tokens_revoked_at,
        off.tokens_revoked_at
    );
    assert!(!world.is_active(&access, "guard"));

    world.pass(3);
    let after = world.rotate("checkout", &refresh_token(&before), &[], KEY_A);
    let after = after.expect("its families waited");
    assert!(world.is_active(&world.sign(&after), "guard"));
    assert!(!world.is_active(&access, "guard"));
}

#[test]
fn a_change_on_what_somebody_else_changed_is_refused() {
    let mut world = World::new();
    create(&mut world, &form()).unwrap();
    let version = world.clients["new"].version;
    let mine = ClientForm {
        etag: etag(version),
        ..form()
    };
    assert!(update(&mut world, &mine, &[]).is_ok());
    assert_eq!(outcome(update(&mut world, &mine, &[])), Some("changed"));
    let garbage = ClientForm {
        etag: "x".into(),
        ..form()
    };
    assert_eq!(outcome(update(&mut world, &garbage, &[])), Some("changed"));
    let nobody = ClientForm {
        client_id: "nobody".into(),
        ..form()
    };
    assert_eq!(outcome(update(&mut world, &nobody, &[])), Some("not_found"));

    // Two that both read the same version: the store finds the second.
    let change = ClientChange::parse(&form(), &["display_name"]).unwrap();
    let decide = |world: &World| -> Decision<_> {
        let known = world.clients.get("new");
        update_client(&change, known, &world.catalogue(), &ADMIN, world.now)
    };
    let (first, second) = (decide(&world), decide(&world));
    assert!(world.commit(&first.change).is_ok());
    assert!(world.commit(&second.change).is_err());
}

#[test]
fn an_etag_has_one_text() {
    let version = Version::new(7);
    assert_eq!(parse_etag(&etag(version)), Ok(Some(version)));
    assert_eq!(parse_etag(""), Ok(None));
    for text in ["007", "+7", " 7", "x", "-1", "99999999999999999999"] {
        assert_eq!(parse_etag(text), Err(Refusal::Changed), "{text}");
    }
}
