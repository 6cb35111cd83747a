//! Floods: what only wants to cost something ends the connection, or leaves nothing behind.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use countersign_store::embedded::{EmbeddedStore, Options};
use countersign_store::{Key as StoreKey, Log, Store as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::comes::{Comes, check};
use crate::harness::{Client, ISSUE, ORDERS, Service, credentials, service_client, with_proof};
use crate::proof::Key;

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

/// RFC 9113 §6.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call (RFC 7541): method POST, scheme http, path and authority as text.
fn call() -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [
        vec![0x83, 0x86, 0x04],
        text(ISSUE),
        vec![0x01],
        text("localhost"),
    ]
    .concat()
}

/// Sends frames until the connection is closed; how many bytes it took.
async fn sent_until_closed(
    address: SocketAddr,
    frames: impl IntoIterator<Item = Vec<u8>>,
    bytes_max: usize,
) -> usize {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let preface = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, &[]),
    ]
    .concat();
    stream.write_all(&preface).await.expect("connected");
    let (mut reader, mut writer) = stream.into_split();
    // What the service says is read and thrown away, so that it is never the one to wait.
    let closed = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(reader.read(&mut buffer).await, Ok(1..)) {}
    });
    let mut sent = 0;
    for bytes in frames {
        let written: io::Result<()> = writer.write_all(&bytes).await;
        if written.is_err() || closed.is_finished() {
            return sent;
        }
        sent += bytes.len();
        assert!(sent < bytes_max, "{sent} bytes, and it is still open");
    }
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.is_ok(), "{sent} bytes, and it is still open");
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_the_connection() {
    let (service, client) = service().await;
    let address = service.running().grpc_address();

    // A header list that never ends: literals that are in no table.
    let field = [&[0x00, 0x01, b'x', 0x7f, 0x80, 0x7e], &[b'v'; 16_255][..]].concat();
    let begin = frame(HEADERS, 0, 1, &call());
    let go_on = frame(CONTINUATION, 0, 1, &field);
    let endless = std::iter::once(begin).chain(std::iter::repeat(go_on));
    sent_until_closed(address, endless, 16 << 20).await;

    // A header list that never ends, of nothing.
    let begin = frame(HEADERS, 0, 1, &call());
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(1_000);
    let endless = std::iter::once(begin).chain(std::iter::repeat(empty));
    sent_until_closed(address, endless, 16 << 20).await;

    // Rapid reset (CVE-2023-44487): calls that are taken back at once.
    let resets = (0..100_000_u32).map(|number| {
        let stream = 2 * number + 1;
        let open = frame(HEADERS, END_HEADERS, stream, &call());
        [open, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    sent_until_closed(address, resets, 16 << 20).await;

    service
        .issue(&client, &Key::new())
        .await
        .expect("the service goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_million_scopes_do_not_get_through_the_edge() {
    let (service, client) = service().await;
    let mut request = credentials(&client);
    request.scopes = vec!["s".to_owned(); 500_000];
    let proof = service.proof(&Key::new(), ISSUE);
    let answer = service
        .tokens()
        .await
        .issue_token(with_proof(request, &proof))
        .await;
    assert_eq!(answer.expect_err("refused").code(), Code::OutOfRange);
    // As many as a message holds: counted, and not read.
    let mut request = credentials(&client);
    request.scopes = vec![String::new(); 32_000];
    let proof = service.proof(&Key::new(), ISSUE);
    let answer = service
        .tokens()
        .await
        .issue_token(with_proof(request, &proof))
        .await;
    check("32,000 scopes", &answer, Comes::R("scopes"));
}

/// Every record by its key, and how many entries the logs have.
async fn held(service: &Service) -> (BTreeMap<Vec<u8>, Vec<u8>>, [u64; 2]) {
    let store = EmbeddedStore::open(&service.config.store.directory, Options::default())
        .expect("the service has stopped");
    let page = store
        .scan(&StoreKey::new([[0_u8; 0]; 0]), None, 1_000)
        .await
        .expect("readable");
    assert!(page.next.is_none());
    let mut logs = [0; 2];
    for (count, log) in logs.iter_mut().zip(["audit", "revocations"]) {
        *count = store.last_number(Log::named(log)).await.expect("readable");
    }
    store.close().await.expect("closed");
    let records = page.records.into_iter();
    let records = records.map(|(key, held)| (key.as_bytes().to_vec(), held.value.to_vec()));
    (records.collect(), logs)
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_do_not_grow_the_store() {
    let (mut service, client) = service().await;
    service.stop().await;
    let before = held(&service).await;
    assert!(
        before.0.len() >= 3,
        "a key, a resource and a client at least"
    );
    service.run().await;
    service.clock.advance(crate::harness::WARM);
    let key = Key::new();
    for number in 0..200 {
        let stranger = Client {
            id: if number % 2 == 0 {
                client.id.clone()
            } else {
                format!("nobody-{number}")
            },
            secret: Some("wrong".to_owned()),
        };
        check(
            "a failed login",
            &service.issue(&stranger, &key).await,
            Comes::C,
        );
    }
    service.stop().await;
    assert_eq!(held(&service).await, before);
}
