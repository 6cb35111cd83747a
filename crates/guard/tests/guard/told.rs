//! What an observing guard and the grace of bearer tokens leave behind: log lines and attributes of
//! spans, and nothing that is secret in either.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use countersign::example::v1::PurgeOrdersRequest;
use countersign_guard::NonceMode;
use countersign_telemetry::names::{
    BEARER_ACCEPTED, GUARD, KNOWLEDGE_AGE, OBSERVED_CAUSE, OBSERVED_REASON,
};
use parking_lot::Mutex;
use tonic::Request;
use tracing::Dispatch;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::bearer::{bearer, unbound};
use crate::stand::{Expected, SERVICE, Shown, Stand};

type Fields = BTreeMap<String, String>;

/// All that is said while it listens, on this thread.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    events: Vec<Fields>,
    /// By their number.
    spans: BTreeMap<u64, (&'static str, Fields)>,
}

static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();

struct Into<'a>(&'a mut Fields);

impl tracing::field::Visit for Into<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let value = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        _: Context<'_, S>,
    ) {
        let mut fields = Fields::new();
        attributes.record(&mut Into(&mut fields));
        let name = attributes.metadata().name();
        self.0.lock().spans.insert(id.into_u64(), (name, fields));
    }

    fn on_record(
        &self,
        id: &tracing::span::Id,
        values: &tracing::span::Record<'_>,
        _: Context<'_, S>,
    ) {
        if let Some((_, fields)) = self.0.lock().spans.get_mut(&id.into_u64()) {
            values.record(&mut Into(fields));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        fields.insert("level".to_owned(), event.metadata().level().to_string());
        self.0.lock().events.push(fields);
    }
}

impl Heard {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        // As long as there is only one subscriber, each place in the code that says something is
        // turned off for all when a thread that has none comes there first: other tests do.
        OTHERS.get_or_init(|| [(); 2].map(|()| Dispatch::new(tracing_subscriber::registry())));
        let heard = Self::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        (heard, tracing::subscriber::set_default(subscriber))
    }

    /// The one line that says this.
    fn line(&self, message: &str) -> Fields {
        let lines = self.0.lock();
        let mut said = lines
            .events
            .iter()
            .filter(|fields| fields.get("message").is_some_and(|said| said == message));
        let line = said
            .next()
            .unwrap_or_else(|| panic!("nobody says {message}"));
        assert!(said.next().is_none(), "{message} is said twice");
        line.clone()
    }

    /// What the guard's spans have of this attribute.
    fn attributes(&self, name: &str) -> Vec<String> {
        let lines = self.0.lock();
        let guards = lines.spans.values().filter(|(span, _)| *span == GUARD);
        guards
            .filter_map(|(_, fields)| fields.get(name).cloned())
            .collect()
    }

    fn holds(&self, secret: &str) -> bool {
        let lines = self.0.lock();
        let spans = lines.spans.values().map(|(_, fields)| fields);
        lines
            .events
            .iter()
            .chain(spans)
            .flat_map(BTreeMap::values)
            .any(|value| value.contains(secret))
    }
}

#[tokio::test]
async fn what_would_be_refused_stands_in_a_warning_and_in_the_span() {
    let (heard, _listening) = Heard::listen();
    let rules = format!("[\"{SERVICE}PurgeOrders\"]\nscopes = [\"orders.purge\"]");
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(rules).observe()).await;
    assert_eq!(
        heard.line("observing: this guard refuses nothing")["level"],
        "WARN"
    );
    let token = stand.token();
    let proof = stand.proof("PurgeOrders", &token);
    let mut request = Request::new(PurgeOrdersRequest {});
    Shown::new(&token, &proof).onto(request.metadata_mut());
    stand.client().purge_orders(request).await.unwrap();

    let line = heard.line("would have refused");
    for (name, expected) in [
        ("level", "WARN"),
        ("method", &format!("{SERVICE}PurgeOrders")[1..]),
        ("reason", "REASON_SCOPE_INSUFFICIENT"),
        ("cause", "scope_insufficient"),
    ] {
        assert_eq!(line.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert_eq!(
        heard.attributes(OBSERVED_REASON),
        ["REASON_SCOPE_INSUFFICIENT"]
    );
    assert_eq!(heard.attributes(OBSERVED_CAUSE), ["scope_insufficient"]);
    assert!(!heard.holds(&token) && !heard.holds(&proof));

    // What every check passes leaves nothing.
    stand.check("good", &stand.good(), Expected::Ok).await;
    heard.line("would have refused");
    assert_eq!(heard.attributes(OBSERVED_REASON).len(), 1);
    // There is no watch that could be late.
    assert_eq!(heard.attributes(KNOWLEDGE_AGE), [""; 0]);
}

#[tokio::test]
async fn an_accepted_bearer_token_stands_in_a_warning_and_in_the_span() {
    let (heard, _listening) = Heard::listen();
    let stand = crate::bearer::stand().await;
    let line = heard.line("bearer tokens are accepted");
    assert_eq!(line["method"], format!("{SERVICE}CreateOrder"));
    assert_eq!((&*line["level"], &*line["over"]), ("WARN", "false"));
    stand.check("good", &stand.good(), Expected::Ok).await;
    assert_eq!(heard.attributes(BEARER_ACCEPTED), [""; 0]);

    let token = unbound(&stand, |_| {});
    stand.check("bearer", &bearer(&token), Expected::Ok).await;
    let line = heard.line("bearer token accepted");
    let said = (&*line["level"], &*line["client_id"]);
    assert_eq!(said, ("WARN", "checkout"));
    assert_eq!(heard.attributes(BEARER_ACCEPTED), ["true"]);
    assert!(!heard.holds(&token));
}

/// An HTTP path may name a person: the rule is named.
#[tokio::test]
async fn of_an_http_request_the_rule_is_told() {
    let (heard, _listening) = Heard::listen();
    let rules = "[\"GET /people/{name}\"]\nscopes = [\"people.read\"]";
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(rules).observe()).await;
    let router = axum::Router::new().layer(stand.guard.http_layer());
    let address = crate::http_stand::serve_router(router).await;
    crate::http_stand::ask(&address, "GET", "/people/ann", &Shown::default()).await;
    let line = heard.line("would have refused");
    assert_eq!(line["method"], "GET /people/{name}");
    assert!(!heard.holds("ann"));
}
