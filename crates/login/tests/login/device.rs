//! A person types the code that their device shows (RFC 8628 §3.3).

use std::time::Duration;

use countersign_login::{Asked, Denial};

use crate::browser::{Browser, Seen};
use crate::world::{PASSWORD, World, decide, desk, log_in};

const CODE: &str = "BCDF-GHJK";
const BOTH: &[&str] = &["orders.read", "orders.write"];

fn television() -> Asked {
    Asked {
        client_display_name: "The Television".to_owned(),
        redirect_uri: String::new(),
        device: true,
        ..desk()
    }
}

async fn typed(browser: &mut Browser, code: &str) -> Seen {
    let page = browser.get("/device").await;
    page.says(200, "Connect a device");
    let token = page.token();
    let fields = [("token", token.as_str()), ("user_code", code)];
    browser.post("/device", &fields).await
}

#[tokio::test]
async fn a_code_leads_to_what_the_device_asks_for_and_is_shown_beside_it() {
    let world = World::new().await;
    world.tokens.waits("bcdf ghjk", "h", television());
    let mut browser = world.browser();
    let seen = typed(&mut browser, "bcdf ghjk").await;
    let at = seen.location();
    let begin = format!("/?interaction=h&typed={CODE}.");
    assert!(at.starts_with(&begin), "{at}");
    let page = browser.get(&at).await;
    page.says(200, "<h1>Log in</h1>");
    let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
    let after = seen.location();
    // The browser has another name now, and what it typed goes with it.
    assert!(after.starts_with(&begin) && after != at, "{after}");
    assert_eq!(browser.get(&at).await.location(), "/device");
    let page = browser.get(&after).await;
    page.says(200, "The Television");
    page.says(200, &format!("Your device shows <strong>{CODE}</strong>"));
    // What is remembered is remembered of clients that are known by where they are.
    assert!(!page.text.contains("name=\"remember\""));
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    seen.says(200, "The device may go on");
    assert_eq!(world.tokens.last().subject, "subject-of-ann");

    world.tokens.waits(CODE, "i", television());
    let at = typed(&mut browser, CODE).await.location();
    let page = browser.get(&at).await;
    let seen = decide(&mut browser, &page, "deny", &[], false).await;
    seen.says(200, "Nothing was allowed");
    assert_eq!(
        *world.tokens.denied.lock(),
        [("i".to_owned(), Denial::Declined)]
    );

    // By whom and from where: attempts are counted by that.
    let said = world.tokens.typed.lock();
    assert_eq!(said[0].1, None);
    assert_eq!(said[1].1.as_deref(), Some("subject-of-ann"));
    assert!(!said[0].2.is_empty() && said[0].2 == said[1].2, "{said:?}");
}

#[tokio::test]
async fn a_wrong_code_is_asked_for_again_and_too_many_have_to_wait() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", television());
    let mut browser = world.browser();
    let long = "B".repeat(65);
    for wrong in ["BCDF-GHJX", "", " ", long.as_str(), "<script>"] {
        let seen = typed(&mut browser, wrong).await;
        seen.says(422, "No device waits with this code");
        assert!(!seen.text.contains("<script"), "{}", seen.text);
    }
    // Nothing is looked up that cannot be a code.
    assert_eq!(world.tokens.typed.lock().len(), 2);

    *world.tokens.paused.lock() = Some(Duration::from_secs(60));
    let seen = typed(&mut browser, CODE).await;
    seen.says(429, "Try again in 60 seconds");
    assert_eq!(seen.header("retry-after"), "60");
}

#[tokio::test]
async fn a_link_fills_the_code_in_and_goes_no_further() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", television());
    let mut browser = world.anns_browser().await;
    let page = browser.get(&format!("/device?user_code={CODE}")).await;
    page.says(200, &format!("value=\"{CODE}\""));
    page.says(200, "Continue");
    assert!(world.tokens.typed.lock().is_empty());
    for sentence in ["Win+a+prize%21", "CALL-0900-123456-NOW"] {
        let page = browser.get(&format!("/device?user_code={sentence}")).await;
        page.says(200, "name=\"user_code\" value=\"\"");
    }

    // The name of the request alone shows nothing that could be allowed, whatever stands beside it.
    for beside in [
        "",
        "&user_code=BCDF-GHJK",
        "&typed=BCDF-GHJK",
        "&typed=BCDF-GHJK.99999999999.AAAA",
        "&typed=Win+a+prize%21",
    ] {
        let seen = browser.get(&format!("/?interaction=h{beside}")).await;
        assert_eq!(seen.location(), "/device", "{beside}");
    }
}

