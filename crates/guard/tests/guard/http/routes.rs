//! Which rule a request is looked for: attempts to reach a handler by another rule than its own.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use countersign_guard::NonceMode;
use countersign_jose::Algorithms;

use crate::http_stand::{ask, raw, serve_router, shown};
use crate::stand::{Expected, Shown, Stand};

const RULES: &str = r#"
["GET /"]
public = true

["GET /pages/{page}"]
public = true

["GET /pages/secret"]
scopes = ["orders.admin"]

["GET /files/{*path}"]
public = true

["GET /orders/{id}"]
scopes = ["orders.read"]

["DELETE /orders/{id}"]
scopes = ["orders.admin"]

["GET /orders/export"]
scopes = ["orders.admin"]

["POST /orders/import"]
scopes = ["orders.read"]

["HEAD /orders/count"]
scopes = ["orders.admin"]

["GET /orders/count"]
scopes = ["orders.read"]
"#;

/// Whatever gets through is answered: nothing is refused for want of a handler.
async fn server() -> (Stand, String) {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    let order = get(async |Path(id): Path<String>| id);
    let router = Router::new()
        .route("/orders/{id}", order)
        .fallback(async || "reached")
        .layer(stand.guard.http_layer());
    let address = serve_router(router).await;
    (stand, address)
}

/// Without credentials, so that all that is reached is public.
#[tokio::test]
async fn no_way_of_writing_a_path_finds_another_rule() {
    let (_stand, address) = server().await;
    let (ok, asks, none) = (Expected::Ok, Expected::Missing, Expected::NoRule);
    let rows = [
        ("GET /", ok),
        ("GET /pages/home", ok),
        ("GET /pages/home?page=secret", ok),
        ("GET /pages/two%20words", ok),
        ("GET /pages/caf%C3%A9", ok),
        ("GET /pages/a;b", ok),
        ("GET /pages/a%3Bb", ok),
        ("GET /pages/...", ok),
        ("GET /files/a/b.txt", ok),
        ("GET http://evil.test/pages/home", ok),
        ("GET /pages/secret", asks),
        ("GET /pages/secret?x", asks),
        ("GET http://evil.test/pages/secret", asks),
        ("HEAD /pages/secret", asks),
        // Written otherwise.
        ("GET /pages/%73ecret", none),
        ("GET /pages/secre%74", none),
        ("GET /%70ages/home", none),
        ("GET /pages/%2Ehome", none),
        ("GET /pages/caf%c3%a9", none),
        ("GET /pages/secret/", none),
        ("GET /pages/home/", none),
        ("GET //pages/home", none),
        ("GET /pages//home", none),
        ("GET /pages//secret", none),
        ("GET /pages/./home", none),
        ("GET /pages/home/../secret", none),
        ("GET /../pages/home", none),
        ("GET /pages/..", none),
        ("GET /pages/.", none),
        ("GET /pages/%2e%2e", none),
        ("GET /pages/.%2E", none),
        ("GET /pages/..%2Fsecret", none),
        ("GET /pages/home%2F..%2Fsecret", none),
        ("GET /pages/..%5Csecret", none),
        ("GET /pages/..\\secret", none),
        ("GET /pages/%252e%252e%252fsecret", none),
        ("GET /pages/secret%00", none),
        ("GET /pages/secret%0A", none),
        ("GET /pages/secret%7F", none),
        ("GET /pages/a%", none),
        ("GET /pages/a%2", none),
        ("GET /pages/a%zz", none),
        ("GET /Pages/home", none),
        ("GET /pages", none),
        ("GET /pages/", none),
        ("GET /files", none),
        ("GET /files/", none),
        ("GET /files/a//b", none),
        ("GET /files/../pages/secret", none),
        ("GET /files/a/%2E%2E/%2E%2E/pages/secret", none),
        ("GET /files/a/..%2F..%2Fpages%2Fsecret", none),
        ("GET /nowhere", none),
        // Other methods.
        ("get /pages/home", none),
        ("POST /pages/home", none),
        ("OPTIONS /pages/home", none),
        ("OPTIONS *", none),
        ("TRACE /pages/home", none),
        ("PROPFIND /pages/home", none),
        ("GETX /pages/home", none),
        // A more specific template that has no rule for the method.
        ("GET /orders/import", none),
    ];
    for (line, expected) in rows {
        let text = format!("{line} HTTP/1.1\r\nhost: orders.test\r\nconnection: close\r\n\r\n");
        let answer = raw(&address, &text).await;
        if line.starts_with("HEAD ") {
            assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{line}");
            continue;
        }
        expected.check_http(line, &answer, Algorithms::DEFAULT);
        assert_eq!(answer.body == "reached", expected == Expected::Ok, "{line}");
    }
    // A HEAD is asked what a GET is.
    let head = "HEAD /pages/home HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    assert_eq!(raw(&address, head).await.status, 200);
}

