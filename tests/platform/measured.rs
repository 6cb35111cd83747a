//! What the service exports of how long its requests and calls take, as a collector gets it.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::token::v1::IssueTokenRequest;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign_testkit::Problem;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

use crate::service::{Service, Terms};
use crate::sweep::collector::Collector;
use crate::work::in_a_runtime;

/// What a stranger puts into a path, a method, a header; none of it may become a name.
const STRANGE: &str = "x0123456789abcdefghijklmnop";

/// The pages of the login application; with `POST`, those that are only sent to.
const PAGES: [(&str, &str); 10] = [
    ("GET", "/login"),
    ("GET", "/login/device"),
    ("GET", "/login/account"),
    ("GET", "/login/logout"),
    ("GET", "/login/style.css"),
    ("GET", "/device"),
    ("POST", "/login/password"),
    ("POST", "/login/decision"),
    ("POST", "/login/forget"),
    ("POST", "/login/end-session"),
];

/// Requests of both protocols, good and bad ones, and what is read back after the service has
/// stopped.
pub(crate) fn operators_see_rate_errors_and_duration_of_both_edges() -> Result<(), String> {
    in_a_runtime(async {
        let (collector, endpoint) = Collector::start().await?;
        let mut service = Service::start(&Terms {
            configuration: format!(
                "[telemetry]\nmetrics_endpoint = \"{endpoint}\"\n\n\
                 [limits]\nmethod_calls_per_sec = [\"jwks=2\"]\n\n[login]\nserve = \"yes\"\n"
            ),
            ..Terms::default()
        })?;
        let address = service.url().replace("http://", "");
        ask(&address, "GET", "/.well-known/oauth-authorization-server").await?;
        ask(&address, "POST", "/token").await?;
        ask(&address, "POST", "/token").await?;
        ask(&address, STRANGE, "/token").await?;
        ask(&address, "GET", &format!("/{STRANGE}?{STRANGE}")).await?;
        for (method, page) in PAGES {
            ask(&address, method, page).await?;
        }
        // More in a second than it is limited to: some are turned away in front of everything.
        for _ in 0..20 {
            ask(&address, "GET", "/jwks").await?;
        }
        let channel = Endpoint::from_shared(service.url())?.connect().await?;
        let mut tokens = TokenServiceClient::new(channel.clone());
        for _ in 0..3 {
            let refused = tokens.issue_token(IssueTokenRequest::default()).await;
            if refused.is_ok() {
                return Err("a token for nobody".into());
            }
        }
        unknown_method(channel).await;
        service.stop()?;
        let told = Told::read(&collector.metrics())?;
        told.check()
    })
}

/// One request on a connection of its own, answered.
async fn ask(address: &str, method: &str, target: &str) -> Result<(), Problem> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nx-{STRANGE}: 1\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 ") {
        Ok(())
    } else {
        Err(format!("{method} {target} was answered with {answer:?}").into())
    }
}

/// A call of a method that nobody has. That it fails is seen in what is measured.
async fn unknown_method(channel: tonic::transport::Channel) {
    let mut grpc = tonic::client::Grpc::new(channel);
    let path = format!("/{STRANGE}.v1.Service/Method");
    let path = path.parse().expect("a path");
    if grpc.ready().await.is_ok() {
        let codec = tonic_prost::ProstCodec::<IssueTokenRequest, IssueTokenRequest>::default();
        let request = tonic::Request::new(IssueTokenRequest::default());
        let _refused = grpc.unary(request, path, codec).await;
    }
}

/// What the collector has: the last point of each combination of attributes.
struct Told {
    http: BTreeMap<String, HistogramDataPoint>,
    rpc: BTreeMap<String, HistogramDataPoint>,
    guard: BTreeMap<String, HistogramDataPoint>,
}

