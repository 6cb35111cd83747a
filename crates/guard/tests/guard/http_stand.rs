//! A guarded axum router, and requests by hand.

use axum::Router;
use axum::routing::post;
use countersign_guard::{Guard, Permit};
use countersign_jose::Algorithms;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::stand::{Expected, ORIGIN, SERVICE, Shown, Stand, proof_of};

/// Where the resource of a [`Stand`] describes itself.
pub(crate) const METADATA: &str = "https://orders.test:8443/.well-known/oauth-protected-resource";

/// What came back over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What a refusal says.
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        serde_json::from_str(&self.body).unwrap()
    }
}

/// CreateOrder as an HTTP route.
pub(crate) fn rules() -> String {
    format!("[\"POST {SERVICE}CreateOrder\"]\nscopes = [\"orders.write\"]")
}

pub(crate) async fn serve(guard: &Guard) -> String {
    let create =
        async |axum::Extension(permit): axum::Extension<Permit>| permit.subject().to_owned();
    let router = Router::new().route(&format!("{SERVICE}CreateOrder"), post(create));
    serve_router(router.layer(guard.http_layer())).await
}

pub(crate) async fn serve_router(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Asks over HTTP/2 with these headers.
pub(crate) async fn ask(address: &str, method: &str, path: &str, shown: &Shown) -> Answer {
    let channel = Channel::from_shared(address.to_owned()).unwrap();
    ask_over(&channel.connect().await.unwrap(), method, path, shown).await
}

pub(crate) async fn ask_over(channel: &Channel, method: &str, path: &str, shown: &Shown) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
        .body(Body::empty())
        .unwrap();
    for (name, value) in shown.headers() {
        let value = HeaderValue::try_from(value).unwrap();
        request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    let (head, body) = channel.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(crate) async fn create(address: &str, shown: &Shown) -> Answer {
    ask(address, "POST", &format!("{SERVICE}CreateOrder"), shown).await
}

/// Writes this to the socket, byte for byte, and reads until the server has closed it.
pub(crate) async fn raw(address: &str, text: &str) -> Answer {
    let mut socket = TcpStream::connect(address.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::try_from(value).unwrap(),
        );
    }
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: body.to_owned(),
    }
}

/// A proof for a request, with a token that is good for the rest.
pub(crate) fn shown(stand: &Stand, method: &str, path: &str, token: &str) -> Shown {
    let mut claims = stand.proof_claims("", token);
    claims["htm"] = method.into();
    claims["htu"] = format!("{ORIGIN}{path}").into();
    Shown::new(token, &proof_of(&stand.caller_key, &claims))
}

impl Expected {
    /// As [`check`](Self::check), of an answer over HTTP: the same reason, and HTTP's words for it.
    pub(crate) fn check_http(self, row: &str, answer: &Answer, algorithms: Algorithms) {
        if self == Self::Ok {
            return assert_eq!(answer.status, 200, "{row}: {answer:?}");
        }
        let (_, reason, error) = self.wire();
        let status = self.status();
        assert_eq!(answer.status, status.as_u16(), "{row}: {answer:?}");
        let problem = answer.problem();
        assert_eq!(problem["reason"], reason.as_str_name(), "{row}: {answer:?}");
        assert_eq!(problem["error"].as_str(), error, "{row}");
        assert_eq!(problem["status"], status.as_u16(), "{row}");
        assert_eq!(
            problem["title"].as_str(),
            status.canonical_reason(),
            "{row}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{row}");

        let detail = problem["detail"].as_str().unwrap();
        let asked: String = ["scope", "acr_values", "max_age"]
            .iter()
            .filter_map(|name| Some(format!("{name}=\"{}\", ", problem[name].as_str()?)))
            .collect();
        let last = format!("algs=\"{algorithms}\", resource_metadata=\"");
        let expected = match (self, error) {
            (Self::Missing, _) => Some(format!("DPoP {last}")),
            (Self::NoRule | Self::NotOwner | Self::X | Self::Unreachable, _) | (_, None) => None,
            (_, Some(error)) => Some(format!(
                "DPoP error=\"{error}\", error_description=\"{detail}\", {asked}{last}"
            )),
        };
        let challenge = answer.header("www-authenticate");
        // Who describes which resource is told by other tests.
        let up_to_place = challenge.map(|it| &it[..it.rfind("=\"").unwrap() + 2]);
        assert_eq!(up_to_place, expected.as_deref(), "{row}");
        let nonces = answer.headers.get_all("dpop-nonce").iter().count();
        assert_eq!(nonces, usize::from(self == Self::N), "{row}");
        let waits = matches!(self, Self::X | Self::Unreachable);
        let after = answer.header("retry-after");
        assert_eq!(after.is_some(), waits, "{row}");
        let secs = after.map_or(5, |secs| secs.parse().unwrap());
        assert!((5..=7).contains(&secs), "{row}: {secs}");
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Ok => StatusCode::OK,
            Self::P
            | Self::Spent
            | Self::T
            | Self::Expired
            | Self::Revoked
            | Self::N
            | Self::Missing
            | Self::StepUp => StatusCode::UNAUTHORIZED,
            Self::R => StatusCode::BAD_REQUEST,
            Self::X => StatusCode::TOO_MANY_REQUESTS,
            Self::Scope | Self::NotOwner | Self::NoRule => StatusCode::FORBIDDEN,
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
