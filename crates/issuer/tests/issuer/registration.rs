//! Registration of clients: what is refused, naming the field; new secrets, and removal.

mod changes;

use countersign_issuer::model::{GrantType, RefreshKey};
use countersign_issuer::register::{
    AuthenticationMethod, ClientForm, NewClient, PermissionForm, Registered, create_client,
    delete_client, rotate_client_secret,
};
use countersign_issuer::{Actor, EventKind, Presented, Refusal, Version, authenticate};

use crate::world::{ORDERS, START, World, assertion_key, outcome};

pub(crate) const ADMIN: Actor = Actor::Operator { uid: 0 };

fn form() -> ClientForm {
    ClientForm {
        client_id: "new".to_owned(),
        display_name: "New".to_owned(),
        authentication_method: Some(AuthenticationMethod::Secret),
        grant_types: vec![
            Some(GrantType::ClientCredentials),
            Some(GrantType::AuthorizationCode),
            Some(GrantType::RefreshToken),
        ],
        redirect_uris: vec!["https://new.example/cb".to_owned()],
        permissions: vec![permission(ORDERS, &["orders.read"])],
        serves: vec![ORDERS.to_owned()],
        ..ClientForm::default()
    }
}

fn permission(resource: &str, scopes: &[&str]) -> PermissionForm {
    PermissionForm {
        resource: resource.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        details_types: Vec::new(),
    }
}

