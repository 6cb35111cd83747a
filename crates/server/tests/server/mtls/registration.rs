//! What a client may be registered with, and how it is said what is wrong.

use countersign::admin::v1 as admin;
use countersign::admin::v1::client::TlsClientAuth as Name;

use super::certificates::{Identity, client};
use super::stand::{by_itself, by_name};
use crate::harness::{ORDERS, Service, person_client, service_client};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_named_by_field() {
    let service = Service::start().await;
    service.add_orders().await;
    let own = Identity::by_itself(&client());
    let dn = |text: &str| by_name("c", Name::TlsClientAuthSubjectDn(text.to_owned()));
    let dns = |text: &str| by_name("c", Name::TlsClientAuthSanDns(text.to_owned()));
    let uri = |text: &str| by_name("c", Name::TlsClientAuthSanUri(text.to_owned()));
    let ip = |text: &str| by_name("c", Name::TlsClientAuthSanIp(text.to_owned()));
    let email = |text: &str| by_name("c", Name::TlsClientAuthSanEmail(text.to_owned()));
    let thumbprints = |texts: &[&str]| admin::Client {
        tls_client_certificates: texts.iter().map(|text| (*text).to_owned()).collect(),
        ..by_itself("c", &[])
    };
    let thumbprint = own.thumbprint();
    let secret = || service_client("c", &[(ORDERS, &["orders.read"])]);
    for (what, client, field) in [
        (
            "no name",
            admin::Client {
                tls_client_auth: None,
                ..dns("a")
            },
            "tls_client_auth",
        ),
        ("an empty subject", dn(""), "tls_client_auth_subject_dn"),
        ("no subject", dn("checkout"), "tls_client_auth_subject_dn"),
        ("no attribute", dn("X-Y=a"), "tls_client_auth_subject_dn"),
        (
            "a dangling comma",
            dn("CN=a,"),
            "tls_client_auth_subject_dn",
        ),
        (
            "a space behind it",
            dn("CN=a ,O=b"),
            "tls_client_auth_subject_dn",
        ),
        (
            "a space before it",
            dn("CN=a, O=b"),
            "tls_client_auth_subject_dn",
        ),
        ("hexadecimal", dn("CN=#0401"), "tls_client_auth_subject_dn"),
        (
            "the same twice",
            dn("CN=a+CN=a"),
            "tls_client_auth_subject_dn",
        ),
        ("an empty DNS name", dns(""), "tls_client_auth_san_dns"),
        ("a wildcard", dns("*.internal"), "tls_client_auth_san_dns"),
        (
            "a URI as DNS name",
            dns("https://a"),
            "tls_client_auth_san_dns",
        ),
        ("no URI", uri("checkout"), "tls_client_auth_san_uri"),
        (
            "a URI with a space",
            uri("spiffe://a b"),
            "tls_client_auth_san_uri",
        ),
        ("no address", ip("localhost"), "tls_client_auth_san_ip"),
        ("a network", ip("10.0.0.0/8"), "tls_client_auth_san_ip"),
        (
            "no mail address",
            email("checkout"),
            "tls_client_auth_san_email",
        ),
        (
            "nobody there",
            email("@example.com"),
            "tls_client_auth_san_email",
        ),
        (
            "no certificate",
            by_itself("c", &[]),
            "tls_client_certificates",
        ),
        (
            "no thumbprint",
            thumbprints(&["abc"]),
            "tls_client_certificates[0]",
        ),
        (
            "one of them wrong",
            thumbprints(&[&thumbprint, "abc"]),
            "tls_client_certificates[1]",
        ),
        (
            "one twice",
            thumbprints(&[&thumbprint, &thumbprint]),
            "tls_client_certificates[1]",
        ),
        (
            "a name for a secret",
            admin::Client {
                tls_client_auth: Some(Name::TlsClientAuthSanDns("a".to_owned())),
                ..secret()
            },
            "tls_client_auth",
        ),
        (
            "a name for a certificate of its own",
            admin::Client {
                tls_client_auth: Some(Name::TlsClientAuthSanDns("a".to_owned())),
                ..by_itself("c", &[&own])
            },
            "tls_client_auth",
        ),
        (
            "a certificate for a name",
            admin::Client {
                tls_client_certificates: vec![thumbprint.clone()],
                ..dns("a")
            },
            "tls_client_certificates",
        ),
        (
            "keys for a name",
            admin::Client {
                jwks: r#"{"keys":[]}"#.to_owned(),
                ..dns("a")
            },
            "jwks",
        ),
    ] {
        let request = admin::CreateClientRequest {
            client: Some(client),
        };
        let refused = service.clients().await.create_client(request).await;
        let status = refused.expect_err(what);
        assert_eq!(
            status.code(),
            tonic::Code::InvalidArgument,
            "{what}: {status}"
        );
        let named = status.message().starts_with(&format!("client.{field}: "));
        assert!(named, "{what}: {status}");
    }
    let many = vec![thumbprint; 33];
    let many = admin::Client {
        tls_client_certificates: many,
        ..by_itself("c", &[])
    };
    let request = admin::CreateClientRequest { client: Some(many) };
    let status = service
        .clients()
        .await
        .create_client(request)
        .await
        .expect_err("too many");
    assert!(
        status
            .message()
            .starts_with("client.tls_client_certificates: "),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_shown_as_registered_and_changed_by_mask() {
    let service = Service::start().await;
    service.add_orders().await;
    let own = Identity::by_itself(&client());
    let next = Identity::by_itself(&client());
    service.add(by_itself("pinned", &[&own])).await;
    let mut bound = by_name(
        "named",
        Name::TlsClientAuthSubjectDn("CN=a\\,b,O=c".to_owned()),
    );
    bound.tls_client_certificate_bound_access_tokens = true;
    service.add(bound).await;
    service
        .add(person_client("app", admin::AuthenticationMethod::None))
        .await;

    let get = async |id: &str| {
        let request = admin::GetClientRequest {
            client_id: id.to_owned(),
        };
        let found = service
            .clients()
            .await
            .get_client(request)
            .await
            .expect("found");
        found.into_inner().client.expect("a client")
    };
    let named = get("named").await;
    assert_eq!(
        named.tls_client_auth,
        Some(Name::TlsClientAuthSubjectDn("CN=a\\,b,O=c".to_owned()))
    );
    assert!(named.tls_client_certificate_bound_access_tokens);
    assert_eq!(
        get("pinned").await.tls_client_certificates,
        [own.thumbprint()]
    );

    let update = async |client: admin::Client, paths: &[&str]| {
        let request = admin::UpdateClientRequest {
            client: Some(client),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
        };
        service.clients().await.update_client(request).await
    };
    let both = by_itself("pinned", &[&own, &next]);
    update(both, &["tls_client_certificates"])
        .await
        .expect("changed");
    let pinned = get("pinned").await.tls_client_certificates;
    assert_eq!(pinned, [own.thumbprint(), next.thumbprint()]);
    let other = by_name("named", Name::TlsClientAuthSanIp("::1".to_owned()));
    update(other.clone(), &["tls_client_auth_san_ip"])
        .await
        .expect("changed");
    let named = get("named").await;
    assert_eq!(named.tls_client_auth, other.tls_client_auth);
    assert!(
        named.tls_client_certificate_bound_access_tokens,
        "not in the mask"
    );
    // What is not named stays, and what a method needs cannot be taken away.
    let nothing = by_itself("pinned", &[]);
    let refused = update(nothing, &["tls_client_certificates"]).await;
    refused.expect_err("it could not authenticate any more");
    let nameless = admin::Client {
        tls_client_auth: None,
        ..other
    };
    let refused = update(nameless, &["tls_client_auth"]).await;
    refused.expect_err("nor could it");
    let app = admin::Client {
        client_id: "app".to_owned(),
        tls_client_certificate_bound_access_tokens: true,
        ..admin::Client::default()
    };
    let bound = ["tls_client_certificate_bound_access_tokens"];
    update(app, &bound)
        .await
        .expect("a public client can be bound, too");
    assert!(get("app").await.tls_client_certificate_bound_access_tokens);
}
