//! Forms that others send, and texts that others write.

use countersign_login::{Asked, PAGES, ScopeAt};
use http::Method;

use crate::world::{PASSWORD, World, decide, desk, log_in};

/// The pages that take a form.
const FORMS: [&str; 6] = [
    "password",
    "decision",
    "device",
    "forget",
    "end-session",
    "logout",
];

#[tokio::test]
async fn a_form_of_another_site_is_refused_whatever_it_is_for() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    let token = page.token();
    let fields = [
        ("token", token.as_str()),
        ("interaction", "h"),
        ("decision", "allow"),
        ("scope", "orders.read"),
        ("name", "ann"),
        ("password", PASSWORD),
        ("consent", "x"),
        ("user_code", "BCDF-GHJK"),
    ];
    // No other page takes one.
    for page in PAGES.into_iter().filter(|page| !FORMS.contains(page)) {
        let seen = browser.post(&format!("/{page}"), &fields).await;
        assert_eq!(seen.status, 405, "{page}");
    }
    let own = world.origin.as_str();
    for page in FORMS {
        let path = &format!("/{page}");
        // With everything right but where it comes from.
        for said in [
            &[][..],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example"),
            ],
            &[("sec-fetch-site", "same-site"), ("origin", own)],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("origin", "https://evil.example")],
        ] {
            let seen = browser.post_saying(path, &fields, said).await;
            seen.says(403, "This form cannot be taken");
        }
        // With everything right but the token: none, an empty one, one of another browser.
        let others = world.browser().get("/").await.token();
        for token in [None, Some(""), Some(others.as_str())] {
            let mut forged = fields[1..].to_vec();
            forged.extend(token.map(|token| ("token", token)));
            browser
                .post(path, &forged)
                .await
                .says(403, "This form cannot be taken");
        }
        // Two tokens are none.
        let twice: Vec<_> = fields.iter().copied().chain([("token", "x")]).collect();
        browser
            .post(path, &twice)
            .await
            .says(400, "cannot be understood");
        // Without the cookie.
        let mut bare = browser.clone();
        bare.cookies.clear();
        bare.post(path, &fields)
            .await
            .says(403, "This form cannot be taken");
        // As what a script of another site may send without asking.
        let headers = [("content-type", "text/plain"), ("origin", own)];
        let body = format!("token={token}&interaction=h&decision=allow&scope=orders.read");
        let seen = browser.send(Method::POST, path, &body, &headers).await;
        assert_eq!(seen.status, 415);
        // As a link.
        let link = format!("{path}?{body}");
        let seen = browser.get(&link).await;
        assert!(matches!(seen.status.as_u16(), 405 | 200), "{}", seen.status);
    }
    assert!(world.tokens.approved.lock().is_empty());
    browser.get("/account").await.says(200, "Ann Lee");
    // And with everything right it is done.
    decide(&mut browser, &page, "allow", &["orders.read"], false)
        .await
        .location();
}

#[tokio::test]
async fn the_token_of_before_the_login_is_worth_nothing_after_it() {
    let world = World::new().await;
    let mut browser = world.browser();
    let before = browser.get("/").await;
    log_in(&mut browser, &before, "ann", PASSWORD)
        .await
        .location();
    let fields = [("token", before.token())];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    browser
        .post("/logout", &fields)
        .await
        .says(403, "This form cannot be taken");
}

#[tokio::test]
async fn cookies_that_are_none_of_ours_are_passed_over() {
    let world = World::new().await;
    for cookie in [
        "",
        "x",
        "AAAA",
        &"A".repeat(43),
        &"A".repeat(5_000),
        "\"; drop",
    ] {
        let mut browser = world.browser().showing(cookie).await;
        assert_eq!(browser.get("/account").await.location(), "/", "{cookie}");
        browser.get("/").await.says(200, "Log in");
    }
}

/// A neighbour's host can plant cookies for the whole domain, of any bytes.
#[tokio::test]
async fn a_cookie_that_is_no_text_hides_nothing() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    let session = browser.cookies.clone();
    for (name, value) in [("a", "é"), ("zé", "x"), ("a", "")] {
        browser.cookies.clone_from(&session);
        browser.cookies.insert(name.to_owned(), value.to_owned());
        let account = browser.get("/account").await;
        account.says(200, "Your account");
    }
}

