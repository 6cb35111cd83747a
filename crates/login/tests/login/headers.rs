//! Every answer is protected, whatever it says.

use countersign_login::{Asked, Proxies};
use http::Method;

use crate::browser::Seen;
use crate::world::{World, desk, log_in};

fn is_protected(seen: &Seen, what: &str) {
    let policy = seen.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(
        !policy.contains("script-src") && !policy.contains("unsafe"),
        "{what}: {policy}"
    );
    assert_eq!(seen.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(seen.header("x-frame-options"), "DENY", "{what}");
    assert_eq!(seen.header("referrer-policy"), "same-origin", "{what}");
    assert!(
        !seen.text.contains("<script") && !seen.text.contains(" style="),
        "{what}"
    );
}

#[tokio::test]
async fn every_answer_has_the_policy_and_is_not_kept() {
    let world = World::new().await;
    world.tokens.asks("h", desk());
    world.tokens.asks("i", desk());
    let mut nobody = world.browser();
    let login = nobody.get("/").await;
    let mut seen = vec![
        ("gone", nobody.get("/?interaction=unknown").await),
        ("login to go on", nobody.get("/?interaction=h").await),
        (
            "wrong",
            log_in(&mut nobody, &login, "ann", "a wrong password").await,
        ),
        ("no page", nobody.get("/nowhere").await),
        ("method", nobody.get("/password").await),
        (
            "another method",
            nobody.send(Method::PUT, "/", "", &[]).await,
        ),
        ("forged", nobody.post("/password", &[]).await),
        ("logged out", nobody.get("/logout").await),
        ("not logged in", nobody.get("/account").await),
    ];
    let fields = [("token", login.token()), ("x", "y".repeat(70_000))];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    seen.push(("too large", nobody.post("/password", &fields).await));
    let mut browser = world.anns_browser().await;
    let account = browser.get("/account").await;
    seen.push(("leave", browser.get("/logout").await));
    seen.push(("consent", browser.get("/?interaction=i").await));
    seen.push((
        "left",
        browser
            .post("/logout", &[("token", &account.token())])
            .await,
    ));
    seen.extend([("login", login), ("account", account)]);
    let statuses: Vec<_> = seen
        .iter()
        .map(|(what, seen)| (*what, seen.status.as_u16()))
        .collect();
    for expected in [
        ("no page", 404),
        ("method", 405),
        ("forged", 403),
        ("too large", 413),
    ] {
        assert!(
            statuses.contains(&expected),
            "{expected:?} not in {statuses:?}"
        );
    }
    for (what, seen) in &seen {
        is_protected(seen, what);
        assert_eq!(seen.header("cache-control"), "no-store", "{what}");
        let policy = seen.header("content-security-policy");
        assert!(policy.contains("base-uri 'none'"), "{what}: {policy}");
        assert!(
            policy.contains("form-action 'self' https://tokens.example"),
            "{what}: {policy}"
        );
        if !seen.status.is_redirection() {
            let begin = "<!DOCTYPE html><html lang=\"en\">";
            assert!(seen.text.starts_with(begin), "{what}: {}", seen.text);
        }
    }
    let style = world.browser().get("/style.css").await;
    is_protected(&style, "style");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_cookie_is_for_this_host_over_tls_and_no_script() {
    let world = World::new().await;
    let cookie = world.browser().get("/").await;
    let cookie = cookie.header("set-cookie");
    assert!(cookie.starts_with("__Host-countersign-login="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Domain") && !cookie.contains("Max-Age"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_page_lets_its_form_lead_to_its_own_client_and_no_other() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    for (redirect_uri, added) in [
        ("https://desk.example/back", " https://desk.example"),
        ("http://127.0.0.1:4711/back", " http://127.0.0.1:4711"),
        ("com.example.desk:/back", " com.example.desk:"),
        ("https://a;script-src/back", ""),
        ("javascript:alert(1)", ""),
    ] {
        let redirect_uri = redirect_uri.to_owned();
        world.tokens.asks(
            "h",
            Asked {
                redirect_uri,
                ..desk()
            },
        );
        let page = browser.get("/?interaction=h").await;
        let policy = page.header("content-security-policy");
        let (_, action) = policy.split_once("form-action ").unwrap();
        assert_eq!(action, format!("'self' https://tokens.example{added}"));
    }
}

#[tokio::test]
async fn below_a_path_everything_stays_below_it() {
    let world = World::at("/people", Proxies::None).await;
    for path in ["/people", "/people/"] {
        let mut browser = world.browser();
        let page = browser.get(path).await;
        page.says(200, "action=\"/people/password\"");
        page.says(200, "href=\"/people/style.css\"");
        let fields = [
            ("token", page.token()),
            ("name", "ann".to_owned()),
            ("password", crate::world::PASSWORD.to_owned()),
        ];
        let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let seen = browser.post("/people/password", &fields).await;
        assert_eq!(seen.location(), "/people/account");
        browser.get("/people/account").await.says(200, "Ann Lee");
    }
    assert_eq!(world.browser().get("/").await.status, 404);
}
