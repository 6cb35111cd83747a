//! Every method once, the way it is meant.

use std::time::Duration;

use countersign::admin::v1::AuthenticationMethod;
use countersign::authorization::v1 as authorization;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign::token::v1 as token;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::revoke_token_request::Target;
use countersign_jose::{Algorithms, CompactJws, Thumbprint, base64url, json, sha256};
use tonic::Status;

use crate::comes::{Comes, check};
use crate::harness::{
    APPROVE, CALLBACK, Client, DENY, GET, ISSUE, ORDERS, PUSH, REVOKE, ROTATE, Service, inner,
    person_client, random, service_client, strings, with_proof,
};
use crate::proof::Key;

/// A verifier and its challenge (RFC 7636).
pub(crate) fn pkce() -> (String, String) {
    let verifier = base64url::encode(random::<32>());
    let challenge = base64url::encode(sha256(&[verifier.as_bytes()]));
    (verifier, challenge)
}

/// A request for a code, to be changed.
pub(crate) fn push_request(
    client: &Client,
    challenge: &str,
) -> authorization::PushAuthorizationRequest {
    authorization::PushAuthorizationRequest {
        client: client.authentication(),
        redirect_uri: CALLBACK.to_owned(),
        scopes: strings(&["orders.read", "orders.write"]),
        resources: strings(&[ORDERS]),
        state: "s-1".to_owned(),
        code_challenge: challenge.to_owned(),
        code_challenge_method: "S256".to_owned(),
        ..authorization::PushAuthorizationRequest::default()
    }
}

/// The service with the resource, and a login application.
pub(crate) async fn with_login() -> (Service, Client) {
    let service = Service::start().await;
    service.add_orders().await;
    let login = add_login(&service).await;
    (service, login)
}

/// The same, and a client that sends people there.
pub(crate) async fn shop() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    (service, login, shop)
}

pub(crate) async fn add_login(service: &Service) -> Client {
    let issuer = service.issuer();
    service
        .add(service_client(
            "login",
            &[(issuer, &["authorizations.decide"])],
        ))
        .await
}

/// Lodges a request and has ann approve it; the code that comes back.
pub(crate) async fn code(
    service: &Service,
    login: &Client,
    request: authorization::PushAuthorizationRequest,
) -> String {
    let request_uri = inner(
        service
            .authorizations()
            .await
            .push_authorization(request)
            .await,
    )
    .expect("lodged")
    .request_uri;
    approved(service, login, &request_uri).await
}

pub(crate) async fn approved(service: &Service, login: &Client, request_uri: &str) -> String {
    let approve = authorization::ApproveAuthorizationRequest {
        request_uri: request_uri.to_owned(),
        subject: "ann".to_owned(),
        ..authorization::ApproveAuthorizationRequest::default()
    };
    let request = service.guarded(login, APPROVE, approve).await;
    let redirect_to = inner(
        service
            .authorizations()
            .await
            .approve_authorization(request)
            .await,
    )
    .expect("approved")
    .redirect_to;
    let url = url::Url::parse(&redirect_to).expect("a URL");
    let of = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(of("iss").as_deref(), Some(service.issuer()));
    assert_eq!(of("state").as_deref(), Some("s-1"));
    of("code").expect("a code")
}

/// A request that redeems a code, to be changed.
pub(crate) fn redeem_request(
    client: &Client,
    code: &str,
    verifier: &str,
) -> token::IssueTokenRequest {
    token::IssueTokenRequest {
        client: client.authentication(),
        grant: Some(Grant::AuthorizationCode(token::AuthorizationCode {
            code: code.to_owned(),
            redirect_uri: CALLBACK.to_owned(),
            code_verifier: verifier.to_owned(),
        })),
        ..token::IssueTokenRequest::default()
    }
}

pub(crate) async fn redeem(
    service: &Service,
    key: &Key,
    request: token::IssueTokenRequest,
) -> Result<token::IssueTokenResponse, Status> {
    let proof = service.proof(key, ISSUE);
    inner(
        service
            .tokens()
            .await
            .issue_token(with_proof(request, &proof))
            .await,
    )
}