const SCRIPT: &str = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\"'`";

#[tokio::test]
async fn what_others_wrote_is_text() {
    let world = World::new().await;
    let details = serde_json::json!([{
        "type": SCRIPT, SCRIPT: SCRIPT, "deep": {SCRIPT: [SCRIPT, {"x": SCRIPT}]}
    }]);
    let asked = Asked {
        client_id: SCRIPT.to_owned(),
        client_display_name: SCRIPT.to_owned(),
        redirect_uri: format!("https://desk.example/{SCRIPT}"),
        scopes: vec![SCRIPT.to_owned()],
        resources: vec![SCRIPT.to_owned(), "https://other.example".to_owned()],
        scopes_at: vec![
            ScopeAt {
                scope: SCRIPT.to_owned(),
                resource: SCRIPT.to_owned(),
                description: format!("in words: {SCRIPT}"),
            },
            ScopeAt {
                scope: SCRIPT.to_owned(),
                resource: "https://other.example".to_owned(),
                description: String::new(),
            },
        ],
        details: details.to_string(),
        ..Asked::default()
    };
    world
        .account("eve", "</strong><script>alert(1)</script>")
        .await;
    let bad_json = Asked {
        details: SCRIPT.to_owned(),
        ..asked.clone()
    };
    let no_uri = Asked {
        redirect_uri: SCRIPT.to_owned(),
        ..asked.clone()
    };
    let plain = Asked {
        details: String::new(),
        ..asked.clone()
    };
    let mut browser = world.browser();
    for (handle, asked) in [("a", asked), ("b", bad_json), ("c", no_uri), ("d", plain)] {
        world.tokens.asks(handle, asked);
        let path = format!("/?interaction={handle}");
        let page = browser.get(&path).await;
        is_text(&page.text);
        if handle == "a" {
            let seen = log_in(&mut browser, &page, SCRIPT, "x").await;
            is_text(&seen.text);
            log_in(&mut browser, &page, "eve", PASSWORD)
                .await
                .location();
        }
        let page = browser.get(&path).await;
        page.says(200, "&lt;script&gt;alert(1)&lt;/script&gt;");
        page.says(200, "in words: ");
        is_text(&page.text);
        if handle == "d" {
            decide(&mut browser, &page, "allow", &[SCRIPT], true).await;
        }
    }
    let account = browser.get("/account").await;
    account.says(200, "&lt;script&gt;");
    is_text(&account.text);
    // In a query it is nothing at all.
    let seen = browser
        .get("/?interaction=%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        .await;
    seen.says(400, "This request is over");
    is_text(&seen.text);
}

/// No tag and no attribute came of it.
fn is_text(html: &str) {
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains("<img"), "{html}");
    // Quotes are escaped, too: an attribute ends where the template ends it.
    assert!(!html.contains("alert(1)&gt;\""), "{html}");
}

#[tokio::test]
async fn requests_that_no_page_makes_are_refused() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("h", desk());
    let page = browser.get("/?interaction=h").await;
    let token = page.token();
    for (fields, status) in [
        (&[("interaction", "h")][..], 400),
        (&[("interaction", "h"), ("decision", "maybe")], 400),
        (
            &[
                ("interaction", "h"),
                ("decision", "allow"),
                ("decision", "deny"),
            ],
            400,
        ),
        (
            &[
                ("interaction", "h"),
                ("interaction", "h"),
                ("decision", "allow"),
            ],
            400,
        ),
        (&[("decision", "allow"), ("scope", "orders.read")], 400),
        (&[("interaction", ""), ("decision", "allow")], 400),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .copied()
            .chain([("token", token.as_str())])
            .collect();
        assert_eq!(
            browser.post("/decision", &fields).await.status,
            status,
            "{fields:?}"
        );
    }
    let many: Vec<_> = (0..300).map(|_| ("scope", "orders.read")).collect();
    let many: Vec<_> = many
        .into_iter()
        .chain([("token", token.as_str())])
        .collect();
    assert_eq!(browser.post("/decision", &many).await.status, 400);
    let long = "h".repeat(600);
    // As if it were not there.
    assert_eq!(
        browser
            .get(&format!("/?interaction={long}"))
            .await
            .location(),
        "/account"
    );
    assert!(world.tokens.approved.lock().is_empty() && world.tokens.denied.lock().is_empty());
}

