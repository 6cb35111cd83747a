//! Name and password, sessions, logging out.

use std::time::Duration;

use countersign_login::{Name, Proxies};
use countersign_store::Store as _;
use zeroize::Zeroizing;

use crate::world::{OPERATOR, PASSWORD, World, desk, log_in};

#[tokio::test]
async fn a_person_logs_in_and_out() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = browser.get("/").await;
    page.says(200, "<h1>Log in</h1>");
    let seen = log_in(&mut browser, &page, " Ann ", PASSWORD).await;
    assert_eq!(seen.location(), "/account");
    let account = browser.get("/account").await;
    account.says(200, "Ann Lee");
    // The first page knows them.
    assert_eq!(browser.get("/").await.location(), "/account");

    let cookie = browser.session().unwrap().to_owned();
    browser.get("/logout").await.says(200, "Log out?");
    assert!(browser.session().is_some(), "a link logs nobody out");
    let out = browser
        .post("/logout", &[("token", &account.token())])
        .await;
    out.says(200, "You are logged out");
    assert!(browser.session().is_none());
    // The cookie that somebody kept is worth nothing.
    let mut browser = browser.showing(&cookie).await;
    assert_eq!(browser.get("/account").await.location(), "/");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_have_one_answer() {
    let world = World::new().await;
    world.disabled_account("closed").await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("ann", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("closed", PASSWORD),
        ("no name!", PASSWORD),
    ] {
        let mut browser = world.browser();
        let page = browser.get("/").await;
        let seen = log_in(&mut browser, &page, name, password).await;
        seen.says(422, "The name or the password is not right.");
        assert!(seen.text.contains("role=\"alert\""));
        assert!(!seen.text.contains(password));
        let text = seen.text.replace(&page.token(), "TOKEN");
        answers.push(text.replace(&format!("value=\"{name}\""), "NAME"));
        assert_eq!(browser.get("/account").await.location(), "/");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");

    // Nothing was typed, which is no secret: the name is asked for first again.
    let mut browser = world.browser();
    let page = browser.get("/").await;
    let seen = log_in(&mut browser, &page, "", "").await;
    seen.says(422, "The name or the password is not right.");
}

#[tokio::test]
async fn failed_logins_do_not_grow_the_store() {
    let world = World::new().await;
    let before = world.records().await;
    for name in ["ann", "nobody", "somebody"] {
        let mut browser = world.browser();
        let page = browser.get("/").await;
        log_in(&mut browser, &page, name, "wrong horse battery").await;
    }
    assert_eq!(world.records().await, before);
}

#[tokio::test]
async fn wrong_passwords_make_everybody_wait_whether_the_account_exists_or_not() {
    let world = World::new().await;
    for name in ["ann", "nobody", "no name!"] {
        let mut browser = world.browser();
        let page = browser.get("/").await;
        for _ in 0..3 {
            let seen = log_in(&mut browser, &page, name, "wrong horse battery").await;
            seen.says(422, "not right");
        }
        // Also the right one.
        let seen = log_in(&mut browser, &page, name, PASSWORD).await;
        seen.says(429, "Try again in a second.");
        assert_eq!(seen.header("retry-after"), "1");
        world.clock.advance(Duration::from_secs(1));
        log_in(&mut browser, &page, name, "wrong horse battery")
            .await
            .says(422, "not right");
        let seen = log_in(&mut browser, &page, name, PASSWORD).await;
        seen.says(429, "Try again in 2 seconds.");
        world.clock.advance(Duration::from_secs(2));
    }
    let mut browser = world.browser();
    let page = browser.get("/").await;
    assert_eq!(
        log_in(&mut browser, &page, "ann", PASSWORD)
            .await
            .location(),
        "/account"
    );
}

#[tokio::test]
async fn an_address_that_tries_many_names_waits_and_others_do_not() {
    let world = World::at("", Proxies::One).await;
    let mut attacker = world.browser();
    attacker.forwarded = Some("192.0.2.66".to_owned());
    let page = attacker.get("/").await;
    let mut tried = 0;
    while tried < 100 {
        // What he writes himself stands in front of what the proxy adds.
        attacker.forwarded = Some(format!("198.51.100.{tried}, 192.0.2.66"));
        let seen = log_in(
            &mut attacker,
            &page,
            &format!("name{tried}"),
            "a wrong password",
        )
        .await;
        if seen.status == 429 {
            break;
        }
        tried += 1;
    }
    assert_eq!(tried, 20);
    let mut browser = world.browser();
    browser.forwarded = Some("192.0.2.1".to_owned());
    let page = browser.get("/").await;
    assert_eq!(
        log_in(&mut browser, &page, "ann", PASSWORD)
            .await
            .location(),
        "/account"
    );
}

#[tokio::test]
async fn the_cookie_is_another_one_after_every_login() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = browser.get("/").await;
    let fixed = browser.session().unwrap().to_owned();
    log_in(&mut browser, &page, "ann", PASSWORD).await;
    let first = browser.session().unwrap().to_owned();
    assert_ne!(fixed, first);

    // Who knew the one from before is nobody.
    let mut attacker = world.browser().showing(&fixed).await;
    assert_eq!(attacker.get("/account").await.location(), "/");

    // Logging in over it ends the session that was there.
    let asked = countersign_login::Asked {
        login_again: true,
        ..desk()
    };
    world.tokens.asks("again", asked);
    let page = browser.get("/?interaction=again").await;
    log_in(&mut browser, &page, "ann", PASSWORD).await;
    let second = browser.session().unwrap().to_owned();
    assert_ne!(first, second);
    let mut attacker = attacker.showing(&first).await;
    assert_eq!(attacker.get("/account").await.location(), "/");
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_after_a_day_of_work() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.clock.advance(Duration::from_secs(30 * 60 - 1));
    browser.get("/account").await.says(200, "Ann Lee");
    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(browser.get("/account").await.location(), "/");

    let mut browser = world.anns_browser().await;
    for _ in 0..35 {
        world.clock.advance(Duration::from_secs(20 * 60));
        browser.get("/account").await.says(200, "Ann Lee");
    }
    world.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(browser.get("/account").await.location(), "/");
}

