//! One call on the wire: made and signed beforehand, sent as it is, its answer
//! checked.
//!
//! Calls go straight into HTTP/2, without the layers of a generated client: the
//! load must cost less than the server that it measures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use countersign_client::outcome::Refused;
use h2::client::SendRequest;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Status;

use crate::BenchError;

/// As hyper's client has it, so that the server does the same flow control.
const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 5 * 1024 * 1024;

/// A compressed-flag and four bytes of length before every message.
const PREFIX_BYTES: usize = 5;

/// A call that is ready to be sent.
#[derive(Debug)]
pub struct Call {
    path: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
}

/// Why a call counts as failed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Failed {
    /// The server refused, and said why.
    #[error("refused: {0}")]
    Refused(String),
    /// Another status than OK.
    #[error("status {0}")]
    Status(String),
    /// The connection or the stream broke.
    #[error("connection: {0}")]
    Connection(String),
    /// The answer is not what it must be.
    #[error("wrong answer: {0}")]
    Wrong(&'static str),
    /// There was none for as long as it was waited.
    #[error("no answer")]
    Unanswered,
}

/// How many calls failed, by reason.
pub type Failures = BTreeMap<Failed, u64>;

/// Counts `more` as well.
pub(crate) fn count_in(all: &mut Failures, more: &Failures) {
    for (failed, count) in more {
        *all.entry(failed.clone()).or_default() += count;
    }
}

impl Call {
    /// A call of the method at `path`, as in `/package.Service/Method`.
    pub fn new(path: &'static str, message: &impl Message) -> Self {
        let length = message.encoded_len();
        let mut body = BytesMut::with_capacity(PREFIX_BYTES + length);
        body.put_u8(0);
        body.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        // There is room: it was just made.
        let _ = message.encode(&mut body);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static("countersign-bench"),
        );
        Self {
            path: PathAndQuery::from_static(path),
            headers,
            body: body.freeze(),
        }
    }

    /// With a DPoP proof.
    #[must_use]
    pub fn proof(self, proof: &str) -> Self {
        self.secret(HeaderName::from_static("dpop"), proof)
    }

    /// With an access token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.secret(header::AUTHORIZATION, &format!("DPoP {token}"))
    }

    fn secret(mut self, name: HeaderName, text: &str) -> Self {
        // Proofs and tokens are base64url and dots.
        if let Ok(mut value) = HeaderValue::from_str(text) {
            // As a client marks it: HPACK then keeps it out of its tables.
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// The message's bytes.
    pub fn message_bytes(&self) -> usize {
        self.body.len() - PREFIX_BYTES
    }
}

/// Checks the answer to the call of this number.
type Check = Box<dyn Fn(usize, Bytes) -> Result<(), Failed> + Send + Sync>;

/// Calls that are made together, in order, each once.
pub struct Batch<C = Call> {
    calls: Vec<Mutex<Option<C>>>,
    next: AtomicUsize,
    check: Check,
}

impl<C> Batch<C> {
    /// These calls; `check` sees the message of every answer with the number of
    /// its call, the first being 0.
    pub fn new(
        calls: Vec<C>,
        check: impl Fn(usize, Bytes) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Self {
        Self {
            calls: calls
                .into_iter()
                .map(|call| Mutex::new(Some(call)))
                .collect(),
            next: AtomicUsize::new(0),
            check: Box::new(check),
        }
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next call that nobody has taken.
    pub(crate) fn take(&self) -> Option<(usize, C)> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let mut slot = self
                .calls
                .get(number)?
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(call) = slot.take() {
                return Some((number, call));
            }
        }
    }

    pub(crate) fn check(&self, number: usize, answer: Bytes) -> Result<(), Failed> {
        (self.check)(number, answer)
    }
}

impl Batch {
    /// As [`new`](Self::new), where every answer is a message that can be judged
    /// by itself.
    pub fn of<M: Message + Default>(
        calls: Vec<Call>,
        check: impl Fn(M) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Self {
        Self::new(calls, move |_, bytes| check(decode(bytes)?))
    }
}

/// Reads an answer's message.
///
/// # Errors
/// [`Failed::Wrong`] where it is none.
pub fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, Failed> {
    M::decode(bytes).map_err(|_| Failed::Wrong("it does not decode"))
}

/// A connection that calls of one kind are made on.
pub trait Link: Clone + Send + 'static {
    /// A call that is ready to be sent.
    type Call: Send;

    /// The bytes of its message.
    fn message_bytes(call: &Self::Call) -> usize;

    /// Makes it; its answer's message comes back.
    ///
    /// # Errors
    /// Why it failed.
    fn call(&mut self, call: Self::Call) -> impl Future<Output = Result<Bytes, Failed>> + Send;
}

impl Link for Connection {
    type Call = Call;

    fn message_bytes(call: &Call) -> usize {
        call.message_bytes()
    }

    async fn call(&mut self, call: Call) -> Result<Bytes, Failed> {
        Connection::call(self, call).await
    }
}

/// A connection to one server.
#[derive(Clone)]
pub struct Connection {
    send: SendRequest<Bytes>,
    authority: Authority,
}

impl Connection {
    /// Connects; needs a tokio runtime, on which the connection is driven.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn open(url: &str) -> Result<Self, BenchError> {
        let doing = || format!("connecting to {url}");
        let refused = |_| BenchError::Asked(format!("{url} is not a URL to connect to"));
        let authority: Authority = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .map_err(refused)?;
        let socket = TcpStream::connect(authority.as_str())
            .await
            .map_err(BenchError::system(doing()))?;
        socket
            .set_nodelay(true)
            .map_err(BenchError::system(doing()))?;
        let broken = |error: h2::Error| {
            BenchError::system(doing())(std::io::Error::other(error.to_string()))
        };
        let (send, driver) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .enable_push(false)
            .handshake(socket)
            .await
            .map_err(broken)?;
        // Its end is seen by the calls on it.
        drop(tokio::spawn(driver));
        Ok(Self { send, authority })
    }

    /// Opens several.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_many(url: &str, count: usize) -> Result<Vec<Self>, BenchError> {
        let mut open = Vec::with_capacity(count);
        for _ in 0..count {
            open.push(Self::open(url).await?);
        }
        Ok(open)
    }

    /// Opens it anew if the server has closed it: one that had no call for a minute is closed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn reopen(&mut self) -> Result<(), BenchError> {
        if self.send.clone().ready().await.is_err() {
            *self = Self::open(self.authority.as_str()).await?;
        }
        Ok(())
    }

    /// Makes a call; its answer's message comes back.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn call(&self, call: Call) -> Result<Bytes, Failed> {
        let request = self.request(call.path, call.headers)?;
        let mut send = self.send.clone().ready().await?;
        let (answer, mut stream) = send.send_request(request, false)?;
        stream.send_data(call.body, true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut message = BytesMut::new();
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            body.flow_control().release_capacity(bytes.len())?;
            message.extend_from_slice(&bytes);
        }
        match body.trailers().await? {
            Some(trailers) => succeeded(&trailers)?,
            // An answer without a message has its status in its head.
            None => succeeded(&head.headers)?,
        }
        unframed(message.freeze())
    }

    /// Makes a call that has failed if it has no answer within this time.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn call_within(&self, patience: Duration, call: Call) -> Result<Bytes, Failed> {
        timeout(patience, self.call(call))
            .await
            .unwrap_or(Err(Failed::Unanswered))
    }

    fn request(&self, path: PathAndQuery, headers: HeaderMap) -> Result<Request<()>, Failed> {
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|_| Failed::Wrong("the call has no URL"))?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl From<h2::Error> for Failed {
    fn from(error: h2::Error) -> Self {
        Self::Connection(error.to_string())
    }
}

