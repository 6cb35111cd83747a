//! What is allowed, denied and remembered.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_login::{ACR_PASSWORD, Asked, Denial, ScopeAt};

use crate::ailing::{FULL, Said};
use crate::world::{PASSWORD, World, decide, desk, log_in};

/// The smallest difference that the token service tells.
const A_MOMENT: Duration = Duration::from_millis(1);

const BOTH: &[&str] = &["orders.read", "orders.write"];

#[tokio::test]
async fn a_person_logs_in_and_allows() {
    let world = World::new().await;
    world.tokens.asks("h", desk());
    let mut browser = world.browser();
    let page = browser.get("/?interaction=h").await;
    page.says(200, "The Desk");
    let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
    assert_eq!(seen.location(), "/?interaction=h&after=form");
    let page = browser.get("/?interaction=h").await;
    for text in [
        "<h1>Allow access?</h1>",
        "The Desk",
        "value=\"orders.read\"",
        "value=\"orders.write\"",
        "https://orders.example",
        "desk.example",
        "Ann Lee",
    ] {
        page.says(200, text);
    }
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    assert_eq!(seen.onward(), "https://desk.example/back?code=made-up");
    let approval = world.tokens.last();
    assert_eq!(approval.subject, "subject-of-ann");
    assert_eq!(approval.scopes, BOTH);
    assert_eq!(approval.acr, ACR_PASSWORD);

    // It is decided: neither button does anything more.
    for decision in ["allow", "deny"] {
        let seen = decide(&mut browser, &page, decision, BOTH, false).await;
        seen.says(400, "This request is over");
    }
    assert_eq!(world.tokens.approved.lock().len(), 1);
}

/// What is sent is the scope, whatever words stand beside it.
#[tokio::test]
async fn scopes_are_told_in_the_words_of_their_resource() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    let at = |scope: &str, description: &str| ScopeAt {
        scope: scope.to_owned(),
        resource: "https://orders.example".to_owned(),
        description: description.to_owned(),
    };
    let asked = Asked {
        scopes_at: vec![
            at("orders.read", "See what you have ordered"),
            at("orders.write", ""),
        ],
        ..desk()
    };
    world.tokens.asks("h", asked);
    let page = browser.get("/?interaction=h").await;
    for text in [
        "<bdi>See what you have ordered</bdi>",
        "<bdi>orders.read</bdi>",
        "<bdi>orders.write</bdi>",
    ] {
        page.says(200, text);
    }
    decide(&mut browser, &page, "allow", BOTH, false)
        .await
        .location();
    assert_eq!(world.tokens.last().scopes, BOTH);
}

#[tokio::test]
async fn a_person_denies_logged_in_or_not() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    let seen = decide(&mut browser, &page, "deny", BOTH, true).await;
    assert_eq!(
        seen.onward(),
        "https://desk.example/back?error=access_denied"
    );

    world.tokens.asks("i", desk());
    let mut browser = world.browser();
    let page = browser.get("/?interaction=i").await;
    let seen = decide(&mut browser, &page, "deny", &[], false).await;
    assert_eq!(
        seen.onward(),
        "https://desk.example/back?error=access_denied"
    );
    let declined = ["h", "i"].map(|handle| (handle.to_owned(), Denial::Declined));
    assert_eq!(*world.tokens.denied.lock(), declined);
    assert!(world.tokens.approved.lock().is_empty());
}

#[tokio::test]
async fn nothing_is_allowed_that_was_not_chosen() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    // To the token service no scopes would be all of them.
    let seen = decide(&mut browser, &page, "allow", &[], false).await;
    seen.says(422, "Nothing is chosen.");
    let seen = decide(&mut browser, &page, "allow", &["admin.write"], false).await;
    assert_eq!(seen.status, 400);
    assert!(world.tokens.approved.lock().is_empty());
    decide(&mut browser, &page, "allow", &["orders.read"], false)
        .await
        .location();
    assert_eq!(world.tokens.last().scopes, ["orders.read"]);
}

#[tokio::test]
async fn nobody_allows_who_is_not_logged_in() {
    let world = World::new().await;
    world.tokens.asks("h", desk());
    let mut browser = world.browser();
    let page = browser.get("/?interaction=h").await;
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    assert_eq!(seen.location(), "/?interaction=h&after=form");
    assert!(world.tokens.approved.lock().is_empty());
}

