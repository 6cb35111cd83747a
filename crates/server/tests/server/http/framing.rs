//! Requests that end twice, late or never, over HTTP/1.1.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::web::{HEALTH, Speaks, Web, raw};
use crate::harness::Service;

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
    let smuggled = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    for (what, request) in [
        (
            "length and encoding",
            format!(
                "{post}Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        (
            "encoding and length",
            format!(
                "{post}Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        (
            "two lengths",
            format!("{post}Host: x\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\n{smuggled}"),
        ),
        (
            "two lengths in one field",
            format!("{post}Host: x\r\nContent-Length: 0, 36\r\n\r\n{smuggled}"),
        ),
        (
            "a length with a sign",
            format!("{post}Host: x\r\nContent-Length: +0\r\n\r\n{smuggled}"),
        ),
        (
            "an encoding that is not known",
            format!("{post}Host: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "two encodings",
            format!(
                "{post}Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        (
            "a space before the colon",
            format!("{post}Host: x\r\nContent-Length : 36\r\n\r\n{smuggled}"),
        ),
        (
            "a continued line",
            format!("{post}Host: x\r\nX: a\r\n Content-Length: 36\r\n\r\n{smuggled}"),
        ),
        (
            "no host",
            format!("{post}Content-Length: 0\r\n\r\n{smuggled}"),
        ),
        (
            "two hosts",
            format!("{post}Host: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n{smuggled}"),
        ),
        (
            "a chunk size that is none",
            format!("{post}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{smuggled}"),
        ),
    ] {
        // Reads until the service closes.
        let answers = raw(&service, request.as_bytes(), usize::MAX).await;
        let found = statuses(&answers);
        assert!(found.len() <= 1, "{what}: {answers}");
        // Of both a length and an encoding hyper takes the encoding, as RFC 9112 §6.3 allows: then
        // it is a request of no client.
        let refused = |status: &&str| matches!(*status, "400" | "401");
        assert!(found.iter().all(refused), "{what}: {answers}");
    }
    let one = Web::speaking(&service, Speaks::One);
    assert_eq!(one.get(HEALTH).await.status, 200, "and it goes on");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_half_way_is_given_up() {
    let service = Service::start().await;
    let address = service.running().http_address().expect("it serves HTTP");
    let head = "POST /token HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant_";
    // One goes away, another waits.
    let mut gone = TcpStream::connect(address).await.expect("connects");
    gone.write_all(head.as_bytes()).await.expect("sent");
    drop(gone);
    let mut waits = TcpStream::connect(address).await.expect("connects");
    waits.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = waits.read_to_end(&mut answer);
    let ended = tokio::time::timeout(Duration::from_secs(60), read).await;
    ended.expect("within its time").expect("closed");
    let answer = String::from_utf8_lossy(&answer);
    // The connection may have had its time before the request.
    assert!(matches!(*statuses(&answer), [] | ["408"]), "{answer}");
    let web = Web::speaking(&service, Speaks::One);
    assert_eq!(web.get(HEALTH).await.status, 200);
}
