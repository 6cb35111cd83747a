//! What the HTTP edge adds: the same token of the same service, once over gRPC, once by `/token`.
//! HTTP/1.1 answers one request after another, so each stream has a connection of its own there.

use std::sync::Arc;

use bytes::Bytes;
use countersign::token::v1::client_authentication::Credential::ClientSecret;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use url::form_urlencoded::Serializer;

use crate::call::{Batch, Failed, Link};
use crate::load::closed;
use crate::plan::Cell;
use crate::run::{Round, own_time, within};
use crate::world::{ORDERS, TokenService};
use crate::{BenchError, World};

const PATH: &str = "/token";

/// The one of HTTP.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Our side; the other is a round as any other.
pub(crate) async fn round(
    world: &mut World,
    cell: Cell,
    version: Version,
) -> Result<Round, BenchError> {
    let tokens = world.tokens().await?;
    let requests = (0..cell.calls)
        .map(|_| request(tokens))
        .collect::<Result<Vec<_>, _>>()?;
    let server = tokens.process();
    let connections = match version {
        Version::Http1 => cell.shape.streams,
        Version::Http2 => cell.shape.connections,
    };
    let url = &server.facts().url;
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(url, version).await?);
    }
    let before = (server.used()?, own_time()?);
    let work = closed(&open, Batch::new(requests, check), cell.shape.streams);
    let measurement = within(cell.row, work).await?;
    let after = (server.used()?, own_time()?);
    Ok(Round {
        measurement,
        used: after.0.since(before.0),
        load: after.1.saturating_sub(before.1),
        memory_mib: server.memory_mib()?,
    })
}

/// The request that the row `issue_secret` makes over gRPC, as a form.
fn request(tokens: &TokenService) -> Result<Request<Full<Bytes>>, BenchError> {
    let client = tokens.shown(tokens.checkout())?.unwrap_or_default();
    let Some(ClientSecret(secret)) = &client.credential else {
        return Err(BenchError::Asked("a client without a secret".to_owned()));
    };
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &client.client_id)
        .append_pair("client_secret", secret)
        .append_pair("scope", "orders.write")
        .append_pair("resource", ORDERS)
        .finish();
    let issuer: Uri = tokens
        .issuer()
        .parse()
        .map_err(BenchError::preparing("the issuer's name"))?;
    let wrong = || BenchError::preparing("a request");
    let authority = issuer
        .authority()
        .map_or("", |authority| authority.as_str());
    let uri = format!("{}{PATH}", tokens.issuer());
    let mut proof = HeaderValue::try_from(tokens.prover().proof(PATH, None)?).map_err(wrong())?;
    proof.set_sensitive(true);
    Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, "countersign-bench")
        .header("dpop", proof)
        .body(Full::from(form))
        .map_err(BenchError::preparing("a request"))
}

#[derive(Clone)]
enum Connection {
    /// One request at a time.
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(url: &str, version: Version) -> Result<Self, BenchError> {
        let broken = || BenchError::preparing("a connection");
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let socket = TcpStream::connect(address).await.map_err(broken())?;
        socket.set_nodelay(true).map_err(broken())?;
        let socket = TokioIo::new(socket);
        Ok(match version {
            Version::Http1 => {
                let (send, driver) = http1::handshake(socket)
                    .await
                    .map_err(BenchError::preparing("a connection"))?;
                // Its end is seen by the requests on it.
                drop(tokio::spawn(driver));
                Self::Http1(Arc::new(Mutex::new(send)))
            }
            Version::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), socket).await;
                let (send, driver) = handshake.map_err(BenchError::preparing("a connection"))?;
                drop(tokio::spawn(driver));
                Self::Http2(send)
            }
        })
    }
}

impl Link for Connection {
    type Call = Request<Full<Bytes>>;

    fn message_bytes(request: &Self::Call) -> usize {
        let bytes = request.body().size_hint().lower();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    async fn call(&mut self, mut request: Self::Call) -> Result<Bytes, Failed> {
        let response = match self {
            Self::Http1(send) => {
                // The path alone: it is no proxy that is asked (RFC 9112 §3.2.1).
                *request.uri_mut() = Uri::from_static(PATH);
                let mut send = send.lock().await;
                send.ready().await?;
                let response = send.send_request(request).await?;
                return answered(response).await;
            }
            Self::Http2(send) => {
                // `:authority` says it (RFC 9113 §8.3.1).
                request.headers_mut().remove(header::HOST);
                send.ready().await?;
                send.send_request(request).await?
            }
        };
        answered(response).await
    }
}

async fn answered(response: Response<Incoming>) -> Result<Bytes, Failed> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    match status {
        StatusCode::OK => Ok(body),
        _ => Err(Failed::Status(status.to_string())),
    }
}

/// The parts of RFC 6749 §5.1 that are looked at.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    scope: String,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where a function of a message is wanted"
)]
fn check(_: usize, body: Bytes) -> Result<(), Failed> {
    let wrong = |_| Failed::Wrong("it is no token");
    let answer: Answer = serde_json::from_slice(&body).map_err(wrong)?;
    match answer.token_type == "DPoP" && answer.scope == "orders.write" {
        true if !answer.access_token.is_empty() => Ok(()),
        _ => Err(Failed::Wrong("another token than was asked for")),
    }
}

impl From<hyper::Error> for Failed {
    fn from(error: hyper::Error) -> Self {
        Self::Connection(error.to_string())
    }
}
