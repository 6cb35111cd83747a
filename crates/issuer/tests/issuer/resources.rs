//! Registration of resources: what is refused, naming the field, and what a change leaves alone.

use countersign_issuer::EventKind;
use countersign_issuer::model::{AccessTokenFormat, Resource, Scopes};
use countersign_issuer::register::{
    DurationForm, FormatForm, NewResource, ResourceChange, ResourceForm, ScopeDescriptionForm,
    create_resource, delete_resource, ensure_own_resource, update_resource,
};

use crate::registration::{ADMIN, fault};
use crate::world::{ISSUER, START, World, outcome};

fn resource_form() -> ResourceForm {
    ResourceForm {
        uri: "https://new.internal".to_owned(),
        scopes: vec!["a".to_owned()],
        ..ResourceForm::default()
    }
}

#[test]
fn a_resource_is_refused_naming_the_field_that_is_wrong() {
    let lasting = |seconds: i64, nanos: i32| ResourceForm {
        access_token_lifetime: Some(DurationForm { seconds, nanos }),
        ..resource_form()
    };
    for (form, label, field) in [
        (resource_form(), "accepted", ""),
        (lasting(1, 0), "accepted", ""),
        (lasting(900, 0), "accepted", ""),
        (
            lasting(901, 0),
            "access_token_lifetime",
            "resource.access_token_lifetime",
        ),
        (
            lasting(0, 0),
            "access_token_lifetime",
            "resource.access_token_lifetime",
        ),
        (
            lasting(-1, 0),
            "access_token_lifetime",
            "resource.access_token_lifetime",
        ),
        (
            lasting(i64::MAX, 0),
            "access_token_lifetime",
            "resource.access_token_lifetime",
        ),
        (
            lasting(5, 1),
            "access_token_lifetime",
            "resource.access_token_lifetime",
        ),
        (
            ResourceForm {
                access_token_format: FormatForm::Unknown,
                ..resource_form()
            },
            "access_token_format",
            "resource.access_token_format",
        ),
        (
            ResourceForm {
                uri: String::new(),
                ..resource_form()
            },
            "missing",
            "resource.uri",
        ),
        (
            ResourceForm {
                uri: "x".into(),
                ..resource_form()
            },
            "resource_uri",
            "resource.uri",
        ),
        (
            ResourceForm {
                display_name: "\n".into(),
                ..resource_form()
            },
            "display_name",
            "resource.display_name",
        ),
        (
            ResourceForm {
                scopes: vec!["".into()],
                ..resource_form()
            },
            "scope_malformed",
            "resource.scopes",
        ),
        (
            ResourceForm {
                scopes: vec!["s".into(); 101],
                ..resource_form()
            },
            "too_many_scopes",
            "resource.scopes",
        ),
    ] {
        let answer = NewResource::parse(&form, START);
        assert_eq!(fault(answer), (label, field.to_owned()), "{form:?}");
    }
}

fn described(described: &[(&str, &str)]) -> ResourceForm {
    let form = |(scope, description): &(&str, &str)| ScopeDescriptionForm {
        scope: (*scope).to_owned(),
        description: (*description).to_owned(),
    };
    ResourceForm {
        scopes: vec!["a".to_owned(), "b".to_owned()],
        scope_descriptions: described.iter().map(form).collect(),
        ..resource_form()
    }
}

