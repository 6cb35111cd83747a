//! The password is asked for again where a client wants to be sure.

use std::time::Duration;

use countersign_client::clock::Clock as _;
use countersign_login::Asked;

use crate::world::{PASSWORD, World, decide, desk, log_in};

const BOTH: &[&str] = &["orders.read", "orders.write"];

#[tokio::test]
async fn a_login_that_is_too_old_is_done_again_once() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    let logged_in_at = world.clock.now();
    let asked = Asked {
        max_age: Some(Duration::from_secs(60)),
        ..desk()
    };
    world.tokens.asks("young", asked.clone());
    browser
        .get("/?interaction=young")
        .await
        .says(200, "Allow access?");

    world.clock.advance(Duration::from_secs(61));
    let page = browser.get("/?interaction=young").await;
    page.says(200, "Confirm that it is you");
    page.says(200, "value=\"ann\"");
    // The page from before does not help.
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    assert_eq!(seen.location(), "/?interaction=young");
    assert!(world.tokens.approved.lock().is_empty());

    let seen = log_in(&mut browser, &page, "ann", "wrong horse battery").await;
    seen.says(422, "not right");
    browser
        .get("/?interaction=young")
        .await
        .says(200, "Confirm that it is you");
    log_in(&mut browser, &page, "ann", PASSWORD)
        .await
        .location();
    let page = browser.get("/?interaction=young").await;
    page.says(200, "Allow access?");
    decide(&mut browser, &page, "allow", BOTH, false)
        .await
        .location();
    let approval = world.tokens.last();
    assert_eq!(
        approval.auth_time.since(logged_in_at),
        Duration::from_secs(61)
    );
}

#[tokio::test]
async fn a_request_that_wants_it_at_once_is_no_endless_loop_and_holds_for_no_other() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    let at_once = Asked {
        max_age: Some(Duration::ZERO),
        ..desk()
    };
    let again = Asked {
        login_again: true,
        ..desk()
    };
    for (handle, asked) in [("zero", at_once), ("prompt", again)] {
        world.tokens.asks(handle, asked);
        world.clock.advance(Duration::from_secs(1));
        let path = format!("/?interaction={handle}");
        let page = browser.get(&path).await;
        page.says(200, "Confirm that it is you");
        assert_eq!(
            log_in(&mut browser, &page, "ann", PASSWORD)
                .await
                .location(),
            path
        );
        world.clock.advance(Duration::from_secs(1));
        let page = browser.get(&path).await;
        page.says(200, "Allow access?");
        decide(&mut browser, &page, "allow", BOTH, false)
            .await
            .location();
    }
}

#[tokio::test]
async fn remembered_consent_does_not_replace_the_password() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    decide(&mut browser, &page, "allow", BOTH, true)
        .await
        .location();
    world.tokens.asks(
        "i",
        Asked {
            login_again: true,
            ..desk()
        },
    );
    browser
        .get("/?interaction=i")
        .await
        .says(200, "Confirm that it is you");
    assert_eq!(world.tokens.approved.lock().len(), 1);
}
