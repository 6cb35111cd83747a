//! A stop under load: whoever heeds the announcement loses no call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_server::Config;
use futures_util::future::join_all;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{Service, credentials, inner, service_client, with_proof};
use crate::proof::Key;
use crate::stop::Silent;

/// Long enough for a watch of the health service to be heard, also on a busy machine.
const NOTICE: Duration = Duration::from_secs(3);

/// Connections to the first instance, each with calls of several tasks at once.
const CONNECTIONS: usize = 4;
const TASKS_EACH: usize = 4;
const CALLS_AT_ONCE: u32 = (CONNECTIONS * TASKS_EACH) as u32;

/// Follows the health of an instance as a balancer does: `false` once it does not serve.
async fn followed(channel: Channel) -> watch::Receiver<bool> {
    let (told, serves) = watch::channel(true);
    let mut answers = HealthClient::new(channel)
        .watch(HealthCheckRequest::default())
        .await
        .expect("watched")
        .into_inner();
    tokio::spawn(async move {
        while let Ok(Some(answer)) = answers.message().await {
            if answer.status() != ServingStatus::Serving {
                break;
            }
        }
        told.send_replace(false);
        // Whoever follows asks for the last value.
        told.closed().await;
    });
    serves
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_fails_no_call_of_clients_that_heed_it() {
    let mut first = Service::start_cold(|config| config.stop.notice = NOTICE).await;
    let second = Service::start_cold(|_| {}).await;
    first.clock.advance(crate::harness::WARM);
    first.add_orders().await;
    let orders = (crate::harness::ORDERS, &["orders.read"][..]);
    let client = first.add(service_client("c", &[orders])).await;

    let over = Arc::new(AtomicBool::new(false));
    let [at_first, at_second] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let serves = followed(first.public().await).await;
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let channels = (first.public().await, second.public().await);
        for _ in 0..TASKS_EACH {
            let (to_first, to_second) = channels.clone();
            let (over, serves) = (over.clone(), serves.clone());
            let counts = (at_first.clone(), at_second.clone());
            callers.push(tokio::spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    let (channel, count) = match *serves.borrow() {
                        true => (&to_first, &counts.0),
                        false => (&to_second, &counts.1),
                    };
                    KeyServiceClient::new(channel.clone())
                        .list_keys(ListKeysRequest {})
                        .await
                        .expect("no call fails");
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
    }
    while at_first.load(Ordering::SeqCst) < 100 {
        sleep(Duration::from_millis(10)).await;
    }
    // Calls that were prepared before the stop, and write, are answered during the notice, too.
    let proof = first.proof(&Key::new(), crate::harness::ISSUE);
    let mut tokens = first.tokens().await;
    let issued = tokio::spawn(async move {
        sleep(NOTICE / 2).await;
        let request = with_proof(credentials(&client), &proof);
        inner(tokens.issue_token(request).await)
    });
    // Too young to be closed for its silence.
    let mut silent = Silent::connect(&first).await;
    first.stop().await;
    issued.await.expect("ran").expect("issued");
    assert!(silent.hears_goaway().await, "connections are asked to end");

    let moved = at_second.load(Ordering::SeqCst);
    assert!(moved > 0, "callers have moved");
    while at_second.load(Ordering::SeqCst) < moved + 100 {
        sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.expect("no call failed");
    }
}

const LIST: &str = "/countersign.keys.v1.KeyService/ListKeys";

/// A caller that knows nothing of health. It heeds GOAWAY: it goes to the next address, and repeats
/// there what was refused by it and so was not processed (RFC 9113 §6.8).
struct Heedful {
    addresses: std::vec::IntoIter<SocketAddr>,
    connection: SendRequest<Bytes>,
}

impl Heedful {
    async fn connect(addresses: Vec<SocketAddr>) -> Self {
        let mut addresses = addresses.into_iter();
        let connection = connected(&mut addresses).await;
        Self {
            addresses,
            connection,
        }
    }

    /// Several calls at once; every one is answered.
    async fn call(&mut self) {
        let mut left = TASKS_EACH;
        while left > 0 {
            let calls = (0..left).map(|_| list(self.connection.clone()));
            let refused: Vec<_> = join_all(calls)
                .await
                .into_iter()
                .filter_map(Result::err)
                .collect();
            left = refused.len();
            if left == 0 {
                return;
            }
            for error in refused {
                let asked = error.is_go_away() && error.is_remote();
                assert!(
                    asked && error.reason() == Some(h2::Reason::NO_ERROR),
                    "{error:?}"
                );
            }
            self.connection = connected(&mut self.addresses).await;
        }
    }
}

async fn connected(addresses: &mut impl Iterator<Item = SocketAddr>) -> SendRequest<Bytes> {
    let address = addresses.next().expect("another instance");
    let stream = TcpStream::connect(address).await.expect("connects");
    let (sender, connection) = h2::client::handshake(stream).await.expect("greeted");
    tokio::spawn(connection);
    sender
}

/// The keys are listed, or the call failed.
async fn list(connection: SendRequest<Bytes>) -> Result<(), h2::Error> {
    let request = Request::post(format!("http://localhost{LIST}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let (answer, mut message) = connection.ready().await?.send_request(request, false)?;
    message.send_data(Bytes::from_static(&[0; 5]), true)?;
    let mut body = answer.await?.into_body();
    while let Some(piece) = body.data().await {
        body.flow_control().release_capacity(piece?.len())?;
    }
    let trailers = body.trailers().await?.expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_fails_no_call_of_clients_that_heed_goaway_alone() {
    // All calls wait for a slow machine, and none is shed.
    let waiting = |config: &mut Config| config.limits.waiting_max = 4 * CALLS_AT_ONCE;
    let mut first = Service::start_cold(waiting).await;
    let second = Service::start_cold(waiting).await;
    let addresses = [&first, &second].map(|service| service.running().grpc_address());
    let over = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..4 * CONNECTIONS {
        let mut caller = Heedful::connect(addresses.to_vec()).await;
        let (over, rounds) = (over.clone(), rounds.clone());
        callers.push(tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                caller.call().await;
                rounds.fetch_add(1, Ordering::SeqCst);
            }
            caller.addresses.len()
        }));
    }
    more(&rounds, &callers).await;
    first.stop().await;
    more(&rounds, &callers).await;
    over.store(true, Ordering::SeqCst);
    for caller in callers {
        assert_eq!(caller.await.expect("no call failed"), 0, "it has moved");
    }
}

/// Waits for a hundred rounds more, or for a caller that has ended, which it does when a call fails.
async fn more(rounds: &AtomicUsize, callers: &[JoinHandle<usize>]) {
    let due = rounds.load(Ordering::SeqCst) + 100;
    while rounds.load(Ordering::SeqCst) < due && !callers.iter().any(JoinHandle::is_finished) {
        sleep(Duration::from_millis(10)).await;
    }
}
