//! What OpenTelemetry's variables and our settings mean.

use countersign_telemetry::{LogFormat, Metrics, SettingsError, StartError, Traces, prepare};

use crate::kit::settings;

fn from_env(pairs: &[(&str, &str)]) -> Result<Option<Traces>, SettingsError> {
    Traces::from_env(|name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

#[test]
fn a_collector_is_what_turns_tracing_on() {
    assert!(from_env(&[]).unwrap().is_none());
    assert!(
        from_env(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])
            .unwrap()
            .is_none()
    );
    assert!(
        from_env(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")])
            .unwrap()
            .is_none()
    );
    assert_eq!(
        from_env(&[ENDPOINT]).unwrap().unwrap().endpoint,
        "http://collector:4317"
    );
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317");
    assert_eq!(
        from_env(&[ENDPOINT, traces]).unwrap().unwrap().endpoint,
        "http://traces:4317"
    );
}

#[test]
fn the_standard_samplers_are_ratios() {
    for (sampler, argument, ratio) in [
        ("", None, 1.0),
        ("always_on", None, 1.0),
        ("parentbased_always_off", None, 0.0),
        ("traceidratio", None, 1.0),
        ("parentbased_traceidratio", Some("0.25"), 0.25),
    ] {
        let mut pairs = vec![ENDPOINT, ("OTEL_TRACES_SAMPLER", sampler)];
        pairs.extend(argument.map(|text| ("OTEL_TRACES_SAMPLER_ARG", text)));
        assert_eq!(
            from_env(&pairs).unwrap().unwrap().ratio.to_bits(),
            f64::to_bits(ratio)
        );
    }
    let wrong = from_env(&[ENDPOINT, ("OTEL_TRACES_SAMPLER", "sometimes")]).unwrap_err();
    assert_eq!(wrong, SettingsError::Sampler("sometimes".into()));
    let wrong = from_env(&[
        ENDPOINT,
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "a few"),
    ]);
    assert_eq!(wrong.unwrap_err(), SettingsError::Ratio("a few".into()));
}

#[test]
fn settings_that_cannot_be_meant_are_refused_by_name() {
    let good = Traces::to("http://127.0.0.1:4317");
    for (traces, expected) in [
        (
            Traces::to("collector:4317"),
            "collector endpoint 'collector:4317'",
        ),
        (
            Traces::to("grpc://collector:4317"),
            "collector endpoint 'grpc://collector:4317'",
        ),
        (
            Traces {
                ratio: 1.5,
                ..good.clone()
            },
            "sampling ratio '1.5'",
        ),
        (
            Traces {
                ratio: f64::NAN,
                ..good.clone()
            },
            "sampling ratio 'NaN'",
        ),
        (
            Traces {
                headers: vec![("api-key".into(), "se\ncret".into())],
                ..good
            },
            "collector header 'api-key'",
        ),
    ] {
        let error = prepare(settings("s", Some(traces))).unwrap_err();
        assert!(matches!(error, StartError::Settings(_)));
        let text = error.to_string();
        assert!(text.starts_with(expected), "{text}");
        assert!(!text.contains("cret"), "{text}");
    }
    assert_eq!("json".parse(), Ok(LogFormat::Json));
    assert_eq!(
        "xml".parse::<LogFormat>(),
        Err(SettingsError::Format("xml".into()))
    );
}

#[test]
fn a_header_for_the_collector_is_not_shown() {
    let traces = Traces {
        headers: vec![("api-key".into(), "hidden".into())],
        ..Traces::to("http://127.0.0.1:4317")
    };
    let shown = format!("{traces:?}");
    assert!(
        shown.contains("api-key") && !shown.contains("hidden"),
        "{shown}"
    );
}

#[test]
fn a_collector_is_what_turns_metrics_on() {
    let metrics = |pairs: &[(&str, &str)]| {
        Metrics::from_env(|name| {
            let mut pairs = pairs.iter();
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    };
    let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4317");
    for (pairs, endpoint) in [
        (&[][..], None),
        (&[ENDPOINT][..], Some("http://collector:4317")),
        (&[ENDPOINT, own][..], Some("http://metrics:4317")),
        (&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")][..], None),
        (&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "none")][..], None),
        (
            &[own, ("OTEL_METRICS_EXPORTER", "otlp")][..],
            Some("http://metrics:4317"),
        ),
    ] {
        let read = metrics(pairs).unwrap().map(|metrics| metrics.endpoint);
        assert_eq!(read.as_deref(), endpoint, "{pairs:?}");
    }
    let wrong = metrics(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "prometheus")]).unwrap_err();
    assert_eq!(wrong, SettingsError::Exporter("prometheus".into()));

    let nowhere = countersign_telemetry::Settings {
        metrics: Some(Metrics::to("collector:4317")),
        ..settings("s", None)
    };
    assert!(matches!(
        prepare(nowhere).unwrap_err(),
        StartError::Settings(SettingsError::Endpoint(_))
    ));
    let mut secret = Metrics::to("http://collector:4317");
    secret.headers = vec![("api-key".into(), "k3y".into())];
    assert!(!format!("{secret:?}").contains("k3y"));
}
