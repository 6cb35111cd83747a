//! Requests that end twice, late or never, over HTTP/1.1.

use std::time::Duration;

use futures_util::future::join_all;
use http::Request;
use http::header::CONTENT_TYPE;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::web::{AUTHORIZE, Ask, FORM, HEALTH, PAR, Speaks, TOKEN, Web, basic, form, raw};
use crate::harness::{ORDERS, Service, service_client};
use crate::proof::Key;

/// A few seconds, on a machine that does much else at the same time.
const WITHIN: Duration = Duration::from_secs(50);

/// Status lines of all answers that came.
fn statuses(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.split_once("HTTP/1.1 "));
    lines
        .map(|(_, rest)| rest.split(' ').next().unwrap_or_default())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_could_end_twice_is_refused_and_its_connection_ends() {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let key = Key::new();
    let form = form(&[("grant_type", "client_credentials"), ("resource", ORDERS)]);
    let whole = form.len();
    let chunked = format!("{whole:x}\r\n{form}\r\n0\r\n\r\n");
    let all = chunked.len();
    let one_length = format!("Content-Length: {whole}");
    let smuggled = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let longer = whole + smuggled.len();
    // Every other part of it is right: what is not refused for its framing gets a token.
    let good = |fields: &str, body: &str| {
        let secret = client.secret.as_deref().expect("a secret");
        format!(
            "POST /token HTTP/1.1\r\nContent-Type: {FORM}\r\nAuthorization: {}\r\nDPoP: {}\r\n\
             {fields}\r\n\r\n{body}",
            basic(&client.id, secret),
            service.proof(&key, TOKEN),
        )
    };
    for (what, fields, body, expected) in [
        (
            "a length",
            format!("Host: x\r\n{one_length}"),
            &form,
            &["200", "200"][..],
        ),
        (
            "an encoding",
            "Host: x\r\nTransfer-Encoding: Chunked".to_owned(),
            &chunked,
            &["200", "200"],
        ),
        (
            "length and encoding",
            format!("Host: x\r\nContent-Length: {all}\r\nTransfer-Encoding: chunked"),
            &chunked,
            &["400"],
        ),
        (
            "encoding and length",
            format!("Host: x\r\nTransfer-Encoding: chunked\r\nX: y\r\ncontent-length: {all}"),
            &chunked,
            &["400"],
        ),
        (
            "an encoding and a length that is none",
            "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: x".to_owned(),
            &chunked,
            &["400"],
        ),
        (
            "two lengths",
            format!("Host: x\r\n{one_length}\r\nContent-Length: {longer}"),
            &form,
            &["400"],
        ),
        (
            "two lengths in one field",
            format!("Host: x\r\nContent-Length: {whole}, {longer}"),
            &form,
            &["400"],
        ),
        (
            "a length with a sign",
            format!("Host: x\r\nContent-Length: +{whole}"),
            &form,
            &["400"],
        ),
        (
            "an encoding that is not known",
            "Host: x\r\nTransfer-Encoding: xchunked".to_owned(),
            &chunked,
            &["400"],
        ),
        (
            "an encoding below the one that is known",
            "Host: x\r\nTransfer-Encoding: gzip, chunked".to_owned(),
            &chunked,
            &["501"],
        ),
        (
            "the same in two fields",
            "Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked".to_owned(),
            &chunked,
            &["501"],
        ),
        (
            "encoded twice",
            "Host: x\r\nTransfer-Encoding: chunked, chunked".to_owned(),
            &chunked,
            &["501"],
        ),
        (
            "one that nobody knows below the one that is known",
            "Host: x\r\nTransfer-Encoding: xchunked, chunked".to_owned(),
            &chunked,
            &["501"],
        ),
        (
            "one that is not the last of any request",
            "Host: x\r\nTransfer-Encoding: gzip".to_owned(),
            &chunked,
            &["400"],
        ),
        (
            "an encoding after the one that is known",
            "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
            &chunked,
            &["400"],
        ),
        (
            "a space before the colon",
            format!("Host: x\r\nContent-Length : {whole}"),
            &form,
            &["400"],
        ),
        (
            "a continued line",
            format!("Host: x\r\nX: a\r\n Content-Length: {whole}"),
            &form,
            &["400"],
        ),
        (
            "a host with a port",
            format!("Host: [::1]:7443\r\n{one_length}"),
            &form,
            &["200", "200"],
        ),
        ("no host", one_length.clone(), &form, &["400"]),
        (
            "an empty host",
            format!("Host:\r\n{one_length}"),
            &form,
            &["400"],
        ),
        (
            "a host with a path",
            format!("Host: x/y\r\n{one_length}"),
            &form,
            &["400"],
        ),
        (
            "a host with a user",
            format!("Host: x@y\r\n{one_length}"),
            &form,
            &["400"],
        ),
        (
            "two hosts",
            format!("Host: x\r\nHost: y\r\n{one_length}"),
            &form,
            &["400"],
        ),
        (
            "a chunk size that is none",
            "Host: x\r\nTransfer-Encoding: chunked".to_owned(),
            &format!("0x{chunked}"),
            &["400"],
        ),
    ] {
        // Reads until the service closes, or until it has answered what was smuggled.
        let request = format!("{}{smuggled}", good(&fields, body));
        let answers = raw(&service, request.as_bytes(), 2).await;
        assert_eq!(statuses(&answers), expected, "{what}: {answers}");
        // Behind a good request of the same connection, in the same packet.
        let behind = format!("{smuggled}{}{smuggled}", good(&fields, body));
        let answers = raw(&service, behind.as_bytes(), 3).await;
        let expected = [&["200"], expected].concat();
        assert_eq!(
            statuses(&answers),
            expected,
            "{what}, behind another: {answers}"
        );
    }
    let one = Web::speaking(&service, Speaks::One);
    assert_eq!(one.get(HEALTH).await.status, 200, "and it goes on");
}

