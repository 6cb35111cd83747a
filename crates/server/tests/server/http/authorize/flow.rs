//! The way it is meant: pushed and plain, read and posted, in both versions of HTTP.

use http::StatusCode;

use super::super::flow::redeem;
use super::super::web::{Ask, Speaks, Web};
use super::browser::{
    AUTHORIZE, World, borrowed, check_back, interaction, location, parameter, plain, set,
};
use crate::comes::{Comes, check};
use crate::flow::pkce;
use crate::harness::{CALLBACK, ORDERS};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_at_the_login_application() {
    let world = World::new().await;
    for (speaks, pushed, posts) in [
        (Speaks::One, true, false),
        (Speaks::Two, true, true),
        (Speaks::One, false, true),
        (Speaks::Two, false, false),
    ] {
        let what = format!("{speaks:?} {pushed} {posts}");
        let (verifier, challenge) = pkce();
        let parameters = if pushed {
            let request_uri = world.push(&world.shop, &challenge).await;
            vec![
                ("client_id", "shop".to_owned()),
                ("request_uri", request_uri),
            ]
        } else {
            plain(&world.shop, &challenge)
        };
        let parameters = borrowed(&parameters);
        let mut browser = world.browser_speaking(speaks);
        let arrived = match posts {
            true => browser.send(Ask::post(AUTHORIZE, &parameters)).await,
            false => browser.bring(&parameters).await,
        };
        let handle = interaction(&arrived);
        assert_eq!(browser.jar.len(), 1, "{what}");

        let shown = world.get(&handle).await.expect("shown");
        assert_eq!(shown.client_id, "shop");
        assert_eq!(shown.redirect_uri, CALLBACK);
        assert_eq!(shown.scopes, ["orders.read"]);
        assert_eq!(shown.resources, [ORDERS]);
        let redirect_to = world.approve(&handle).await.expect("approved");
        let way_back = world.way_back(&redirect_to);

        let done = browser.open(&way_back).await;
        let url = location(&done);
        assert!(url.as_str().starts_with(CALLBACK), "{url}");
        assert_eq!(parameter(&url, "state").as_deref(), Some("s-1"));
        let issuer = Some(world.service.issuer());
        assert_eq!(parameter(&url, "iss").as_deref(), issuer);
        assert!(browser.jar.is_empty(), "{what}: {:?}", browser.jar);

        let code = parameter(&url, "code").expect("a code");
        let key = Key::new();
        let ask = redeem(&code, &verifier).basic(&world.shop);
        let web = Web::of(&world.service);
        let tokens = web.send(ask.proven(&world.service, &key)).await;
        assert_eq!(tokens.status, StatusCode::OK, "{what}: {tokens:?}");
        assert_eq!(tokens.json()["scope"], "orders.read");
        assert_eq!(tokens.json()["token_type"], "DPoP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_declines() {
    let world = World::new().await;
    let mut browser = world.browser();
    let handle = world.begun(&mut browser).await;
    let redirect_to = world.deny(&handle).await.expect("declined");
    let way_back = world.way_back(&redirect_to);
    let done = browser.open(&way_back).await;
    check_back("declined", &world.service, &done, "access_denied");
    assert!(browser.jar.is_empty());
    // Decided once, whatever was said.
    let again = world.approve(&handle).await;
    check("approved after all", &again, Comes::R("request_uri"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_beside_each_other_do_not_disturb_each_other() {
    let world = World::new().await;
    let mut browser = world.browser();
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(world.begun(&mut browser).await);
    }
    assert_eq!(browser.jar.len(), 3);
    handles.reverse();
    for handle in handles {
        let redirect_to = world.approve(&handle).await.expect("approved");
        let done = browser.open(&world.way_back(&redirect_to)).await;
        assert!(parameter(&location(&done), "code").is_some());
    }
    assert!(browser.jar.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_survives_a_restart() {
    let mut world = World::new().await;
    let mut browser = world.browser();
    let handle = world.begun(&mut browser).await;
    let jar = browser.jar;
    world.service.restart().await;
    world.service.clock.advance(crate::harness::WARM);
    let redirect_to = world.approve(&handle).await.expect("approved");
    let mut browser = world.browser();
    browser.jar = jar;
    let done = browser.open(&world.way_back(&redirect_to)).await;
    assert!(parameter(&location(&done), "code").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_bound_to_the_host_where_browsers_come_by_https() {
    let issuer = "https://tokens.example.com/a";
    for (issuer, prefix, secure) in [
        (Some(issuer), "__Host-countersign-request-", true),
        (None, "countersign-request-", false),
    ] {
        let world = World::with(|config| {
            if let Some(issuer) = issuer {
                config.issuer = Some(issuer.to_owned());
            }
        })
        .await;
        let mut browser = world.browser();
        let (_, challenge) = pkce();
        let parameters = plain(&world.shop, &challenge);
        let arrived = browser.bring(&borrowed(&parameters)).await;
        let cookies = set(&arrived);
        let [cookie] = &cookies[..] else {
            panic!("one cookie: {cookies:?}");
        };
        assert!(cookie.starts_with(prefix), "{cookie}");
        // The request's ten minutes, and a minute to come back in.
        for attribute in ["Path=/", "Max-Age=660", "HttpOnly", "SameSite=Lax"] {
            assert!(cookie.contains(&format!("; {attribute}")), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}
