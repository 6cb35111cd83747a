//! Registration over the Unix socket.

use countersign::admin::v1 as admin;
use prost_types::FieldMask;

use crate::comes::{Comes, check};
use crate::harness::{CALLBACK, ORDERS, Service, inner, person_client, service_client, strings};
use crate::proof::Key;

pub(crate) fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: strings(paths),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_itself_is_a_resource() {
    let service = Service::start().await;
    let found = inner(
        service
            .resources()
            .await
            .get_resource(admin::GetResourceRequest {
                uri: service.issuer().to_owned(),
            })
            .await,
    )
    .expect("there")
    .resource
    .expect("a resource");
    for scope in [
        "introspect",
        "authorizations.decide",
        "admin.read",
        "admin.write",
    ] {
        assert!(found.scopes.contains(&scope.to_owned()), "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_created_shown_changed_and_removed() {
    let service = Service::start().await;
    service.add_orders().await;
    let mut resources = service.resources().await;
    let get = || admin::GetResourceRequest {
        uri: ORDERS.to_owned(),
    };
    let created = inner(resources.get_resource(get()).await)
        .expect("there")
        .resource
        .expect("a resource");
    assert_eq!(created.scopes, ["orders.read", "orders.write"]);
    assert_eq!(created.create_time, created.update_time);

    let again = resources
        .create_resource(admin::CreateResourceRequest {
            resource: Some(created.clone()),
        })
        .await;
    check("there already", &again, Comes::Exists);

    let updated = inner(
        resources
            .update_resource(admin::UpdateResourceRequest {
                resource: Some(admin::Resource {
                    display_name: "Orders".to_owned(),
                    scopes: strings(&["ignored"]),
                    ..created.clone()
                }),
                update_mask: mask(&["display_name"]),
            })
            .await,
    )
    .expect("changed")
    .resource
    .expect("a resource");
    assert_eq!(updated.display_name, "Orders");
    assert_eq!(updated.scopes, created.scopes, "not in the mask");
    assert_ne!(updated.etag, created.etag);

    let stale = resources
        .update_resource(admin::UpdateResourceRequest {
            resource: Some(created.clone()),
            update_mask: None,
        })
        .await;
    check("changed meanwhile", &stale, Comes::Changed);
    let unknown_path = resources
        .update_resource(admin::UpdateResourceRequest {
            resource: Some(updated.clone()),
            update_mask: mask(&["uri"]),
        })
        .await;
    check(
        "not a field to change",
        &unknown_path,
        Comes::R("update_mask"),
    );

    let delete = |etag: &str| admin::DeleteResourceRequest {
        uri: ORDERS.to_owned(),
        etag: etag.to_owned(),
    };
    let stale = resources.delete_resource(delete(&created.etag)).await;
    check("an old etag", &stale, Comes::Changed);
    let stale = resources.delete_resource(delete("nonsense")).await;
    check("no etag at all", &stale, Comes::Changed);
    resources
        .delete_resource(delete(&updated.etag))
        .await
        .expect("removed");
    check(
        "gone",
        &resources.get_resource(get()).await,
        Comes::NotFound,
    );
    check(
        "gone",
        &resources.delete_resource(delete("")).await,
        Comes::NotFound,
    );
}

pub(crate) fn words(scope: &str, description: &str) -> admin::ScopeDescription {
    admin::ScopeDescription {
        scope: scope.to_owned(),
        description: description.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_are_not_right_are_refused_by_field() {
    let service = Service::start().await;
    let mut resources = service.resources().await;
    let right = || admin::Resource {
        uri: ORDERS.to_owned(),
        ..admin::Resource::default()
    };
    let lifetime = |seconds, nanos| prost_types::Duration { seconds, nanos };
    for (what, resource, expected) in [
        ("nothing", None, Comes::R("resource")),
        (
            "no URI",
            Some(admin::Resource {
                uri: String::new(),
                ..right()
            }),
            Comes::R("resource.uri"),
        ),
        (
            "a relative URI",
            Some(admin::Resource {
                uri: "/orders".to_owned(),
                ..right()
            }),
            Comes::R("resource.uri"),
        ),
        (
            "a fragment",
            Some(admin::Resource {
                uri: format!("{ORDERS}#x"),
                ..right()
            }),
            Comes::R("resource.uri"),
        ),
        (
            "a name of 129 characters",
            Some(admin::Resource {
                display_name: "x".repeat(129),
                ..right()
            }),
            Comes::R("resource.display_name"),
        ),
        (
            "16 minutes",
            Some(admin::Resource {
                access_token_lifetime: Some(lifetime(960, 0)),
                ..right()
            }),
            Comes::R("resource.access_token_lifetime"),
        ),
        (
            "an absurd lifetime",
            Some(admin::Resource {
                access_token_lifetime: Some(lifetime(i64::MIN, i32::MIN)),
                ..right()
            }),
            Comes::R("resource.access_token_lifetime"),
        ),
        (
            "a malformed scope",
            Some(admin::Resource {
                scopes: strings(&["a b"]),
                ..right()
            }),
            Comes::Scope,
        ),
        (
            "words for a scope that it does not have",
            Some(admin::Resource {
                scopes: strings(&["orders.read"]),
                scope_descriptions: vec![words("orders.write", "Change your orders")],
                ..right()
            }),
            Comes::R("resource.scope_descriptions"),
        ),
        (
            "words on two lines",
            Some(admin::Resource {
                scopes: strings(&["orders.read"]),
                scope_descriptions: vec![words("orders.read", "See\nall")],
                ..right()
            }),
            Comes::R("resource.scope_descriptions[0].description"),
        ),
        ("right", Some(right()), Comes::Ok),
    ] {
        let answer = resources
            .create_resource(admin::CreateResourceRequest { resource })
            .await;
        check(what, &answer, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_created_shown_changed_and_removed() {
    let service = Service::start().await;
    service.add_orders().await;
    let batch = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let key = Key::new();
    service.issue(&batch, &key).await.expect("issued");
    let mut clients = service.clients().await;
    let get = || admin::GetClientRequest {
        client_id: "batch".to_owned(),
    };
    let shown = inner(clients.get_client(get()).await)
        .expect("there")
        .client
        .expect("a client");
    assert_eq!(shown.permissions[0].scopes, ["orders.read"]);
    assert_eq!(shown.refresh_key(), admin::RefreshKey::Pinned);

    // Its secret is replaced.
    let renewed = inner(
        clients
            .rotate_client_secret(admin::RotateClientSecretRequest {
                client_id: "batch".to_owned(),
            })
            .await,
    )
    .expect("renewed")
    .client_secret;
    check(
        "the old secret",
        &service.issue(&batch, &key).await,
        Comes::C,
    );
    let batch = crate::harness::Client {
        id: batch.id,
        secret: Some(renewed),
    };
    service.issue(&batch, &key).await.expect("the new secret");

    // It is disabled and enabled again.
    for (disabled, expected) in [(true, Comes::C), (false, Comes::Ok)] {
        inner(
            clients
                .update_client(admin::UpdateClientRequest {
                    client: Some(admin::Client {
                        client_id: "batch".to_owned(),
                        disabled,
                        ..admin::Client::default()
                    }),
                    update_mask: mask(&["disabled"]),
                })
                .await,
        )
        .expect("changed");
        let answer = service.issue(&batch, &key).await;
        check(&format!("disabled: {disabled}"), &answer, expected);
    }
    let stale = clients
        .update_client(admin::UpdateClientRequest {
            client: Some(shown),
            update_mask: None,
        })
        .await;
    check("changed meanwhile", &stale, Comes::Changed);

    let delete = || admin::DeleteClientRequest {
        client_id: "batch".to_owned(),
        etag: String::new(),
    };
    clients.delete_client(delete()).await.expect("removed");
    check("gone", &clients.get_client(get()).await, Comes::NotFound);
    check("gone", &service.issue(&batch, &key).await, Comes::C);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_not_right_are_refused_by_field() {
    let service = Service::start().await;
    service.add_orders().await;
    let mut clients = service.clients().await;
    let right = || service_client("batch", &[(ORDERS, &["orders.read"])]);
    let public = admin::AuthenticationMethod::None;
    let secret = admin::AuthenticationMethod::ClientSecret;
    for (what, client, expected) in [
        ("nothing", None, Comes::R("client")),
        (
            "an id that none can have",
            Some(admin::Client {
                client_id: "a b".to_owned(),
                ..right()
            }),
            Comes::R("client.client_id"),
        ),
        (
            "no method",
            Some(admin::Client {
                authentication_method: 0,
                ..right()
            }),
            Comes::R("client.authentication_method"),
        ),
        (
            "a method of the future",
            Some(admin::Client {
                authentication_method: 99,
                ..right()
            }),
            Comes::R("client.authentication_method"),
        ),
        (
            "no grant",
            Some(admin::Client {
                grant_types: vec![],
                ..right()
            }),
            Comes::R("client.grant_types"),
        ),
        (
            "a grant of the future",
            Some(admin::Client {
                grant_types: vec![99],
                ..right()
            }),
            Comes::R("client.grant_types"),
        ),
        (
            "a binding of the future",
            Some(admin::Client {
                refresh_key: 99,
                ..right()
            }),
            Comes::R("client.refresh_key"),
        ),
        (
            "keys it does not need",
            Some(admin::Client {
                jwks: "{\"keys\":[]}".to_owned(),
                ..right()
            }),
            Comes::R("client.jwks"),
        ),
        (
            "keys that are missing",
            Some(admin::Client {
                authentication_method: admin::AuthenticationMethod::PrivateKeyJwt.into(),
                ..right()
            }),
            Comes::R("client.jwks"),
        ),
        (
            "a public client in its own name",
            Some(admin::Client {
                authentication_method: public.into(),
                ..right()
            }),
            Comes::R("client.grant_types"),
        ),
        (
            "a code without a redirect URI",
            Some(admin::Client {
                redirect_uris: vec![],
                ..person_client("shop", secret)
            }),
            Comes::R("client.redirect_uris"),
        ),
        (
            "a redirect URI without TLS",
            Some(admin::Client {
                redirect_uris: strings(&[CALLBACK, "http://shop.example.com/"]),
                ..person_client("shop", secret)
            }),
            Comes::R("client.redirect_uris[1]"),
        ),
        (
            "an unknown resource",
            Some(service_client(
                "batch",
                &[("https://elsewhere.example.com", &["x"])],
            )),
            Comes::R("client.permissions.resource"),
        ),
        (
            "an unknown scope",
            Some(service_client("batch", &[(ORDERS, &["orders.admin"])])),
            Comes::R("client.permissions.scopes"),
        ),
        ("right", Some(right()), Comes::Ok),
        ("there already", Some(right()), Comes::Exists),
    ] {
        let answer = clients
            .create_client(admin::CreateClientRequest { client })
            .await;
        check(what, &answer, expected);
    }
}

/// Each change fits into a message, and so must what comes of them: an answer has to show it.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_would_fit_into_no_message_is_refused() {
    let service = Service::start().await;
    let mut resources = service.resources().await;
    let scopes: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let uris: Vec<String> = (0..4)
        .map(|n| format!("https://r{n}.example.com"))
        .collect();
    for uri in &uris {
        let resource = Some(admin::Resource {
            uri: uri.clone(),
            scopes: scopes.clone(),
            ..admin::Resource::default()
        });
        let request = admin::CreateResourceRequest { resource };
        resources
            .create_resource(request)
            .await
            .expect("registered");
    }
    let permissions = uris
        .into_iter()
        .map(|resource| admin::Permission {
            resource,
            scopes: scopes.clone(),
            details_types: Vec::new(),
        })
        .collect();
    let client = admin::Client {
        permissions,
        ..service_client("large", &[])
    };
    let mut clients = service.clients().await;
    let request = admin::CreateClientRequest {
        client: Some(client),
    };
    clients.create_client(request).await.expect("registered");
    let update = admin::UpdateClientRequest {
        client: Some(admin::Client {
            grant_types: vec![
                admin::GrantType::ClientCredentials.into(),
                admin::GrantType::AuthorizationCode.into(),
            ],
            redirect_uris: (0..20)
                .map(|n| format!("https://shop.example.com/{n:0>900}"))
                .collect(),
            ..service_client("large", &[])
        }),
        update_mask: mask(&["redirect_uris", "grant_types"]),
    };
    let answer = inner(clients.update_client(update).await);
    check("20 long URIs more", &answer, Comes::R("client"));
    let get = admin::GetClientRequest {
        client_id: "large".to_owned(),
    };
    let shown = inner(clients.get_client(get).await).expect("shown");
    assert!(shown.client.expect("a client").redirect_uris.is_empty());
}