#[tokio::test]
async fn what_was_typed_in_one_browser_is_nothing_in_another() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", television());
    // Somebody begins a device, types its code himself, and sends the link on.
    let mut attacker = world.browser();
    let link = typed(&mut attacker, CODE).await.location();
    let own = attacker.get(&link).await;
    own.says(200, "<h1>Log in</h1>");
    let sealed = own.typed().expect("it was typed here");

    let mut ann = world.anns_browser().await;
    let seen = ann.get(&link).await;
    assert_eq!(seen.location(), "/device");
    assert!(!seen.text.contains(CODE), "{}", seen.text);
    // Nor does a form that she is made to send allow it.
    let token = ann.get("/account").await.token();
    for typed in [None, Some(sealed.as_str()), Some(CODE), Some("")] {
        let mut fields = vec![
            ("token", token.as_str()),
            ("interaction", "h"),
            ("decision", "allow"),
            ("scope", "orders.read"),
        ];
        fields.extend(typed.map(|typed| ("typed", typed)));
        let seen = ann.post("/decision", &fields).await;
        assert_eq!(seen.location(), "/device", "{typed:?}");
    }
    // Nor does a password, wrong or right, show it.
    let wrong = [
        ("token", token.as_str()),
        ("interaction", "h"),
        ("name", "ann"),
        ("password", "a wrong password"),
    ];
    let seen = ann.post("/password", &wrong).await;
    seen.says(422, "<h1>Log in</h1>");
    let name = television().client_display_name;
    assert!(
        own.text.contains(&name) && !seen.text.contains(&name),
        "{}",
        seen.text
    );
    let fields = [
        ("token", token.as_str()),
        ("interaction", "h"),
        ("typed", sealed.as_str()),
        ("name", "ann"),
        ("password", PASSWORD),
    ];
    let seen = ann.post("/password", &fields).await;
    assert_eq!(seen.location(), "/?interaction=h&after=form");
    assert_eq!(ann.get("/?interaction=h").await.location(), "/device");
    assert!(world.tokens.approved.lock().is_empty());

    // What she types herself is for what she typed.
    world.tokens.waits("ZZZZ-ZZZZ", "i", television());
    let at = typed(&mut ann, CODE).await.location();
    ann.get(&at).await.says(200, "Allow access?");
    let other = at.replace("interaction=h", "interaction=i");
    assert_eq!(ann.get(&other).await.location(), "/device");
}

#[tokio::test]
async fn a_code_is_shown_of_devices_alone() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", desk());
    let mut browser = world.anns_browser().await;
    // By a link of somebody's making, and with a code that was typed for a request of no device.
    let typed = typed(&mut browser, CODE).await.location();
    for path in [
        "/?interaction=h&user_code=PAY-NOW",
        "/?interaction=h&typed=PAY-NOW",
        &typed,
    ] {
        let page = browser.get(path).await;
        page.says(200, "Allow access?");
        assert!(!page.text.contains("Your device shows"), "{path}");
        assert!(!page.text.contains("PAY-NOW"), "{path}");
    }
}

#[tokio::test]
async fn a_code_that_was_typed_long_ago_is_typed_again() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", television());
    let mut browser = world.anns_browser().await;
    let at = typed(&mut browser, CODE).await.location();
    let page = browser.get(&at).await;
    page.says(200, "Allow access?");
    world.clock.advance(Duration::from_secs(601));
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    assert_eq!(seen.location(), "/device");
    assert!(world.tokens.approved.lock().is_empty());
    // Declining is always possible.
    let seen = decide(&mut browser, &page, "deny", &[], false).await;
    seen.says(200, "Nothing was allowed");
}

#[tokio::test]
async fn somebody_else_goes_on_with_the_code_that_was_typed() {
    let world = World::new().await;
    world.account("bob", "Bob").await;
    world.tokens.waits(CODE, "h", television());
    let mut browser = world.anns_browser().await;
    let at = typed(&mut browser, CODE).await.location();
    let page = browser.get(&at).await;
    let (token, typed) = (page.token(), page.typed().unwrap());
    let fields = [
        ("token", token.as_str()),
        ("interaction", "h"),
        ("typed", typed.as_str()),
    ];
    let before = browser.session().map(str::to_owned);
    let at = browser.post("/logout", &fields).await.location();
    assert_ne!(browser.session().map(str::to_owned), before);
    let page = browser.get(&at).await;
    page.says(200, "<h1>Log in</h1>");
    let at = log_in(&mut browser, &page, "bob", PASSWORD).await;
    let page = browser.get(&at.location()).await;
    page.says(200, "Your device shows");
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    seen.says(200, "The device may go on");
    assert_eq!(world.tokens.last().subject, "subject-of-bob");
}

#[tokio::test]
async fn a_form_of_another_site_types_no_code() {
    let world = World::new().await;
    world.tokens.waits(CODE, "h", television());
    let mut browser = world.anns_browser().await;
    let page = browser.get("/device").await;
    let token = page.token();
    let fields = [("token", token.as_str()), ("user_code", CODE)];
    let said = [("sec-fetch-site", "cross-site")];
    let seen = browser.post_saying("/device", &fields, &said).await;
    seen.says(403, "cannot be taken");
    let seen = browser
        .post("/device", &[("token", "x"), ("user_code", CODE)])
        .await;
    seen.says(403, "cannot be taken");
    assert!(world.tokens.typed.lock().is_empty());
}
