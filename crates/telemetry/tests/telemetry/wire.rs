//! One trace across a gRPC hop, as a collector sees it.

use countersign_telemetry::{Traces, names, prepare, spans};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tracing::Instrument;

use crate::kit::{Collector, REFUSE, SHUTDOWN, Served, attributes, client, runtime, settings};

const CHECK: &str = "grpc.health.v1.Health/Check";
const WATCH: &str = "grpc.health.v1.Health/Watch";

#[test]
fn one_trace_reads_from_the_client_to_the_handler() {
    let (collector, endpoint) = Collector::start();
    let served = Served::start(settings("orders", Some(Traces::to(&endpoint))));
    let (dispatch, telemetry) = prepare(settings("checkout", Some(Traces::to(&endpoint)))).unwrap();

    let port = served.address.port();
    let _here = tracing::dispatcher::set_default(&dispatch);
    runtime().block_on(async {
        let fetch = spans::token_fetch("issue");
        let mut client = client(served.address).await;
        client
            .check(HealthCheckRequest::default())
            .instrument(fetch)
            .await
            .unwrap();
    });
    served.stop();
    let delivery = telemetry.shutdown(SHUTDOWN).unwrap();
    assert_eq!((delivery.ended, delivery.exported), (1, 1));

    let all = collector.spans();
    let (from, call) = all
        .iter()
        .find(|(_, span)| span.name == CHECK && span.kind() == SpanKind::Client)
        .expect("the client's span");
    assert_eq!(from, "checkout");
    let (from, served) = all
        .iter()
        .find(|(_, span)| span.name == CHECK && span.kind() == SpanKind::Server)
        .expect("the server's span");
    assert_eq!(from, "orders");
    let (_, guard) = collector.span(names::GUARD);
    let (_, proof) = collector.span(names::PROOF_VERIFY);
    let (_, handler) = collector.span(names::HANDLER);

    assert!(call.parent_span_id.is_empty());
    assert_eq!(served.parent_span_id, call.span_id);
    assert_eq!(guard.parent_span_id, served.span_id);
    assert_eq!(proof.parent_span_id, guard.span_id);
    assert_eq!(handler.parent_span_id, served.span_id);
    for span in [served, &guard, &proof, &handler] {
        assert_eq!(span.trace_id, call.trace_id, "{}", span.name);
    }
    for span in [call, served] {
        let attributes = attributes(span);
        assert_eq!(attributes["rpc.system.name"], "grpc");
        assert_eq!(attributes["rpc.method"], CHECK);
        assert_eq!(attributes["rpc.status_code"], "OK");
        assert!(!attributes.contains_key("error.type"));
    }
    assert_eq!(attributes(call)["server.address"], "127.0.0.1");
    assert_eq!(
        attributes(call)["server.port"],
        format!("{port} as a number")
    );
    assert_eq!(attributes(&proof)["countersign.jkt"], "thumbprint");

    let resource = collector.resource();
    let service = &resource["service.name"];
    assert_eq!(resource["service.version"], "1.2.3");
    assert_eq!(resource["service.instance.id"], format!("{service}-1"));
}

#[test]
fn a_span_of_no_trace_is_not_made() {
    let (collector, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(settings("lone", Some(Traces::to(&endpoint)))).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        assert!(spans::store_commit(1, 0).is_none(), "a span of no trace");
        spans::sweep().in_scope(|| spans::store_commit(3, 1).in_scope(|| ()));
    });
    telemetry.shutdown(SHUTDOWN).unwrap();
    let (_, sweep) = collector.span(names::SWEEP);
    let (_, commit) = collector.span(names::STORE_COMMIT);
    assert_eq!(commit.parent_span_id, sweep.span_id);
    assert_eq!(
        attributes(&commit)["countersign.store.writes"],
        "3 as a number"
    );
}

#[test]
fn a_refusal_stands_on_the_calls_own_span_and_where_it_was_made() {
    let (collector, endpoint) = Collector::start();
    let served = Served::start(settings("orders", Some(Traces::to(&endpoint))));
    let (dispatch, telemetry) = prepare(settings("checkout", Some(Traces::to(&endpoint)))).unwrap();

    let _here = tracing::dispatcher::set_default(&dispatch);
    let status = runtime().block_on(async {
        let mut request = Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert(REFUSE, "1".parse().unwrap());
        client(served.address)
            .await
            .check(request)
            .await
            .unwrap_err()
    });
    assert_eq!(status.message(), "no", "the cause is not for the peer");
    served.stop();
    telemetry.shutdown(SHUTDOWN).unwrap();

    let all = collector.spans();
    let server = all
        .iter()
        .find(|(_, span)| span.kind() == SpanKind::Server)
        .unwrap();
    for span in [&server.1, &collector.span(names::GUARD).1] {
        let attributes = attributes(span);
        assert_eq!(
            attributes["countersign.refusal.reason"],
            "REASON_DPOP_PROOF_REPLAYED"
        );
        assert_eq!(attributes["countersign.refusal.cause"], "jti spent");
    }
    assert_eq!(attributes(&server.1)["rpc.status_code"], "UNAUTHENTICATED");
    // Somebody else's mistake is not the server's error, but it is the client's.
    assert_eq!(server.1.status.as_ref().unwrap().code(), StatusCode::Unset);
    let client = all
        .iter()
        .find(|(_, span)| span.kind() == SpanKind::Client)
        .unwrap();
    assert_eq!(client.1.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(attributes(&client.1)["error.type"], "UNAUTHENTICATED");
}

#[test]
fn a_stream_that_is_let_go_ends_as_cancelled() {
    let (collector, endpoint) = Collector::start();
    let served = Served::start(settings("orders", Some(Traces::to(&endpoint))));
    let (dispatch, telemetry) = prepare(settings("checkout", Some(Traces::to(&endpoint)))).unwrap();

    let _here = tracing::dispatcher::set_default(&dispatch);
    runtime().block_on(async {
        let mut client = client(served.address).await;
        let mut updates = client
            .watch(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert!(updates.message().await.unwrap().is_some());
    });
    served.stop();
    telemetry.shutdown(SHUTDOWN).unwrap();
    let all = collector.spans();
    let watches: Vec<_> = all.iter().filter(|(_, span)| span.name == WATCH).collect();
    assert_eq!(watches.len(), 2);
    for (_, span) in watches {
        assert_eq!(attributes(span)["rpc.status_code"], "CANCELLED");
    }
}

#[test]
fn a_call_that_reaches_nobody_fails_on_its_span() {
    let (collector, endpoint) = Collector::start();
    let served = Served::start(settings("orders", None));
    let (dispatch, telemetry) = prepare(settings("checkout", Some(Traces::to(&endpoint)))).unwrap();

    let _here = tracing::dispatcher::set_default(&dispatch);
    runtime().block_on(async {
        let mut client = client(served.address).await;
        served.stop();
        client
            .check(HealthCheckRequest::default())
            .await
            .unwrap_err();
    });
    telemetry.shutdown(SHUTDOWN).unwrap();
    let (_, call) = collector.span(CHECK);
    assert_eq!(attributes(&call)["rpc.status_code"], "UNAVAILABLE");
    assert_eq!(call.status.unwrap().code(), StatusCode::Error);
}
