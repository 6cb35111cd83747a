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
        authenticated_since: Some(logged_in_at),
        ..desk()
    };
    world.tokens.asks("young", asked);
    browser
        .get("/?interaction=young&after=form")
        .await
        .says(200, "Allow access?");

    world.clock.advance(Duration::from_secs(61));
    let asked = Asked {
        authenticated_since: Some(logged_in_at.plus(Duration::from_secs(1))),
        ..desk()
    };
    world.tokens.asks("young", asked);
    let page = browser.get("/?interaction=young&after=form").await;
    page.says(200, "Confirm that it is you");
    page.says(200, "value=\"ann\"");
    // The page from before does not help.
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    assert_eq!(seen.location(), "/?interaction=young&after=form");
    assert!(world.tokens.approved.lock().is_empty());

    let seen = log_in(&mut browser, &page, "ann", "wrong horse battery").await;
    seen.says(422, "not right");
    seen.says(422, "Confirm that it is you");
    browser
        .get("/?interaction=young&after=form")
        .await
        .says(200, "Confirm that it is you");
    log_in(&mut browser, &page, "ann", PASSWORD)
        .await
        .location();
    let page = browser.get("/?interaction=young&after=form").await;
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
        authenticated_since: Some(world.clock.now().plus(Duration::from_secs(1))),
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
            format!("{path}&after=form")
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

/// `prompt=select_account`: they may be somebody else.
#[tokio::test]
async fn a_client_that_asks_which_account_gets_the_one_that_is_named_then() {
    let world = World::new().await;
    world.account("ben", "Ben Day").await;
    let mut browser = world.anns_browser().await;
    let asked = Asked {
        name_again: true,
        ..desk()
    };
    world.tokens.asks("h", asked);
    let page = browser.get("/?interaction=h").await;
    page.says(200, "Choose an account");
    page.says(200, "You are logged in as");
    let page = log_in(&mut browser, &page, "ben", "wrong horse battery").await;
    page.says(422, "Choose an account");
    page.says(422, "not right");
    log_in(&mut browser, &page, "ben", PASSWORD)
        .await
        .location();
    let page = browser.get("/?interaction=h").await;
    page.says(200, "Ben Day");
    decide(&mut browser, &page, "allow", BOTH, false)
        .await
        .location();
    assert_eq!(world.tokens.last().subject, "subject-of-ben");
}

#[tokio::test]
async fn a_request_that_must_show_nothing_goes_on_with_what_is_remembered_or_is_declined() {
    let world = World::new().await;
    let silent = Asked {
        silently: true,
        ..desk()
    };
    // Nobody is logged in.
    world.tokens.asks("nobody", silent.clone());
    let seen = world.browser().get("/?interaction=nobody").await;
    assert!(seen.location().ends_with("error=login_required"));

    // Somebody is, and has allowed nothing.
    let mut browser = world.anns_browser().await;
    world.tokens.asks("unasked", silent.clone());
    let seen = browser.get("/?interaction=unasked").await;
    assert!(seen.location().ends_with("error=consent_required"));
    assert!(world.tokens.approved.lock().is_empty());

    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    decide(&mut browser, &page, "allow", BOTH, true)
        .await
        .location();
    world.tokens.asks("remembered", silent.clone());
    let seen = browser.get("/?interaction=remembered").await;
    assert!(seen.location().ends_with("code=made-up"));

    // The login is older than it may be.
    let young = Asked {
        authenticated_since: Some(world.clock.now().plus(Duration::from_secs(1))),
        ..silent
    };
    world.tokens.asks("old", young);
    let seen = browser.get("/?interaction=old").await;
    assert!(seen.location().ends_with("error=login_required"));
}

#[tokio::test]
async fn a_way_to_log_in_that_is_not_there_is_said_before_anybody_types_a_password() {
    let world = World::new().await;
    let wants = |acr_values: &[&str], silently| Asked {
        acr_values: acr_values.iter().map(|&acr| acr.to_owned()).collect(),
        silently,
        ..desk()
    };
    let unmet = "error=unmet_authentication_requirements";
    let mut ann = world.anns_browser().await;
    for silently in [false, true] {
        for mut browser in [world.browser(), ann.clone()] {
            world.tokens.asks("h", wants(&["phr", "mfa"], silently));
            let seen = browser.get("/?interaction=h").await;
            assert!(seen.location().ends_with(unmet), "{}", seen.location());
        }
    }
    // Whoever goes around it by sending the decision gets there, too.
    world.tokens.asks("first", desk());
    let page = ann.get("/?interaction=first").await;
    world.tokens.asks("h", wants(&["phr"], false));
    let token = page.token();
    let fields = [
        ("token", token.as_str()),
        ("interaction", "h"),
        ("decision", "allow"),
        ("scope", "orders.read"),
    ];
    let seen = ann.post("/decision", &fields).await;
    assert_eq!(seen.location(), "/?interaction=h&after=form");
    assert!(world.tokens.approved.lock().is_empty());
    // One of several ways is enough.
    world.tokens.asks("h", wants(&["phr", "pwd"], false));
    let page = ann.get("/?interaction=h").await;
    page.says(200, "Allow access?");
    decide(&mut ann, &page, "allow", BOTH, false)
        .await
        .location();
    assert_eq!(world.tokens.last().acr, "pwd");
}
