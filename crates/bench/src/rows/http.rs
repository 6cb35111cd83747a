//! Requests over HTTP that is not gRPC.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::call::{Batch, Failed, Link};
use crate::load::closed;
use crate::plan::Cell;
use crate::run::{Round, own_time, within};
use crate::{BenchError, Process};

/// The one of HTTP.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Makes these requests, over as many connections as that takes.
pub(super) async fn round(
    server: &mut Process,
    cell: Cell,
    version: Version,
    batch: Batch<Request<Full<Bytes>>>,
) -> Result<Round, BenchError> {
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
    let work = closed(&open, batch, cell.shape.streams);
    let measurement = within(cell.row, work).await?;
    let after = (server.used()?, own_time()?);
    Ok(Round {
        measurement,
        used: after.0.since(before.0),
        load: after.1.saturating_sub(before.1),
        memory_mib: server.memory_mib()?,
    })
}

#[derive(Clone)]
pub(super) enum Connection {
    /// One request at a time.
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(super) async fn open(url: &str, version: Version) -> Result<Self, BenchError> {
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
                *request.uri_mut() = path(request.uri());
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

fn path(uri: &Uri) -> Uri {
    uri.path_and_query()
        .cloned()
        .map(Uri::from)
        .unwrap_or_default()
}

impl From<hyper::Error> for Failed {
    fn from(error: hyper::Error) -> Self {
        Self::Connection(error.to_string())
    }
}