/// What a person's approval led to.
pub(crate) async fn signed_in(
    service: &Service,
    login: &Client,
    client: &Client,
    key: &Key,
) -> token::IssueTokenResponse {
    let (verifier, challenge) = pkce();
    let code = code(service, login, push_request(client, &challenge)).await;
    redeem(service, key, redeem_request(client, &code, &verifier))
        .await
        .expect("redeemed")
}

pub(crate) async fn rotate(
    service: &Service,
    client: &Client,
    key: &Key,
    refresh_token: &str,
    scopes: &[&str],
) -> Result<token::RotateTokenResponse, Status> {
    let request = token::RotateTokenRequest {
        client: client.authentication(),
        refresh_token: refresh_token.to_owned(),
        scopes: strings(scopes),
        resources: Vec::new(),
        authorization_details: String::new(),
    };
    let proof = service.proof(key, ROTATE);
    inner(
        service
            .tokens()
            .await
            .rotate_token(with_proof(request, &proof))
            .await,
    )
}

pub(crate) async fn revoke(
    service: &Service,
    client: &Client,
    target: Target,
    hint: &str,
) -> Result<(), Status> {
    let request = token::RevokeTokenRequest {
        client: client.authentication(),
        target: Some(target),
        token_type_hint: hint.to_owned(),
    };
    let proof = service.proof(&Key::new(), REVOKE);
    inner(
        service
            .tokens()
            .await
            .revoke_token(with_proof(request, &proof))
            .await,
    )
    .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_a_token_bound_to_its_key_that_the_published_keys_verify() {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client(
            "batch",
            &[(ORDERS, &["orders.read", "orders.write"])],
        ))
        .await;
    let key = Key::new();
    let issued = service.issue(&client, &key).await.expect("issued");
    assert_eq!(issued.token_type, "DPoP");
    assert_eq!(issued.scopes, ["orders.read", "orders.write"]);
    assert_eq!(issued.expires_in.expect("a lifetime").seconds, 300);
    assert_eq!((issued.refresh_token, issued.family_id), Default::default());

    let listed = inner(
        KeyServiceClient::new(service.public().await)
            .list_keys(ListKeysRequest {})
            .await,
    )
    .expect("listed");
    assert_eq!(listed.issuer, service.issuer());
    assert_eq!(listed.max_age.expect("an age").seconds, 300);
    assert_eq!(listed.keys.len(), 2, "the one that signs, and the next");
    let jws = CompactJws::parse(&issued.access_token, 8192).expect("a JWS");
    let is_signer = |kid: &str| jws.header().kid.as_deref() == Some(kid);
    let mut keys = listed.keys.iter();
    let listed = keys
        .find(|key| is_signer(&key.kid))
        .expect("its key is listed");
    let jwk = serde_json::json!({
        "kty": listed.kty, "crv": listed.crv, "x": listed.x, "y": listed.y,
    });
    let verifier =
        countersign_jose::PublicKey::from_jwk(jwk.to_string().as_bytes()).expect("a public key");
    jws.verify(&verifier, Algorithms::DEFAULT)
        .expect("verifies");
    assert_eq!(jws.header().typ.as_deref(), Some("at+jwt"));
    assert_eq!(Thumbprint::parse(&listed.kid), Ok(verifier.thumbprint()));

    let claims = json::parse_object(jws.payload()).expect("claims");
    assert_eq!(claims["iss"], service.issuer());
    assert_eq!(claims["aud"], ORDERS);
    assert_eq!(claims["sub"], "batch");
    assert_eq!(claims["client_id"], "batch");
    assert_eq!(claims["scope"], "orders.read orders.write");
    assert_eq!(claims["cnf"]["jkt"], key.jkt().to_string());
    assert_eq!(claims["iat"], service.now().as_secs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_the_client_rotates_and_revokes() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    assert!(first.refresh_token.starts_with("csr_"));
    assert!(!first.family_id.is_empty());

    let second = rotate(&service, &shop, &key, &first.refresh_token, &[])
        .await
        .expect("rotated");
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.family_id, first.family_id);
    let third = rotate(
        &service,
        &shop,
        &key,
        &second.refresh_token,
        &["orders.read"],
    )
    .await
    .expect("rotated");
    assert_eq!(third.scopes, ["orders.read"]);
    // The refresh token keeps its scopes.
    let fourth = rotate(&service, &shop, &key, &third.refresh_token, &[])
        .await
        .expect("rotated");
    assert_eq!(fourth.scopes, ["orders.read", "orders.write"]);

    let family = Target::FamilyId(fourth.family_id.clone());
    revoke(&service, &shop, family, "").await.expect("revoked");
    let after = rotate(&service, &shop, &key, &fourth.refresh_token, &[]).await;
    check("a revoked family", &after, Comes::G);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_application_sees_what_is_asked_and_may_decline() {
    let (service, login) = with_login().await;
    let app = service
        .add(person_client("app", AuthenticationMethod::None))
        .await;
    let (_, challenge) = pkce();
    let mut authorizations = service.authorizations().await;
    let lodged = inner(
        authorizations
            .push_authorization(push_request(&app, &challenge))
            .await,
    )
    .expect("lodged");
    assert!(
        lodged
            .request_uri
            .starts_with("urn:ietf:params:oauth:request_uri:csp_")
    );
    assert_eq!(lodged.expires_in.expect("a time").seconds, 600);

    let get = authorization::GetAuthorizationRequest {
        request_uri: lodged.request_uri.clone(),
    };
    let request = service.guarded(&login, GET, get).await;
    let shown = inner(authorizations.get_authorization(request).await)
        .expect("shown")
        .authorization
        .expect("an authorization");
    assert_eq!(shown.client_id, "app");
    assert_eq!(shown.redirect_uri, CALLBACK);
    assert_eq!(shown.scopes, ["orders.read", "orders.write"]);
    assert_eq!(shown.resources, [ORDERS]);

    let deny = authorization::DenyAuthorizationRequest {
        request_uri: lodged.request_uri,
        ..authorization::DenyAuthorizationRequest::default()
    };
    let request = service.guarded(&login, DENY, deny.clone()).await;
    let denied = inner(authorizations.deny_authorization(request).await)
        .expect("declined")
        .redirect_to;
    assert!(denied.starts_with(CALLBACK), "{denied}");
    assert!(denied.contains("error=access_denied"), "{denied}");
    // Decided once.
    let request = service.guarded(&login, DENY, deny).await;
    let again = inner(authorizations.deny_authorization(request).await);
    check("declined twice", &again, Comes::R("request_uri"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_with_the_push_binds_the_code() {
    let (service, login) = with_login().await;
    let app = service
        .add(person_client("app", AuthenticationMethod::None))
        .await;
    let (verifier, challenge) = pkce();
    let key = Key::new();
    let proof = service.proof(&key, PUSH);
    let lodged = inner(
        service
            .authorizations()
            .await
            .push_authorization(with_proof(push_request(&app, &challenge), &proof))
            .await,
    )
    .expect("lodged");
    let code = approved(&service, &login, &lodged.request_uri).await;
    let with_another = redeem(
        &service,
        &Key::new(),
        redeem_request(&app, &code, &verifier),
    )
    .await;
    check("another key", &with_another, Comes::G);
    redeem(&service, &key, redeem_request(&app, &code, &verifier))
        .await
        .expect("the key that lodged it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_survives_a_restart() {
    let (mut service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let keys_before = listed(&service).await;
    assert!(service.running().first_start());

    service.restart().await;
    assert!(!service.running().first_start());
    service.clock.advance(Duration::from_secs(80));
    assert_eq!(listed(&service).await, keys_before, "the same keys");
    let second = rotate(&service, &shop, &key, &first.refresh_token, &[])
        .await
        .expect("rotated after a restart");
    service.restart().await;
    service.clock.advance(Duration::from_secs(80));
    let reused = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("reuse after a restart", &reused, Comes::G);
    let dead = rotate(&service, &shop, &key, &second.refresh_token, &[]).await;
    check("its family is dead", &dead, Comes::G);
}

async fn listed(service: &Service) -> Vec<String> {
    inner(
        KeyServiceClient::new(service.public().await)
            .list_keys(ListKeysRequest {})
            .await,
    )
    .expect("listed")
    .keys
    .into_iter()
    .map(|key| key.kid)
    .collect()
}
