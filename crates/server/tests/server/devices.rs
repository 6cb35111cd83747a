//! Device authorization (RFC 8628), over sockets: devices that wait, people who type codes, and
//! those who have neither device nor code.

mod guesses;

use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign::authorization::v1 as authorization;
use countersign::token::v1 as token;
use countersign::token::v1::issue_token_request::Grant;
use tonic::{Request, Status};

use crate::comes::{Comes, check};
use crate::flow::{rotate, with_login};
use crate::harness::{
    APPROVE, Client, DENY, DEVICE, FIND, ISSUE, ORDERS, Service, inner, person_client,
    service_client, strings, with_proof,
};
use crate::proof::Key;

type Device = authorization::AuthorizeDeviceResponse;

/// A client for devices.
pub(crate) fn device_client(id: &str, method: AuthenticationMethod) -> admin::Client {
    admin::Client {
        authentication_method: method.into(),
        grant_types: vec![
            admin::GrantType::DeviceCode.into(),
            admin::GrantType::RefreshToken.into(),
        ],
        ..service_client(id, &[(ORDERS, &["orders.read", "orders.write"])])
    }
}

pub(crate) async fn television() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    let tv = service
        .add(device_client("tv", AuthenticationMethod::None))
        .await;
    (service, login, tv)
}

pub(crate) fn device_request(client: &Client) -> authorization::AuthorizeDeviceRequest {
    authorization::AuthorizeDeviceRequest {
        client: client.authentication(),
        scopes: strings(&["orders.read"]),
        resources: strings(&[ORDERS]),
        authorization_details: String::new(),
    }
}

pub(crate) async fn ask(
    service: &Service,
    request: Request<authorization::AuthorizeDeviceRequest>,
) -> Result<Device, Status> {
    let mut authorizations = service.authorizations().await;
    inner(authorizations.authorize_device(request).await)
}

pub(crate) async fn begin(service: &Service, client: &Client, key: &Key) -> Device {
    let proof = service.proof(key, DEVICE);
    ask(service, with_proof(device_request(client), &proof))
        .await
        .expect("it may wait")
}

fn poll_request(client: &Client, device_code: &str) -> token::IssueTokenRequest {
    token::IssueTokenRequest {
        client: client.authentication(),
        grant: Some(Grant::DeviceCode(token::DeviceCode {
            device_code: device_code.to_owned(),
        })),
        ..token::IssueTokenRequest::default()
    }
}

pub(crate) async fn poll(
    service: &Service,
    client: &Client,
    key: &Key,
    device_code: &str,
) -> Result<token::IssueTokenResponse, Status> {
    let proof = service.proof(key, ISSUE);
    let request = with_proof(poll_request(client, device_code), &proof);
    inner(service.tokens().await.issue_token(request).await)
}

async fn find(
    service: &Service,
    login: &Client,
    user_code: &str,
    subject: &str,
    source: &str,
) -> Result<authorization::FindAuthorizationResponse, Status> {
    let message = authorization::FindAuthorizationRequest {
        user_code: user_code.to_owned(),
        subject: subject.to_owned(),
        source: source.to_owned(),
    };
    let request = service.guarded(login, FIND, message).await;
    let mut authorizations = service.authorizations().await;
    inner(authorizations.find_authorization(request).await)
}

async fn approve(service: &Service, login: &Client, device: &Device) {
    approve_by(service, login, &device.user_code).await;
}

/// The login application finds the request, and ann approves it.
pub(crate) async fn approve_by(service: &Service, login: &Client, user_code: &str) {
    let found = find(service, login, user_code, "ann", "").await;
    let message = authorization::ApproveAuthorizationRequest {
        request_uri: found.expect("found").request_uri,
        subject: "ann".to_owned(),
        ..authorization::ApproveAuthorizationRequest::default()
    };
    let request = service.guarded(login, APPROVE, message).await;
    let mut authorizations = service.authorizations().await;
    let approved = inner(authorizations.approve_authorization(request).await).expect("approved");
    assert_eq!(approved.redirect_to, "", "nowhere to go");
}

