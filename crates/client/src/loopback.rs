//! Where a program on a person's machine gets its answer (RFC 8252 §7.3): a port of the loopback
//! interface that is open until the browser has come back.

mod page;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use self::page::Page;
use crate::authorization::{AnswerError, ExpectedAnswer, PendingAuthorization};
use crate::secret::Secret;
use crate::token_service::Code;

/// A browser sends its request as soon as it is connected. One that connected to be ready, as
/// browsers do, is let go after this, as is whoever sends nothing.
const VISIT: Duration = Duration::from_secs(10);

/// More than a browser opens at once. One more, and the oldest is let go: whoever keeps connections
/// open keeps nobody out.
const VISITORS_MAX: usize = 32;

/// Our redirect has 600 bytes, and browsers send a few hundred of headers.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// How long the last page may take to be sent to a browser of this machine.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// After a connection could not be taken, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// The redirect URI is not one that this can listen at.
    #[error(
        "{0:?} is not a redirect URI to listen at: register the client with one such as http://127.0.0.1/back or http://[::1]/back, and give that"
    )]
    Uri(String),
    /// The port cannot be had.
    #[error(
        "cannot listen at {address}: {cause}. Give the redirect URI without a port to have any free one"
    )]
    Bind {
        /// Where it should have been.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Nobody came back in time.
    #[error("no answer came back from the browser within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer came, and it is no code.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Listens for one answer. It takes it at one path of one address of this machine, whose port is not
/// registered but free (RFC 8252 §7.3), and closes.
pub struct LoopbackReceiver {
    listener: TcpListener,
    place: Authority,
    path: String,
    redirect_uri: String,
}

impl LoopbackReceiver {
    /// Listens where `registered`, one of the client's redirect URIs, sends browsers:
    /// `http://127.0.0.1/…` or `http://[::1]/…`, without a query. Without a port in it at any free
    /// one. `localhost` is not taken: it can be made to name something else (RFC 8252 §8.3).
    ///
    /// # Errors
    /// [`LoopbackError::Uri`] and [`LoopbackError::Bind`].
    pub async fn bind(registered: &str) -> Result<Self, LoopbackError> {
        let place = Place::of(registered).ok_or_else(|| {
            LoopbackError::Uri(countersign_dpop::without_userinfo(registered).into_owned())
        })?;
        let bind = async {
            let listener = TcpListener::bind(place.address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind.await.map_err(|cause| LoopbackError::Bind {
            address: place.address,
            cause,
        })?;
        Ok(Self {
            listener,
            // Brackets around an address of IPv6, as URLs want them.
            redirect_uri: format!("http://{address}{}", place.rest),
            path: match place.rest {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
            place: Authority::of(address),
        })
    }

    /// The redirect URI to ask for the code with.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the answer to `pending`: the code in it. Whatever else comes gets a page that says
    /// so, and the waiting goes on; the person gets one that sends them back to the program.
    ///
    /// # Errors
    /// [`LoopbackError::TimedOut`] and [`LoopbackError::Answer`].
    pub async fn receive(
        self,
        pending: &PendingAuthorization,
        within: Duration,
    ) -> Result<Code, LoopbackError> {
        let desk = Arc::new(Desk {
            place: self.place,
            path: self.path,
            expected: Arc::clone(pending.expected()),
            taken: AtomicBool::new(false),
        });
        let taken = tokio::time::timeout(within, wait(&self.listener, &desk));
        let taken = taken.await.map_err(|_| LoopbackError::TimedOut(within))?;
        // The person is shown what came of it before the port is closed.
        let _ = tokio::time::timeout(LAST_PAGE, taken.taken.page_sent).await;
        Ok(pending.code(taken.taken.answer?))
    }
}

impl fmt::Debug for LoopbackReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackReceiver")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// Where a registered redirect URI is.
struct Place<'a> {
    address: SocketAddr,
    /// What follows the authority, as it was written: the token service compares it so.
    rest: &'a str,
}

impl<'a> Place<'a> {
    fn of(registered: &'a str) -> Option<Self> {
        let after_scheme = registered.strip_prefix("http://")?;
        if registered.contains(['#', '?', '@']) {
            return None;
        }
        let uri: Uri = registered.parse().ok()?;
        let ip = match uri.host()? {
            "127.0.0.1" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            "[::1]" => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => return None,
        };
        let has_port = uri.authority()?.as_str().len() > uri.host()?.len();
        let port = match uri.port_u16() {
            Some(port) => port,
            None if has_port => return None,
            None => 0,
        };
        let rest = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
        Some(Self {
            address: SocketAddr::new(ip, port),
            rest,
        })
    }
}

/// How browsers name an address of this machine.
struct Authority {
    with_port: String,
    /// Where that is no other place: `http` has 80 (RFC 9110 §4.2.1), and browsers leave it out.
    alone: Option<String>,
}

impl Authority {
    fn of(address: SocketAddr) -> Self {
        let with_port = address.to_string();
        Self {
            alone: with_port.strip_suffix(":80").map(str::to_owned),
            with_port,
        }
    }

    fn is(&self, host: &[u8]) -> bool {
        let alone = self.alone.as_deref().map(str::as_bytes);
        host == self.with_port.as_bytes() || Some(host) == alone
    }
}

/// What is waited for, and whether it was here.
struct Desk {
    place: Authority,
    path: String,
    expected: Arc<ExpectedAnswer>,
    taken: AtomicBool,
}

/// The answer, and when the page about it was sent.
struct Taken {
    answer: Result<Secret, AnswerError>,
    page_sent: oneshot::Receiver<()>,
}

/// The answer, and those who are still being answered.
struct Closing {
    taken: Taken,
    _visitors: JoinSet<()>,
}

async fn wait(listener: &TcpListener, desk: &Arc<Desk>) -> Closing {
    let (takes, mut taken) = mpsc::channel(1);
    let mut visitors = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            Some(taken) = taken.recv() => return Closing { taken, _visitors: visitors },
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let visitor = visit(stream, Arc::clone(desk), takes.clone());
                oldest_first.push_back(visitors.spawn(visitor));
                oldest_first.retain(|visitor| !visitor.is_finished());
                if oldest_first.len() > VISITORS_MAX
                    && let Some(oldest) = oldest_first.pop_front()
                {
                    oldest.abort();
                }
            }
            Some(_) = visitors.join_next() => {}
        }
    }
}

