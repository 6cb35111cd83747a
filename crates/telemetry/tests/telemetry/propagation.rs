//! W3C trace context in headers.

use countersign_telemetry::propagate::{extract, inject, trace_id};
use http::{HeaderMap, HeaderValue};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn what_came_in_goes_out() {
    let came = headers(&[("traceparent", PARENT), ("tracestate", "vendor=value")]);
    let _trace = extract(&came).expect("a trace").attach();
    assert_eq!(trace_id().unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");

    let mut going = headers(&[("traceparent", "stale"), ("tracestate", "stale=1")]);
    inject(&mut going);
    assert_eq!(
        going.get_all("traceparent").iter().collect::<Vec<_>>(),
        [PARENT]
    );
    assert_eq!(
        going.get_all("tracestate").iter().collect::<Vec<_>>(),
        ["vendor=value"]
    );
}

#[test]
fn without_a_trace_headers_stay_as_they_are() {
    let mut going = headers(&[("traceparent", PARENT)]);
    inject(&mut going);
    assert_eq!(going, headers(&[("traceparent", PARENT)]));
    assert_eq!(trace_id(), None);
}

#[test]
fn what_is_not_clear_is_no_trace() {
    for pairs in [
        &[][..],
        &[("traceparent", "")],
        &[(
            "traceparent",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        )],
        &[(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        )],
        &[(
            "traceparent",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )],
        &[(
            "traceparent",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        )],
        &[("traceparent", PARENT), ("traceparent", PARENT)],
        &[("tracestate", "vendor=value")],
    ] {
        assert!(extract(&headers(pairs)).is_none(), "{pairs:?}");
    }
}

#[test]
fn a_tracestate_that_is_too_long_is_left_behind() {
    let long = format!("vendor={}", "x".repeat(600));
    let came = headers(&[("traceparent", PARENT), ("tracestate", &long)]);
    let _trace = extract(&came).expect("a trace").attach();
    let mut going = HeaderMap::new();
    inject(&mut going);
    assert_eq!(going, headers(&[("traceparent", PARENT)]));
}
