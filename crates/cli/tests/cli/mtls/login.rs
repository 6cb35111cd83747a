//! People log in to clients that have a certificate: by it, or for tokens that are bound to it.

use std::fs;

use super::{done, put_own, start};
use crate::login::{ann_decides, begin};
use crate::program::Service;

const FILMS: &str = "https://films.example";

/// Clients that show a certificate, one for each way to be known by it, and what they are at the
/// introspection of their tokens.
fn prepared() -> Service {
    let service = start();
    put_own(service.file(".").as_path(), "next");
    let issuer = &service.url;
    let login = format!(
        "--redirect-uri http://127.0.0.1/back --grant authorization-code,refresh-token \
         --allow {FILMS}=films.watch"
    );
    for line in [
        format!("resource add {FILMS} --scope films.watch"),
        format!("client add checkout --tls-san-dns checkout.internal {login}"),
        format!(
            "client add desk --tls-certificate desk.crt --tls-certificate next.crt \
             --certificate-bound-tokens {login}"
        ),
        format!("client add open --auth none --certificate-bound-tokens {login}"),
        format!(
            "client add login --allow {issuer}=authorizations.decide --secret-file login.secret"
        ),
        format!(
            "client add films --serves {FILMS} --allow {issuer}=introspect --secret-file films.secret"
        ),
    ] {
        done(&service, &line);
    }
    service
}

fn shows(name: &str) -> String {
    format!("--client-certificate {name}.crt --client-certificate-key {name}.key")
}

