//! The end of a connection that loses nothing of what was said last.
//!
//! Whoever closes a socket in which something of the peer's lies unread resets the connection, and
//! a peer that writes into it then may never read what was sent to it before: that its last calls
//! are answered, and that it is asked to go elsewhere (GOAWAY, RFC 9113 §6.8). So the sending half
//! ends first, and what still comes is read and thrown away until the peer has ended its own
//! (RFC 9112 §9.6 asks the same of HTTP/1.1).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A peer has read the end by then, or is too far away to matter. In that time its place is taken.
const LINGER: Duration = Duration::from_secs(1);

/// What a peer may have on its way that knows nothing of the end yet: a connection's window is not
/// larger by default.
const BYTES_MAX: usize = 64 * 1024;

/// How far the end has come.
#[derive(Default)]
pub(super) struct Linger {
    until: Option<Pin<Box<Sleep>>>,
    thrown_away: usize,
}

impl Linger {
    /// Ready when the peer has ended too, or has had its time. To be asked once the sending half
    /// has ended.
    pub(super) fn poll(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; 1024];
        while self.thrown_away < BYTES_MAX {
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.thrown_away += read.filled().len(),
                // It has ended, one way or another.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    async fn lingered(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
        let begun = Instant::now();
        let mut linger = Linger::default();
        poll_fn(|cx| linger.poll(stream, cx)).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn what_still_comes_is_read_until_the_peer_ends() {
        let (mut ours, mut peer) = duplex(16);
        let half = Duration::from_millis(500);
        let peer = tokio::spawn(async move {
            // More than fits between the two: it waits until it is read.
            peer.write_all(&[7; 40_000]).await.expect("read");
            tokio::time::sleep(half).await;
        });
        assert_eq!(lingered(&mut ours).await, half);
        peer.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_end_is_not_waited_for() {
        let (mut ours, _silent) = duplex(16);
        assert_eq!(lingered(&mut ours).await, LINGER);
        let (mut ours, mut peer) = duplex(16);
        let peer = tokio::spawn(async move { while peer.write_all(&[7; 64]).await.is_ok() {} });
        assert_eq!(lingered(&mut ours).await, Duration::ZERO, "it floods");
        drop(ours);
        peer.await.expect("no panic");
    }
}
