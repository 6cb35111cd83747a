//! Floods: what only wants to cost something ends the connection, or leaves nothing behind.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use countersign_client::outcome::Refused;
use countersign_server::config::HttpPlace;
use countersign_store::embedded::{EmbeddedStore, Options};
use countersign_store::{Key as StoreKey, Log, Store as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use super::{Asker, By, Edge, Reply, Wish};
use crate::comes::{Comes, check};
use crate::harness::{
    Client, ISSUE, ORDERS, Service, WARM, credentials, service_client, with_proof,
};
use crate::http::web::{FORM, TOKEN};
use crate::proof::Key;

/// A token in the client's own name.
const OWN: Wish<'_> = Wish::Own(&[]);

/// With an address of its own for each protocol.
async fn service() -> (Service, Client) {
    let service = Service::start_with(|config| {
        config.http.place = HttpPlace::Own(([127, 0, 0, 1], 0).into());
    })
    .await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

/// RFC 9113 §6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// Where the protocol is spoken.
fn address(service: &Service, edge: Edge) -> SocketAddr {
    match edge {
        Edge::Grpc => service.running().grpc_address(),
        Edge::Http => service.running().http_address().expect("it serves HTTP"),
    }
}

/// The header block of a request for a token.
fn call(edge: Edge) -> Vec<u8> {
    match edge {
        Edge::Grpc => call_to(ISSUE, "application/grpc"),
        Edge::Http => call_to(TOKEN, FORM),
    }
}

/// A header block (RFC 7541): method POST, scheme http, path and authority as text.
fn call_to(path: &str, media_type: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [
        vec![0x83, 0x86, 0x04],
        text(path),
        vec![0x01],
        text("localhost"),
        // content-type, by its place in the static table.
        vec![0x0f, 0x10],
        text(media_type),
    ]
    .concat()
}

/// Sends frames until the connection is closed; how many bytes it took.
async fn sent_until_closed(
    address: SocketAddr,
    frames: impl IntoIterator<Item = Vec<u8>>,
    bytes_max: usize,
) -> usize {
    let (mut reader, mut writer) = connected(address, &[]).await.into_split();
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
    for edge in Edge::BOTH {
        let address = address(&service, edge);

        // A header list that never ends: literals that are in no table.
        let field = [&[0x00, 0x01, b'x', 0x7f, 0x80, 0x7e], &[b'v'; 16_255][..]].concat();
        let begin = frame(HEADERS, 0, 1, &call(edge));
        let go_on = frame(CONTINUATION, 0, 1, &field);
        let endless = std::iter::once(begin).chain(std::iter::repeat(go_on));
        sent_until_closed(address, endless, 16 << 20).await;

        // A header list that never ends, of nothing.
        let begin = frame(HEADERS, 0, 1, &call(edge));
        let empty = frame(CONTINUATION, 0, 1, &[]).repeat(1_000);
        let endless = std::iter::once(begin).chain(std::iter::repeat(empty));
        sent_until_closed(address, endless, 16 << 20).await;

        // Rapid reset (CVE-2023-44487): calls that are taken back at once.
        let resets = (0..100_000_u32).map(|number| {
            let stream = 2 * number + 1;
            let open = frame(HEADERS, END_HEADERS, stream, &call(edge));
            [open, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        });
        sent_until_closed(address, resets, 16 << 20).await;

        // Frames that are cheap to send, and belong to no call.
        for (kind, payload) in [
            (PRIORITY, &[0, 0, 0, 0, 15][..]),
            (SETTINGS, &[]),
            (PING, &[0; 8]),
            (WINDOW_UPDATE, &[0, 0, 0, 1]),
            // Of a kind that nobody knows.
            (0x77, &[]),
        ] {
            let stream = u32::from(kind == PRIORITY);
            let many = frame(kind, 0, stream, payload).repeat(1_000);
            sent_until_closed(address, std::iter::repeat(many), 16 << 20).await;
        }

        // A message that never ends, of nothing.
        let begin = frame(HEADERS, END_HEADERS, 1, &call(edge));
        let empty = frame(DATA, 0, 1, &[]).repeat(1_000);
        let endless = std::iter::once(begin).chain(std::iter::repeat(empty));
        sent_until_closed(address, endless, 16 << 20).await;

        let asker = Asker::of(&service, edge).await;
        let answer = asker.ask(By::Client(&client), OWN, &Key::new()).await;
        answer.check("the service goes on", Comes::Ok);
    }
}

/// A connection that says what a client says first, with settings of its own.
async fn connected(address: SocketAddr, settings: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let preface = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, settings),
    ]
    .concat();
    stream.write_all(&preface).await.expect("connected");
    stream
}

/// Kind, stream and payload of the next frame.
async fn next_frame(stream: &mut TcpStream) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.expect("its payload");
    (head[3], number, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_hundred_streams_and_is_told_so() {
    let (service, _client) = service().await;
    for edge in Edge::BOTH {
        let mut stream = connected(address(&service, edge), &[]).await;
        for number in 0..101 {
            // The message never comes.
            let open = frame(HEADERS, END_HEADERS, 2 * number + 1, &call(edge));
            stream.write_all(&open).await.expect("open");
        }
        let (mut told, mut refused) = (None, None);
        let frames = async {
            while refused.is_none() {
                match next_frame(&mut stream).await {
                    (SETTINGS, 0, payload) => {
                        // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 §6.5.2).
                        let setting = payload.chunks(6).find(|setting| setting[..2] == [0, 3]);
                        if let Some(setting) = setting {
                            told = Some(setting.to_vec());
                        }
                    }
                    (RST_STREAM, number, payload) => refused = Some((number, payload)),
                    _ => {}
                }
            }
        };
        let frames = tokio::time::timeout(Duration::from_secs(5), frames).await;
        assert!(frames.is_ok(), "101 streams are open, {edge:?}");
        assert_eq!(told, Some(vec![0, 3, 0, 0, 0, 100]));
        // REFUSED_STREAM (RFC 9113 §7): nothing was done, so it can be tried again.
        assert_eq!(refused, Some((201, vec![0, 0, 0, 7])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_nobody_up() {
    let (mut service, client) = service().await;
    let address = service.running().grpc_address();
    // SETTINGS_INITIAL_WINDOW_SIZE 0: no answer may be sent but its head.
    let closed_window = [0, 4, 0, 0, 0, 0];
    let path = "/countersign.keys.v1.KeyService/ListKeys";
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = connected(address, &closed_window).await;
        for number in 0..100 {
            let stream_id = 2 * number + 1;
            let open = frame(
                HEADERS,
                END_HEADERS,
                stream_id,
                &call_to(path, "application/grpc"),
            );
            // A message of no bytes, and the end of the stream.
            let message = frame(DATA, 1, stream_id, &[0, 0, 0, 0, 0]);
            let call = [open, message].concat();
            stream.write_all(&call).await.expect("sent");
        }
        slow.push(stream);
    }
    service
        .issue(&client, &Key::new())
        .await
        .expect("the service goes on");
    let stopped = tokio::time::timeout(Duration::from_secs(60), service.stop()).await;
    assert!(stopped.is_ok(), "a stop waits for no reader");
    drop(slow);
}

/// Room for eight proofs, two of them of one key.
async fn small_ledger() -> (Service, Client) {
    let service = Service::start_with(|config| config.proofs.remembered_max = 8).await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    (service, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_proofs_leave_the_ledger_as_it_was() {
    for edge in Edge::BOTH {
        let (service, client) = small_ledger().await;
        let asker = Asker::of(&service, edge).await;
        let stranger = Client {
            secret: Some("wrong".to_owned()),
            ..client.clone()
        };
        for number in 0..200 {
            let key = Key::new();
            let proof = asker.proof(&key, OWN);
            // A signature that is not the key's, or a good proof and a bad secret.
            let (client, proof, expected) = if number % 2 == 0 {
                let (signed, _) = proof.rsplit_once('.').expect("a JWS");
                let other = asker.proof(&key, OWN);
                let (_, signature) = other.rsplit_once('.').expect("a JWS");
                (&client, format!("{signed}.{signature}"), Comes::P)
            } else {
                (&stranger, proof, Comes::C)
            };
            let answer = asker.send(By::Client(client), OWN, &[&proof]).await;
            answer.check("a flood", expected);
        }
        // All of the room is there, and not more.
        let mut spent = Vec::new();
        for _ in 0..8 {
            let proof = asker.proof(&Key::new(), OWN);
            let answer = asker.send(By::Client(&client), OWN, &[&proof]).await;
            answer.check("there is room", Comes::Ok);
            spent.push(proof);
        }
        let full = asker.ask(By::Client(&client), OWN, &Key::new()).await;
        check_full(&full, "REASON_OVERLOADED", 503);
        for proof in &spent {
            let answer = asker.send(By::Client(&client), OWN, &[proof]).await;
            answer.check("a replay in the flood", Comes::Replayed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_good_key_fills_its_share_and_evicts_nobody() {
    for edge in Edge::BOTH {
        let (service, client) = small_ledger().await;
        let asker = Asker::of(&service, edge).await;
        let by = By::Client(&client);
        let busy = Key::new();
        let mut spent = Vec::new();
        for _ in 0..2 {
            let proof = asker.proof(&busy, OWN);
            let answer = asker.send(by, OWN, &[&proof]).await;
            answer.check("its share", Comes::Ok);
            spent.push(proof);
        }
        for _ in 0..200 {
            let answer = asker.ask(by, OWN, &busy).await;
            check_full(&answer, "REASON_RATE_LIMITED", 429);
        }
        for proof in &spent {
            let answer = asker.send(by, OWN, &[proof]).await;
            answer.check("a live entry", Comes::Replayed);
        }
        let answer = asker.ask(by, OWN, &Key::new()).await;
        answer.check("another key", Comes::Ok);
    }
}

/// Refused because there is no room, with a time to come back.
#[track_caller]
fn check_full(reply: &Reply, reason: &str, status: u16) {
    match reply {
        Reply::Grpc(answer) => {
            let refused = answer.as_ref().expect_err("refused");
            let refused = Refused::of(refused).expect("one of ours");
            assert!(refused.retry_after.is_some(), "says how long to wait");
            assert_eq!(refused.reason.as_str_name(), reason);
        }
        Reply::Http(answer) => {
            answer.check_error(reason, status, "temporarily_unavailable");
            let wait = answer.header("retry-after").expect("says how long to wait");
            assert!(wait.parse::<u64>().is_ok_and(|secs| secs > 0), "{wait}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_million_scopes_do_not_get_through_the_edge() {
    let (service, client) = service().await;
    let by = By::Client(&client);
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let many = vec!["s"; 500_000];
        match asker.ask(by, Wish::Own(&many), &Key::new()).await {
            Reply::Grpc(answer) => {
                assert_eq!(answer.expect_err("refused").code(), Code::OutOfRange);
            }
            Reply::Http(answer) => answer.check_error("500,000 scopes", 413, "invalid_request"),
        }
        // As many as a message holds: counted, and not looked for.
        let many = vec!["s"; 15_000];
        let answer = asker.ask(by, Wish::Own(&many), &Key::new()).await;
        answer.check("15,000 scopes", Comes::R("scopes"));
    }
    // A message has room for more of them where they are empty.
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
pub(super) async fn held(service: &Service) -> (BTreeMap<Vec<u8>, Vec<u8>>, [u64; 2]) {
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
    service.clock.advance(WARM);
    let key = Key::new();
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for number in 0..200 {
            let stranger = Client {
                id: if number % 2 == 0 {
                    client.id.clone()
                } else {
                    format!("nobody-{number}")
                },
                secret: Some("wrong".to_owned()),
            };
            let answer = asker.ask(By::Client(&stranger), OWN, &key).await;
            answer.check("a failed login", Comes::C);
        }
    }
    service.stop().await;
    let (records, logs) = held(&service).await;
    assert_eq!(records, before.0);
    // One line for the client, one for all strangers.
    assert_eq!(logs, [before.1[0] + 2, before.1[1]]);
}