#[tokio::test]
async fn what_is_remembered_is_not_asked_again_and_nothing_more() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    page.says(200, "Do not ask again");
    decide(&mut browser, &page, "allow", BOTH, true)
        .await
        .location();

    world.tokens.asks("same", desk());
    let seen = browser.get("/?interaction=same").await;
    assert_eq!(seen.status, 303);
    assert_eq!(seen.location(), "https://desk.example/back?code=made-up");
    assert_eq!(world.tokens.last().scopes, BOTH);
    // A redirect that follows a form ends its chain, too.
    world.tokens.asks("same", desk());
    let seen = browser.get("/?interaction=same&after=form").await;
    assert_eq!(seen.onward(), "https://desk.example/back?code=made-up");

    let more = vec!["orders.read".to_owned(), "orders.purge".to_owned()];
    for (handle, asked) in [
        (
            "scope",
            Asked {
                scopes: more,
                ..desk()
            },
        ),
        (
            "resource",
            Asked {
                resources: vec!["https://bills.example".to_owned()],
                ..desk()
            },
        ),
        (
            "client",
            Asked {
                client_id: "till".to_owned(),
                ..desk()
            },
        ),
        // Registered anew: whoever that is has the identifier alone.
        (
            "registration",
            Asked {
                client_created_at: desk().client_created_at.map(|at| at.plus(A_MOMENT)),
                ..desk()
            },
        ),
        (
            "unknown",
            Asked {
                client_created_at: None,
                ..desk()
            },
        ),
        (
            "elsewhere",
            Asked {
                redirect_uri: "https://till.example/back".to_owned(),
                ..desk()
            },
        ),
        (
            "details",
            Asked {
                details: "[{\"type\":\"payment\"}]".to_owned(),
                ..desk()
            },
        ),
        (
            "asked",
            Asked {
                ask_again: true,
                ..desk()
            },
        ),
        (
            "loopback",
            Asked {
                redirect_uri: "http://127.0.0.1:9/".to_owned(),
                ..desk()
            },
        ),
    ] {
        world.tokens.asks(handle, asked);
        let page = browser.get(&format!("/?interaction={handle}")).await;
        page.says(200, "Allow access?");
    }

    // Another person.
    world.account("bob", "").await;
    let mut bobs = world.browser();
    world.tokens.asks("bob", desk());
    let page = bobs.get("/?interaction=bob").await;
    log_in(&mut bobs, &page, "bob", PASSWORD).await;
    bobs.get("/?interaction=bob")
        .await
        .says(200, "Allow access?");
}

#[tokio::test]
async fn what_was_not_to_be_remembered_is_asked_again() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    for handle in ["first", "second"] {
        world.tokens.asks(handle, desk());
        let page = browser.get(&format!("/?interaction={handle}")).await;
        page.says(200, "Allow access?");
        decide(&mut browser, &page, "allow", BOTH, false)
            .await
            .location();
    }
    // Nor what cannot be: the box that is not there was ticked all the same.
    for handle in ["third", "fourth"] {
        let redirect_uri = "http://127.0.0.1:9/".to_owned();
        world.tokens.asks(
            handle,
            Asked {
                redirect_uri,
                ..desk()
            },
        );
        let page = browser.get(&format!("/?interaction={handle}")).await;
        page.says(200, "Allow access?");
        assert!(!page.text.contains("Do not ask again"));
        decide(&mut browser, &page, "allow", BOTH, true)
            .await
            .location();
    }
}

/// The client is allowed by then: the browser goes back with it, and is asked again another time.
#[tokio::test]
async fn what_cannot_be_remembered_holds_nobody_up() {
    let said = Said::begin();
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("csp_first", desk());
    let page = browser.get("/?interaction=csp_first").await;
    let before = world.records().await;
    world.store.refuse(true);
    let seen = decide(&mut browser, &page, "allow", BOTH, true).await;
    world.store.refuse(false);
    assert_eq!(seen.onward(), "https://desk.example/back?code=made-up");
    assert_eq!(world.tokens.last().scopes, BOTH);
    assert_eq!(world.tokens.approved.lock().len(), 1);
    assert!(world.tokens.denied.lock().is_empty());
    assert_eq!(world.records().await, before);

    // Whoever looks after it is told, and nothing that opens anything.
    let text = said.text();
    let mut lines = text.lines();
    let line = lines.find(|line| line.contains("a consent was not remembered"));
    let line = line.expect("it is said");
    assert!(line.contains(" WARN ") && line.contains(FULL), "{line}");
    let cookie = browser.session().unwrap();
    for secret in [cookie, &page.token(), PASSWORD, "csp_first", "made-up"] {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
    }

    // The session is what it was. Nothing is remembered, until it can be.
    let account = browser.get("/account").await;
    account.says(200, "Nothing: you are asked every time.");
    world.tokens.asks("second", desk());
    let page = browser.get("/?interaction=second").await;
    page.says(200, "Allow access?");
    decide(&mut browser, &page, "allow", BOTH, true)
        .await
        .location();
    world.tokens.asks("third", desk());
    let seen = browser.get("/?interaction=third").await;
    assert_eq!(seen.location(), "https://desk.example/back?code=made-up");
}