/// RFC 9113 §8.3.1: what would be for one host to a proxy, and for another to the service.
#[tokio::test(flavor = "multi_thread")]
async fn over_http_2_a_host_is_that_of_the_target() {
    let service = Service::start().await;
    let ours = service.running().grpc_address().to_string();
    let web = Web::speaking(&service, Speaks::Two);
    let answer = web.send(Ask::get(HEALTH).header("host", &ours)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (host, says) in [
        ("other.example", "host must be what :authority is"),
        ("", "must have one Host"),
        ("x/y", "must have one Host"),
    ] {
        let answer = web.send(Ask::get(HEALTH).header("host", host)).await;
        assert_eq!(answer.status, 400, "{host}: {answer:?}");
        assert!(
            answer.text("error_description").contains(says),
            "{host}: {answer:?}"
        );
    }
}

/// What the pages of a person are is refused in front of them, too.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_takes_a_request_that_could_end_twice() {
    let service = Service::start_cold(|config| config.login.serve = true).await;
    let body = "\r\n\r\n0\r\n\r\n";
    let twice = format!("Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked{body}");
    let coded = format!("Host: x\r\nTransfer-Encoding: gzip, chunked{body}");
    let hosts = "Host: x\r\nHost: y\r\n\r\n".to_owned();
    for (path, is_page) in [
        ("/login/password", true),
        ("/login", true),
        ("/device", true),
        ("/authorize", true),
        ("/nothing", false),
        ("/token", false),
    ] {
        for (fields, status) in [(&twice, "400"), (&coded, "501"), (&hosts, "400")] {
            let request = format!("POST {path} HTTP/1.1\r\n{fields}");
            let answers = raw(&service, request.as_bytes(), usize::MAX).await;
            assert_eq!(statuses(&answers), [status], "{path}: {answers}");
            assert!(answers.contains("connection: close"), "{path}: {answers}");
            let is = |part: &str| answers.contains(part);
            // Where a person is, nobody answers with JSON.
            assert_eq!(is("content-type: text/html"), is_page, "{path}: {answers}");
            assert_eq!(is("content-type: application/json"), !is_page, "{path}");
            assert_eq!(is("x-frame-options: DENY"), is_page, "{path}");
        }
    }
}