#[tokio::test]
async fn sessions_end_with_a_new_password_with_the_account_and_everywhere() {
    let world = World::new().await;
    let ann = Name::parse("ann").unwrap();
    let another = "another horse battery";

    let mut browser = world.anns_browser().await;
    let password = Zeroizing::new(another.to_owned());
    world
        .accounts
        .set_password(&ann, password, OPERATOR)
        .await
        .unwrap();
    assert_eq!(browser.get("/account").await.location(), "/");
    let page = browser.get("/").await;
    log_in(&mut browser, &page, "ann", PASSWORD)
        .await
        .says(422, "not right");
    log_in(&mut browser, &page, "ann", another).await;

    let account = browser.get("/account").await;
    let mut elsewhere = world.browser();
    let page = elsewhere.get("/").await;
    log_in(&mut elsewhere, &page, "ann", another).await;
    elsewhere.get("/account").await.says(200, "Ann Lee");
    let fields = [("token", account.token()), ("everywhere", "yes".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    browser
        .post("/logout", &fields)
        .await
        .says(200, "logged out");
    assert_eq!(elsewhere.get("/account").await.location(), "/");

    let page = elsewhere.get("/").await;
    log_in(&mut elsewhere, &page, "ann", another).await;
    elsewhere.get("/account").await.says(200, "Ann Lee");
    world.accounts.disable(&ann, true, OPERATOR).await.unwrap();
    assert_eq!(elsewhere.get("/account").await.location(), "/");
    // Opened again, what was ended stays so.
    world.accounts.disable(&ann, false, OPERATOR).await.unwrap();
    assert_eq!(elsewhere.get("/account").await.location(), "/");
}

#[tokio::test]
async fn the_store_holds_neither_passwords_nor_cookies() {
    let world = World::new().await;
    let browser = world.anns_browser().await;
    let cookie = browser.session().unwrap();
    let all = countersign_store::Key::new(Vec::<Vec<u8>>::new());
    let page = world.store.scan(&all, None, 1_000).await.unwrap();
    assert_eq!(
        page.records.len(),
        4,
        "an account, its subject, a session, and whose it is"
    );
    let id = countersign_jose::base64url::decode(cookie).unwrap();
    for (key, found) in page.records {
        for bytes in [key.as_bytes(), &found.value[..]] {
            for secret in [PASSWORD.as_bytes(), cookie.as_bytes(), &id] {
                assert!(!bytes.windows(secret.len()).any(|at| at == secret), "{key}");
            }
        }
    }
}
