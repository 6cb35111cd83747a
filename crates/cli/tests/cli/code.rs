//! A code that a person approved, redeemed and rotated by command.

use std::fs;

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{ApproveAuthorizationRequest, PushAuthorizationRequest};
use countersign::token::v1::ClientAuthentication;
use countersign_client::{Builder, Credential, Secret};
use countersign_jose::{base64url, sha256};
use tonic::transport::Channel;

use crate::program::{Ran, Service};

const ORDERS: &str = "https://orders.internal:8443";
const REDIRECT: &str = "http://127.0.0.1/back";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a login application does: takes the request, says that alice approved,
/// and sends the browser on. The code comes back.
async fn approved(url: &str, login_secret: &str) -> String {
    let channel = Channel::from_shared(url.to_owned())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let pushed = AuthorizationServiceClient::new(channel)
        .push_authorization(PushAuthorizationRequest {
            client: Some(ClientAuthentication {
                client_id: "desk".to_owned(),
                credential: None,
            }),
            redirect_uri: REDIRECT.to_owned(),
            scopes: vec!["orders.read".to_owned()],
            resources: vec![ORDERS.to_owned()],
            state: "s".to_owned(),
            code_challenge: base64url::encode(sha256(&[VERIFIER.as_bytes()])),
            code_challenge_method: "S256".to_owned(),
            ..PushAuthorizationRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let login = Builder::new(url)
        .client(
            "login",
            Credential::ClientSecret(Secret::from(login_secret)),
        )
        .connect()
        .await
        .unwrap();
    let channel = login
        .channel(url)
        .scopes(["authorizations.decide"])
        .connect()
        .await
        .unwrap();
    let answer = AuthorizationServiceClient::new(channel)
        .approve_authorization(ApproveAuthorizationRequest {
            request_uri: pushed.request_uri,
            subject: "alice".to_owned(),
            ..ApproveAuthorizationRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let (_, query) = answer.redirect_to.split_once('?').unwrap();
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("code="))
        .unwrap()
        .to_owned()
}

fn prepared() -> Service {
    let service = Service::start();
    let issuer = service.url.clone();
    for line in [
        format!("resource add {ORDERS} --scope orders.read"),
        format!(
            "client add desk --auth none --redirect-uri {REDIRECT} --allow {ORDERS}=orders.read"
        ),
        format!(
            "client add login --allow {issuer}=authorizations.decide --secret-file login.secret"
        ),
        format!(
            "client add orders --serves {ORDERS} --allow {issuer}=introspect --secret-file orders.secret"
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    service
}

fn approve(service: &Service) -> String {
    let secret = fs::read_to_string(service.file("login.secret")).unwrap();
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(approved(&service.url, secret.trim()))
}

fn redeem(service: &Service, code: &str) -> Ran {
    service.run(&format!(
        "token issue --json --client-id desk --code {code} --redirect-uri {REDIRECT} --code-verifier {VERIFIER}"
    ))
}

#[test]
fn a_code_is_redeemed_and_its_refresh_token_rotated() {
    let service = prepared();
    let code = approve(&service);
    let issued = redeem(&service, &code).json();
    let first = issued["refresh_token"].as_str().unwrap().to_owned();
    assert!(first.starts_with("csr_"), "a scannable prefix");
    fs::write(service.file("first"), &first).unwrap();
    private(&service, "first");

    let rotate = |file: &str, to: &str| {
        service.run(&format!(
            "token rotate --json --client-id desk --token-file {file} --refresh-token-file {to} --access-token-file access"
        ))
    };
    let rotated = rotate("first", "second").json();
    assert_eq!(rotated["refresh_token"], "", "it is in the file");
    assert_eq!(rotated["family_id"], issued["family_id"]);

    // The answer was lost: the same successor.
    assert_eq!(rotate("first", "again").code, 0);
    let read = |name: &str| fs::read_to_string(service.file(name)).unwrap();
    assert_eq!(read("second"), read("again"));

    // In place, as a script does it.
    assert_eq!(rotate("second", "second").code, 0);
    assert_ne!(read("second"), read("again"));

    // Theft: the first once more, and the family is dead.
    let reused = rotate("first", "stolen");
    assert_eq!(reused.code, 6, "{reused:?}");
    assert!(reused.err.contains("REASON_GRANT_INVALID"), "{reused:?}");
    assert!(!service.file("stolen").exists());
    assert_eq!(rotate("second", "third").code, 6);
    let told = service.run(
        "token introspect --json --client-id orders --client-secret-file orders.secret --token-file access",
    );
    assert_eq!(told.json()["active"], false);

    let log = service.log();
    for secret in [
        code.as_str(),
        first.as_str(),
        read("access").trim(),
        read("login.secret").trim(),
    ] {
        assert!(!log.contains(secret), "a secret is in the log");
        assert!(!reused.err.contains(secret), "a secret is in the complaint");
    }
}

#[test]
fn a_family_is_revoked_by_its_name() {
    let service = prepared();
    let issued = redeem(&service, &approve(&service)).json();
    let family = issued["family_id"].as_str().unwrap();
    fs::write(service.file("r"), issued["refresh_token"].as_str().unwrap()).unwrap();
    private(&service, "r");
    let rotate = "token rotate --client-id desk --token-file r --refresh-token-file r";
    let revoke = format!("token revoke --client-id desk --family={family}");
    let unasked = service.run(&revoke);
    assert_eq!(unasked.code, 3, "{unasked:?}");
    assert!(
        unasked.err.contains("whoever uses it must sign in again"),
        "{unasked:?}"
    );
    assert_eq!(service.run(rotate).code, 0, "it is alive");
    let revoked = service.run(&format!("{revoke} --yes"));
    assert_eq!(revoked.code, 0, "{revoked:?}");
    let dead = service.run(rotate);
    assert_eq!(dead.code, 6, "{dead:?}");
}

#[test]
fn a_code_with_another_verifier_is_refused() {
    let service = prepared();
    let code = approve(&service);
    let refused = service.run(&format!(
        "token issue --client-id desk --code {code} --redirect-uri {REDIRECT} --code-verifier aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    ));
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("REASON_GRANT_INVALID"), "{refused:?}");
    assert!(!refused.err.contains(&code), "{refused:?}");
}

fn private(service: &Service, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(service.file(name), fs::Permissions::from_mode(0o600)).unwrap();
}