impl Told {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut told = Self {
            http: BTreeMap::new(),
            rpc: BTreeMap::new(),
            guard: BTreeMap::new(),
        };
        let sent = ExportMetricsServiceRequest::decode(bytes)?;
        let scopes = sent.resource_metrics.into_iter();
        let metrics = scopes
            .flat_map(|resource| resource.scope_metrics)
            .flat_map(|scope| scope.metrics);
        for metric in metrics {
            let points = match metric.name.as_str() {
                "http.server.request.duration" => &mut told.http,
                "rpc.server.call.duration" => &mut told.rpc,
                "countersign.guard.duration" => &mut told.guard,
                other => return Err(format!("a metric that no page names: {other}").into()),
            };
            if metric.unit != "s" {
                return Err(format!("{} is in {:?}", metric.name, metric.unit).into());
            }
            if let Some(Data::Histogram(histogram)) = metric.data {
                let found = histogram.data_points.into_iter();
                points.extend(found.map(|point| (attributes(&point), point)));
            }
        }
        Ok(told)
    }

    fn check(&self) -> Result<(), Problem> {
        let told = self.http.keys().chain(self.rpc.keys());
        let told = told.chain(self.guard.keys());
        if let Some(strange) = told.into_iter().find(|said| said.contains(STRANGE)) {
            return Err(format!("what a stranger sent became a name: {strange}").into());
        }
        let answered = "network.protocol.version=1.1 url.scheme=http";
        for (method, status, route, count) in [
            ("GET", 200, "/.well-known/oauth-authorization-server", 1),
            ("POST", 401, "/token", 2),
            ("_OTHER", 405, "/token", 1),
            ("GET", 404, "", 1),
            ("GET", 303, "/login/account", 1),
        ] {
            let route = match route {
                "" => String::new(),
                route => format!("http.route={route} "),
            };
            let said = format!(
                "http.request.method={method} http.response.status_code={status} {route}{answered}"
            );
            self.counted(&self.http, &said, count)?;
        }
        for (_, page) in PAGES {
            let route = format!(" http.route={page} ");
            let mut told = self.http.keys().filter(|said| said.contains(&route));
            if told.clone().next().is_none() || told.any(|said| said.contains("_code=404 ")) {
                return Err(format!("{page} has no name, or is none: {:#?}", self.http).into());
            }
        }
        // Those that were limited, with those that were not, are all.
        let keys = |status| {
            let said = format!(
                "http.request.method=GET http.response.status_code={status} http.route=/jwks {answered}"
            );
            self.http.get(&said).map_or(0, |point| point.count)
        };
        let (served, limited) = (keys(200), keys(429));
        if served == 0 || limited == 0 || served + limited != 20 {
            return Err(format!("of 20 requests {served} were served, {limited} limited").into());
        }
        let grpc = "rpc.system.name=grpc";
        let issue = "rpc.method=countersign.token.v1.TokenService/IssueToken";
        let refused = format!("{issue} rpc.status_code=INVALID_ARGUMENT {grpc}");
        self.counted(&self.rpc, &refused, 3)?;
        let other = self
            .rpc
            .iter()
            .find(|(said, _)| said.contains("rpc.method=_OTHER"));
        if other.is_none_or(|(_, point)| point.count != 1) {
            return Err(format!("the unknown method is not there: {:?}", self.rpc.keys()).into());
        }
        // Clients authenticate themselves at the rest, which the guard does not look at.
        let refused = "countersign.guard.decision=refused countersign.guard.protocol=grpc \
                       countersign.refusal.cause=method_without_rule \
                       countersign.refusal.reason=REASON_METHOD_NOT_ALLOWED";
        self.counted(&self.guard, refused, 1)?;
        if self.guard.len() != 1 {
            return Err(format!("the guard decided more: {:?}", self.guard.keys()).into());
        }
        Ok(())
    }

    fn counted(
        &self,
        points: &BTreeMap<String, HistogramDataPoint>,
        said: &str,
        count: u64,
    ) -> Result<(), Problem> {
        let Some(point) = points.get(said) else {
            return Err(format!("no {said} among {:#?}", points.keys()).into());
        };
        let took = point.sum.unwrap_or_default();
        if point.count != count || took <= 0.0 || took > Duration::from_secs(600).as_secs_f64() {
            return Err(format!("{said}: {} times, {took} s", point.count).into());
        }
        Ok(())
    }
}

/// Attributes in the order of their names.
fn attributes(point: &HistogramDataPoint) -> String {
    let text = |value: Option<&Value>| match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let sorted: BTreeMap<_, _> = point
        .attributes
        .iter()
        .map(|pair| {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            (pair.key.as_str(), text(value))
        })
        .collect();
    let said = sorted.iter().map(|(name, value)| format!("{name}={value}"));
    said.collect::<Vec<_>>().join(" ")
}
