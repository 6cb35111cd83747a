//! What is the client's to know goes to the client (RFC 6749 §4.1.2.1).

use countersign::admin::v1::AuthenticationMethod;

use super::super::web::form;
use super::browser::{
    AUTHORIZE, World, borrowed, check_back, interaction, location, parameter, plain,
};
use crate::flow::pkce;
use crate::harness::{CALLBACK, person_client};

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_wrong_is_told_to_the_client() {
    let world = World::new().await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        (
            "response_type",
            "code id_token",
            "unsupported_response_type",
        ),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("scope", "orders.delete", "invalid_scope"),
        ("scope", "a\"b", "invalid_scope"),
        ("resource", "https://other.internal", "invalid_target"),
        ("dpop_jkt", "short", "invalid_request"),
        ("request", "e30.e30.", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "dance", "invalid_request"),
        ("acr_values", "1 2 3 4 5 6 7 8 9", "invalid_request"),
    ] {
        let mut parameters = plain(&world.shop, &challenge);
        parameters.retain(|(other, _)| *other != name);
        parameters.push((name, value.to_owned()));
        let answer = browser.bring(&borrowed(&parameters)).await;
        let what = format!("{name}={value}");
        check_back(&what, &world.service, &answer, error);
        let description = parameter(&location(&answer), "error_description");
        let description = description.expect("a description");
        let plain = |c| matches!(c, ' '..='~') && c != '"' && c != '\\';
        assert!(description.chars().all(plain), "{what}: {description}");
    }
    assert!(browser.jar.is_empty(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_returned_is_left_out() {
    let world = World::new().await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let mut parameters = plain(&world.shop, &challenge);
    parameters.retain(|(name, _)| *name != "state");
    parameters.push(("state", "s".repeat(513)));
    let url = location(&browser.bring(&borrowed(&parameters)).await);
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&url, "state"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_grant_learns_it() {
    let world = World::new().await;
    let mut service_alone = person_client("robot", AuthenticationMethod::ClientSecret);
    service_alone.grant_types = vec![countersign::admin::v1::GrantType::ClientCredentials.into()];
    let robot = world.service.add(service_alone).await;
    let (_, challenge) = pkce();
    let mut browser = world.browser();
    let answer = browser.bring(&borrowed(&plain(&robot, &challenge))).await;
    check_back("no grant", &world.service, &answer, "unauthorized_client");
}

/// RFC 9101 §6.3: what was lodged is what is asked, whatever stands beside it.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_a_request_uri_counts_for_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let (_, challenge) = pkce();
    let uri = world.push(&world.shop, &challenge).await;
    let query = form(&[
        ("client_id", "shop"),
        ("request_uri", &uri),
        ("redirect_uri", "https://evil.example/cb"),
        ("scope", "orders.read orders.write"),
        ("state", "s-2"),
        ("response_type", "token"),
        ("code_challenge", &pkce().1),
        ("prompt", "none"),
    ]);
    let handle = interaction(&browser.open(&format!("{AUTHORIZE}?{query}")).await);
    let shown = world.get(&handle).await.expect("shown");
    assert_eq!(shown.redirect_uri, CALLBACK);
    assert_eq!(shown.scopes, ["orders.read"]);
    assert!(shown.prompts.is_empty());
    let redirect_to = world.approve(&handle).await.expect("approved");
    let url = location(&browser.open(&world.way_back(&redirect_to)).await);
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    assert_eq!(parameter(&url, "state").as_deref(), Some("s-1"));
    assert!(parameter(&url, "code").is_some());
}
