//! Where calls come from: a TCP address and the Unix socket of the admin services.
//!
//! The accept loop is our own: a place for every connection, and patience when `accept` fails.

mod descriptors;
mod places;
mod tcp;
mod unix;

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::server::Connected;
use tracing::warn;

pub(crate) use descriptors::connections;
pub(crate) use places::{Place, Places};
pub(crate) use tcp::Tcp;
pub use unix::SocketProblem;
pub(crate) use unix::Unix;

/// After a failed `accept`. A process out of file descriptors gets some back within this time, and
/// does not spin until then.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Something that connections come from.
pub(crate) trait Listener: Send + Sync + 'static {
    /// A connection that belongs to no runtime yet.
    type Accepted: Send + 'static;
    type Stream: AsyncRead + AsyncWrite + Connected<ConnectInfo: Sync> + Unpin + Send + 'static;

    /// The next connection; `None` for one that was turned away, or has gone already.
    fn accept(&self) -> impl Future<Output = io::Result<Option<Self::Accepted>>> + Send;

    /// Those that the system has accepted already; then it is closed.
    fn waiting(self) -> impl Iterator<Item = Self::Accepted>;

    /// The connection on the runtime of this task.
    ///
    /// # Errors
    /// What the system says.
    fn open(accepted: Self::Accepted) -> io::Result<Self::Stream>;
}

/// Accepts connections for ever.
pub(crate) async fn take<L: Listener>(
    listener: &L,
    places: &Places,
    begin: impl Fn(L::Accepted, Place),
) -> Infallible {
    loop {
        // First a place: who cannot be served yet waits in the listener's backlog.
        let place = places.next().await;
        match listener.accept().await {
            Ok(Some(accepted)) => begin(accepted, place),
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// Begins the connections that the system has accepted already, as far as there are places: their
/// callers have been told that they are connected. Then closes the listener.
pub(crate) fn take_waiting<L: Listener>(
    listener: L,
    places: &Places,
    begin: impl Fn(L::Accepted, Place),
) {
    let mut waiting = listener.waiting();
    while let Some(place) = places.try_next() {
        match waiting.next() {
            Some(accepted) => begin(accepted, place),
            None => return,
        }
    }
}

/// Whether `accept` failed because of the connection and not because of us: the next one may be
/// fine, so that nobody slows the loop by connecting and going away.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NotConnected
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::Interrupted
    )
}
