//! Input that is too large, too many or no text: refused, and the service goes on.

use std::time::Duration;

use bytes::Bytes;
use countersign::token::v1::IssueTokenRequest;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::comes::{Comes, check};
use crate::harness::{
    Client, ISSUE, ORDERS, Service, credentials, inner, service_client, with_proof,
};
use crate::proof::Key;

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

async fn goes_on(service: &Service, client: &Client) {
    service
        .issue(client, &Key::new())
        .await
        .expect("the service goes on");
}

async fn ask(
    service: &Service,
    client: &Client,
    change: impl FnOnce(&mut IssueTokenRequest),
) -> Result<(), Status> {
    let mut request = credentials(client);
    change(&mut request);
    let proof = service.proof(&Key::new(), ISSUE);
    let answer = service
        .tokens()
        .await
        .issue_token(with_proof(request, &proof))
        .await;
    inner(answer).map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_64_kib_is_out_of_range() {
    let (service, client) = service().await;
    let answer = ask(&service, &client, |request| {
        request.resources = vec!["x".repeat(65 * 1024)];
    })
    .await;
    assert_eq!(answer.expect_err("refused").code(), Code::OutOfRange);
    goes_on(&service, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_scopes_and_resources_are_refused_before_any_is_read() {
    let (service, client) = service().await;
    for (what, scopes, resources, expected) in [
        ("101 scopes", vec!["s"; 101], vec![], Comes::R("scopes")),
        (
            "20,000 scopes",
            vec!["s"; 20_000],
            vec![],
            Comes::R("scopes"),
        ),
        (
            "9 resources",
            vec![],
            vec![ORDERS; 9],
            Comes::R("resources"),
        ),
        ("a malformed scope", vec!["a\"b"], vec![], Comes::Scope),
        ("a relative resource", vec![], vec!["orders"], Comes::Target),
        (
            "an unknown resource",
            vec![],
            vec!["https://x.example"],
            Comes::Target,
        ),
        ("an unknown scope", vec!["x"], vec![], Comes::Scope),
    ] {
        let answer = ask(&service, &client, |request| {
            request.scopes = scopes.iter().map(|text| (*text).to_owned()).collect();
            request.resources = resources.iter().map(|text| (*text).to_owned()).collect();
        })
        .await;
        check(what, &answer, expected);
    }
    goes_on(&service, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_over_16_kib_is_refused() {
    let (service, client) = service().await;
    for (kib, served) in [(14, true), (17, false), (1024, false)] {
        let proof = service.proof(&Key::new(), ISSUE);
        let mut request = with_proof(credentials(&client), &proof);
        let value = "x".repeat(kib * 1024).parse().expect("ASCII");
        request.metadata_mut().insert("x-large", value);
        let answer = service.tokens().await.issue_token(request).await;
        assert_eq!(answer.is_ok(), served, "{kib} KiB: {answer:?}");
    }
    goes_on(&service, &client).await;
}

/// A message by hand, with its gRPC frame.
async fn raw(service: &Service, message: &[u8]) -> http::Response<tonic::body::Body> {
    use tower::{Service as _, ServiceExt as _};
    let length = u32::try_from(message.len()).expect("small");
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    let request = http::Request::post(format!("{}{ISSUE}", service.running().url()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(http_body_util::Full::new(
            Bytes::from(frame),
        )))
        .expect("a request");
    let mut channel = service.public().await;
    let ready = channel.ready().await.expect("ready");
    ready.call(request).await.expect("answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused() {
    let (service, client) = service().await;
    for (what, message) in [
        // Field 1, a message with field 1, two bytes that are no UTF-8.
        ("not UTF-8", &[0x0a, 0x04, 0x0a, 0x02, 0xff, 0xfe][..]),
        ("a length beyond the end", &[0x0a, 0xff, 0xff, 0xff, 0x7f]),
        ("no tag", &[0x00]),
        ("an endless number", &[0xff; 16]),
    ] {
        let answer = raw(&service, message).await;
        let code = answer
            .headers()
            .get("grpc-status")
            .map(|value| value.to_str().unwrap_or_default().to_owned());
        assert!(code.is_some_and(|code| code != "0"), "{what}: {answer:?}");
    }
    goes_on(&service, &client).await;
}

/// By a client without a timer of its own, which would be as fast.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_has_passed_costs_nothing() {
    let (service, client) = service().await;
    let request = http::Request::post(format!("{}{ISSUE}", service.running().url()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "0n")
        .body(http_body_util::Empty::<Bytes>::new())
        .expect("a request");
    let answer = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
        .request(request)
        .await
        .expect("answers");
    let status = Status::from_header_map(answer.headers()).expect("a status");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo");
    assert_eq!(info.reason, "REASON_DEADLINE_PASSED");
    goes_on(&service, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_do_not_speak_http_hold_nothing_up() {
    let (service, client) = service().await;
    let address = service.running().grpc_address();
    let mut garbage = TcpStream::connect(address).await.expect("connects");
    garbage
        .write_all(b"SSH-2.0-client\r\n\r\n")
        .await
        .expect("written");
    let mut answer = Vec::new();
    let closed =
        tokio::time::timeout(Duration::from_secs(5), garbage.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "closed at once");
    goes_on(&service, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_closed() {
    let (service, client) = service().await;
    let address = service.running().grpc_address();
    let mut silent = TcpStream::connect(address).await.expect("connects");
    let mut half = TcpStream::connect(address).await.expect("connects");
    half.write_all(b"PRI * HTTP/2").await.expect("written");
    for stream in [&mut silent, &mut half] {
        let closed =
            tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new()))
                .await;
        assert!(closed.is_ok(), "closed within seconds");
    }
    goes_on(&service, &client).await;
}
