//! Clients with certificates (RFC 8705): how they are registered, and how the commands call with one.

mod login;
mod registration;
mod update;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::program::{Ran, Service};

const ORDERS: &str = "https://orders.internal:8443";

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

/// As `openssl` leaves them, but for the keys' mode.
fn put(folder: &Path, name: &str, certificate: &str, key: &KeyPair) {
    fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
    let file = folder.join(format!("{name}.key"));
    fs::write(&file, key.serialize_pem()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
}

/// A certificate that nobody else has signed.
fn put_own(folder: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let mut own = params(&[]);
    own.distinguished_name.push(DnType::CommonName, name);
    put(folder, name, &own.self_signed(&key).unwrap().pem(), &key);
}

/// A service that asks for certificates, and those of its clients in its folder.
fn start() -> Service {
    Service::with(|folder| {
        let key = KeyPair::generate().unwrap();
        let mut authority = params(&[]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = authority.self_signed(&key).unwrap().pem();
        put(folder, "ca", &pem, &key);
        let authority = Issuer::new(authority, key);
        for (name, names) in [("tls", "127.0.0.1"), ("checkout", "checkout.internal")] {
            let key = KeyPair::generate().unwrap();
            let signed = params(&[names]).signed_by(&key, &authority).unwrap();
            put(folder, name, &signed.pem(), &key);
        }
        put_own(folder, "desk");
        let file = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "[tls]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n\
             client_authorities_file = \"{}\"\n[mtls]\naddress = \"127.0.0.1:0\"\n\
             [http]\nlogin_url = \"https://login.example/enter\"\n",
            file("tls.crt"),
            file("tls.key"),
            file("ca.crt"),
        );
        fs::write(folder.join("countersign.toml"), config).unwrap();
        vec!["--config".to_owned(), file("countersign.toml")]
    })
}

fn done(service: &Service, line: &str) -> Ran {
    let ran = service.run(line);
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    ran
}

#[test]
fn commands_call_with_a_certificate() {
    let service = start();
    let issuer = &service.url;
    let mtls = service.mtls.clone().expect("it asks for certificates");
    assert_ne!(&mtls, issuer);
    for line in [
        format!("resource add {ORDERS} --scope orders.read"),
        format!(
            "client add checkout --tls-san-dns checkout.internal --certificate-bound-tokens \
             --allow {ORDERS}=orders.read"
        ),
        format!(
            "client add desk --tls-certificate desk.crt --certificate-bound-tokens \
             --serves {ORDERS} --allow {issuer}=introspect"
        ),
    ] {
        done(&service, &line);
    }
    let as_whom = |id: &str, file: &str| {
        format!(
            "--client-id {id} --client-certificate {file}.crt --client-certificate-key {file}.key \
             --ca ca.crt"
        )
    };
    let checkout = as_whom("checkout", "checkout");
    let issue = format!("token issue --server {mtls} --access-token-file token");
    done(&service, &format!("{issue} {checkout}"));
    // Its own token is bound to its certificate, and goes over the same connection.
    let introspect = format!(
        "token introspect --json --server {mtls} --token-file token {}",
        as_whom("desk", "desk")
    );
    let said = done(&service, &introspect).json();
    assert_eq!(said["active"], true, "{said}");
    assert_eq!(said["client_id"], "checkout");
    let certificate = said["cnf"]["x5t_s256"].as_str().unwrap();
    assert_eq!(certificate.len(), 43, "{said}");
    let shown = done(&service, &introspect.replace(" --json", "")).out;
    assert!(
        shown.contains(&format!("certificate   {certificate}")),
        "{shown}"
    );
    let revoke = format!("token revoke --yes --server {mtls} --token-file token {checkout}");
    done(&service, &revoke);
    let said = done(&service, &introspect).json();
    assert_eq!(said["active"], false, "{said}");

    let issue = format!("token issue --server {mtls}");
    for (what, line) in [
        ("none", format!("{issue} --client-id checkout --ca ca.crt")),
        (
            "another's",
            format!("{issue} {}", as_whom("checkout", "desk")),
        ),
        (
            "where none is asked for",
            format!("token issue --server {issuer} {checkout}"),
        ),
    ] {
        let refused = service.run(&line);
        assert_eq!(refused.code, 6, "{what}: {refused:?}");
        assert!(
            refused.err.contains("CLIENT_AUTHENTICATION_FAILED"),
            "{refused:?}"
        );
    }

    let misfit = "--client-certificate checkout.crt --client-certificate-key desk.key";
    fs::copy(service.file("checkout.key"), service.file("open.key")).unwrap();
    fs::set_permissions(service.file("open.key"), Permissions::from_mode(0o644)).unwrap();
    let open = "--client-certificate checkout.crt --client-certificate-key open.key";
    let none = "--client-certificate checkout.key --client-certificate-key checkout.key";
    let alone = "--client-certificate checkout.crt";
    for (server, flags, code, says) in [
        (&mtls, misfit, 3, "desk.key: holds no private key"),
        (&mtls, open, 3, "chmod 600 open.key"),
        (&mtls, none, 3, "checkout.key: holds no certificate"),
        (&mtls, alone, 2, "--client-certificate-key"),
        (
            &"http://127.0.0.1:1".to_owned(),
            "--client-certificate checkout.crt --client-certificate-key checkout.key",
            3,
            "over TLS alone",
        ),
    ] {
        let line = format!("token issue --client-id checkout --server {server} {flags}");
        let refused = service.run(&line);
        assert_eq!(refused.code, code, "{says}: {refused:?}");
        assert!(refused.err.contains(says), "{says}: {refused:?}");
        assert!(!refused.err.contains("PRIVATE"), "{refused:?}");
    }
}
