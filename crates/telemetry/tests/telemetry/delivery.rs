//! A collector that is down, deaf or slow.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use countersign_telemetry::{Traces, prepare, spans};
use tonic_health::pb::HealthCheckRequest;

use crate::kit::{Collector, SHUTDOWN, Served, client, runtime, settings};

/// For shutdown to come back: its deadline, and as much for a busy machine.
const WITHIN: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_secs(2);

/// An address that nobody listens on.
fn down() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// One that takes every connection and never answers.
fn deaf() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let taken: Vec<_> = listener.incoming().collect();
        drop(taken);
    });
    format!("http://{address}")
}

#[test]
fn a_collector_that_is_down_or_deaf_does_not_hold_up_shutdown() {
    for endpoint in [down(), deaf()] {
        let (dispatch, telemetry) = prepare(settings("s", Some(Traces::to(&endpoint)))).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            for _ in 0..1_000 {
                spans::sweep().in_scope(|| ());
            }
        });
        let started = Instant::now();
        let unfinished = telemetry.shutdown(WITHIN).unwrap_err();
        assert!(
            started.elapsed() < WITHIN + GRACE,
            "{endpoint}: {:?}",
            started.elapsed()
        );
        assert_eq!(unfinished.delivery.ended, 1_000);
        assert_eq!(unfinished.delivery.exported, 0);
    }
}

#[test]
fn shutdown_comes_back_inside_a_runtime_of_one_thread() {
    let (collector, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(settings("s", Some(Traces::to(&endpoint)))).unwrap();
    runtime().block_on(async {
        tracing::dispatcher::with_default(&dispatch, || spans::sweep().in_scope(|| ()));
        telemetry.shutdown(SHUTDOWN).unwrap();
    });
    assert_eq!(collector.spans().len(), 1);
}

#[test]
fn what_is_merely_dropped_is_flushed() {
    let (collector, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(settings("s", Some(Traces::to(&endpoint)))).unwrap();
    tracing::dispatcher::with_default(&dispatch, || spans::sweep().in_scope(|| ()));
    drop(telemetry);
    assert_eq!(collector.spans().len(), 1);
}

/// The queue is bounded: what does not fit is dropped and counted, and the
/// thread that ends a span does not wait.
#[test]
fn a_full_queue_drops_and_counts() {
    let (dispatch, telemetry) = prepare(settings("s", Some(Traces::to(deaf())))).unwrap();
    let spans = 20_000;
    let (done, told) = mpsc::channel();
    thread::spawn(move || {
        tracing::dispatcher::with_default(&dispatch, || {
            for _ in 0..spans {
                spans::sweep().in_scope(|| ());
            }
        });
        done.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(20))
        .expect("ending a span waited for the collector");
    let unfinished = telemetry.shutdown(WITHIN).unwrap_err();
    assert_eq!(unfinished.delivery.ended, spans);
    assert_eq!(unfinished.delivery.exported, 0);
    assert!(
        unfinished.to_string().contains("20000 spans of 20000"),
        "{unfinished}"
    );
}

#[test]
fn calls_go_on_while_the_collector_does_not() {
    let served = Served::start(settings("orders", Some(Traces::to(deaf()))));
    let (dispatch, telemetry) = prepare(settings("checkout", Some(Traces::to(deaf())))).unwrap();
    let _here = tracing::dispatcher::set_default(&dispatch);
    let slowest = runtime().block_on(async {
        let mut client = client(served.address).await;
        let mut slowest = Duration::ZERO;
        for _ in 0..500 {
            let started = Instant::now();
            client.check(HealthCheckRequest::default()).await.unwrap();
            slowest = slowest.max(started.elapsed());
        }
        slowest
    });
    // A call that waited for an export would take its five seconds.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let _ = telemetry.shutdown(WITHIN);
}