#[tokio::test]
async fn no_header_makes_it_another_request() {
    let (_stand, address) = server().await;
    for header in [
        "x-original-url: /pages/home",
        "x-rewrite-url: /pages/home",
        "x-http-method-override: GET",
        "x-forwarded-prefix: /files",
        "x-forwarded-host: evil.test",
        "forwarded: host=evil.test;proto=http",
        "grpc-timeout: 0n",
        "upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__",
    ] {
        let text = format!(
            "GET /pages/secret HTTP/1.1\r\nhost: orders.test\r\nconnection: close\r\n{header}\r\n\r\n"
        );
        let answer = raw(&address, &text).await;
        Expected::Missing.check_http(header, &answer, Algorithms::DEFAULT);
    }
}

/// A body that a server in front and this one could cut differently reaches nobody as a second
/// request.
#[tokio::test]
async fn no_request_is_smuggled_behind_another() {
    let (_stand, address) = server().await;
    let hidden = "GET /pages/home HTTP/1.1\r\nhost: h\r\n\r\n";
    for framing in [
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked",
            hidden.len()
        ),
        "content-length: 4\r\ncontent-length: 5".to_owned(),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding : chunked".to_owned(),
        "content-length: +4".to_owned(),
    ] {
        let text =
            format!("GET /pages/secret HTTP/1.1\r\nhost: h\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}");
        let answer = raw(&address, &text).await;
        assert!([400, 401].contains(&answer.status), "{framing}: {answer:?}");
        assert!(!answer.body.contains("reached"), "{framing}: {answer:?}");
    }
}

#[tokio::test]
async fn a_proof_is_for_a_method_and_a_path() {
    let (stand, address) = server().await;
    let mut claims = stand.claims();
    claims["scope"] = "orders.read".into();
    let token = stand.token_of(&claims);
    let proof = |method: &str, path: &str| shown(&stand, method, path, &token);
    let (ok, wrong, scope) = (Expected::Ok, Expected::P, Expected::Scope);
    let rows = [
        ("GET", "/orders/7", proof("GET", "/orders/7"), ok),
        ("GET", "/orders/7?full", proof("GET", "/orders/7"), ok),
        (
            "GET",
            "/orders/7?full",
            proof("GET", "/orders/7?other#x"),
            ok,
        ),
        ("GET", "/orders/a%20b", proof("GET", "/orders/a%20b"), ok),
        ("GET", "/orders/%C3%A9", proof("GET", "/orders/%c3%a9"), ok),
        ("GET", "/orders/a@b", proof("GET", "/orders/a@b"), ok),
        ("GET", "/orders/a%40b", proof("GET", "/orders/a%40b"), ok),
        ("GET", "/orders/abc", proof("GET", "/orders/%61b%63"), ok),
        ("GET", "/orders/count", proof("GET", "/orders/count"), ok),
        ("GET", "/orders/7", proof("GET", "/orders/8"), wrong),
        ("GET", "/orders/7", proof("GET", "/orders/7/"), wrong),
        ("GET", "/orders/a%40b", proof("GET", "/orders/a@b"), wrong),
        ("GET", "/orders/7", proof("get", "/orders/7"), wrong),
        ("GET", "/orders/7", proof("POST", "/orders/7"), wrong),
        ("HEAD", "/orders/7", proof("GET", "/orders/7"), wrong),
        ("DELETE", "/orders/7", proof("GET", "/orders/7"), wrong),
        ("DELETE", "/orders/7", proof("DELETE", "/orders/7"), scope),
        (
            "GET",
            "/orders/export",
            proof("GET", "/orders/export"),
            scope,
        ),
        (
            "GET",
            "/orders/import",
            proof("GET", "/orders/import"),
            Expected::NoRule,
        ),
        (
            "HEAD",
            "/orders/count",
            proof("GET", "/orders/count"),
            wrong,
        ),
    ];
    for (method, path, shown, expected) in rows {
        let answer = ask(&address, method, path, &shown).await;
        let row = format!("{method} {path}");
        if method == "HEAD" {
            assert_eq!(answer.status, 401, "{row}");
            continue;
        }
        expected.check_http(&row, &answer, Algorithms::DEFAULT);
    }
    let read = |path: &str| {
        let shown = proof("GET", path);
        let (address, path) = (address.clone(), path.to_owned());
        async move { ask(&address, "GET", &path, &shown).await.body }
    };
    assert_eq!(read("/orders/a%20b").await, "a b");
    let head = ask(&address, "HEAD", "/orders/7", &proof("HEAD", "/orders/7")).await;
    assert_eq!(head.status, 200);
    // It has a rule of its own, which is another.
    let head = ask(
        &address,
        "HEAD",
        "/orders/count",
        &proof("HEAD", "/orders/count"),
    )
    .await;
    assert_eq!(head.status, 403);
}