/// Logs in as this client with that certificate.
fn logged_in(service: &Service, client: &str, certificate: &str) {
    let mtls = service.mtls.clone().unwrap();
    let waiting = begin(
        service,
        &format!(
            "--client-id {client} --no-browser --login-file {client}.json --server {mtls} \
             --ca ca.crt {}",
            shows(certificate)
        ),
    );
    let open = waiting.text("open");
    // Browsers are never asked for a certificate.
    assert!(
        open.starts_with(&format!("{}/authorize?", service.url)),
        "{open}"
    );
    let page = ann_decides(service, &open, true);
    assert!(page.contains("Go back to the program"), "{page}");
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn renew(client: &str) -> String {
    format!("token renew --login-file {client}.json --access-token-file {client}.token --json")
}

/// What the resource is told of the client's token.
fn introspected(service: &Service, client: &str) -> serde_json::Value {
    let line = format!(
        "token introspect --json --client-id films --client-secret-file films.secret --ca ca.crt \
         --token-file {client}.token"
    );
    done(service, &line).json()
}

#[test]
fn a_person_logs_in_to_a_client_with_a_certificate_and_out() {
    let service = prepared();
    for (client, certificate, bound) in [
        ("checkout", "checkout", false),
        ("desk", "desk", true),
        ("open", "desk", true),
    ] {
        logged_in(&service, client, certificate);
        // The login knows what to show.
        for _ in 0..2 {
            done(&service, &renew(client));
        }
        let told = introspected(&service, client);
        assert_eq!(told["active"], true, "{told}");
        assert_eq!(told["client_id"], client);
        let thumbprint = told["cnf"]["x5t_s256"].as_str().unwrap_or_default();
        assert_eq!(!thumbprint.is_empty(), bound, "{client}: {told}");
        let kept = fs::read_to_string(service.file(&format!("{client}.json"))).unwrap();
        assert!(!kept.contains("PRIVATE"), "the key stays in its file");

        done(&service, &format!("logout --login-file {client}.json"));
        assert!(!service.file(&format!("{client}.json")).exists());
        assert_eq!(introspected(&service, client)["active"], false);
    }
}

#[test]
fn nobody_logs_in_without_the_certificate() {
    let service = prepared();
    let (issuer, mtls) = (service.url.clone(), service.mtls.clone().unwrap());
    let login = "login --no-browser --login-file no.json --ca ca.crt";
    for (what, line, says) in [
        (
            "none is shown",
            format!("{login} --client-id desk --server {mtls}"),
            "CLIENT_AUTHENTICATION_FAILED",
        ),
        (
            "another's",
            format!(
                "{login} --client-id desk --server {mtls} {}",
                shows("checkout")
            ),
            "CLIENT_AUTHENTICATION_FAILED",
        ),
        (
            "where none is asked for",
            format!(
                "{login} --client-id desk --server {issuer} {}",
                shows("desk")
            ),
            "CLIENT_AUTHENTICATION_FAILED",
        ),
        (
            "a code for a device",
            format!("{login} --client-id desk --server {mtls} --device")
                .replace(" --no-browser", ""),
            "CLIENT_AUTHENTICATION_FAILED",
        ),
    ] {
        let refused = service.run(&line);
        assert_eq!(refused.code, 6, "{what}: {refused:?}");
        assert!(refused.err.contains(says), "{what}: {refused:?}");
    }
    assert!(!service.file("no.json").exists());
}

#[test]
fn a_login_goes_on_with_its_certificate_and_with_the_next_one_of_its_client() {
    let service = prepared();
    for client in ["desk", "open"] {
        logged_in(&service, client, "desk");
        let other = service.run(&format!("{} {}", renew(client), shows("checkout")));
        assert_eq!(other.code, 6, "{client}: {other:?}");
        done(&service, &renew(client));
    }
    // A client that authenticates changes it, and what was named last is shown from then on.
    done(&service, &format!("{} {}", renew("desk"), shows("next")));
    let next = introspected(&service, "desk")["cnf"]["x5t_s256"].clone();
    fs::remove_file(service.file("desk.crt")).unwrap();
    done(&service, &renew("desk"));
    assert_eq!(introspected(&service, "desk")["cnf"]["x5t_s256"], next);

    // A public client's login is bound to the one that it began with (RFC 8705 section 4).
    let gone = service.run(&renew("open"));
    assert_eq!(gone.code, 3, "{gone:?}");
    assert!(gone.err.contains("desk.crt"), "{gone:?}");
    let other = service.run(&format!("{} {}", renew("open"), shows("next")));
    assert_eq!(other.code, 6, "{other:?}");
    assert!(other.err.contains("show the certificate"), "{other:?}");
    let kept = service.run("logout --login-file open.json");
    assert_eq!(kept.code, 3, "{kept:?}");
    assert!(kept.err.contains("still kept"), "{kept:?}");
    assert!(service.file("open.json").exists());

    done(&service, "logout --login-file desk.json");
    assert_eq!(introspected(&service, "desk")["active"], false);
}

#[test]
fn a_login_application_is_a_client_with_a_certificate() {
    let service = prepared();
    let (issuer, mtls) = (service.url.clone(), service.mtls.clone().unwrap());
    let add = "client add clerk --tls-certificate desk.crt --certificate-bound-tokens";
    done(
        &service,
        &format!("{add} --allow {issuer}=authorizations.decide"),
    );
    let check = |id: &str| {
        format!(
            "login-app --check --json --client-id {id} --listen 127.0.0.1:0 --data clerk \
             --ca ca.crt --server {mtls}"
        )
    };
    done(&service, &format!("{} {}", check("clerk"), shows("desk")));
    for (id, shown, next) in [
        ("clérk", "desk", "correct the value named above"),
        (
            "clerk",
            "checkout",
            "check the client's identifier and its secret, key or certificate",
        ),
        (
            "checkout",
            "checkout",
            "the client needs the scope authorizations.decide",
        ),
    ] {
        let refused = service.run(&format!("{} {}", check(id), shows(shown)));
        assert_eq!(refused.code, 6, "{refused:?}");
        assert!(refused.err.contains(next), "{refused:?}");
    }
    // Nothing is made, nor taken from one that runs.
    assert!(!service.file("clerk").exists());
    let none = service.run(&check("clerk"));
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.err.contains("--client-secret-file"), "{none:?}");
}