/// However many they are: a page leads on to the next.
#[tokio::test]
async fn all_that_is_remembered_is_shown_and_can_be_taken_back() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    let mut allowed = BTreeSet::new();
    for number in 0..201 {
        let (handle, home) = (format!("h{number}"), format!("{number}.example"));
        let redirect_uri = format!("https://{home}/back");
        let asked = Asked {
            redirect_uri,
            ..desk()
        };
        world.tokens.asks(&handle, asked);
        let page = browser.get(&format!("/?interaction={handle}")).await;
        let seen = decide(&mut browser, &page, "allow", BOTH, true).await;
        seen.says(200, "Going back");
        allowed.insert(home);
    }

    let mut path = "/account".to_owned();
    let mut pages = 0;
    loop {
        let page = browser.get(&path).await;
        page.says(200, "Ask me again");
        allowed.retain(|home| !page.text.contains(&format!("<bdi>{home}</bdi>")));
        pages += 1;
        let more = page.text.split_once("id=\"more\" href=\"");
        let Some((_, rest)) = more else { break };
        path = rest.split('"').next().unwrap_or_default().to_owned();
    }
    assert_eq!((pages, allowed), (3, BTreeSet::new()));

    // The last page has one: without it there is no such page.
    let page = browser.get(&path).await;
    let (token, consent) = (page.token(), page.field("consent"));
    let fields = [("token", token.as_str()), ("consent", consent.as_str())];
    browser.post("/forget", &fields).await.location();
    assert_eq!(browser.get(&path).await.location(), "/account");
    let seen = browser.get("/account?behind=nothing").await;
    assert_eq!(seen.status, 400);
}

#[tokio::test]
async fn what_is_remembered_is_shown_and_taken_back() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    browser
        .get("/account")
        .await
        .says(200, "Nothing: you are asked every time.");
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    decide(&mut browser, &page, "allow", BOTH, true)
        .await
        .location();

    let account = browser.get("/account").await;
    for text in [
        "The Desk",
        "orders.write",
        "https://orders.example",
        "<bdi>desk.example</bdi>",
    ] {
        account.says(200, text);
    }
    let (token, consent) = (account.token(), account.field("consent"));
    // Somebody else's browser takes back nothing of hers.
    world.account("bob", "").await;
    let mut bobs = world.browser();
    let page = bobs.get("/").await;
    log_in(&mut bobs, &page, "bob", PASSWORD).await;
    let bobs_token = bobs.get("/account").await.token();
    let fields = [("token", bobs_token.as_str()), ("consent", &consent)];
    bobs.post("/forget", &fields).await.location();
    browser.get("/account").await.says(200, "The Desk");

    let fields = [("token", token.as_str()), ("consent", &consent)];
    assert_eq!(
        browser.post("/forget", &fields).await.location(),
        "/account"
    );
    browser
        .get("/account")
        .await
        .says(200, "Nothing: you are asked every time.");
    world.tokens.asks("i", desk());
    browser
        .get("/?interaction=i")
        .await
        .says(200, "Allow access?");
}

#[tokio::test]
async fn somebody_else_may_go_on_with_the_request() {
    let world = World::new().await;
    world.account("bob", "Bob").await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    let fields = [("token", page.token()), ("interaction", "h".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(
        browser.post("/logout", &fields).await.location(),
        "/?interaction=h&after=form"
    );
    let page = browser.get("/?interaction=h").await;
    log_in(&mut browser, &page, "bob", PASSWORD).await;
    let page = browser.get("/?interaction=h").await;
    page.says(200, "Bob");
    decide(&mut browser, &page, "allow", BOTH, false)
        .await
        .location();
    assert_eq!(world.tokens.last().subject, "subject-of-bob");
}
