//! Serving: connections on their workers, HTTP with our limits, and an end for every connection.
//!
//! `listen` accepts a connection; a worker (`workers`) shakes hands, speaks HTTP and polls the
//! calls (`connection`, `calls`). What a connection did so far is its `traffic`; when it must end is
//! decided by `life`.

mod calls;
mod connection;
mod heads;
mod life;
mod linger;
mod metered;
#[cfg(test)]
mod tests;
mod traffic;
mod workers;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_client::clock::Clock;
use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower_service::Service;

use crate::listen::{self, Listener, Places};
use crate::tls::Certificates;
use crate::wire::MESSAGE_BYTES_MAX;
pub(crate) use heads::EndsTwice;
pub(crate) use life::Peers;
pub(crate) use workers::Workers;

/// Streams of one connection at once: what HTTP/2 itself recommends (RFC 9113 §6.5.2). A caller
/// that needs more opens another connection.
const STREAMS_MAX: u32 = 100;

/// The largest header list: a proof of 4 KiB, a token of 8 KiB, and as much again for the rest.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// What one call may send before somebody reads it: a whole message.
const STREAM_WINDOW_BYTES: u32 = MESSAGE_BYTES_MAX as u32;

/// What all calls of a connection may send before somebody reads it: 100 usual requests of 2 KiB
/// each, and four of the largest. 10,000 connections that fill it hold 2.5 GiB, and none of them
/// for longer than a call may take.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What of one answer waits for a peer that does not read: a whole message.
const SEND_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// A silent peer is asked whether it is there; most balancers forget a flow after a minute.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// A peer that does not answer by then is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls that were taken back before we saw them (rapid reset, CVE-2023-44487): as many as h2
/// itself allows, since an honest client cancels a few and then waits for its answers.
const RESETS_PENDING_MAX: usize = 20;

/// Calls of one connection that we ended because they broke HTTP/2's rules (RUSTSEC-2024-0003): an
/// honest peer breaks none, and one that breaks a hundred is no peer for us.
const RESETS_BY_ERROR_MAX: usize = 100;

/// How long the head of an HTTP/1.1 request may take, and how long such a connection may be silent
/// between two. (The first request has less: see `life`.)
const HEAD_DUE: Duration = Duration::from_secs(30);

/// What a listener speaks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Speaks {
    /// HTTP/2: all that gRPC needs.
    Http2,
    /// HTTP/2 and HTTP/1.1: by ALPN, or by how the peer begins.
    Both,
}

/// How a listener treats its connections.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) tls: Option<Arc<Certificates>>,
    /// Clients are asked for certificates (RFC 8705), whose time is told by this clock. Where it is
    /// none they are not, and what one sends all the same counts for nothing.
    pub(crate) asks: Option<Arc<dyn Clock>>,
    pub(crate) speaks: Speaks,
    pub(crate) peers: Peers,
}

/// How a listener is told to stop, and what the stop waits for.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// Cancelled when no more connections are taken and those that are open end.
    pub(crate) begun: CancellationToken,
    /// Cancelled when every connection must end at once.
    pub(crate) cut: CancellationToken,
    /// The calls under way.
    pub(crate) calls: TaskTracker,
}

/// A service as it is mounted behind its layers. It never fails: every refusal is an answer.
pub(crate) trait Answers:
    Service<
        Request<Body>,
        Response = Response<Self::Answer>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    type Answer: http_body::Body<Data = Bytes, Error: Into<tonic::codegen::StdError>>
        + Send
        + 'static;
}

impl<S, B> Answers for S
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<tonic::codegen::StdError>> + Send + 'static,
{
    type Answer = B;
}

/// Why a listener does not serve any more.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error("a worker ended")]
    WorkerEnded,
}

/// Takes connections until `stop`, then lets calls in flight finish and returns when the last
/// connection has ended.
pub(crate) async fn serve<L: Listener, S: Answers>(
    listener: L,
    service: S,
    manner: Manner,
    places: Places,
    workers: Workers,
    stop: Stop,
) -> Result<(), ServeError> {
    let edge = Arc::new(connection::Edge {
        http: http(manner.speaks),
        manner,
        service,
        stop,
    });
    let connections = TaskTracker::new();
    let begin = |accepted, place| {
        let seat = workers.least_busy();
        let serving = connection::serve::<L, S>(accepted, place, seat.taken(), Arc::clone(&edge));
        connections.spawn_on(Box::pin(serving), seat.handle());
    };
    tokio::select! {
        biased;
        () = edge.stop.begun.cancelled() => {}
        () = workers.one_ended() => return Err(ServeError::WorkerEnded),
        never = listen::take(&listener, &places, begin) => match never {},
    }
    listen::take_waiting(listener, &places, begin);
    connections.close();
    connections.wait().await;
    workers.end().await;
    Ok(())
}

fn http(speaks: Speaks) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_BY_ERROR_MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DUE)
        .max_buf_size(HEADER_BYTES_MAX as usize);
    match speaks {
        Speaks::Http2 => builder.http2_only(),
        Speaks::Both => builder,
    }
}
