//! A person types the code that their device shows (RFC 8628 §3.3).

use std::time::Duration;

use countersign_login::Asked;

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
    let at = seen.location().to_owned();
    assert_eq!(at, format!("/?interaction=h&user_code={CODE}"));
    let page = browser.get(&at).await;
    page.says(200, "<h1>Log in</h1>");
    let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
    assert_eq!(seen.location(), at);
    let page = browser.get(&at).await;
    page.says(200, "The Television");
    page.says(200, &format!("Your device shows <strong>{CODE}</strong>"));
    // What is remembered is remembered of clients that are known by where they are.
    assert!(!page.text.contains("name=\"remember\""));
    let seen = decide(&mut browser, &page, "allow", BOTH, false).await;
    seen.says(200, "The device may go on");
    assert_eq!(world.tokens.last().subject, "subject-of-ann");

    world.tokens.waits(CODE, "i", television());
    let at = typed(&mut browser, CODE).await.location().to_owned();
    let page = browser.get(&at).await;
    let seen = decide(&mut browser, &page, "deny", &[], false).await;
    seen.says(200, "Nothing was allowed");
    assert_eq!(*world.tokens.denied.lock(), ["i"]);

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

    // The name of the request alone shows nothing that could be allowed.
    let seen = browser.get("/?interaction=h").await;
    assert_eq!(seen.location(), "/device");
    let seen = browser
        .get("/?interaction=h&user_code=Win+a+prize%21")
        .await;
    assert_eq!(seen.location(), "/device");
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