fn succeeded(trailers: &HeaderMap) -> Result<(), Failed> {
    match trailers.get("grpc-status").map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(()),
        None => Err(Failed::Wrong("it has no status")),
        Some(number) => Err(refusal(number, trailers)),
    }
}

fn refusal(number: &[u8], trailers: &HeaderMap) -> Failed {
    let status = Status::from_header_map(trailers);
    match status.as_ref().and_then(Refused::of) {
        Some(refused) => Failed::Refused(refused.reason.as_str_name().to_owned()),
        None => Failed::Status(format!(
            "{}: {}",
            String::from_utf8_lossy(number),
            status.as_ref().map_or("", Status::message)
        )),
    }
}

fn unframed(mut message: Bytes) -> Result<Bytes, Failed> {
    const WRONG: Failed = Failed::Wrong("it is not one plain message");
    let prefix = message.get(..PREFIX_BYTES).ok_or(WRONG)?;
    let length = <[u8; 4]>::try_from(&prefix[1..]).map_err(|_| WRONG)?;
    if prefix[0] != 0 || u32::from_be_bytes(length) as usize != message.len() - PREFIX_BYTES {
        return Err(WRONG);
    }
    Ok(message.split_off(PREFIX_BYTES))
}

#[cfg(test)]
mod tests {
    use countersign::example::v1::CreateOrderRequest;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;
    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_call_is_framed_and_an_answer_unframed() {
        let item = "tea".to_owned();
        let call = Call::new("/s/m", &CreateOrderRequest { item });
        let message = unframed(call.body.clone()).expect("a frame");
        assert_eq!(message.len(), call.message_bytes());
        let read: CreateOrderRequest = decode(message).expect("a message");
        assert_eq!(read.item, "tea");
        for wrong in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a"] {
            let refused = unframed(Bytes::from_static(wrong));
            assert!(refused.is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_call_is_taken_once() {
        let calls = (0..3)
            .map(|_| Call::new("/s/m", &CreateOrderRequest::default()))
            .collect();
        let batch = Batch::new(calls, |_, _| Ok(()));
        let taken: Vec<usize> = std::iter::from_fn(|| batch.take())
            .map(|(number, _)| number)
            .collect();
        assert_eq!(taken, [0, 1, 2]);
        assert!(batch.take().is_none());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_is_opened_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (ended, end) = oneshot::channel();
        tokio::spawn(async move {
            let mut end = Some(end);
            // In good order, as a server closes what is idle.
            while let Ok((socket, _)) = listener.accept().await {
                let mut calls = h2::server::handshake(socket).await.expect("HTTP/2");
                if let Some(end) = end.take() {
                    end.await.expect("told to");
                    calls.graceful_shutdown();
                }
                while calls.accept().await.is_some() {}
            }
        });
        let mut connection = Connection::open(&url).await.expect("connected");
        connection.reopen().await.expect("still open");
        ended.send(()).expect("it waits");
        while connection.send.clone().ready().await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        connection.reopen().await.expect("open again");
        assert!(connection.send.clone().ready().await.is_ok());
    }

    #[test]
    fn a_status_is_success_or_told_by_number() {
        let trailers = |status: &'static str| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            trailers
        };
        assert_eq!(succeeded(&trailers("0")), Ok(()));
        let other = succeeded(&trailers("13")).expect_err("it is none");
        assert!(matches!(other, Failed::Status(text) if text.starts_with("13")));
        assert!(succeeded(&HeaderMap::new()).is_err());
    }
}
