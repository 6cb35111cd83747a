//! A client of HTTP that sends exactly what it is told to.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::comes::Comes;
use crate::harness::{self, Service};
use crate::proof::Key;

pub(crate) const AUTHORIZE: &str = "/authorize";
pub(crate) const TOKEN: &str = "/token";
pub(crate) const INTROSPECT: &str = "/introspect";
pub(crate) const REVOKE: &str = "/revoke";
pub(crate) const PAR: &str = "/par";
pub(crate) const DEVICE: &str = "/device_authorization";
pub(crate) const KEYS: &str = "/jwks";
pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const HEALTH: &str = "/health";

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Which version of HTTP.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    One,
    Two,
}

/// Connections to the HTTP endpoints.
pub(crate) struct Web {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request, to be changed.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Web {
    pub(crate) fn of(service: &Service) -> Self {
        Self::speaking(service, Speaks::Two)
    }

    pub(crate) fn speaking(service: &Service, speaks: Speaks) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(speaks == Speaks::Two)
            .build(HttpConnector::new());
        Self {
            client,
            url: service.running().http_url().expect("it serves HTTP"),
        }
    }

    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}{}", self.url, ask.path));
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let body = Full::new(Bytes::from(ask.body));
        let request = request.body(body).expect("a request");
        let response = self.client.request(request).await.expect("answers");
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Ask::get(path)).await
    }
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A form, as a client posts it.
    pub(crate) fn post(path: &str, parameters: &[(&str, &str)]) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers: vec![("content-type", FORM.to_owned())],
            body: form(parameters).into_bytes(),
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Authenticates the client by its secret in the header.
    pub(crate) fn basic(self, client: &harness::Client) -> Self {
        let secret = client.secret.as_deref().unwrap_or_default();
        self.header("authorization", basic(&client.id, secret))
    }

    /// With a right proof of `key` for this endpoint.
    pub(crate) fn proven(self, service: &Service, key: &Key) -> Self {
        let proof = key.mint(&service.htu(&self.path), service.now(), None);
        self.header("dpop", proof)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        let json = self.json();
        let text = json[name].as_str();
        text.unwrap_or_else(|| panic!("no {name} in {json}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Compares it with what must come back: status, error and what goes with them.
    #[track_caller]
    pub(crate) fn check(&self, what: &str, expected: Comes) {
        let (status, error) = match expected {
            Comes::Ok => {
                assert!(self.status.is_success(), "{what}: {self:?}");
                let sniffed = self.header("x-content-type-options");
                assert_eq!(sniffed, Some("nosniff"), "{what}");
                return;
            }
            Comes::P | Comes::Replayed => (400, "invalid_dpop_proof"),
            Comes::N => (400, "use_dpop_nonce"),
            Comes::C => (401, "invalid_client"),
            Comes::R(_) => (400, "invalid_request"),
            Comes::G => (400, "invalid_grant"),
            Comes::Scope => (400, "invalid_scope"),
            Comes::Target => (400, "invalid_target"),
            Comes::Details => (400, "invalid_authorization_details"),
            Comes::NotAllowed => (400, "unauthorized_client"),
            Comes::GrantType => (400, "unsupported_grant_type"),
            Comes::Pending(_) => (400, "authorization_pending"),
            Comes::SlowDown(_) => (400, "slow_down"),
            Comes::Expired => (400, "expired_token"),
            Comes::Denied => (400, "access_denied"),
            Comes::Limited => (429, "temporarily_unavailable"),
            Comes::T
            | Comes::ScopeInsufficient
            | Comes::Credentials
            | Comes::NoRule
            | Comes::NotFound
            | Comes::Exists
            | Comes::Changed => panic!("{what}: no endpoint answers {expected:?}"),
        };
        self.check_error(what, status, error);
        if let Comes::R(field) = expected {
            let description = self.text("error_description");
            assert!(
                description.starts_with(&format!("{field}: ")),
                "{what}: {description}"
            );
        }
        let challenged = self.headers.get_all("dpop-nonce").iter().count();
        assert_eq!(challenged, usize::from(expected == Comes::N), "{what}");
        let asks = self
            .header("www-authenticate")
            .is_some_and(|value| value.starts_with("Basic "));
        assert_eq!(asks, expected == Comes::C, "{what}");
    }

    /// RFC 6749 §5.2.
    #[track_caller]
    pub(crate) fn check_error(&self, what: &str, status: u16, error: &str) {
        assert_eq!(self.status, status, "{what}: {self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{what}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{what}");
        let sniffed = self.header("x-content-type-options");
        assert_eq!(sniffed, Some("nosniff"), "{what}");
        let json = self.json();
        assert_eq!(json["error"], error, "{what}: {json}");
        let members = json.as_object().expect("an object");
        assert_eq!(members.len(), 2, "{what}: {json}");
        let description = json["error_description"].as_str().expect("a text");
        assert!(!description.is_empty(), "{what}");
        let plain = |c| matches!(c, ' '..='~') && c != '"' && c != '\\';
        assert!(description.chars().all(plain), "{what}: {description}");
    }
}

/// Parameters as an HTML form has them: everything but letters and digits encoded.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// `Authorization: Basic` as RFC 6749 §2.3.1 has it.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let both = format!("{}:{}", encoded(id), encoded(secret));
    let both = base64::engine::general_purpose::STANDARD.encode(both);
    format!("Basic {both}")
}

/// Sends bytes over a connection of their own, and reads until the service closes it or has
/// answered `answers` times.
pub(crate) async fn raw(service: &Service, bytes: &[u8], answers: usize) -> String {
    let address = service.running().http_address().expect("it serves HTTP");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes).await.expect("sent");
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read);
        if whole(&text) >= answers {
            return text.into_owned();
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text.into_owned(),
            Ok(n) => read.extend_from_slice(&buffer[..n]),
        }
    }
}

/// How many answers have come whole, each with its `content-length`.
fn whole(text: &str) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.parse::<usize>().ok())
            .unwrap_or(0);
        if body.len() < length {
            break;
        }
        rest = &body[length..];
        count += 1;
    }
    count
}
