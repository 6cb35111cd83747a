//! What a registered client is known by is changed, also while both certificates are in use.

use super::registration::field;
use super::{ORDERS, done, put_own, start};
use crate::program::Service;

fn prepared() -> Service {
    let service = start();
    put_own(service.file(".").as_path(), "next");
    for line in [
        format!("resource add {ORDERS} --scope orders.read"),
        format!("client add desk --tls-certificate desk.crt --allow {ORDERS}=orders.read"),
        format!("client add checkout --tls-san-dns other.internal --allow {ORDERS}=orders.read"),
        format!("client add secret --secret-file secret --allow {ORDERS}=orders.read"),
    ] {
        done(&service, &line);
    }
    service
}

/// Whether the client gets a token with this certificate.
fn is_let_in(service: &Service, client: &str, file: &str) -> bool {
    let mtls = service.mtls.clone().unwrap();
    let ran = service.run(&format!(
        "token issue --server {mtls} --ca ca.crt --client-id {client} --access-token-file token \
         --client-certificate {file}.crt --client-certificate-key {file}.key"
    ));
    assert!(ran.code == 0 || ran.code == 6, "{ran:?}");
    ran.code == 0
}

#[test]
fn a_client_changes_its_certificate_without_a_gap() {
    let service = prepared();
    assert!(is_let_in(&service, "desk", "desk"));
    assert!(!is_let_in(&service, "desk", "next"));
    let first = done(&service, "client show desk --json").json();
    let first = first["tls_client_certificates"][0].as_str().unwrap();
    for _ in 0..2 {
        // Also where it is there already.
        done(
            &service,
            "client update desk --add-tls-certificate next.crt",
        );
    }
    let both = done(&service, "client show desk --json").json();
    assert_eq!(both["tls_client_certificates"].as_array().unwrap().len(), 2);
    assert_eq!(both["tls_client_certificates"][0], first);
    assert!(is_let_in(&service, "desk", "desk"));
    assert!(is_let_in(&service, "desk", "next"));
    // By its SHA-256, as the file may be gone, which may begin with a hyphen.
    done(
        &service,
        &format!("client update desk --name Desk --remove-tls-certificate {first}"),
    );
    assert!(!is_let_in(&service, "desk", "desk"));
    assert!(is_let_in(&service, "desk", "next"));
    let shown = done(&service, "client show desk").out;
    assert_eq!(field(&shown, "name").as_deref(), Some("Desk"));
    // Back, at once, and all of them anew.
    done(
        &service,
        "client update desk --add-tls-certificate desk.crt --remove-tls-certificate next.crt",
    );
    assert!(is_let_in(&service, "desk", "desk"));
    assert!(!is_let_in(&service, "desk", "next"));
    done(&service, "client update desk --tls-certificate next.crt");
    assert!(!is_let_in(&service, "desk", "desk"));
    assert!(is_let_in(&service, "desk", "next"));

    let events = done(&service, "audit list --json --event CLIENT_UPDATED").json();
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 5, "{events:?}");
    assert!(events.iter().all(|event| event["object"] == "desk"));
}

#[test]
fn the_name_in_a_certificate_and_what_tokens_are_bound_to_change() {
    let service = prepared();
    assert!(!is_let_in(&service, "checkout", "checkout"));
    done(
        &service,
        "client update checkout --tls-san-dns checkout.internal",
    );
    assert!(is_let_in(&service, "checkout", "checkout"));
    // Of another kind: it has one name.
    let update = "client update checkout --tls-subject-dn CN=rcgen --certificate-bound-tokens yes";
    let shown = done(&service, update).out;
    let of = |name| field(&shown, name).unwrap_or_default();
    assert_eq!(of("certificate"), "subject CN=rcgen", "{shown}");
    assert!(of("access tokens bound to").contains("the certificate"));
    let no = "client update checkout --certificate-bound-tokens no";
    let shown = done(&service, no).out;
    let of = |name| field(&shown, name).unwrap_or_default();
    assert_eq!(
        of("certificate"),
        "subject CN=rcgen",
        "not named, not changed"
    );
    assert_eq!(of("access tokens bound to"), "the proof key");
}

#[test]
fn a_change_that_does_not_fit_is_refused_and_says_where() {
    let service = prepared();
    let before = done(&service, "client show desk --json").out;
    let of = |client: &str| format!("client update {client}");
    for (client, flags, code, says) in [
        ("desk", "", 2, "--add-tls-certificate"),
        (
            "desk",
            "--tls-san-dns a --tls-san-ip ::1",
            2,
            "--tls-san-ip",
        ),
        (
            "desk",
            "--tls-certificate next.crt --add-tls-certificate next.crt",
            2,
            "--add-tls-certificate",
        ),
        (
            "desk",
            "--tls-san-dns a --add-tls-certificate next.crt",
            2,
            "--tls-san-dns",
        ),
        (
            "desk",
            "--certificate-bound-tokens perhaps",
            2,
            "--certificate-bound-tokens",
        ),
        (
            "desk",
            "--add-tls-certificate next.key",
            3,
            "next.key: no certificate",
        ),
        (
            "desk",
            "--remove-tls-certificate next.crt",
            3,
            "client show desk",
        ),
        (
            "desk",
            "--remove-tls-certificate nowhere.crt",
            3,
            "nowhere.crt",
        ),
        // It would have none.
        (
            "desk",
            "--remove-tls-certificate desk.crt",
            6,
            "tls_client_certificates",
        ),
        // It authenticates in another way.
        ("desk", "--tls-san-dns desk.internal", 6, "tls_client_auth"),
        (
            "checkout",
            "--add-tls-certificate next.crt",
            6,
            "tls_client_certificates",
        ),
        (
            "secret",
            "--tls-certificate next.crt",
            6,
            "tls_client_certificates",
        ),
        ("secret", "--tls-san-uri a:b", 6, "tls_client_auth"),
        (
            "checkout",
            "--tls-san-dns *.internal",
            6,
            "tls_client_auth_san_dns",
        ),
        (
            "nobody",
            "--add-tls-certificate next.crt",
            7,
            "client nobody",
        ),
    ] {
        let refused = service.run(&format!("{} {flags}", of(client)));
        assert_eq!(refused.code, code, "{client} {flags}: {refused:?}");
        assert!(refused.err.contains(says), "{client} {flags}: {refused:?}");
    }
    assert_eq!(done(&service, "client show desk --json").out, before);
}