/// Two of the same name, or none, as over gRPC; and what HTTP/1.1 alone can do to a header.
#[tokio::test]
async fn credentials_of_a_raw_request() {
    let (stand, address) = server().await;
    let token = stand.token();
    let good = |lines: &dyn Fn(&str) -> String| {
        let shown = shown(&stand, "GET", "/orders/7", &token);
        let proof = shown.of("dpop").to_owned();
        format!(
            "GET /orders/7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{}\r\n\r\n",
            lines(&proof)
        )
    };
    let rows: [(&str, String, Expected); 8] = [
        (
            "good",
            good(&|p| format!("Authorization: DPoP {token}\r\nDPoP: {p}")),
            Expected::Ok,
        ),
        (
            "names in capitals",
            good(&|p| format!("AUTHORIZATION: DPOP {token}\r\nDPOP: {p}")),
            Expected::Ok,
        ),
        (
            "two proofs",
            good(&|p| format!("authorization: DPoP {token}\r\ndpop: {p}\r\ndpop: {p}")),
            Expected::P,
        ),
        (
            "one is empty",
            good(&|p| format!("authorization: DPoP {token}\r\ndpop: {p}\r\ndpop:")),
            Expected::P,
        ),
        (
            "two tokens",
            good(&|p| {
                format!("authorization: DPoP {token}\r\nauthorization: DPoP {token}\r\ndpop: {p}")
            }),
            Expected::R,
        ),
        (
            "a token in the query only",
            good(&|p| format!("dpop: {p}")),
            Expected::Missing,
        ),
        (
            "a token as a cookie",
            good(&|p| format!("cookie: access_token={token}\r\ndpop: {p}")),
            Expected::Missing,
        ),
        (
            "of a proxy",
            good(&|p| format!("proxy-authorization: DPoP {token}\r\ndpop: {p}")),
            Expected::Missing,
        ),
    ];
    for (row, text, expected) in rows {
        let text = match row {
            "a token in the query only" => {
                text.replace("/orders/7 ", &format!("/orders/7?access_token={token} "))
            }
            _ => text,
        };
        expected.check_http(row, &raw(&address, &text).await, Algorithms::DEFAULT);
    }
    // A form is not read for a token either (RFC 6750 §2.2).
    let form = format!("access_token={token}");
    let text = format!(
        "DELETE /orders/7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    Expected::Missing.check_http("a form", &raw(&address, &text).await, Algorithms::DEFAULT);
    assert_eq!(
        ask(&address, "GET", "/orders/7", &Shown::default())
            .await
            .status,
        401
    );
}
