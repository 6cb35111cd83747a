//! A connection that holds a place, must greet in time, and can be cut.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// A peer that says nothing for so long holds no place.
const GREETING_DUE: Duration = Duration::from_secs(5);

/// A connection is asked to end after at most 330 s (`stack.rs`). Who has not half a minute later
/// never will: a request that does not end, a stream that nobody reads.
const LIFE_MAX: Duration = Duration::from_secs(360);

/// The length of HTTP/2's connection preface (RFC 9113 §3.4); a TLS `ClientHello` is longer.
const GREETING_BYTES: usize = 24;

/// A connection as it is served.
pub(crate) struct Connection<S> {
    stream: S,
    greeting: Option<Greeting>,
    /// Over when the connection must end at once.
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: OwnedSemaphorePermit,
}

struct Greeting {
    received: usize,
    due: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, place: OwnedSemaphorePermit, cut: &CancellationToken) -> Self {
        Self {
            stream,
            greeting: Some(Greeting {
                received: 0,
                due: Box::pin(sleep(GREETING_DUE)),
            }),
            end: Box::pin(end(cut.clone())),
            _place: place,
        }
    }
}

async fn end(cut: CancellationToken) {
    tokio::select! {
        () = cut.cancelled() => {}
        () = sleep(LIFE_MAX) => {}
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(greeting) = &mut self.greeting {
            greeting.received += buf.filled().len() - before;
            if greeting.received >= GREETING_BYTES {
                self.greeting = None;
            } else if read.is_pending() && greeting.due.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Connected> Connected for Connection<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;

    struct Taken {
        peer: DuplexStream,
        connection: Connection<DuplexStream>,
        places: Arc<Semaphore>,
        cut: CancellationToken,
    }

    async fn taken() -> Taken {
        let (peer, stream) = duplex(64);
        let places = Arc::new(Semaphore::new(1));
        let cut = CancellationToken::new();
        let place = Arc::clone(&places).acquire_owned().await;
        Taken {
            peer,
            connection: Connection::new(stream, place.expect("open"), &cut),
            places,
            cut,
        }
    }

    async fn greeted() -> Taken {
        let mut taken = taken().await;
        let mut greeting = [0; GREETING_BYTES];
        taken.peer.write_all(&greeting).await.expect("written");
        taken
            .connection
            .read_exact(&mut greeting)
            .await
            .expect("read");
        taken
    }

    async fn ends(taken: &mut Taken) -> (io::ErrorKind, Duration) {
        let begun = Instant::now();
        let ended = taken.connection.read_u8().await.expect_err("ends");
        (ended.kind(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_greet_is_not_waited_for() {
        let mut taken = taken().await;
        taken.peer.write_all(b"PRI").await.expect("written");
        let mut half = [0; 3];
        taken.connection.read_exact(&mut half).await.expect("read");
        let (kind, after) = ends(&mut taken).await;
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert_eq!(after.as_secs(), GREETING_DUE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_outlives_its_age_is_cut_and_gives_its_place_back() {
        let mut taken = greeted().await;
        let (kind, after) = ends(&mut taken).await;
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
        assert_eq!(after.as_secs(), LIFE_MAX.as_secs());
        assert_eq!(taken.places.available_permits(), 0);
        drop(taken.connection);
        assert_eq!(taken.places.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_cut_ends_at_once() {
        let mut taken = greeted().await;
        taken.cut.cancel();
        let (kind, after) = ends(&mut taken).await;
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
        assert!(after < Duration::from_secs(1));
    }
}