#[test]
fn words_are_of_scopes_that_are_there_and_short() {
    let (most, more) = ("ü".repeat(200), "u".repeat(201));
    let many: Vec<_> = (0..101).map(|nth| format!("s{nth}")).collect();
    let many: Vec<_> = many.iter().map(|scope| (scope.as_str(), "w")).collect();
    for (words, label, field) in [
        (&[("a", "See"), ("b", most.as_str())][..], "accepted", ""),
        (
            &[("c", "See")],
            "scope_not_of_resource",
            "scope_descriptions",
        ),
        (&[("a", "")], "missing", "scope_descriptions[0].description"),
        (
            &[("a", "See"), ("b", more.as_str())],
            "scope_description",
            "scope_descriptions[1].description",
        ),
        (
            &[("a", "one\ntwo")],
            "scope_description",
            "scope_descriptions[0].description",
        ),
        (
            &[("a", "one"), ("a", "two")],
            "twice",
            "scope_descriptions[1].scope",
        ),
        (&[("a b", "See")], "scope", "scope_descriptions[0].scope"),
        (&many, "too_many_entries", "scope_descriptions"),
    ] {
        let world = World::new();
        let answer = NewResource::parse(&described(words), START).and_then(|new| {
            let (issuer, admin) = (&world.issuer.name, &ADMIN);
            create_resource(new, None, issuer, admin, START).answer
        });
        let expected = match field {
            "" => String::new(),
            field => format!("resource.{field}"),
        };
        assert_eq!(fault(answer), (label, expected));
    }
}

/// A scope that goes and comes back is not described by what was said of it before.
#[test]
fn words_go_with_their_scope() {
    let mut world = World::new();
    let new = NewResource::parse(&described(&[("a", "See"), ("b", "Change")]), START).unwrap();
    let issuer = world.issuer.name.clone();
    let created = create_resource(new, None, &issuer, &ADMIN, START);
    let created = world.settle(created).unwrap();
    let mut change = |form: ResourceForm, mask: &[&str]| {
        let change = ResourceChange::parse(&form, mask).unwrap();
        let known = world.resources.get(created.uri.as_str()).cloned();
        let decision = update_resource(&change, known.as_ref(), &issuer, &ADMIN, START);
        world.settle(decision)
    };
    let words = |resource: &Resource| -> Vec<_> {
        let described = resource.scope_descriptions.iter();
        described
            .map(|(scope, words)| format!("{scope}: {words}"))
            .collect()
    };
    let only = |scopes: &[&str]| ResourceForm {
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        ..resource_form()
    };
    let named = ResourceForm {
        display_name: "Named".to_owned(),
        ..resource_form()
    };
    let kept = change(named, &["display_name"]).unwrap();
    assert_eq!(words(&kept), ["a: See", "b: Change"]);
    assert_eq!(
        words(&change(only(&["a"]), &["scopes"]).unwrap()),
        ["a: See"]
    );
    let back = change(only(&["a", "b"]), &["scopes"]).unwrap();
    assert_eq!(words(&back), ["a: See"]);
    let others = change(described(&[("b", "Move")]), &["scope_descriptions"]).unwrap();
    assert_eq!(words(&others), ["b: Move"]);
    let unknown = described(&[("c", "Leave")]);
    assert!(change(unknown, &["scope_descriptions"]).is_err());
    let none = change(only(&["a"]), &["scope_descriptions"]).unwrap();
    assert_eq!(words(&none), [""; 0]);
}

#[test]
fn a_resource_is_registered_changed_and_removed() {
    let mut world = World::new();
    let new = NewResource::parse(&resource_form(), world.now).unwrap();
    let decision = create_resource(new.clone(), None, &world.issuer.name, &ADMIN, world.now);
    world.settle(decision).unwrap();
    let uri = "https://new.internal";
    let decision = create_resource(
        new,
        world.resources.get(uri),
        &world.issuer.name,
        &ADMIN,
        world.now,
    );
    assert_eq!(outcome(world.settle(decision)), Some("exists"));

    let form = ResourceForm {
        scopes: vec!["b".into()],
        display_name: "N".into(),
        ..resource_form()
    };
    let change = ResourceChange::parse(&form, &["scopes"]).unwrap();
    let decision = update_resource(
        &change,
        world.resources.get(uri),
        &world.issuer.name,
        &ADMIN,
        world.now,
    );
    let changed = world.settle(decision).unwrap();
    assert_eq!(
        (changed.scopes.to_string(), changed.display_name.as_str()),
        ("b".into(), "")
    );
    assert_eq!(
        fault(ResourceChange::parse(&form, &["uri"])).0,
        "update_mask"
    );
    // Named often, read once; and a wrong name is found wherever it stands.
    let mut often = vec!["scopes"; 100_000];
    assert!(ResourceChange::parse(&form, &often).is_ok());
    often.push("etag");
    assert_eq!(fault(ResourceChange::parse(&form, &often)).0, "update_mask");

    let decision = delete_resource(world.resources.get(uri), None, &ADMIN, world.now);
    world.settle(decision).unwrap();
    assert!(!world.resources.contains_key(uri));
}