fn jwks() -> String {
    format!(r#"{{"keys":[{}]}}"#, assertion_key().public().to_jwk())
}

fn create(world: &mut World, form: &ClientForm) -> Result<Registered, Refusal> {
    let new = NewClient::parse(form, [6; 16])?;
    let known = world.clients.get(new.id().as_str());
    let decision = create_client(&new, known, &world.catalogue(), &[5; 32], &ADMIN, world.now);
    world.settle(decision)
}

/// The label of the refusal and the field that it names.
pub(crate) fn fault<T>(answer: Result<T, Refusal>) -> (&'static str, String) {
    let Err(refusal) = answer else {
        return ("accepted", String::new());
    };
    let field = refusal
        .fault()
        .map(|(field, _)| field.to_owned())
        .unwrap_or_default();
    (refusal.label(), field)
}

#[test]
fn a_client_is_registered_with_a_secret_that_works() {
    let mut world = World::new();
    let registered = create(&mut world, &form()).unwrap();
    let secret = registered.secret.unwrap();
    assert_eq!(secret.reveal().len(), 47);
    let client = world.client("new");
    let presented = Presented::Secret(secret.reveal());
    assert!(
        authenticate(
            &client.id,
            Some(&client),
            &presented,
            None,
            &world.issuer,
            START
        )
        .is_ok()
    );
    let event = world.events.last().unwrap();
    assert_eq!(
        (event.kind, event.actor.to_string()),
        (EventKind::ClientCreated, "uid:0".into())
    );
    assert_eq!(outcome(create(&mut world, &form())), Some("exists"));
}

#[test]
fn a_client_without_a_name_is_given_one() {
    let mut world = World::new();
    let registered = create(
        &mut world,
        &ClientForm {
            client_id: String::new(),
            ..form()
        },
    );
    assert_eq!(
        registered.unwrap().client.id.as_str(),
        "BgYGBgYGBgYGBgYGBgYGBg"
    );
}

#[test]
fn a_client_is_refused_naming_the_field_that_is_wrong() {
    use AuthenticationMethod::{None as Public, PrivateKeyJwt, Secret};
    let redirect = |uri: &str| vec!["https://a.example/".to_owned(), uri.to_owned()];
    let code = || vec![Some(GrantType::AuthorizationCode)];
    let public = || ClientForm {
        authentication_method: Some(Public),
        grant_types: vec![
            Some(GrantType::AuthorizationCode),
            Some(GrantType::RefreshToken),
        ],
        ..form()
    };
    let by_key = ClientForm {
        authentication_method: Some(PrivateKeyJwt),
        jwks: jwks(),
        ..form()
    };
    let d = "ERERERERERERERERERERERERERERERERERERERERERE";
    let private = jwks().replace(r#""kty""#, &format!(r#""d":"{d}","kty""#));
    for (form, label, field) in [
        (form(), "accepted", ""),
        (public(), "accepted", ""),
        (by_key.clone(), "accepted", ""),
        (
            ClientForm {
                client_id: "a b".into(),
                ..form()
            },
            "client_id",
            "client.client_id",
        ),
        (
            ClientForm {
                display_name: "x".repeat(129),
                ..form()
            },
            "display_name",
            "client.display_name",
        ),
        (
            ClientForm {
                authentication_method: None,
                ..form()
            },
            "authentication_method",
            "client.authentication_method",
        ),
        (
            ClientForm {
                jwks: String::new(),
                ..by_key.clone()
            },
            "missing",
            "client.jwks",
        ),
        (
            ClientForm {
                jwks: "{}".into(),
                ..by_key.clone()
            },
            "jwks",
            "client.jwks",
        ),
        (
            ClientForm {
                jwks: private,
                ..by_key.clone()
            },
            "jwks",
            "client.jwks",
        ),
        (
            ClientForm {
                authentication_method: Some(Secret),
                ..by_key
            },
            "jwks_unused",
            "client.jwks",
        ),
        (
            ClientForm {
                grant_types: vec![],
                ..form()
            },
            "grant_type_missing",
            "client.grant_types",
        ),
        (
            ClientForm {
                grant_types: vec![None],
                ..form()
            },
            "grant_type",
            "client.grant_types",
        ),
        (
            ClientForm {
                grant_types: vec![Some(GrantType::RefreshToken)],
                ..form()
            },
            "grant_type_refresh_alone",
            "client.grant_types",
        ),
        (
            ClientForm {
                grant_types: vec![Some(GrantType::ClientCredentials)],
                ..public()
            },
            "grant_type_confidential",
            "client.grant_types",
        ),
        (
            ClientForm {
                grant_types: code(),
                redirect_uris: vec![],
                ..form()
            },
            "redirect_uri_needed",
            "client.redirect_uris",
        ),
        (
            ClientForm {
                redirect_uris: redirect("http://evil.example/"),
                ..form()
            },
            "redirect_uri",
            "client.redirect_uris[1]",
        ),
        (
            ClientForm {
                redirect_uris: redirect("https://a.example/#f"),
                ..form()
            },
            "redirect_uri",
            "client.redirect_uris[1]",
        ),
        (
            ClientForm {
                redirect_uris: redirect("app:/cb"),
                ..form()
            },
            "redirect_uri",
            "client.redirect_uris[1]",
        ),
        (
            ClientForm {
                redirect_uris: redirect("https://a.example/"),
                ..form()
            },
            "twice",
            "client.redirect_uris[1]",
        ),
        (
            ClientForm {
                redirect_uris: vec!["https://a/".into(); 65],
                ..form()
            },
            "too_many_entries",
            "client.redirect_uris",
        ),
        (
            ClientForm {
                permissions: vec![permission("https://x.example", &[])],
                ..form()
            },
            "resource_not_registered",
            "client.permissions.resource",
        ),
        (
            ClientForm {
                permissions: vec![permission(ORDERS, &["bills.read"])],
                ..form()
            },
            "scope_not_of_resource",
            "client.permissions.scopes",
        ),
        (
            ClientForm {
                permissions: vec![permission(ORDERS, &["a b"])],
                ..form()
            },
            "scope_malformed",
            "client.permissions.scopes",
        ),
        (
            ClientForm {
                permissions: vec![permission(ORDERS, &[]); 2],
                ..form()
            },
            "twice",
            "client.permissions[1]",
        ),
        (
            ClientForm {
                serves: vec!["x".into()],
                ..form()
            },
            "resource_uri",
            "client.serves[0]",
        ),
        (
            ClientForm {
                serves: vec!["https://x.example".into()],
                ..form()
            },
            "resource_not_registered",
            "client.serves[0]",
        ),
        (
            ClientForm {
                refresh_key: RefreshKey::Replaceable,
                ..public()
            },
            "refresh_key_public",
            "client.refresh_key",
        ),
    ] {
        let answer = create(&mut World::new(), &form);
        assert_eq!(fault(answer), (label, field.to_owned()), "{form:?}");
    }
}

#[test]
fn a_new_secret_replaces_the_old_one() {
    let mut world = World::new();
    let old = create(&mut world, &form()).unwrap().secret.unwrap();
    let decision = rotate_client_secret(world.clients.get("new"), &[8; 32], &ADMIN, world.now);
    let new = world.settle(decision).unwrap().secret;
    let client = world.client("new");
    for (secret, expected) in [(&new, None), (&old, Some("client_wrong_secret"))] {
        let presented = Presented::Secret(secret.reveal());
        let answer = authenticate(
            &client.id,
            Some(&client),
            &presented,
            None,
            &world.issuer,
            START,
        );
        assert_eq!(outcome(answer), expected);
    }
    for (who, expected) in [("spa", "no_secret"), ("nobody", "not_found")] {
        let decision = rotate_client_secret(world.clients.get(who), &[8; 32], &ADMIN, START);
        assert_eq!(outcome(world.settle(decision)), Some(expected));
    }
}

#[test]
fn a_client_is_removed() {
    let mut world = World::new();
    let version = world.clients["checkout"].version;
    let other = Version::new(version.as_u64() + 1);
    let remove = |world: &World, expected| {
        delete_client(world.clients.get("checkout"), expected, &ADMIN, START)
    };
    let decision = remove(&world, Some(other));
    assert_eq!(outcome(world.settle(decision)), Some("changed"));
    let decision = remove(&world, Some(version));
    assert_eq!(outcome(world.settle(decision)), None);
    let decision = remove(&world, None);
    assert_eq!(outcome(world.settle(decision)), Some("not_found"));
    assert_eq!(world.events.last().unwrap().kind, EventKind::ClientDeleted);
}
