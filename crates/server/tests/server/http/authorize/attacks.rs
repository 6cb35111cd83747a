//! Attacks on what comes of it: codes that change hands, and answers that are mixed up.

use countersign::admin::v1::AuthenticationMethod;

use super::super::flow::redeem;
use super::super::web::Web;
use super::browser::{World, borrowed, interaction, location, parameter, plain};
use crate::comes::Comes;
use crate::flow::pkce;
use crate::harness::{Client, person_client};
use crate::proof::Key;

/// A code for `client`, bound to the challenge.
async fn code(world: &World, client: &Client, challenge: &str) -> String {
    let mut browser = world.browser();
    let parameters = plain(client, challenge);
    let handle = interaction(&browser.bring(&borrowed(&parameters)).await);
    let redirect_to = world.approve(&handle).await.expect("approved");
    let url = location(&browser.open(&world.way_back(&redirect_to)).await);
    parameter(&url, "code").expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_of_no_use_in_another_session_or_to_another_client() {
    let world = World::new().await;
    let other = person_client("other", AuthenticationMethod::ClientSecret);
    let other = world.service.add(other).await;
    let web = Web::of(&world.service);
    let (verifier, challenge) = pkce();
    let stolen = code(&world, &world.shop, &challenge).await;
    let (of_the_victim, _) = pkce();
    for (what, client, verifier, expected) in [
        ("injected", &world.shop, &of_the_victim, Comes::G),
        ("mixed up", &other, &verifier, Comes::G),
        ("its own", &world.shop, &verifier, Comes::Ok),
        ("twice", &world.shop, &verifier, Comes::G),
    ] {
        let ask = redeem(&stolen, verifier).basic(client);
        let ask = ask.proven(&world.service, &Key::new());
        web.send(ask).await.check(what, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_names_a_key_is_of_no_use_to_another() {
    let world = World::new().await;
    let key = Key::new();
    let (verifier, challenge) = pkce();
    let mut browser = world.browser();
    let mut parameters = plain(&world.shop, &challenge);
    parameters.push(("dpop_jkt", key.jkt().to_string()));
    let handle = interaction(&browser.bring(&borrowed(&parameters)).await);
    let redirect_to = world.approve(&handle).await.expect("approved");
    let url = location(&browser.open(&world.way_back(&redirect_to)).await);
    let code = parameter(&url, "code").expect("a code");
    let web = Web::of(&world.service);
    for (what, key, expected) in [
        ("another key", &Key::new(), Comes::G),
        ("its key", &key, Comes::Ok),
    ] {
        let ask = redeem(&code, &verifier).basic(&world.shop);
        web.send(ask.proven(&world.service, key))
            .await
            .check(what, expected);
    }
}