#[tokio::test]
async fn a_form_that_can_be_read_in_two_ways_is_read_in_none() {
    let world = World::new().await;
    let mut browser = world.browser();
    let token = browser.get("/").await.token();
    let origin = world.origin.clone();
    let right = format!("token={token}&name=ann&password=correct+horse+battery");
    const FORM: &str = "application/x-www-form-urlencoded";
    for (what, body, content_type, coding, status) in [
        ("an escape", format!("{right}&x=%zz"), FORM, None, 400),
        ("half an escape", format!("{right}%4"), FORM, None, 400),
        ("no UTF-8", format!("{right}%ff"), FORM, None, 400),
        ("NUL", format!("{right}%00"), FORM, None, 400),
        (
            "no UTF-8 in a name",
            format!("{right}&%ff=x"),
            FORM,
            None,
            400,
        ),
        ("twice", format!("{right}&x=1&x=1"), FORM, None, 400),
        (
            "two passwords",
            format!("{right}&password=x"),
            FORM,
            None,
            400,
        ),
        (
            "escaped twice",
            format!("{right}&p%61ssword=x"),
            FORM,
            None,
            400,
        ),
        ("compressed", right.clone(), FORM, Some("gzip"), 415),
        ("as it is", right.clone(), FORM, Some("identity"), 415),
        ("JSON", right.clone(), "application/json", None, 415),
        (
            "another charset",
            right.clone(),
            "application/x-www-form-urlencoded; charset=utf-16",
            None,
            415,
        ),
        (
            "parts",
            right.clone(),
            "multipart/form-data; boundary=x",
            None,
            415,
        ),
    ] {
        let mut headers = vec![("content-type", content_type), ("origin", origin.as_str())];
        headers.extend(coding.map(|coding| ("content-encoding", coding)));
        let seen = browser
            .send(Method::POST, "/password", &body, &headers)
            .await;
        assert_eq!(seen.status, status, "{what}: {}", seen.text);
        assert_eq!(browser.get("/account").await.location(), "/", "{what}");
    }
    for query in ["interaction=%zz", "interaction=%ff", "a=1&a=1"] {
        let seen = browser.get(&format!("/?{query}")).await;
        seen.says(400, "cannot be understood");
    }
    // The same without any of it.
    let headers = [
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        ),
        ("origin", origin.as_str()),
    ];
    let seen = browser
        .send(Method::POST, "/password", &right, &headers)
        .await;
    assert_eq!(seen.location(), "/account");
}

#[tokio::test]
async fn looking_at_a_request_first_decides_nothing() {
    let world = World::new().await;
    let mut browser = world.anns_browser().await;
    world.tokens.asks("first", desk());
    let page = browser.get("/?interaction=first").await;
    let both = &["orders.read", "orders.write"];
    decide(&mut browser, &page, "allow", both, true)
        .await
        .location();
    let silent = Asked {
        silently: true,
        ..desk()
    };
    for (what, asked, mut browser, ends) in [
        ("remembered", desk(), browser.clone(), "code=made-up"),
        ("silent", silent.clone(), browser, "code=made-up"),
        ("nobody", silent, world.browser(), "error=login_required"),
    ] {
        world.tokens.asks("h", asked);
        for path in ["/?interaction=h", "?interaction=h"] {
            let seen = browser.send(Method::HEAD, path, "", &[]).await;
            assert_eq!(seen.status, 405, "{what}");
            assert_eq!(seen.header("allow"), "GET", "{what}");
        }
        let seen = browser.send(Method::PUT, "/?interaction=h", "", &[]).await;
        assert_eq!(seen.header("allow"), "GET", "{what}");
        let seen = browser.get("/?interaction=h").await;
        assert!(seen.location().ends_with(ends), "{what}");
    }
}
