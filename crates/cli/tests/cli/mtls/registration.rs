//! What a client may be registered with, what it looks like, and how it is said what does not fit.

use std::fs;

use super::{ORDERS, done, put_own};
use crate::program::{Service, run};

/// What `client show` says under this name.
pub(super) fn field(shown: &str, name: &str) -> Option<String> {
    let line = shown.lines().find(|line| line.starts_with(name))?;
    Some(line[name.len()..].trim().to_owned())
}

#[test]
fn a_client_is_registered_with_what_its_certificate_is_known_by() {
    let service = Service::start();
    put_own(service.file(".").as_path(), "own");
    put_own(service.file(".").as_path(), "next");
    done(
        &service,
        &format!("resource add {ORDERS} --scope orders.read"),
    );
    let by_name = "tls_client_auth";
    for (at, (flags, authentication, certificate)) in [
        (
            "--tls-subject-dn CN=checkout\\,eu,O=Example",
            by_name,
            "subject CN=checkout\\,eu,O=Example",
        ),
        (
            "--tls-san-dns checkout.internal",
            by_name,
            "DNS name checkout.internal",
        ),
        (
            "--tls-san-uri spiffe://example/checkout",
            by_name,
            "URI spiffe://example/checkout",
        ),
        (
            "--tls-san-ip 2001:db8::7",
            by_name,
            "IP address 2001:db8::7",
        ),
        (
            "--tls-san-email checkout@example.com",
            by_name,
            "mail address checkout@example.com",
        ),
        (
            "--auth tls-client-auth --tls-san-dns a.internal",
            by_name,
            "DNS name a.internal",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        done(
            &service,
            &format!("client add c{at} {flags} --allow {ORDERS}=orders.read"),
        );
        let shown = done(&service, &format!("client show c{at}")).out;
        let of = |name| field(&shown, name).unwrap_or_default();
        assert_eq!(of("authentication"), authentication, "{flags}: {shown}");
        assert_eq!(of("certificate"), certificate, "{flags}: {shown}");
        assert_eq!(of("access tokens bound to"), "the proof key", "{shown}");
    }

    let both = "--tls-certificate own.crt --tls-certificate next.crt --certificate-bound-tokens";
    done(&service, &format!("client add own {both}"));
    let shown = done(&service, "client show own").out;
    let of = |name| field(&shown, name).unwrap_or_default();
    assert_eq!(of("authentication"), "self_signed_tls_client_auth");
    let bound_to = "the proof key and the certificate";
    assert_eq!(of("access tokens bound to"), bound_to, "{shown}");
    let registered = done(&service, "client show own --json").json();
    let thumbprints = registered["tls_client_certificates"].as_array().unwrap();
    assert_eq!(thumbprints.len(), 2, "{registered}");
    for thumbprint in thumbprints {
        let thumbprint = thumbprint.as_str().unwrap();
        assert_eq!(thumbprint.len(), 43, "{registered}");
        assert!(shown.contains(thumbprint), "{shown}");
    }
    // Another method, and tokens that are bound to whichever certificate is shown.
    done(
        &service,
        "client add secret --certificate-bound-tokens --secret-file secret",
    );
    let shown = done(&service, "client show secret").out;
    let of = |name| field(&shown, name).unwrap_or_default();
    assert_eq!(of("authentication"), "client secret");
    assert_eq!(of("access tokens bound to"), bound_to, "{shown}");
    assert_eq!(field(&shown, "certificate"), None, "{shown}");
}

#[test]
fn what_does_not_fit_is_refused_and_the_flag_is_named() {
    let service = Service::start();
    put_own(service.file(".").as_path(), "own");
    let keys = done(&service, "key generate client.pem").out;
    fs::write(service.file("client.jwks"), keys).unwrap();
    let public = "--auth none --redirect-uri http://127.0.0.1/back";
    for (flags, code, says) in [
        // One name, or certificates.
        ("--tls-san-dns a --tls-san-uri b:c", 2, "--tls-san-uri"),
        ("--tls-subject-dn CN=a --tls-san-ip ::1", 2, "--tls-san-ip"),
        (
            "--tls-san-dns a --tls-certificate own.crt",
            2,
            "--tls-certificate",
        ),
        // The method lacks what it needs.
        ("--auth tls-client-auth", 3, "--tls-subject-dn"),
        (
            "--auth tls-client-auth --tls-certificate own.crt",
            3,
            "--tls-san-dns",
        ),
        ("--auth self-signed-tls-client-auth", 3, "--tls-certificate"),
        (
            "--auth self-signed-tls-client-auth --tls-san-dns a",
            3,
            "--tls-certificate",
        ),
        // It has no use for what is said.
        (
            "--auth client-secret --tls-san-dns a",
            3,
            "--tls-san-dns is for",
        ),
        (
            "--jwks client.jwks --tls-subject-dn CN=a",
            3,
            "--tls-subject-dn is for",
        ),
        (
            &format!("{public} --tls-san-email a@b"),
            3,
            "--tls-san-email is for",
        ),
        (
            &format!("{public} --tls-certificate own.crt"),
            3,
            "--tls-certificate is for",
        ),
        // The file is none.
        ("--tls-certificate nowhere.crt", 3, "nowhere.crt"),
        ("--tls-certificate own.key", 3, "own.key: no certificate"),
        // The value is none.
        ("--tls-subject-dn checkout", 6, "tls_client_auth_subject_dn"),
        ("--tls-san-dns *.internal", 6, "tls_client_auth_san_dns"),
        ("--tls-san-uri checkout", 6, "tls_client_auth_san_uri"),
        ("--tls-san-ip 10.0.0.0/8", 6, "tls_client_auth_san_ip"),
        ("--tls-san-email checkout", 6, "tls_client_auth_san_email"),
    ] {
        let refused = service.run(&format!("client add c {flags}"));
        assert_eq!(refused.code, code, "{flags}: {refused:?}");
        assert!(refused.err.contains(says), "{flags}: {refused:?}");
    }
    let listed = done(&service, "client list --json").out;
    assert!(!listed.contains("\"client_id\": \"c\""), "{listed}");
    // Also where no service runs.
    let alone = run("client add c --auth none --grant device-code --tls-san-dns a".split(' '));
    assert_eq!(alone.code, 3, "{alone:?}");
}
