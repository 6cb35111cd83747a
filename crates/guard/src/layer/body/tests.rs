use std::task::Waker;
use std::time::Duration;

use countersign_jose::{Thumbprint, json};
use http_body_util::StreamBody;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Code;

use super::*;
use crate::authority::Claims;
use crate::streams::OpenStreams;
use crate::streams::tests::everything;

pub(in crate::layer) const LIFE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

/// What a poll came to.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Nothing,
    Data,
    Trailers(Code),
    Error(Code),
    End,
}

pub(in crate::layer) fn end(streams: &Arc<OpenStreams>) -> StreamEnd {
    let payload = br#"{"iss":"i","sub":"s","client_id":"c","jti":"j","aud":"a","iat":1,"exp":2}"#;
    let payload = json::object(payload).unwrap();
    let signer = Thumbprint::from_bytes([1; 32]);
    let claims = Arc::new(Claims::read(&payload, "i", signer).unwrap());
    StreamEnd::of(OpenStream {
        ends_in: LIFE,
        cause: EndCause::Expired,
        place: streams.open(claims, |_| true),
    })
}

fn poll<B>(body: &mut B) -> Came
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut cx) {
        Poll::Pending => Came::Nothing,
        Poll::Ready(None) => Came::End,
        Poll::Ready(Some(Err(status))) => Came::Error(status.code()),
        Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
            Some(trailers) => Came::Trailers(Status::from_header_map(trailers).unwrap().code()),
            None => Came::Data,
        },
    }
}

type Sent = Result<Frame<Bytes>, Status>;

fn data() -> Sent {
    Ok(Frame::data(Bytes::from_static(b"x")))
}

fn trailers() -> Sent {
    Ok(Frame::trailers(respond::headers(&Status::ok(""))))
}

fn answered<S>(streams: &Arc<OpenStreams>, sent: S) -> GuardBody<StreamBody<S>>
where
    S: Stream<Item = Sent> + Send + 'static,
{
    let inner = StreamBody::new(sent);
    GuardBody::of(inner, Treatment::Stripped, Some(end(streams)))
}

/// What always has more, and whether it is still there.
fn endless() -> (impl Stream<Item = Sent> + Send + 'static, impl Fn() -> bool) {
    let held = Arc::new(());
    let there = Arc::downgrade(&held);
    let more = tokio_stream::iter(std::iter::repeat_with(data)).map(move |sent| {
        let _held = &held;
        sent
    });
    (more, move || there.upgrade().is_some())
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_always_has_more_ends_at_the_very_moment() {
    let streams = Arc::new(OpenStreams::default());
    let (more, there) = endless();
    let mut body = answered(&streams, more);
    assert_eq!(poll(&mut body), Came::Data);
    tokio::time::advance(LIFE - MOMENT).await;
    assert_eq!(poll(&mut body), Came::Data);
    tokio::time::advance(MOMENT).await;
    assert_eq!(poll(&mut body), Came::Trailers(Code::Unauthenticated));
    assert!(!there(), "the handler's stream goes at once");
    assert_eq!(streams.len(), 0);
    assert!(body.is_end_stream());
    assert_eq!(poll(&mut body), Came::End);
}

/// The server does not ask for more while its caller does not read.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_asks_for_ends_all_the_same() {
    for by in [EndCause::Expired, EndCause::Revoked, EndCause::Unvouched] {
        let streams = Arc::new(OpenStreams::default());
        let (more, there) = endless();
        let mut body = answered(&streams, more);
        assert_eq!(poll(&mut body), Came::Data);
        tokio::time::sleep(LIFE - MOMENT).await;
        assert!(there() && streams.len() == 1);
        match by {
            EndCause::Expired | EndCause::TooOld => tokio::time::sleep(MOMENT * 2).await,
            EndCause::Revoked => streams.revoke(&everything()),
            EndCause::Unvouched => streams.end_unvouched(),
        }
        tokio::task::yield_now().await;
        assert!(!there(), "the handler's stream goes, {by:?}");
        assert_eq!(streams.len(), 0);
        assert!(!body.is_end_stream(), "its end is told yet");
        let code = respond::stream_ended(by).code();
        assert_eq!(poll(&mut body), Came::Trailers(code));
        assert_eq!(poll(&mut body), Came::End);
    }
}