/// One connection, one request.
async fn visit(stream: TcpStream, desk: Arc<Desk>, takes: mpsc::Sender<Taken>) {
    let (sent, page_sent) = oneshot::channel();
    let page_sent = Mutex::new(Some(page_sent));
    let service = service_fn(|request: Request<Incoming>| {
        let (page, answer) = desk.answer(&request);
        if let (Some(answer), Some(page_sent)) = (answer, page_sent.lock().take()) {
            // There is room for the one that is taken.
            let _ = takes.try_send(Taken { answer, page_sent });
        }
        ready(Ok::<Response<Full<Bytes>>, Infallible>(page.response()))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_BYTES_MAX)
        // The whole visit has a limit.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever a stranger sends is nobody's concern.
    let _ = tokio::time::timeout(VISIT, connection).await;
    drop(sent);
}

impl Desk {
    /// What to show, and the answer if this is the one.
    fn answer<B>(&self, request: &Request<B>) -> (Page, Option<Result<Secret, AnswerError>>) {
        // A page of another name, which resolves to this machine, is not where browsers were sent.
        let host = request.headers().get(HOST);
        if !host.is_some_and(|host| self.place.is(host.as_bytes())) {
            return (Page::OtherPlace, None);
        }
        if request.uri().path() != self.path {
            return (Page::OtherPlace, None);
        }
        if request.method() != Method::GET {
            return (Page::OtherMethod, None);
        }
        let answer = self.expected.check(&request.uri().to_string());
        if matches!(&answer, Err(error) if !error.is_final()) {
            return (Page::OtherRequest, None);
        }
        // Exactly one: what comes later changes nothing.
        if self.taken.swap(true, Ordering::SeqCst) {
            return (Page::OtherRequest, None);
        }
        let page = match &answer {
            Ok(_) => Page::Approved,
            Err(AnswerError::Refused(_)) => Page::Refused,
            Err(_) => Page::Wrong,
        };
        (page, Some(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(registered: &str, place: Option<(&str, &str)>) {
        let found = Place::of(registered);
        let found = found.map(|place| (place.address.to_string(), place.rest));
        let found = found
            .as_ref()
            .map(|(address, rest)| (address.as_str(), *rest));
        assert_eq!(found, place, "{registered}");
    }

    #[test]
    fn a_browser_names_the_port_unless_it_is_that_of_http() {
        for (address, host, expected) in [
            ("127.0.0.1:8912", "127.0.0.1:8912", true),
            ("127.0.0.1:8912", "127.0.0.1", false),
            ("127.0.0.1:8080", "127.0.0.1:80", false),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:80", "127.0.0.1:8080", false),
            ("127.0.0.1:80", "localhost", false),
            ("[::1]:80", "[::1]", true),
            ("[::1]:80", "[:", false),
        ] {
            let place = Authority::of(address.parse().expect("an address"));
            assert_eq!(place.is(host.as_bytes()), expected, "{host} at {address}");
        }
    }

    #[test]
    fn it_listens_on_this_machine_alone() {
        check("http://127.0.0.1/back", Some(("127.0.0.1:0", "/back")));
        check("http://127.0.0.1", Some(("127.0.0.1:0", "")));
        check("http://127.0.0.1:80/", Some(("127.0.0.1:80", "/")));
        check("http://[::1]:8912/a/b", Some(("[::1]:8912", "/a/b")));
        for wrong in [
            "",
            "http://localhost/back",
            "http://0.0.0.0/back",
            "http://127.0.0.2/back",
            "http://192.0.2.7/back",
            "http://127.0.0.1.example/back",
            "http://127.0.0.1@192.0.2.7/back",
            "http://127.0.0.1:/back",
            "http://127.0.0.1:65536/back",
            "http://127.0.0.1/back?a=b",
            "http://127.0.0.1/back#a",
            "https://127.0.0.1/back",
            "app.example:/back",
        ] {
            check(wrong, None);
        }
    }
}
