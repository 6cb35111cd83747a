//! Every answer is protected, whatever it says.

use std::time::Duration;

use countersign_login::{Asked, Proxies};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::browser::{Browser, COOKIE_NAME, Seen};
use crate::world::{PASSWORD, World, decide, desk, log_in};

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
    seen.push((
        "no form",
        nobody
            .send(Method::POST, "/password", "", &own(&world))
            .await,
    ));
    seen.push(("late", half_sent(&world, &nobody).await));
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
        ("no form", 415),
        ("late", 408),
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
        // Nothing behind it: what a form's answer leads to is held against it, too.
        assert!(policy.ends_with("form-action 'self'"), "{what}: {policy}");
        if !seen.status.is_redirection() {
            let begin = "<!DOCTYPE html><html lang=\"en\">";
            assert!(seen.text.starts_with(begin), "{what}: {}", seen.text);
        }
    }
    let style = world.browser().get("/style.css").await;
    is_protected(&style, "style");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
}

/// As a page of ours, but with nothing that says what it is.
fn own(world: &World) -> [(&str, &str); 1] {
    [("origin", world.origin.as_str())]
}

/// A form whose end does not come, from that browser.
async fn half_sent(world: &World, browser: &Browser) -> Seen {
    let host = world.origin.strip_prefix("http://").unwrap();
    let (name, value) = browser.cookies.first_key_value().unwrap();
    let head = format!(
        "POST /password HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nCookie: {name}={value}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ntoken=",
        world.origin
    );
    let mut connection = TcpStream::connect(host).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(60), read).await;
    read.expect("it answers, and ends the connection").unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse().unwrap(), value.parse().unwrap())
    });
    Seen {
        status: status.parse().unwrap(),
        headers: headers.collect::<HeaderMap>(),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn two_applications_of_a_host_do_not_take_each_others_cookies() {
    let [a, b] = ["/a", "/b"].map(|base| World::at(base, Proxies::None));
    let (a, b) = (a.await, b.await);
    let mut at_a = Browser::new(&a.origin);
    let mut at_b = Browser::new(&b.origin);
    let account = |base: &str| format!("{base}/account");
    let page = at_a.get("/a").await;
    log_in_at(&mut at_a, "/a", &page).await;
    // Browsers do not tell ports apart.
    at_b.cookies.clone_from(&at_a.cookies);
    let page = at_b.get("/b").await;
    log_in_at(&mut at_b, "/b", &page).await;
    at_a.cookies.clone_from(&at_b.cookies);
    assert_eq!(at_a.cookies.len(), 2, "{:?}", at_a.cookies);
    at_a.get(&account("/a")).await.says(200, "Ann Lee");
    at_b.get(&account("/b")).await.says(200, "Ann Lee");
}

async fn log_in_at(browser: &mut Browser, base: &str, page: &Seen) {
    let token = page.token();
    let fields = [
        ("token", token.as_str()),
        ("name", "ann"),
        ("password", PASSWORD),
    ];
    let seen = browser.post(&format!("{base}/password"), &fields).await;
    assert_eq!(seen.location(), format!("{base}/account"));
}

#[tokio::test]
async fn the_cookie_is_for_this_host_over_tls_and_no_script() {
    let world = World::new().await;
    let cookie = world.browser().get("/").await;
    let cookie = cookie.header("set-cookie");
    assert!(cookie.starts_with(COOKIE_NAME), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Domain") && !cookie.contains("Max-Age"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_decision_is_answered_by_a_page_that_goes_on_by_itself() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    for (redirect_uri, goes) in [
        ("https://desk.example/back", true),
        ("http://127.0.0.1:4711/back", true),
        ("http://[::1]:4711/back", true),
        ("com.example.desk:/back", true),
        ("https://desk.example/a&b\"><i>", true),
        // Nowhere to send a browser, whoever says so.
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("", false),
    ] {
        for decision in ["allow", "deny"] {
            let redirect_uri = redirect_uri.to_owned();
            let asked = Asked {
                redirect_uri: redirect_uri.clone(),
                ..desk()
            };
            world.tokens.asks("h", asked);
            let page = browser.get("/?interaction=h").await;
            let policy = page.header("content-security-policy");
            assert!(policy.ends_with("form-action 'self'"), "{policy}");
            let seen = decide(&mut browser, &page, decision, &["orders.read"], false).await;
            is_protected(&seen, &redirect_uri);
            if goes {
                let to = seen.onward();
                let shown = redirect_uri.replace('"', "&quot;").replace('<', "&lt;");
                assert!(to.starts_with(&shown.replace('>', "&gt;")), "{to}");
            } else {
                assert_eq!(seen.status, 500, "{redirect_uri}");
                assert!(!seen.text.contains("refresh"), "{}", seen.text);
                assert!(!seen.text.contains("href=\"j"), "{}", seen.text);
            }
        }
    }
}

#[tokio::test]
async fn below_a_path_everything_stays_below_it() {
    for base in ["/people", "/:people/*all"] {
        let world = World::at(base, Proxies::None).await;
        for path in [base.to_owned(), format!("{base}/")] {
            let mut browser = world.browser();
            let page = browser.get(&path).await;
            page.says(200, &format!("action=\"{base}/password\""));
            page.says(200, &format!("href=\"{base}/style.css\""));
            let fields = [
                ("token", page.token()),
                ("name", "ann".to_owned()),
                ("password", crate::world::PASSWORD.to_owned()),
            ];
            let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let seen = browser.post(&format!("{base}/password"), &fields).await;
            let account = format!("{base}/account");
            assert_eq!(seen.location(), account);
            browser.get(&account).await.says(200, "Ann Lee");
        }
        assert_eq!(world.browser().get("/").await.status, 404);
    }
}