/// Whoever waits for the end of a stream goes with it.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_end_of_a_stream_that_is_gone() {
    let tasks = || {
        let runtime = tokio::runtime::Handle::current();
        runtime.metrics().num_alive_tasks()
    };
    let streams = Arc::new(OpenStreams::default());
    let before = tasks();
    let ended = tokio_stream::iter(vec![data(), trailers()]);
    let mut ended = answered(&streams, ended);
    let dropped = answered(&streams, tokio_stream::pending());
    assert_eq!(tasks(), before + 2);
    assert_eq!(poll(&mut ended), Came::Data);
    assert_eq!(poll(&mut ended), Came::Trailers(Code::Ok));
    drop(dropped);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), before);
    assert_eq!(streams.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_ended_does_not_end_again() {
    let failed = || Err(Status::internal("the handler"));
    for (last, came) in [
        (Some(trailers()), Came::Trailers(Code::Ok)),
        (Some(failed()), Came::Error(Code::Internal)),
        (None, Came::End),
    ] {
        let streams = Arc::new(OpenStreams::default());
        let sent: Vec<_> = std::iter::once(data()).chain(last).collect();
        let mut body = answered(&streams, tokio_stream::iter(sent));
        assert_eq!(poll(&mut body), Came::Data);
        assert_eq!(poll(&mut body), came);
        assert_eq!(streams.len(), 0, "its place is given back");
        tokio::time::advance(LIFE * 2).await;
        assert_eq!(poll(&mut body), Came::End);
    }
}

/// A handler that refuses says so in the headers, and has nothing to add.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_does_not_end_either() {
    let streams = Arc::new(OpenStreams::default());
    let inner = tonic::body::Body::empty();
    let mut body = GuardBody::of(inner, Treatment::Stripped, Some(end(&streams)));
    assert_eq!(streams.len(), 0, "its place is given back");
    tokio::time::advance(LIFE * 2).await;
    assert_eq!(poll(&mut body), Came::End);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_end_early_promises_no_length() {
    let streams = Arc::new(OpenStreams::default());
    let full = || http_body_util::Full::new(Bytes::from_static(b"whole"));
    let stream = GuardBody::of(full(), Treatment::Stripped, Some(end(&streams)));
    assert_eq!(stream.size_hint().exact(), None);
    let unary = GuardBody::of(full(), Treatment::Stripped, None);
    assert_eq!(unary.size_hint().exact(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_ends_once_and_nothing_comes_after_it() {
    let streams = Arc::new(OpenStreams::default());
    let (more, there) = endless();
    let end = end(&streams);
    let mut body = AskedBody::new(tonic::body::Body::new(StreamBody::new(more)), &end);
    tokio::time::advance(LIFE - MOMENT).await;
    assert_eq!(poll(&mut body), Came::Data);
    tokio::time::advance(MOMENT).await;
    assert_eq!(poll(&mut body), Came::Error(Code::Unauthenticated));
    assert!(!there(), "what was not read goes at once");
    assert!(body.is_end_stream());
    assert_eq!(poll(&mut body), Came::End);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_to_its_end_does_not_end_again() {
    let streams = Arc::new(OpenStreams::default());
    let end = end(&streams);
    let asks = StreamBody::new(tokio_stream::once(data()));
    let mut body = AskedBody::new(tonic::body::Body::new(asks), &end);
    assert_eq!(poll(&mut body), Came::Data);
    assert_eq!(poll(&mut body), Came::End);
    tokio::time::advance(LIFE * 2).await;
    assert_eq!(poll(&mut body), Came::End);
}
