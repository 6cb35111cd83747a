//! A trace is recorded by all or by none.

use std::time::Instant;

use countersign_telemetry::{Traces, carry, prepare, propagate, spans};
use http::HeaderMap;
use tonic_health::pb::HealthCheckRequest;

use crate::kit::{Collector, SHUTDOWN, Served, client, runtime, settings};

#[test]
fn a_trace_that_is_not_recorded_here_is_recorded_nowhere() {
    let (collector, endpoint) = Collector::start();
    // The server alone would record everything.
    let served = Served::start(settings("orders", Some(Traces::to(&endpoint))));
    let (dispatch, telemetry) = prepare(settings(
        "checkout",
        Some(Traces {
            ratio: 0.0,
            ..Traces::to(&endpoint)
        }),
    ))
    .unwrap();

    let _here = tracing::dispatcher::set_default(&dispatch);
    runtime().block_on(async {
        let mut client = client(served.address).await;
        for _ in 0..20 {
            client.check(HealthCheckRequest::default()).await.unwrap();
        }
    });
    served.stop();
    telemetry.shutdown(SHUTDOWN).unwrap();
    assert_eq!(collector.spans().len(), 0);
}

#[test]
fn a_client_without_telemetry_decides_for_nobody() {
    let (collector, endpoint) = Collector::start();
    let served = Served::start(settings("orders", Some(Traces::to(&endpoint))));
    runtime().block_on(async {
        client(served.address)
            .await
            .check(HealthCheckRequest::default())
            .await
            .unwrap();
    });
    served.stop();
    assert_eq!(collector.spans().len(), 4, "call, guard, proof, handler");
}

#[test]
fn the_ratio_is_kept() {
    let (_, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(settings(
        "janitor",
        Some(Traces {
            ratio: 0.25,
            ..Traces::to(&endpoint)
        }),
    ))
    .unwrap();
    let recorded = tracing::dispatcher::with_default(&dispatch, || {
        (0..1_000).filter(|_| !spans::sweep().is_none()).count()
    });
    let _ = telemetry.shutdown(SHUTDOWN);
    // Six standard deviations of a binomial on either side.
    assert!((168..=332).contains(&recorded), "{recorded} of 1,000");
}

#[test]
fn a_trace_goes_along_to_another_task() {
    let mut came = HeaderMap::new();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    came.insert("traceparent", parent.parse().unwrap());
    runtime().block_on(async {
        let task = {
            let _trace = propagate::extract(&came).unwrap().attach();
            tokio::spawn(carry(async {
                tokio::task::yield_now().await;
                propagate::trace_id()
            }))
        };
        assert_eq!(propagate::trace_id(), None);
        assert_eq!(
            task.await.unwrap().unwrap(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
    });
}

/// A bound loose enough for a debug build on a busy machine: the point is that
/// no span is built, which would cost ten times as much.
#[test]
fn a_span_that_nobody_wants_costs_next_to_nothing() {
    let (_, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(settings(
        "idle",
        Some(Traces {
            ratio: 0.0,
            ..Traces::to(&endpoint)
        }),
    ))
    .unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let started = Instant::now();
        for _ in 0..100_000 {
            spans::store_commit(1, 1).in_scope(|| ());
        }
        let each = started.elapsed() / 100_000;
        assert!(each.as_nanos() < 5_000, "{each:?} a span");
    });
    let _ = telemetry.shutdown(SHUTDOWN);
}
