//! One connection, from `accept` to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::io::InspectReader;
use tonic::transport::server::Connected;
use tracing::debug;

use super::calls::Calls;
use super::heads::Heads;
use super::life::{Life, Verdict};
use super::metered::Metered;
use super::traffic::Traffic;
use super::workers::Seated;
use super::{Answers, Manner, Stop};
use crate::listen::{Listener, Place};
use crate::random;

/// What all connections of a listener have in common.
pub(super) struct Edge<S> {
    pub(super) http: auto::Builder<TokioExecutor>,
    pub(super) manner: Manner,
    pub(super) service: S,
    pub(super) stop: Stop,
}

/// Serves one connection on the runtime of this task, and gives its place back.
pub(super) async fn serve<L: Listener, S: Answers>(
    accepted: L::Accepted,
    place: Place,
    seated: Seated,
    edge: Arc<Edge<S>>,
) {
    let opened = Instant::now();
    let life = Life::new(
        edge.manner.peers,
        opened,
        place.is_scarce(),
        u64::from_be_bytes(random::bytes()),
    );
    let traffic = Arc::new(Traffic::new(opened, seated.load()));
    // A child of its own: waiting on it takes no lock that other connections take.
    let cut = edge.stop.cut.child_token();
    let served = async {
        let stream = L::open(accepted)?;
        let mut calls = Calls {
            peer: stream.connect_info(),
            edge: Arc::clone(&edge),
            traffic: Arc::clone(&traffic),
            certificate: None,
            greeting: life.greeting(),
        };
        let stream = Metered::new(stream, traffic);
        match &edge.manner.tls {
            None => speak(stream, calls, life, &place).await,
            Some(certificates) => {
                let pair = certificates.in_use();
                let terms = match &edge.manner.asks {
                    Some(_) => pair.asking(),
                    None => pair.terms(edge.manner.speaks),
                };
                let acceptor = TlsAcceptor::from(Arc::clone(terms));
                let shaken = timeout_at(life.greeting().cut_due(), acceptor.accept(stream));
                // Boxed: a session is large, and a handshake is over soon.
                let stream = Box::pin(shaken).await??;
                if let Some(clock) = &edge.manner.asks {
                    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                    let shown = pair.judge(chain, clock.now()).map_err(io::Error::other)?;
                    calls.certificate = shown.map(Arc::new);
                }
                speak(stream, calls, life, &place).await
            }
        }
    };
    tokio::select! {
        ended = served => if let Err(problem) = ended {
            debug!(%problem, "a connection ended");
        },
        () = cut.cancelled() => {}
    }
    drop((place, seated));
}

/// Speaks HTTP until the peer ends it, or `life` does.
async fn speak<T, S, I>(
    stream: T,
    calls: Calls<S, I>,
    mut life: Life,
    place: &Place,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Answers,
    I: Clone + Send + Sync + 'static,
{
    let edge = Arc::clone(&calls.edge);
    let traffic = Arc::clone(&calls.traffic);
    let mut heads = Heads::default();
    let looks = Arc::clone(&traffic);
    let stream = InspectReader::new(stream, move |bytes: &[u8]| {
        if heads.read(bytes) {
            looks.ends_twice();
        }
    });
    let mut connection = pin!(edge.http.serve_connection(TokioIo::new(stream), calls));
    let stop = edge.stop.begun.child_token();
    let mut stopping = pin!(stop.cancelled());
    let mut stopped = false;
    let mut alarm = pin!(sleep_until(Instant::now()));
    loop {
        tokio::select! {
            // What has come counts before what is late: a worker that was held up finds both.
            biased;
            ended = &mut connection => return ended.map_err(io::Error::other),
            () = &mut stopping, if !stopped => {
                stopped = true;
                connection.as_mut().graceful_shutdown();
                life.asked(Instant::now());
            }
            // Calls that have just come are read by their own tasks.
            () = &mut alarm => yield_now().await,
        }
        let now = Instant::now();
        match life.verdict(traffic.seen(), place.is_scarce(), now) {
            Verdict::Wait(until) => alarm.as_mut().reset(until),
            Verdict::Ask => {
                connection.as_mut().graceful_shutdown();
                life.asked(now);
                alarm.as_mut().reset(now);
            }
            Verdict::Cut => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
