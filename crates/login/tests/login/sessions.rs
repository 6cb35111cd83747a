//! A person's sessions in other browsers: seen, and ended from here.

use std::time::Duration;

use crate::browser::Browser;
use crate::world::{PASSWORD, World, log_in};

const SCRIPT: &str = "Beta/2 <script>alert(1)</script>\"";

/// A browser of this name in which that person has logged in.
async fn browser_of(world: &World, name: &str, agent: &'static str) -> Browser {
    let mut browser = world.browser();
    browser.agent = Some(agent);
    let page = browser.get("/").await;
    log_in(&mut browser, &page, name, PASSWORD).await.location();
    browser
}

async fn is_logged_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status == 200
}

#[tokio::test]
async fn sessions_elsewhere_are_shown_and_ended() {
    let world = World::new().await;
    let mut here = browser_of(&world, "ann", "Alpha/1").await;
    here.get("/account").await.says(200, "Nowhere.");
    let mut there = browser_of(&world, "ann", SCRIPT).await;
    let mut third = browser_of(&world, "ann", "").await;
    world.clock.advance(Duration::from_secs(180));
    assert!(is_logged_in(&mut third).await);

    let account = here.get("/account").await;
    for text in [
        "Beta/2 &lt;script&gt;",
        "A browser that does not say what it is",
        "Logged in 3 minutes ago, last used 3 minutes ago.",
        "Logged in 3 minutes ago, last used just now.",
    ] {
        account.says(200, text);
    }
    for absent in ["Alpha/1", "<script", "Nowhere."] {
        assert!(!account.text.contains(absent), "{absent}");
    }
    // The one that was used last comes first.
    let token = account.token();
    let fields = [
        ("token", token.as_str()),
        ("session", &account.field("session")),
    ];
    assert_eq!(
        here.post("/end-session", &fields).await.location(),
        "/account"
    );
    assert!(!is_logged_in(&mut third).await);
    assert!(is_logged_in(&mut there).await);
    let account = here.get("/account").await;
    account.says(200, "Beta/2");
    let fields = [
        ("token", token.as_str()),
        ("session", &account.field("session")),
    ];
    here.post("/end-session", &fields).await.location();
    assert!(!is_logged_in(&mut there).await);
    here.get("/account").await.says(200, "Nowhere.");
    // Again, it is nothing any more.
    here.post("/end-session", &fields).await.location();
    assert!(is_logged_in(&mut here).await);
}

#[tokio::test]
async fn nobody_ends_a_session_of_somebody_else() {
    let world = World::new().await;
    world.account("bob", "").await;
    let mut anns = browser_of(&world, "ann", "Alpha/1").await;
    let mut other = browser_of(&world, "ann", "Beta/2").await;
    let session = anns.get("/account").await.field("session");
    let mut bobs = browser_of(&world, "bob", "Gamma/3").await;
    let account = bobs.get("/account").await;
    account.says(200, "Nowhere.");
    let token = account.token();
    let fields = [("token", token.as_str()), ("session", &session)];
    bobs.post("/end-session", &fields).await.location();
    assert!(is_logged_in(&mut other).await);
    for wrong in ["", "short", &"A".repeat(44)] {
        let fields = [("token", token.as_str()), ("session", wrong)];
        assert_eq!(
            bobs.post("/end-session", &fields).await.status,
            400,
            "{wrong}"
        );
    }
    // Who has not logged in ends nothing, and is told nothing.
    let mut stranger = world.browser();
    let token = stranger.get("/").await.token();
    let fields = [("token", token.as_str()), ("session", &session)];
    stranger.post("/end-session", &fields).await.location();
    assert!(is_logged_in(&mut other).await);
}

/// Over, ended by itself, and ended with all others.
#[tokio::test]
async fn what_does_not_count_any_more_is_not_shown() {
    let world = World::new().await;
    let mut here = browser_of(&world, "ann", "Alpha/1").await;
    let mut left = browser_of(&world, "ann", "Beta/2").await;
    let _idle = browser_of(&world, "ann", "Gamma/3").await;
    let account = left.get("/account").await;
    let token = account.token();
    left.post("/logout", &[("token", &token)]).await;
    let account = here.get("/account").await;
    account.says(200, "Gamma/3");
    assert!(!account.text.contains("Beta/2"));

    world.clock.advance(Duration::from_secs(20 * 60));
    assert!(is_logged_in(&mut here).await);
    world.clock.advance(Duration::from_secs(15 * 60));
    here.get("/account").await.says(200, "Nowhere.");

    let mut again = browser_of(&world, "ann", "Delta/4").await;
    let token = again.get("/account").await.token();
    let everywhere = [("token", token.as_str()), ("everywhere", "yes")];
    again.post("/logout", &everywhere).await;
    assert!(!is_logged_in(&mut here).await);
    let mut back = browser_of(&world, "ann", "Alpha/1").await;
    back.get("/account").await.says(200, "Nowhere.");
}