/// RFC 9112 §6.1: an encoding of whoever knows none.
#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_has_no_encodings() {
    let service = Service::start_cold(|_| {}).await;
    let request = format!(
        "POST /token HTTP/1.0\r\nContent-Type: {FORM}\r\nConnection: keep-alive\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.0\r\n\r\n"
    );
    let answers = raw(&service, request.as_bytes(), usize::MAX).await;
    let statuses: Vec<_> = answers
        .lines()
        .filter(|line| line.starts_with("HTTP/"))
        .collect();
    assert!(
        matches!(*statuses, [one] if one.contains(" 400 ")),
        "{answers}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_of_one_connection_are_answered_in_their_order() {
    let service = Service::start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let all = [get("/health"), get("/nothing"), get("/jwks")].concat();
    let answers = raw(&service, all.as_bytes(), 3).await;
    assert_eq!(statuses(&answers), ["200", "404", "200"], "{answers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_is_refused() {
    let service = Service::start().await;
    let long = "a".repeat(20 * 1024);
    let request = format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n");
    let answers = raw(&service, request.as_bytes(), usize::MAX).await;
    // Who is still writing may see the end before the answer.
    assert!(matches!(*statuses(&answers), [] | ["431"]), "{answers}");
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    let request = format!("GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let answers = raw(&service, request.as_bytes(), usize::MAX).await;
    assert_eq!(statuses(&answers), ["431"], "{answers}");
}

/// Whoever waits is told so, on the first request of a connection as on any other; the service goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_half_way_is_given_up() {
    let service = Service::start_cold(|config| config.login.serve = true).await;
    let address = service.running().http_address().expect("it serves HTTP");
    let half = |path: &str, before: &str| {
        format!(
            "{before}POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\
             Content-Length: 100\r\n\r\ngrant_"
        )
    };
    // One goes away.
    let mut gone = TcpStream::connect(address).await.expect("connects");
    let sent = gone.write_all(half(TOKEN, "").as_bytes()).await;
    sent.expect("sent");
    drop(gone);
    // Others wait, all at once.
    let earlier = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let [json, page] = ["application/json", "text/html; charset=utf-8"];
    let rows = [
        (TOKEN, "", json),
        (PAR, "", json),
        (AUTHORIZE, "", page),
        (TOKEN, earlier, json),
    ];
    let over_one = rows.map(|(path, before, media_type)| {
        let (service, request) = (&service, half(path, before));
        async move {
            let answers = timeout(WITHIN, raw(service, request.as_bytes(), usize::MAX)).await;
            let answers = answers.expect("the connection ends");
            let expected = if before.is_empty() {
                vec!["408"]
            } else {
                vec!["200", "408"]
            };
            assert_eq!(statuses(&answers), expected, "{path}: {answers}");
            let last = answers.rsplit("HTTP/1.1 ").next().unwrap_or_default();
            let typed = format!("content-type: {media_type}\r\n");
            assert!(last.contains(&typed), "{path}: {last}");
            assert!(last.contains("did not come in time"), "{path}: {last}");
        }
    });
    let over_two = [(TOKEN, json), (AUTHORIZE, page)].map(|(path, media_type)| async move {
        let stream = TcpStream::connect(address).await.expect("connects");
        let (sender, connection) = h2::client::handshake(stream).await.expect("greeted");
        let ends = tokio::spawn(connection);
        let request = Request::post(format!("http://localhost{path}")).header(CONTENT_TYPE, FORM);
        let request = request.body(()).expect("a request");
        let mut sender = sender.ready().await.expect("ready");
        let (answer, mut body) = sender.send_request(request, false).expect("sent");
        body.send_data("grant_".into(), false).expect("sent");
        let answer = timeout(WITHIN, answer).await.expect("in time");
        let answer = answer.expect("answered");
        assert_eq!(answer.status(), 408, "{path}");
        assert_eq!(answer.headers()[CONTENT_TYPE], media_type, "{path}");
        // Half a request is no way to stay.
        let ended = timeout(WITHIN, ends).await.expect("it ends");
        let _ = ended.expect("no panic");
        drop((sender, body));
    });
    let both = (join_all(over_one), join_all(over_two));
    tokio::join!(both.0, both.1);
    let web = Web::speaking(&service, Speaks::One);
    assert_eq!(web.get(HEALTH).await.status, 200);
}
