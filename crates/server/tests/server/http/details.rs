//! Authorization details (RFC 9396) as a client of HTTP sends and gets them.

use serde_json::{Value, json};

use super::flow::{redeem, refresh};
use super::web::{Ask, INTROSPECT, PAR, TOKEN, Web};
use crate::comes::Comes;
use crate::details::{account, shop};
use crate::flow::{approved, pkce};
use crate::harness::{CALLBACK, ORDERS};
use crate::introspection::gateway;
use crate::proof::Key;

fn push(challenge: &str, details: &str) -> Ask {
    Ask::post(
        PAR,
        &[
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("resource", ORDERS),
            ("state", "s-1"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("authorization_details", details),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_asked_for_returned_and_introspected_as_json() {
    let (service, login, shop) = shop().await;
    let orders = gateway(&service, "orders", &[ORDERS]).await;
    let web = &Web::of(&service);
    let key = Key::new();
    let (verifier, challenge) = pkce();
    let one: Value = serde_json::from_str(&account("acc-1")).expect("JSON");

    let lodged = web
        .send(push(&challenge, &account("acc-1")).basic(&shop))
        .await;
    let code = approved(&service, &login, &lodged.text("request_uri")).await;
    let first = redeem(&code, &verifier).basic(&shop).proven(&service, &key);
    let first = web.send(first).await;
    assert_eq!(first.json()["authorization_details"], one);
    let token = first.text("access_token");
    let told = web.send(Ask::post(INTROSPECT, &[("token", &token)]).basic(&orders));
    assert_eq!(told.await.json()["authorization_details"], one);

    let narrowed = |token: &str, details: &str| {
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("authorization_details", details),
        ];
        let ask = Ask::post(TOKEN, &parameters).basic(&shop);
        web.send(ask.proven(&service, &key))
    };
    let token = first.text("refresh_token");
    narrowed(&token, &account("acc-2"))
        .await
        .check("another", Comes::Details);
    let none = narrowed(&token, "[]").await;
    assert_eq!(none.json().get("authorization_details"), None);
    let all = refresh(&none.text("refresh_token")).basic(&shop);
    let all = web.send(all.proven(&service, &key)).await;
    assert_eq!(all.json()["authorization_details"], json!(one));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_for_is_refused_at_the_pushed_request() {
    let (service, _, shop) = shop().await;
    let web = &Web::of(&service);
    let (_, challenge) = pkce();
    for (what, details) in [
        ("another client's type", r#"[{"type":"parcel"}]"#),
        (
            "a field too many",
            r#"[{"type":"account","identifier":"acc-1","x":1}]"#,
        ),
        (
            "a member twice",
            r#"[{"type":"account","type":"account","identifier":"acc-1"}]"#,
        ),
        ("not a list", r#"{"type":"account"}"#),
    ] {
        let answer = web.send(push(&challenge, details).basic(&shop)).await;
        answer.check(what, Comes::Details);
    }
}
