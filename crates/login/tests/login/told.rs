//! What the audit log is told of people and their accounts.

use std::time::Duration;

use countersign_login::Name;
use countersign_server::audit::{LOGS, Told, ToldOutcome, read};
use countersign_store::Store as _;
use zeroize::Zeroizing;

use crate::world::{OPERATOR, PASSWORD, World, decide, desk, log_in};

const ANN: &str = "subject-of-ann";

/// All events so far, and that none holds what it must not.
async fn told(world: &World, secrets: &[&str]) -> Vec<Told> {
    let [audit, _] = LOGS;
    let entries = world.store.entries(audit, 1, 1_000).await.unwrap();
    let mut all = Vec::new();
    for entry in entries {
        for secret in [PASSWORD, "wrong horse battery"].iter().chain(secrets) {
            let held = entry
                .bytes
                .windows(secret.len())
                .any(|bytes| bytes == secret.as_bytes());
            assert!(!held, "{secret} is in the audit log");
        }
        all.extend(read(audit, &entry.bytes).unwrap());
    }
    all
}

/// Event, client, actor, object, reason.
fn short(told: &[Told]) -> Vec<[&str; 5]> {
    told.iter()
        .map(|it| {
            assert_eq!(it.outcome, Some(ToldOutcome::Done));
            [&it.event, &it.client, &it.actor, &it.object, &it.reason].map(String::as_str)
        })
        .collect()
}

#[tokio::test]
async fn accounts_that_operators_make_and_change() {
    let world = World::new().await;
    let ann = Name::parse("ann").unwrap();
    world.accounts.disable(&ann, true, OPERATOR).await.unwrap();
    world.accounts.disable(&ann, false, "uid:7").await.unwrap();
    let password = Zeroizing::new("another horse battery".to_owned());
    let changed = world.accounts.set_password(&ann, password, OPERATOR).await;
    changed.unwrap();
    // What changes nothing is none.
    let nobody = Name::parse("nobody").unwrap();
    assert!(
        world
            .accounts
            .disable(&nobody, true, OPERATOR)
            .await
            .is_err()
    );

    let told = told(&world, &["another horse battery", "argon2"]).await;
    assert_eq!(
        short(&told),
        [
            ["ACCOUNT_CREATED", "", OPERATOR, ANN, ""],
            ["ACCOUNT_UPDATED", "", OPERATOR, ANN, "disabled"],
            ["ACCOUNT_UPDATED", "", "uid:7", ANN, "enabled"],
            ["ACCOUNT_UPDATED", "", OPERATOR, ANN, "password"],
        ]
    );
}

#[tokio::test]
async fn who_logs_in_and_out_and_what_they_let_be_remembered() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    decide(&mut browser, &page, "allow", &["orders.read"], true)
        .await
        .location();
    let account = browser.get("/account").await;
    let consent = account.field("consent");
    let fields = [("token", &*account.token()), ("consent", &consent)];
    assert_eq!(
        browser.post("/forget", &fields).await.location(),
        "/account"
    );
    // Again: there is nothing to take back any more.
    browser.post("/forget", &fields).await.location();
    let cookie = browser.session().unwrap().to_owned();
    browser
        .post("/logout", &[("token", &account.token())])
        .await
        .says(200, "You are logged out");

    let mut browser = world.anns_browser().await;
    let account = browser.get("/account").await;
    let everywhere = [("token", &*account.token()), ("everywhere", "yes")];
    browser
        .post("/logout", &everywhere)
        .await
        .says(200, "You are logged out");

    let told = told(&world, &[&cookie, &account.token()]).await;
    assert_eq!(
        short(&told)[1..],
        [
            ["LOGGED_IN", "", ANN, ANN, ""],
            ["CONSENT_REMEMBERED", "desk", ANN, ANN, ""],
            ["CONSENT_WITHDRAWN", "desk", ANN, ANN, ""],
            ["LOGGED_OUT", "", ANN, ANN, ""],
            ["LOGGED_IN", "", ANN, ANN, ""],
            ["LOGGED_OUT", "", ANN, ANN, "everywhere"],
        ]
    );
    for consent in &told[2..=3] {
        assert_eq!(consent.scopes, ["orders.read"]);
        assert_eq!(consent.resources, ["https://orders.example"]);
    }
}

/// Strangers can try as often as they like: it is counted, and no line is written for each.
#[tokio::test]
async fn logins_that_are_refused_are_counted_and_what_was_typed_is_not_told() {
    let world = World::new().await;
    world.disabled_account("closed").await;
    let before = told(&world, &[]).await.len();
    for (name, password, subject, why) in [
        ("ann", "wrong horse battery", Some(ANN), "wrong_password"),
        (
            "closed",
            PASSWORD,
            Some("subject-of-closed"),
            "account_disabled",
        ),
        (
            "closed",
            "wrong horse battery",
            Some("subject-of-closed"),
            "wrong_password",
        ),
        ("nobody", PASSWORD, None, "account_unknown"),
        // The password in the wrong field.
        (PASSWORD, PASSWORD, None, "account_unknown"),
    ] {
        let mut browser = world.browser();
        let page = browser.get("/").await;
        log_in(&mut browser, &page, name, password)
            .await
            .says(422, "not right");
        let counted = world.counted.taken();
        assert_eq!(counted, [(subject.map(str::to_owned), why)], "{name}");
    }
    // Too soon: whose account it would be was not looked at.
    let mut browser = world.browser();
    let page = browser.get("/").await;
    for _ in 0..2 {
        log_in(&mut browser, &page, "ann", "wrong horse battery").await;
    }
    world.counted.taken();
    let seen = log_in(&mut browser, &page, "ann", PASSWORD).await;
    seen.says(429, "Try again");
    assert_eq!(world.counted.taken(), [(None, "paused")]);
    assert_eq!(told(&world, &[]).await.len(), before);

    world.clock.advance(Duration::from_secs(1));
    log_in(&mut browser, &page, "ann", PASSWORD)
        .await
        .location();
    assert!(world.counted.taken().is_empty());
    let told = told(&world, &[]).await;
    assert_eq!(told.last().unwrap().event, "LOGGED_IN");
}