/// The login application finds the request, and ann declines.
pub(crate) async fn decline_by(service: &Service, login: &Client, user_code: &str) {
    let found = find(service, login, user_code, "ann", "").await;
    let message = authorization::DenyAuthorizationRequest {
        request_uri: found.expect("found").request_uri,
        ..authorization::DenyAuthorizationRequest::default()
    };
    let request = service.guarded(login, DENY, message).await;
    let mut authorizations = service.authorizations().await;
    let answer = inner(authorizations.deny_authorization(request).await).expect("declined");
    assert_eq!(answer.redirect_to, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_a_device_in() {
    let (service, login, tv) = television().await;
    let key = Key::new();
    let device = begin(&service, &tv, &key).await;
    assert!(device.device_code.starts_with("csd_"));
    assert_eq!(
        device.verification_uri,
        format!("{}/device", service.issuer())
    );
    assert_eq!(
        device.verification_uri_complete,
        format!("{}?user_code={}", device.verification_uri, device.user_code)
    );
    assert_eq!(device.expires_in.expect("a time").seconds, 600);
    assert_eq!(device.interval.expect("a time").seconds, 5);
    let waiting = poll(&service, &tv, &key, &device.device_code).await;
    check("nobody decided", &waiting, Comes::Pending(5));

    let typed = device.user_code.to_lowercase().replace('-', " ");
    let found = find(&service, &login, &typed, "", "192.0.2.1").await;
    let shown = found.expect("found").authorization.expect("what it is");
    assert_eq!((shown.client_id.as_str(), shown.device), ("tv", true));
    assert_eq!(shown.redirect_uri, "");
    assert_eq!(shown.scopes, ["orders.read"]);
    approve(&service, &login, &device).await;

    service.clock.advance(Duration::from_secs(5));
    let issued = poll(&service, &tv, &key, &device.device_code).await;
    let issued = issued.expect("issued");
    assert_eq!(issued.scopes, ["orders.read"]);
    let next = rotate(&service, &tv, &key, &issued.refresh_token, &[]).await;
    assert!(next.is_ok(), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_devices_that_are_not_right_are_not_taken() {
    let (service, login, _) = television().await;
    let box_ = service
        .add(device_client("box", AuthenticationMethod::ClientSecret))
        .await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    type Change = fn(&mut authorization::AuthorizeDeviceRequest);
    let rows: [(&str, Change, Comes); 8] = [
        ("right", |_| {}, Comes::Ok),
        (
            "everything that it may have",
            |r| r.scopes.clear(),
            Comes::Ok,
        ),
        (
            "unknown scope",
            |r| r.scopes = strings(&["orders.admin"]),
            Comes::Scope,
        ),
        (
            "unknown resource",
            |r| r.resources = strings(&["https://elsewhere.example.com"]),
            Comes::Target,
        ),
        (
            "unauthenticated",
            |r| r.client.as_mut().expect("a client").credential = None,
            Comes::C,
        ),
        ("no client", |r| r.client = None, Comes::R("client")),
        (
            "101 scopes",
            |r| r.scopes = vec!["orders.read".to_owned(); 101],
            Comes::R("scopes"),
        ),
        (
            "9 resources",
            |r| r.resources = vec![ORDERS.to_owned(); 9],
            Comes::R("resources"),
        ),
    ];
    for (what, change, expected) in rows {
        let mut request = device_request(&box_);
        change(&mut request);
        let proof = service.proof(&key, DEVICE);
        check(
            what,
            &ask(&service, with_proof(request, &proof)).await,
            expected,
        );
    }
    for (what, client) in [("for codes only", &shop), ("for itself only", &login)] {
        let proof = service.proof(&key, DEVICE);
        let answer = ask(&service, with_proof(device_request(client), &proof)).await;
        check(what, &answer, Comes::NotAllowed);
    }
    let without = ask(&service, Request::new(device_request(&box_))).await;
    check("a device without a proof", &without, Comes::P);
    let proof = service.proof(&key, ISSUE);
    let answer = ask(&service, with_proof(device_request(&box_), &proof)).await;
    check("a proof for another method", &answer, Comes::P);
    let proof = service.proof(&key, DEVICE);
    for expected in [Comes::Ok, Comes::Replayed] {
        let answer = ask(&service, with_proof(device_request(&box_), &proof)).await;
        check("a proof once more", &answer, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_good_for_its_client_with_its_key() {
    let (service, login, tv) = television().await;
    let other = service
        .add(device_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let device = begin(&service, &tv, &key).await;
    let code = device.device_code.as_str();
    let cut = &code[..code.len() - 1];
    let as_code = code.replace("csd_", "csc_");
    for approved in [false, true] {
        if approved {
            approve(&service, &login, &device).await;
        }
        for (what, client, by, code, expected) in [
            (
                "device code of another client",
                &other,
                &key,
                code,
                Comes::G,
            ),
            (
                "device code with another key",
                &tv,
                &Key::new(),
                code,
                Comes::G,
            ),
            ("device code cut short", &tv, &key, cut, Comes::G),
            ("garbage for a device code", &tv, &key, "csd_AAAA", Comes::G),
            (
                "a code for a device code",
                &tv,
                &key,
                as_code.as_str(),
                Comes::G,
            ),
            (
                "no device code",
                &tv,
                &key,
                "",
                Comes::R("device_code.device_code"),
            ),
        ] {
            let answer = poll(&service, client, by, code).await;
            check(what, &answer, expected);
        }
    }
    let mut wider = poll_request(&tv, code);
    wider.scopes = strings(&["orders.write"]);
    let request = with_proof(wider, &service.proof(&key, ISSUE));
    let answer = service.tokens().await.issue_token(request).await;
    check("more than was asked for", &answer, Comes::Scope);
    // None of that used it up.
    let issued = poll(&service, &tv, &key, code).await;
    check("whose it is", &issued, Comes::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_asks_too_soon_is_slowed_down_across_a_restart() {
    let (mut service, login, tv) = television().await;
    let key = Key::new();
    let device = begin(&service, &tv, &key).await;
    let code = &device.device_code;
    for (what, pass, expected) in [
        ("first", 0, Comes::Pending(5)),
        ("in time", 5, Comes::Pending(5)),
        ("device that asks too soon", 4, Comes::SlowDown(10)),
        ("again too soon", 9, Comes::SlowDown(15)),
        ("by its new interval", 15, Comes::Pending(15)),
    ] {
        service.clock.advance(Duration::from_secs(pass));
        check(what, &poll(&service, &tv, &key, code).await, expected);
    }
    service.restart().await;
    // Past the cold start of the ledger, which asks for a nonce.
    service.clock.advance(Duration::from_secs(80));
    for (what, expected) in [
        ("the interval is remembered", Comes::Pending(15)),
        ("so is when it asked", Comes::SlowDown(20)),
    ] {
        check(what, &poll(&service, &tv, &key, code).await, expected);
    }
    approve(&service, &login, &device).await;
    let issued = poll(&service, &tv, &key, code).await;
    check("there is nothing to wait for", &issued, Comes::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_ends_denied_or_expired() {
    let (service, login, tv) = television().await;
    let key = Key::new();
    let denied = begin(&service, &tv, &key).await;
    decline_by(&service, &login, &denied.user_code).await;
    let answer = poll(&service, &tv, &key, &denied.device_code).await;
    check("device that was declined", &answer, Comes::Denied);
    let answer = find(&service, &login, &denied.user_code, "ann", "").await;
    check("user code that was decided", &answer, Comes::R("user_code"));

    let [waiting, approved] = [
        begin(&service, &tv, &key).await,
        begin(&service, &tv, &key).await,
    ];
    approve(&service, &login, &approved).await;
    service.clock.advance(Duration::from_secs(600));
    for device in [&waiting, &approved] {
        let answer = poll(&service, &tv, &key, &device.device_code).await;
        check("device code after 600 s", &answer, Comes::Expired);
    }
    let answer = find(&service, &login, &waiting.user_code, "ann", "").await;
    check("user code after 600 s", &answer, Comes::R("user_code"));
}

/// What somebody had is dead with the device code that their approval made good, and what a person
/// approves afterwards is not.
#[tokio::test(flavor = "multi_thread")]
async fn revoking_all_of_a_person_takes_approved_devices_along() {
    use admin::revocation_service_client::RevocationServiceClient;
    use admin::revoke_tokens_request::Target;

    let (service, login, tv) = television().await;
    let key = Key::new();
    for (what, target, expected) in [
        (
            "the person's",
            Target::Subject("ann".to_owned()),
            Comes::Denied,
        ),
        (
            "the client's",
            Target::ClientId("tv".to_owned()),
            Comes::Denied,
        ),
        (
            "the key's",
            Target::Jkt(key.jkt().to_string()),
            Comes::Denied,
        ),
        (
            "somebody else's",
            Target::Subject("bob".to_owned()),
            Comes::Ok,
        ),
    ] {
        let [device, later] = [
            begin(&service, &tv, &key).await,
            begin(&service, &tv, &key).await,
        ];
        approve(&service, &login, &device).await;
        let request = admin::RevokeTokensRequest {
            target: Some(target),
        };
        RevocationServiceClient::new(service.admin().await)
            .revoke_tokens(request)
            .await
            .expect("revoked");
        let answer = poll(&service, &tv, &key, &device.device_code).await;
        check(what, &answer, expected);
        service.clock.advance(Duration::from_secs(5));
        approve(&service, &login, &later).await;
        let answer = poll(&service, &tv, &key, &later.device_code).await;
        check(&format!("{what}, approved later"), &answer, Comes::Ok);
    }
}