#[test]
fn the_services_own_api_is_a_resource_with_every_scope_that_its_rules_ask_for() {
    let mut world = World::new();
    let ensure = |world: &mut World| {
        let known = world.resources.get(ISSUER);
        let decision = ensure_own_resource(&world.issuer.name, known, world.now).unwrap();
        world.settle(decision).unwrap();
        world.resources[ISSUER].value.clone()
    };
    let own = ensure(&mut world);
    assert_eq!(
        own.scopes.to_string(),
        "admin.keys admin.read admin.write authorizations.decide introspect revocations.watch"
    );
    let written = world.events.len();
    assert_eq!(ensure(&mut world), own);
    assert_eq!(world.events.len(), written, "nothing to do");

    // A store of an earlier release lacks some, and an operator may have added others.
    let known = world.resources.get_mut(ISSUER).unwrap();
    known.value.scopes = Scopes::parse(&["introspect", "of.our.own"]).unwrap();
    assert_eq!(
        ensure(&mut world).scopes.to_string(),
        "admin.keys admin.read admin.write authorizations.decide introspect of.our.own \
         revocations.watch"
    );
    assert_eq!(
        world.events.last().unwrap().kind,
        EventKind::ResourceUpdated
    );
}

#[test]
fn a_resource_has_jwts_unless_it_says_otherwise() {
    let mut world = World::new();
    let new = NewResource::parse(&resource_form(), world.now).unwrap();
    let name = world.issuer.name.clone();
    let decision = create_resource(new, None, &name, &ADMIN, world.now);
    let created = world.settle(decision).unwrap();
    assert_eq!(created.access_token_format, AccessTokenFormat::Jwt);

    let uri = created.uri.as_str();
    let reference = ResourceForm {
        access_token_format: FormatForm::Known(AccessTokenFormat::Reference),
        ..resource_form()
    };
    for (form, mask, expected) in [
        (&reference, "scopes", AccessTokenFormat::Jwt),
        (
            &reference,
            "access_token_format",
            AccessTokenFormat::Reference,
        ),
        (&resource_form(), "scopes", AccessTokenFormat::Reference),
        (
            &resource_form(),
            "access_token_format",
            AccessTokenFormat::Jwt,
        ),
    ] {
        let change = ResourceChange::parse(form, &[mask]).unwrap();
        let known = world.resources.get(uri);
        let decision = update_resource(&change, known, &name, &ADMIN, world.now);
        let changed = world.settle(decision).unwrap();
        assert_eq!(changed.access_token_format, expected, "{mask}");
    }
}

/// Whoever introspects shows a token for the service itself: it would never come to an end.
#[test]
fn the_services_own_api_has_no_reference_tokens() {
    let mut world = World::new();
    let name = world.issuer.name.clone();
    let reference = ResourceForm {
        uri: ISSUER.to_owned(),
        access_token_format: FormatForm::Known(AccessTokenFormat::Reference),
        ..resource_form()
    };
    let refused = (
        "access_token_format_own",
        "resource.access_token_format".to_owned(),
    );
    let new = NewResource::parse(&reference, world.now).unwrap();
    let decision = create_resource(new, None, &name, &ADMIN, world.now);
    assert_eq!(fault(world.settle(decision)), refused);

    let decision = ensure_own_resource(&name, None, world.now).unwrap();
    world.settle(decision).unwrap();
    let change = ResourceChange::parse(&reference, &["access_token_format"]).unwrap();
    let known = world.resources.get(ISSUER);
    let decision = update_resource(&change, known, &name, &ADMIN, world.now);
    assert_eq!(fault(world.settle(decision)), refused);
}
