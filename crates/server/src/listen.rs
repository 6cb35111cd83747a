//! Where calls come from: a TCP address and the Unix socket of the admin services.
//!
//! The accept loop is our own: a place for every connection, a deadline for its first bytes, and
//! patience when `accept` fails.

mod connection;
mod descriptors;
mod tcp;
mod unix;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(crate) use connection::Connection;
pub(crate) use descriptors::connections;
pub(crate) use tcp::Tcp;
pub use unix::SocketProblem;
pub(crate) use unix::Unix;

/// After a failed `accept`. A process out of file descriptors gets some back within this time, and
/// does not spin until then.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Something that connections come from.
pub(crate) trait Listener: Send + Sync + 'static {
    type Stream: Send + 'static;

    /// The next connection; `None` for one that was turned away.
    fn accept(&self) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send;
}

/// How connections are taken.
#[derive(Clone)]
pub(crate) struct Terms {
    /// A place for every connection.
    pub(crate) places: Arc<Semaphore>,
    /// Cancelled when every connection must end at once.
    pub(crate) cut: CancellationToken,
}

/// Accepts from `listener` until the stream that comes back is dropped; then closes it.
pub(crate) fn incoming<L: Listener>(
    listener: L,
    terms: Terms,
) -> ReceiverStream<io::Result<Connection<L::Stream>>> {
    // One at a time: whoever serves them takes them as they come.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = accept_all(&listener, &terms, &sender) => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept_all<L: Listener>(
    listener: &L,
    terms: &Terms,
    sender: &mpsc::Sender<io::Result<Connection<L::Stream>>>,
) {
    loop {
        let Ok(place) = Arc::clone(&terms.places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(Some(stream)) => {
                let connection = Connection::new(stream, place, &terms.cut);
                if sender.send(Ok(connection)).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}
