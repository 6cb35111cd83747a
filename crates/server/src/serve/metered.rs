//! A socket whose bytes are counted, below TLS: so that empty records count too; and whose end is
//! heard by the peer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::linger::Linger;
use super::traffic::Traffic;

/// Fails when more came than calls have paid for.
pub(super) struct Metered<S> {
    stream: S,
    traffic: Arc<Traffic>,
    /// Our half has ended, and the other's is waited for.
    ending: Option<Linger>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, traffic: Arc<Traffic>) -> Self {
        Self {
            stream,
            traffic,
            ending: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.traffic.received(buf.filled().len() - before) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other(
                "more bytes than its calls account for",
            )))
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Metered<S> {
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
        let this = &mut *self;
        if this.ending.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let linger = this.ending.get_or_insert_default();
        linger.poll(&mut this.stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Dropped without that, a socket with something unread in it resets the connection.
    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_the_peer_has_read_its_end() {
        let (ours, mut peer) = duplex(64);
        let begun = Instant::now();
        let traffic = Arc::new(Traffic::new(begun, Arc::default()));
        let mut ours = Metered::new(ours, traffic);
        let late = Duration::from_millis(300);
        let peer = tokio::spawn(async move {
            peer.write_all(b"one call more").await.expect("written");
            sleep(late).await;
            peer.write_all(b"and another")
                .await
                .expect("nobody has gone");
            let mut read = String::new();
            peer.read_to_string(&mut read).await.expect("read");
            read
        });
        ours.write_all(b"go elsewhere").await.expect("written");
        ours.shutdown().await.expect("ended");
        assert_eq!(begun.elapsed(), late);
        assert_eq!(peer.await.expect("no panic"), "go elsewhere");
    }
}
