//! What operators say of the endpoint, and what clients read of it.

use super::super::web::{METADATA, Web};
use super::browser::{
    LOGIN, World, borrowed, check_back, check_page, interaction, parameter, plain,
};
use crate::flow::pkce;

#[tokio::test(flavor = "multi_thread")]
async fn clients_read_where_it_is() {
    let world = World::new().await;
    let said = Web::of(&world.service).get(METADATA).await.json();
    let issuer = world.service.issuer();
    assert_eq!(
        said["authorization_endpoint"],
        format!("{issuer}/authorize")
    );
    assert_eq!(
        said["response_types_supported"],
        serde_json::json!(["code"])
    );
    let methods = serde_json::json!(["S256"]);
    assert_eq!(said["code_challenge_methods_supported"], methods);
    assert_eq!(said["authorization_response_iss_parameter_supported"], true);
    assert_eq!(said["require_pushed_authorization_requests"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_may_have_to_be_pushed() {
    let world = World::with(|config| config.http.only_pushed = true).await;
    let said = Web::of(&world.service).get(METADATA).await.json();
    assert_eq!(said["require_pushed_authorization_requests"], true);
    let (_, challenge) = pkce();
    let mut browser = world.browser();
    let answer = browser
        .bring(&borrowed(&plain(&world.shop, &challenge)))
        .await;
    check_back("plain", &world.service, &answer, "invalid_request");
    world.begun(&mut browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_application_there_is_none() {
    let world = World::with(|config| config.http.login_url = None).await;
    let said = Web::of(&world.service).get(METADATA).await.json();
    assert_eq!(said.get("authorization_endpoint"), None);
    let (_, challenge) = pkce();
    let mut browser = world.browser();
    let answer = browser
        .bring(&borrowed(&plain(&world.shop, &challenge)))
        .await;
    check_page("nowhere to log in", &answer, 404, "no such endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_address_keeps_its_query() {
    let with = format!("{LOGIN}?tenant=a");
    let world = World::with(|config| config.http.login_url = Some(with)).await;
    let (_, challenge) = pkce();
    let mut browser = world.browser();
    let answer = browser
        .bring(&borrowed(&plain(&world.shop, &challenge)))
        .await;
    interaction(&answer);
    let url = super::browser::location(&answer);
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("a"));
}
