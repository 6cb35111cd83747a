//! The listener, a service behind it, and peers that are honest.

use std::future::{Ready, pending, ready};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use countersign_form::RestDue;
use h2::client::SendRequest;
use http::StatusCode;
use http_body::Frame;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::*;
use crate::listen::Place;

/// How long a call takes that takes long: less than a connection that is asked to end has.
pub(super) const LATER: Duration = Duration::from_secs(20);

/// What the service does, by path.
#[derive(Clone, Default)]
pub(super) struct Echo {
    /// Bytes of endless answers that were taken from the service.
    pub(super) taken: Arc<AtomicUsize>,
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = futures_util::future::Either<
        Ready<Result<Response<Body>, Infallible>>,
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        use futures_util::future::Either::{Left, Right};
        match request.uri().path() {
            "/panic" => panic!("as asked"),
            "/never" => Right(Box::pin(pending())),
            "/later" => Right(Box::pin(async {
                sleep(LATER).await;
                Ok(Response::new(Body::empty()))
            })),
            "/slow" => Right(Box::pin(async {
                sleep(Duration::from_millis(20)).await;
                Ok(Response::new(Body::empty()))
            })),
            "/watch" => Left(ready(Ok(Response::new(Body::new(
                http_body_util::StreamBody::new(futures_util::stream::pending::<
                    Result<Frame<Bytes>, Infallible>,
                >()),
            ))))),
            // As forms are read.
            "/rest" => Right(Box::pin(async move {
                let rest = request.extensions().get::<RestDue>().copied();
                let rest = rest.map_or(LATER, |rest| rest.0);
                let body = http_body_util::BodyExt::collect(request.into_body());
                let mut response = Response::new(Body::empty());
                if timeout(rest, body).await.is_err() {
                    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
                }
                Ok(response)
            })),
            "/whole" => Right(Box::pin(async move {
                let mut body = request.into_body();
                while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
                    if frame.is_err() {
                        return pending().await;
                    }
                }
                Ok(Response::new(Body::empty()))
            })),
            "/endless" => Left(ready(Ok(Response::new(Body::new(Endless(Arc::clone(
                &self.taken,
            ))))))),
            _ => Left(ready(Ok(Response::new(Body::empty())))),
        }
    }
}

/// An answer without an end.
pub(super) struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = Bytes::from_static(&[0; 1024]);
        self.0.fetch_add(piece.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// Connections that a test makes.
pub(super) struct Made(pub(super) Mutex<mpsc::UnboundedReceiver<DuplexStream>>);

impl Listener for Made {
    type Accepted = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<Option<DuplexStream>> {
        match self.0.lock().await.recv().await {
            Some(stream) => Ok(Some(stream)),
            None => pending().await,
        }
    }

    fn waiting(self) -> impl Iterator<Item = DuplexStream> {
        let mut made = self.0.into_inner();
        std::iter::from_fn(move || made.try_recv().ok())
    }

    fn open(accepted: DuplexStream) -> io::Result<DuplexStream> {
        Ok(accepted)
    }
}

pub(super) struct Edge {
    connect: mpsc::UnboundedSender<DuplexStream>,
    pub(super) service: Echo,
    pub(super) places: Places,
    pub(super) stop: Stop,
    pub(super) serving: JoinHandle<Result<(), ServeError>>,
}

impl Edge {
    pub(super) fn on(workers: Workers) -> Self {
        Self::of(Peers::Callers, workers)
    }

    pub(super) fn of(peers: Peers, workers: Workers) -> Self {
        let (connect, made) = mpsc::unbounded_channel();
        let (service, places, stop) = (Echo::default(), Places::new(100), Stop::default());
        let serving = tokio::spawn(serve(
            Made(Mutex::new(made)),
            service.clone(),
            Manner {
                asks: None,
                tls: None,
                speaks: Speaks::Http2,
                peers,
            },
            places.clone(),
            workers,
            stop.clone(),
        ));
        Self {
            connect,
            service,
            places,
            stop,
            serving,
        }
    }

    pub(super) fn here() -> Self {
        Self::on(Workers::here())
    }

    /// Takes so many places that they run short, and gives them back when it is dropped.
    pub(super) async fn scarce(&self) -> Vec<Place> {
        let mut taken = Vec::new();
        while self.places.taken() < 80 {
            taken.push(self.places.next().await);
        }
        taken
    }

    pub(super) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(1024 * 1024);
        self.connect.send(theirs).expect("it serves");
        ours
    }

    /// An honest peer, and when its connection ends.
    pub(super) async fn greet(&self) -> (SendRequest<Bytes>, JoinHandle<Duration>) {
        let begun = Instant::now();
        let (sender, connection) = h2::client::handshake(self.connect())
            .await
            .expect("greeted");
        let ends = tokio::spawn(async move {
            let _ = connection.await;
            begun.elapsed()
        });
        (sender.ready().await.expect("ready"), ends)
    }

    pub(super) async fn all_places_are_free(&self) {
        let freed = async {
            // But for the one that waits for the next connection.
            while self.places.taken() > 1 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let due = timeout(Duration::from_secs(30), freed).await;
        due.expect("every place is given back");
    }
}

pub(super) fn request(path: &str) -> Request<()> {
    Request::post(format!("http://localhost{path}"))
        .body(())
        .expect("a request")
}

/// Whether the peer was asked to end the connection (RFC 9113 §6.8), and told that nothing is wrong.
pub(super) async fn was_asked(sender: &mut SendRequest<Bytes>) -> bool {
    let refused = call(sender, "/").await.expect_err("the connection is over");
    asks(&refused)
}

pub(super) fn asks(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

pub(super) async fn call(sender: &mut SendRequest<Bytes>, path: &str) -> Result<(), h2::Error> {
    let (answer, _) = sender.send_request(request(path), true)?;
    answer.await.map(drop)
}
