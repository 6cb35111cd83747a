//! What stands in a log line.

use std::time::Duration;

use countersign_telemetry::{
    LogFormat, LogSink, Logs, Settings, Traces, check_log_filter, prepare, spans,
};
use opentelemetry::trace::TraceContextExt;
use tonic_health::pb::HealthCheckRequest;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

use crate::kit::{Collector, Served, Sink, attributes, client, runtime, settings};

fn logged(format: LogFormat, filter: &str, say: impl FnOnce()) -> String {
    let sink = Sink::default();
    let logs = Logs {
        format,
        filter: filter.into(),
        sink: LogSink::Writer(Box::new(sink.clone())),
    };
    let (dispatch, telemetry) = prepare(Settings {
        logs,
        ..settings("s", None)
    })
    .unwrap();
    tracing::dispatcher::with_default(&dispatch, say);
    telemetry.shutdown(Duration::from_secs(2)).unwrap();
    sink.text()
}

fn json(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// A place in somebody else's code that tells of something.
struct Place(&'static Metadata<'static>);

impl Callsite for Place {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0
    }
}

/// What a transport says of every frame.
static FRAME: Place = Place(&Metadata::new(
    "frame",
    "transport",
    Level::TRACE,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&FRAME)),
    Kind::EVENT,
));

/// And the span that it puts around it.
static POLL: Place = Place(&Metadata::new(
    "poll",
    "transport",
    Level::INFO,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&POLL)),
    Kind::SPAN,
));

/// Asked once, not at every frame: a call makes a hundred of these.
#[test]
fn what_no_layer_takes_is_turned_off_where_it_is_told() {
    for traces in [None, Some(Traces::to("http://127.0.0.1:9"))] {
        let (dispatch, telemetry) = prepare(Settings {
            logs: Logs {
                format: LogFormat::Json,
                filter: "info".into(),
                sink: LogSink::Writer(Box::new(Sink::default())),
            },
            ..settings("s", traces)
        })
        .unwrap();
        assert!(dispatch.register_callsite(FRAME.0).is_never());
        assert!(dispatch.register_callsite(POLL.0).is_never());
        telemetry.replace_log_filter("trace").unwrap();
        assert!(!dispatch.register_callsite(FRAME.0).is_never());
        assert!(dispatch.register_callsite(POLL.0).is_never());
        telemetry.shutdown(Duration::from_secs(2)).unwrap();
    }
}

#[test]
fn a_filter_can_be_exchanged_and_a_bad_one_changes_nothing() {
    let sink = Sink::default();
    let logs = Logs {
        format: LogFormat::Pretty,
        filter: "warn".into(),
        sink: LogSink::Writer(Box::new(sink.clone())),
    };
    let (dispatch, telemetry) = prepare(Settings {
        logs,
        ..settings("s", None)
    })
    .unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let say = |word| tracing::info!(word);
        say("first");
        telemetry.replace_log_filter("info").unwrap();
        say("second");
        assert!(check_log_filter("a=b=c").is_err());
        assert!(telemetry.replace_log_filter("a=b=c").is_err());
        say("third");
        telemetry.replace_log_filter("warn").unwrap();
        say("fourth");
    });
    telemetry.shutdown(Duration::from_secs(2)).unwrap();
    let text = sink.text();
    for (word, there) in [
        ("first", false),
        ("second", true),
        ("third", true),
        ("fourth", false),
    ] {
        assert_eq!(text.contains(word), there, "{word}: {text}");
    }
}

#[test]
fn a_json_line_carries_its_trace_and_no_secret() {
    let (collector, endpoint) = Collector::start();
    let sink = Sink::default();
    let logs = Logs {
        format: LogFormat::Json,
        filter: "info".into(),
        sink: LogSink::Writer(Box::new(sink.clone())),
    };
    let served = Served::start(Settings {
        logs,
        ..settings("orders", Some(Traces::to(&endpoint)))
    });
    runtime().block_on(async {
        client(served.address)
            .await
            .check(HealthCheckRequest::default())
            .await
            .unwrap();
    });
    served.stop();

    let text = sink.text();
    assert!(!text.contains("s3cr3t-value"), "{text}");
    let lines = json(&text);
    let line = lines
        .iter()
        .find(|line| line["message"] == "let through")
        .expect("the line");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["client_secret"], "[redacted]");
    assert_eq!(line["fields"]["attempt"], 1);

    let (_, guard) = collector.span(countersign_telemetry::names::GUARD);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(line["trace_id"], hex(&guard.trace_id));
    assert_eq!(line["span_id"], hex(&guard.span_id));
    for (_, span) in collector.spans() {
        assert!(span.events.is_empty(), "events are not copied into spans");
        assert!(!format!("{:?}", attributes(&span)).contains("s3cr3t"));
    }
}

#[test]
fn a_trace_that_is_not_recorded_still_has_a_number() {
    let (_, endpoint) = Collector::start();
    let sink = Sink::default();
    let logs = Logs {
        format: LogFormat::Json,
        filter: "info".into(),
        sink: LogSink::Writer(Box::new(sink.clone())),
    };
    let traces = Traces {
        ratio: 0.0,
        ..Traces::to(endpoint)
    };
    let served = Served::start(Settings {
        logs,
        ..settings("orders", Some(traces))
    });
    runtime().block_on(async {
        client(served.address)
            .await
            .check(HealthCheckRequest::default())
            .await
            .unwrap();
    });
    served.stop();
    let lines = json(&sink.text());
    let line = lines
        .iter()
        .find(|line| line["message"] == "let through")
        .expect("the line");
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
}

#[test]
fn every_field_named_like_a_secret_is_redacted() {
    for format in [LogFormat::Json, LogFormat::Pretty] {
        let text = logged(format, "trace", || {
            tracing::error!(
                access_token = "leak", refresh_token = ?"leak", client_secret = %"leak",
                client_assertion = "leak", code = "leak", code_verifier = "leak", proof = "leak",
                dpop = "leak", authorization = "leak", password = "leak", private_key = "leak",
                secret = "leak", token = "leak", handle = "leak", assertion = "leak", kept = "seen",
                "words"
            );
        });
        assert!(!text.contains("leak"), "{text}");
        assert_eq!(text.matches("[redacted]").count(), 15, "{text}");
        assert!(text.contains("seen"), "{text}");
    }
}

#[test]
fn a_stranger_cannot_forge_a_line_or_command_a_terminal() {
    let text = logged(LogFormat::Pretty, "info", || {
        tracing::info!(method = "a\nERROR forged\x1b[2J", "arrived\r\nINFO forged");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn the_filter_is_obeyed_and_a_wrong_one_refused() {
    let text = logged(LogFormat::Json, "warn,telemetry::logs=error", || {
        tracing::warn!("unseen");
        tracing::warn!(target: "elsewhere", "seen");
        tracing::info!(target: "elsewhere", "unseen");
    });
    let lines = json(&text);
    assert_eq!(lines.len(), 1, "{text}");
    assert_eq!(lines[0]["message"], "seen");

    let mut wrong = settings("s", None);
    wrong.logs.filter = "info,=nonsense=".into();
    let error = prepare(wrong).unwrap_err().to_string();
    assert!(
        error.starts_with("log filter: 'info,=nonsense='"),
        "{error}"
    );
}

#[test]
fn without_tracing_no_span_is_made() {
    logged(LogFormat::Json, "trace", || {
        assert!(spans::sweep().is_disabled());
        assert!(!opentelemetry::Context::current().has_active_span());
    });
}
