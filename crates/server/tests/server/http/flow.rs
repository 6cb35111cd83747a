//! Every endpoint once, the way it is meant, in both versions of HTTP.

use countersign::admin::v1::AuthenticationMethod;
use http::StatusCode;
use serde_json::json;

use super::web::{Answer, Ask, INTROSPECT, PAR, REVOKE, Speaks, TOKEN, Web};
use crate::comes::Comes;
use crate::flow::{approved, pkce, with_login};
use crate::harness::{CALLBACK, Client, ORDERS, Service, person_client, service_client};
use crate::introspection::gateway;
use crate::proof::Key;

/// Lodges a request and has ann approve it; the tokens that come of it.
pub(super) async fn signed_in(
    service: &Service,
    web: &Web,
    login: &Client,
    client: &Client,
    key: &Key,
) -> Answer {
    let (verifier, challenge) = pkce();
    let lodged = web.send(push(&challenge).basic(client)).await;
    assert_eq!(lodged.status, StatusCode::CREATED, "{lodged:?}");
    assert_eq!(lodged.header("cache-control"), Some("no-store"));
    assert_eq!(lodged.json()["expires_in"], 600);
    let code = approved(service, login, &lodged.text("request_uri")).await;
    web.send(redeem(&code, &verifier).basic(client).proven(service, key))
        .await
}

pub(super) fn push(challenge: &str) -> Ask {
    Ask::post(
        PAR,
        &[
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "orders.read orders.write"),
            ("resource", ORDERS),
            ("state", "s-1"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ],
    )
}

pub(super) fn redeem(code: &str, verifier: &str) -> Ask {
    Ask::post(
        TOKEN,
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ],
    )
}

pub(super) fn refresh(token: &str) -> Ask {
    Ask::post(
        TOKEN,
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_the_client_rotates_asks_and_revokes() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let orders = gateway(&service, "orders", &[ORDERS]).await;
    for speaks in [Speaks::One, Speaks::Two] {
        let web = &Web::speaking(&service, speaks);
        let key = Key::new();
        let first = signed_in(&service, web, &login, &shop, &key).await;
        assert_eq!(first.status, StatusCode::OK, "{first:?}");
        assert_eq!(first.header("cache-control"), Some("no-store"));
        assert_eq!(first.header("content-type"), Some("application/json"));
        let said = first.json();
        assert_eq!(said["token_type"], "DPoP");
        assert_eq!(said["expires_in"], 300);
        assert_eq!(said["scope"], "orders.read orders.write");

        let next = refresh(&first.text("refresh_token")).basic(&shop);
        let next = web.send(next.proven(&service, &key)).await;
        assert_eq!(next.status, StatusCode::OK, "{next:?}");
        assert_ne!(next.text("refresh_token"), first.text("refresh_token"));

        let token = next.text("access_token");
        let ask = || Ask::post(INTROSPECT, &[("token", &token)]).basic(&orders);
        let shown = web.send(ask()).await.json();
        assert_eq!(shown["active"], true, "{shown}");
        assert_eq!(shown["sub"], "ann");
        assert_eq!(shown["aud"], json!([ORDERS]));
        assert_eq!(shown["client_id"], "shop");
        assert_eq!(shown["scope"], "orders.read orders.write");
        assert_eq!(shown["token_type"], "DPoP");
        assert_eq!(shown["iss"], service.issuer());
        assert_eq!(shown["cnf"]["jkt"], key.jkt().to_string());
        assert_eq!(shown["iat"], service.now().as_secs());
        assert_eq!(shown["exp"], service.now().as_secs() + 300);

        let hint = ("token_type_hint", "access_token");
        let refresh_token = next.text("refresh_token");
        let gone = Ask::post(REVOKE, &[("token", &refresh_token), hint]).basic(&shop);
        let gone = web.send(gone).await;
        assert_eq!((gone.status, gone.body.len()), (StatusCode::OK, 0));
        let inactive = web.send(ask()).await;
        assert_eq!(
            &*inactive.body, br#"{"active":false}"#,
            "its token is gone, too"
        );
        let dead = refresh(&refresh_token).basic(&shop).proven(&service, &key);
        web.send(dead).await.check("a revoked family", Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_a_token_in_its_own_name() {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client(
            "batch",
            &[(ORDERS, &["orders.read", "orders.write"])],
        ))
        .await;
    for speaks in [Speaks::One, Speaks::Two] {
        let web = Web::speaking(&service, speaks);
        let ask = Ask::post(
            TOKEN,
            &[
                ("grant_type", "client_credentials"),
                ("scope", "orders.read"),
                ("resource", ORDERS),
            ],
        );
        let issued = web
            .send(ask.basic(&client).proven(&service, &Key::new()))
            .await;
        assert_eq!(issued.status, StatusCode::OK, "{issued:?}");
        let said = issued.json();
        assert_eq!(said["scope"], "orders.read");
        assert_eq!(said.get("refresh_token"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_with_the_push_binds_the_code() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let web = Web::of(&service);
    let (key, other) = (Key::new(), Key::new());
    let (verifier, challenge) = pkce();
    let named = |ask: Ask, key: &Key| {
        let mut ask = ask;
        ask.body
            .extend_from_slice(format!("&dpop_jkt={}", key.jkt()).as_bytes());
        ask
    };
    // RFC 9449 §10.1: both name one key.
    let two = named(push(&challenge), &other)
        .basic(&shop)
        .proven(&service, &key);
    web.send(two).await.check("two keys", Comes::R("dpop_jkt"));
    let one = named(push(&challenge), &key)
        .basic(&shop)
        .proven(&service, &key);
    let lodged = web.send(one).await;
    let code = approved(&service, &login, &lodged.text("request_uri")).await;
    for (what, key, expected) in [
        ("another key", &other, Comes::G),
        ("its key", &key, Comes::Ok),
    ] {
        let ask = redeem(&code, &verifier).basic(&shop).proven(&service, key);
        web.send(ask).await.check(what, expected);
    }
}
