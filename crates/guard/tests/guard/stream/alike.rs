//! Streams behind a guard are what they are without it: each test plays one
//! scene against the same service twice, bare and guarded, over real sockets,
//! and what is seen must be the same.

mod cancelled;
mod deadlines;
mod ends;
mod player;
pub(crate) mod pressure;
mod seen;
mod unread;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use tonic::Request;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

use self::player::{PLAY, Played, Player};
use super::shown;
use crate::revocation::until;
use crate::stand::Stand;

/// Of a stream, in both directions: small, so that it is soon full.
const WINDOW_BYTES: u32 = 65_535;

/// The service, bare or guarded, and what it did.
struct Side<'a> {
    /// Has the credentials, where they are asked for.
    stand: Option<&'a Stand>,
    address: String,
    played: Arc<Played>,
}

/// Plays a scene on both sides. Returns what was seen, which was the same.
async fn alike<T: Debug + PartialEq>(scene: impl AsyncFn(&Side<'_>) -> T) -> T {
    let (bare, guarded) = both(None, scene).await;
    assert_eq!(bare, guarded, "bare, and guarded");
    guarded
}

/// Plays a scene on the bare side, and then on the guarded one. The server gives
/// up handlers that have not begun to answer within `patience`.
async fn both<T>(patience: Option<Duration>, scene: impl AsyncFn(&Side<'_>) -> T) -> (T, T) {
    let stand = Stand::start().await;
    let bare = Side::start(None, patience);
    let seen_bare = scene(&bare).await;
    bare.rests().await;
    let guarded = Side::start(Some(&stand), patience);
    let seen_guarded = scene(&guarded).await;
    guarded.rests().await;
    (seen_bare, seen_guarded)
}

impl<'a> Side<'a> {
    fn start(stand: Option<&'a Stand>, patience: Option<Duration>) -> Self {
        let played = Arc::new(Played::default());
        let orders = OrderServiceServer::new(Player(Arc::clone(&played)));
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = format!("http://{}", incoming.local_addr().unwrap());
        let mut server = Server::builder().initial_stream_window_size(WINDOW_BYTES);
        if let Some(patience) = patience {
            server = server.timeout(patience);
        }
        match stand {
            None => {
                let server = server.add_service(orders);
                tokio::spawn(server.serve_with_incoming(incoming));
            }
            Some(stand) => {
                let server = server.layer(stand.guard.layer()).add_service(orders);
                tokio::spawn(server.serve_with_incoming(incoming));
            }
        }
        Self {
            stand,
            address,
            played,
        }
    }

    fn client(&self) -> OrderServiceClient<Channel> {
        let endpoint = Channel::from_shared(self.address.clone()).unwrap();
        let endpoint = endpoint.initial_stream_window_size(WINDOW_BYTES);
        OrderServiceClient::new(endpoint.connect_lazy())
    }

    /// A call of `method` whose handler plays `play`.
    fn request<T>(&self, method: &str, play: &'static str, message: T) -> Request<T> {
        let mut request = match self.stand {
            Some(stand) => shown(stand, method, 300, message),
            None => Request::new(message),
        };
        request.metadata_mut().insert(PLAY, play.parse().unwrap());
        request
    }

    /// A handler has begun to play.
    async fn begins(&self) {
        until("a handler runs", || self.played.running() == 1).await;
    }

    /// Nothing of any handler is left, and nothing in the guard.
    async fn rests(&self) {
        until("every handler is gone", || self.played.running() == 0).await;
        if let Some(stand) = self.stand {
            let open = || stand.guard.counts().open_streams;
            until("no stream is open", || open() == 0).await;
        }
    }
}
