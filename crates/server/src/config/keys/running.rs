//! Keys that say how the service runs: what it takes on, how it stops, what it reports.

use super::{Key, TakesEffect};
use crate::overload;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "limits.waiting_max",
        default: "32",
        values: "1 to 100000",
        meaning: "Calls that wait for one processor core at once, when it has not kept up for a \
                  moment; further ones are shed. Apart for health, keys, introspection and the \
                  rest.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.waiting_max = value.count(&(1..=100_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.waiting_max = from.limits.waiting_max,
    },
    Key {
        name: "limits.in_flight_max",
        default: "4096",
        values: "1 to 1000000",
        meaning: "Calls taken and not answered yet; further ones are shed. Apart for health, \
                  keys, introspection and the rest.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.in_flight_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.in_flight_max = from.limits.in_flight_max,
    },
    Key {
        name: "limits.watchers_max",
        default: "10000",
        values: "1 to 1000000",
        meaning: "Guards that watch the key set at once, and as many that watch revocations; further \
                  ones are told to come again, and fetch the key set meanwhile.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.watchers_max = value.count(&(1..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.watchers_max = from.limits.watchers_max,
    },
    Key {
        name: "limits.caller_watchers_max",
        default: "0",
        values: "0 to 1000000",
        meaning: "Watches of revocations of one client, and watches of the key set from one address \
                  (of IPv6, from a network of 64 bits): as many as one service has instances, or as \
                  there are guards behind one proxy. 0: a tenth of `limits.watchers_max`, and at \
                  least 100.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.caller_watchers_max = value.count(&(0..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.caller_watchers_max = from.limits.caller_watchers_max,
    },
    Key {
        name: "limits.client_calls_per_sec",
        default: "2000",
        values: "0 to 1000000",
        meaning: "Calls a second of one client, with bursts of as many; introspection is counted \
                  apart. A client without credentials is counted by its proof's key. 0: any \
                  number.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.client_calls_per_sec = value.count(&(0..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| to.limits.client_calls_per_sec = from.limits.client_calls_per_sec,
    },
    Key {
        name: "limits.wrong_user_codes_per_min",
        default: "60",
        values: "1 to 100000",
        meaning: "Wrong user codes of devices a minute, with bursts of as many, whoever types them; \
                  then no code is looked up for a while. Of one subject, and from one source, there \
                  are five, and one more each minute.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.wrong_user_codes_per_min = value.count(&(1..=100_000))?;
            Ok(())
        },
        copy: |to, from| {
            to.limits.wrong_user_codes_per_min = from.limits.wrong_user_codes_per_min;
        },
    },
    Key {
        name: "limits.public_requests_per_min",
        default: "600",
        values: "0 to 1000000",
        meaning: "Requests for a person's decision a minute from one address (of IPv6, from a \
                  network of 64 bits), with bursts of as many, of clients that show nothing: in \
                  plain parameters at /authorize, and of public clients, pushed or of devices. Where \
                  a proxy stands in front, see login.behind_proxy. 0: any number.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.limits.public_requests_per_min = value.count(&(0..=1_000_000))?;
            Ok(())
        },
        copy: |to, from| {
            to.limits.public_requests_per_min = from.limits.public_requests_per_min;
        },
    },
    Key {
        name: "limits.method_calls_per_sec",
        default: "none",
        values: "list, as in IssueToken=5000",
        meaning: "Calls a second of a method, or of an HTTP endpoint (as in token=5000), with \
                  bursts of as many, whoever calls: only for methods that nobody may exhaust the \
                  machine with.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            let expected = "methods and their calls a second, as in IssueToken=5000";
            let limits = value.list(expected, rate)?;
            let mut names: Vec<_> = limits.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            if names.windows(2).any(|two| two[0] == two[1]) {
                return Err("a list that names each method once".to_owned());
            }
            config.limits.method_calls_per_sec = limits;
            Ok(())
        },
        copy: |to, from| {
            let said = &from.limits.method_calls_per_sec;
            to.limits.method_calls_per_sec.clone_from(said);
        },
    },
    Key {
        name: "stop.notice_secs",
        default: "0",
        values: "0 to 300",
        meaning: "At a stop, how long NOT_SERVING is reported before new connections are refused, \
                  so that a balancer notices.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.stop.notice = value.secs(&(0..=300))?;
            Ok(())
        },
        copy: |to, from| to.stop.notice = from.stop.notice,
    },
    Key {
        name: "stop.drain_secs",
        default: "10",
        values: "0 to 3600",
        meaning: "At a stop, how long calls in flight are waited for.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.stop.drain = value.secs(&(0..=3_600))?;
            Ok(())
        },
        copy: |to, from| to.stop.drain = from.stop.drain,
    },
    Key {
        name: "telemetry.otlp_endpoint",
        default: "none",
        values: "URL",
        meaning: "Collector that traces are sent to, OTLP over gRPC, as in http://127.0.0.1:4317.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let url: url::Url = value.parsed("a URL, as in http://127.0.0.1:4317")?;
            config.telemetry.otlp_endpoint = Some(url.to_string());
            Ok(())
        },
        copy: |to, from| {
            let said = &from.telemetry.otlp_endpoint;
            to.telemetry.otlp_endpoint.clone_from(said);
        },
    },
    Key {
        name: "telemetry.metrics_endpoint",
        default: "none",
        values: "URL",
        meaning: "Collector that metrics are sent to, OTLP over gRPC; it may be the same.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            let url: url::Url = value.parsed("a URL, as in http://127.0.0.1:4317")?;
            config.telemetry.metrics_endpoint = Some(url.to_string());
            Ok(())
        },
        copy: |to, from| {
            let said = &from.telemetry.metrics_endpoint;
            to.telemetry.metrics_endpoint.clone_from(said);
        },
    },
    Key {
        name: "telemetry.sample_ratio",
        default: "1",
        values: "0 to 1",
        meaning: "Part of the traces begun here that is recorded.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.telemetry.sample_ratio = value.ratio()?;
            Ok(())
        },
        copy: |to, from| to.telemetry.sample_ratio = from.telemetry.sample_ratio,
    },
    Key {
        name: "telemetry.log_filter",
        default: "info",
        values: "as in RUST_LOG",
        meaning: "What is logged.",
        takes_effect: TakesEffect::Reload,
        set: |config, value| {
            config.telemetry.log_filter = value.text()?;
            Ok(())
        },
        copy: |to, from| {
            let said = &from.telemetry.log_filter;
            to.telemetry.log_filter.clone_from(said);
        },
    },
    Key {
        name: "telemetry.log_format",
        default: "pretty",
        values: "`pretty` or `json`",
        meaning: "Text for people, or one JSON object a line.",
        takes_effect: TakesEffect::Restart,
        set: |config, value| {
            config.telemetry.log_json = value.one_of(&["pretty", "json"])? == 1;
            Ok(())
        },
        copy: |to, from| to.telemetry.log_json = from.telemetry.log_json,
    },
];

/// `Method=calls per second`.
fn rate(text: &str) -> Option<(String, u32)> {
    let (name, calls) = text.split_once('=')?;
    let name = name.trim();
    overload::is_limitable(name)
        .then(|| calls.trim().parse().ok().filter(|calls| *calls > 0))
        .flatten()
        .map(|calls| (name.to_owned(), calls))
}
