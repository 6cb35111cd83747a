//! What operators say of the endpoint, and what clients read of it.

use std::collections::BTreeSet;

use countersign::admin::v1::{AuthenticationMethod, GetClientRequest};

use super::super::web::{METADATA, Web};
use super::browser::{
    LOGIN, World, borrowed, check_back, check_page, interaction, location, parameter, plain,
};
use crate::flow::pkce;
use crate::harness::{inner, person_client};

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

/// RFC 9126 §6: of one client, whatever holds for others. The request in parameters is that of an
/// attacker who has changed what the client would have pushed.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_client_may_have_to_be_pushed() {
    let world = World::new().await;
    let mut bank = person_client("bank", AuthenticationMethod::ClientSecret);
    bank.require_pushed_authorization_requests = true;
    let bank = world.service.add(bank).await;
    let request = GetClientRequest {
        client_id: "bank".to_owned(),
    };
    let shown = inner(world.service.clients().await.get_client(request).await);
    let shown = shown.expect("shown").client.expect("a client");
    assert!(shown.require_pushed_authorization_requests);
    let (_, challenge) = pkce();

    let mut browser = world.browser();
    let answer = browser.bring(&borrowed(&plain(&bank, &challenge))).await;
    check_back("not pushed", &world.service, &answer, "invalid_request");
    let description = parameter(&location(&answer), "error_description");
    let expected = "request_uri: must be there: requests are pushed first";
    assert_eq!(description.as_deref(), Some(expected));
    // Others may do as they like, and it goes on with what it has pushed.
    let of_others = plain(&world.shop, &challenge);
    interaction(&browser.bring(&borrowed(&of_others)).await);
    let uri = world.push(&bank, &challenge).await;
    let pushed = [("client_id", "bank"), ("request_uri", uri.as_str())];
    interaction(&browser.bring(&pushed).await);
    let said = Web::of(&world.service).get(METADATA).await.json();
    assert_eq!(said["require_pushed_authorization_requests"], false);
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
    let url = location(&answer);
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("a"));
}

/// Each word of `prompt` that is told is taken, and none beside them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_prompts_is_what_is_taken() {
    let world = World::new().await;
    let said = Web::of(&world.service).get(METADATA).await.json();
    let listed = said["prompt_values_supported"].clone();
    let listed: BTreeSet<String> = serde_json::from_value(listed).expect("words");
    assert_eq!(listed.len(), 4);
    let (_, challenge) = pkce();
    let known = ["none", "login", "consent", "select_account", "create"];
    for prompt in known.map(str::to_owned).into_iter().chain(listed.clone()) {
        let mut parameters = plain(&world.shop, &challenge);
        parameters.push(("prompt", prompt.clone()));
        let answer = world.browser().bring(&borrowed(&parameters)).await;
        if listed.contains(&prompt) {
            interaction(&answer);
        } else {
            check_back(&prompt, &world.service, &answer, "invalid_request");
        }
    }
    // Where there is nobody to ask, nothing is said of it.
    let without = World::with(|config| config.http.login_url = None).await;
    let said = Web::of(&without.service).get(METADATA).await.json();
    assert_eq!(said.get("prompt_values_supported"), None);
}

/// A request comes in parameters, or by a name that it was given here: never in a JWT, and from
/// nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn request_objects_are_neither_told_of_nor_read() {
    let world = World::new().await;
    let said = Web::of(&world.service).get(METADATA).await.json();
    assert_eq!(said["request_parameter_supported"], false);
    assert_eq!(said["request_uri_parameter_supported"], false);
    let (_, challenge) = pkce();
    let with = |name: &'static str, value: &str| {
        let mut parameters = plain(&world.shop, &challenge);
        parameters.push((name, value.to_owned()));
        parameters
    };
    let object = with("request", "e30.e30.");
    let answer = world.browser().bring(&borrowed(&object)).await;
    check_back("request", &world.service, &answer, "invalid_request");
    let elsewhere = with("request_uri", "https://shop.example.com/request.jwt");
    let answer = world.browser().bring(&borrowed(&elsewhere)).await;
    check_page("request_uri", &answer, 400, "request_uri");
}
