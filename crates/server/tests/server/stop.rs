//! A stop finishes the calls that have begun, and waits for nothing else.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{ISSUE, Service};

/// Far beyond what a stop takes that waits for nobody.
const DRAIN: Duration = Duration::from_secs(60);

const HEADERS: u8 = 1;
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
const FIRST_STREAM: u32 = 1;

/// A connection by hand that answers nothing: no settings, no pings.
pub(crate) struct Silent(TcpStream);

impl Silent {
    pub(crate) async fn connect(service: &Service) -> Self {
        let address = service.running().grpc_address();
        let mut silent = Self(TcpStream::connect(address).await.expect("connects"));
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        silent.0.write_all(preface).await.expect("written");
        silent.send(SETTINGS, 0, 0, b"").await;
        silent
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await.expect("written");
    }

    /// Begins a call, and does not end it.
    async fn begin(&mut self) {
        self.begin_on(FIRST_STREAM).await;
    }

    async fn begin_on(&mut self, stream: u32) {
        let mut fields = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", ISSUE),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            // RFC 7541 §6.2.3: a literal that is never indexed, as it is.
            fields.push(0x10);
            for text in [name, value] {
                fields.push(u8::try_from(text.len()).expect("short"));
                fields.extend_from_slice(text.as_bytes());
            }
        }
        assert!(fields.len() < 16 * 1024);
        self.send(HEADERS, END_HEADERS, stream, &fields).await;
    }

    /// An empty message.
    async fn finish(&mut self) {
        self.send(DATA, END_STREAM, FIRST_STREAM, &[0; 5]).await;
    }

    /// Whether an answer to the call comes.
    async fn is_answered(&mut self) -> bool {
        self.is_answered_on(FIRST_STREAM).await
    }

    async fn is_answered_on(&mut self, called: u32) -> bool {
        self.hears(HEADERS, called).await
    }

    /// Whether it is asked to end the connection.
    pub(crate) async fn hears_goaway(&mut self) -> bool {
        self.hears(GOAWAY, 0).await
    }

    /// Whether such a frame comes before the end.
    async fn hears(&mut self, kind: u8, of_stream: u32) -> bool {
        loop {
            let mut head = [0; 9];
            if self.0.read_exact(&mut head).await.is_err() {
                return false;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if self.0.read_exact(&mut payload).await.is_err() {
                return false;
            }
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if head[3] == kind && stream == of_stream {
                return true;
            }
        }
    }
}

async fn service() -> Service {
    Service::start_cold(|config| config.stop.drain = DRAIN).await
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_and_watches_do_not_hold_it_up() {
    let mut service = service().await;
    let silent = Silent::connect(&service).await;
    let mut watch = HealthClient::new(service.public().await)
        .watch(HealthCheckRequest::default())
        .await
        .expect("watched")
        .into_inner();
    watch.message().await.expect("a message").expect("one");
    let begun = Instant::now();
    service.stop().await;
    assert!(begun.elapsed() < DRAIN / 4, "{:?}", begun.elapsed());
    drop((silent, watch));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_has_begun_is_waited_for() {
    let mut service = service().await;
    let mut caller = Silent::connect(&service).await;
    caller.begin().await;
    // It has arrived.
    sleep(Duration::from_millis(300)).await;
    let stopping = tokio::spawn(async move { service.stop().await });
    // Longer than a stop lingers when there is no call.
    sleep(Duration::from_secs(3)).await;
    assert!(!stopping.is_finished(), "the call is still under way");
    caller.finish().await;
    assert!(caller.is_answered().await);
    stopping.await.expect("a clean stop");
}

/// The second call of a connection, which is never sent whole: one that has never sent a whole call
/// is cut without an answer.
async fn half_a_call(service: &Service) -> (Silent, u32) {
    let mut caller = Silent::connect(service).await;
    caller.begin().await;
    caller.finish().await;
    assert!(caller.is_answered().await);
    let second = FIRST_STREAM + 2;
    caller.begin_on(second).await;
    (caller, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_sent_whole_is_refused_in_time() {
    let service = service().await;
    let (mut caller, second) = half_a_call(&service).await;
    let answered = timeout(Duration::from_secs(30), caller.is_answered_on(second)).await;
    assert_eq!(answered, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_does_not_end_is_not_waited_for_beyond_the_limit() {
    let mut service =
        Service::start_cold(|config| config.stop.drain = Duration::from_secs(1)).await;
    let (mut caller, second) = half_a_call(&service).await;
    // It has arrived.
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    service.stop().await;
    // It would be refused after ten seconds.
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    assert!(!caller.is_answered_on(second).await, "it was under way");
}
