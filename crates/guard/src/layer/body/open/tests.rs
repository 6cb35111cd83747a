use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use super::super::tests::end;
use super::*;
use crate::streams::OpenStreams;
use crate::streams::tests::everything;

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A handler that computes for as long as it is let.
struct Slow {
    begins: mpsc::Sender<()>,
    let_go: mpsc::Receiver<()>,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        self.begins.send(()).unwrap();
        self.let_go.recv_timeout(SOON).unwrap();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"late")))))
    }
}

/// Only one worker: had it to wait for the handler, nothing else would go on.
#[test]
fn whoever_ends_a_stream_does_not_wait_for_its_handler() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _in = runtime.enter();
    let streams = Arc::new(OpenStreams::default());
    let (begins, begun) = mpsc::channel();
    let (lets_go, let_go) = mpsc::channel();
    let mut open = Open::new(Slow { begins, let_go }, end(&streams));
    let held = Arc::clone(&open.held);
    let handle = runtime.handle().clone();
    let asking = thread::spawn(move || {
        let _in = handle.enter();
        let came = open.poll_frame(&mut Context::from_waker(Waker::noop()));
        (came, open)
    });
    begun.recv_timeout(SOON).unwrap();
    streams.revoke(&everything());
    runtime.block_on(async {
        let goes_on = async {
            while !matches!(*held.lock(), Held::Gone) {
                tokio::spawn(tokio::task::yield_now()).await.unwrap();
            }
        };
        tokio::time::timeout(SOON / 2, goes_on)
            .await
            .expect("the stream is over while its handler runs");
    });
    assert_eq!(streams.len(), 0);
    lets_go.send(()).unwrap();
    let (came, open) = asking.join().unwrap();
    // What it came to say is not said any more, and it goes.
    assert!(matches!(came, Poll::Ready(Came::End(EndCause::Revoked))));
    assert!(lets_go.send(()).is_err(), "the handler's body is gone");
    drop(open);
}

/// There is one timer, of whoever ends the stream: it wakes who waits for more.
#[tokio::test(start_paused = true)]
async fn who_waits_for_more_hears_of_the_end() {
    for revoked in [false, true] {
        let streams = Arc::new(OpenStreams::default());
        let nothing = http_body_util::StreamBody::new(tokio_stream::pending::<
            Result<Frame<Bytes>, tonic::Status>,
        >());
        let mut open = Open::new(nothing, end(&streams));
        let waits = tokio::spawn(async move {
            let came = std::future::poll_fn(|cx| open.poll_frame(cx)).await;
            matches!(came, Came::End(cause) if (cause == EndCause::Revoked) == revoked)
        });
        tokio::task::yield_now().await;
        if revoked {
            streams.revoke(&everything());
        }
        // Time goes on by itself, to the next timer.
        assert!(waits.await.unwrap());
        assert_eq!(streams.len(), 0);
    }
}
