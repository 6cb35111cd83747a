//! What the demonstration runs: a token service with its store in a temporary
//! folder, and an order service behind a guard.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_client::clock::SystemClock;
use countersign_guard::Guard;
use countersign_server::{Config, Running, Server};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;

use super::orders::Orders;
use crate::exit::Failure;

/// Everything that runs.
pub(crate) struct Platform {
    token_service: Running,
    order_service: OrderServer,
    // Last, so that the folder goes after those who write to it.
    folder: TempDir,
}

struct OrderServer {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Platform {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("countersign-demo-")
            .tempdir()
            .map_err(|cause| Failure::configuration(format!("no temporary folder: {cause}")))?;
        let token_service = Server::start(configuration(folder.path()), Arc::new(SystemClock))
            .await
            .map_err(|cause| Failure::internal(format!("the token service: {cause}")))?;
        let order_service = OrderServer::start(&token_service).await?;
        Ok(Self {
            token_service,
            order_service,
            folder,
        })
    }

    /// What runs, and where.
    pub(crate) fn introduction(&self) -> String {
        format!(
            "Countersign, end to end\n\n   \
             token service  {}\n   \
             order service  {}  (guarded)\n   \
             admin socket   {}\n   \
             data           {}",
            self.token_service.url(),
            self.order_service.url,
            self.admin_socket().display(),
            self.token_service.data_directory().display(),
        )
    }

    /// The URL of the token service.
    pub(crate) fn token_service(&self) -> &str {
        self.token_service.url()
    }

    /// The issuer, whose URI Countersign's own interface goes by.
    pub(crate) fn issuer(&self) -> &str {
        self.token_service.issuer()
    }

    /// The URL of the order service, which is the resource that it serves.
    pub(crate) fn order_service(&self) -> &str {
        &self.order_service.url
    }

    /// The admin socket.
    pub(crate) fn admin_socket(&self) -> &Path {
        self.token_service.admin_socket()
    }

    /// A file in the temporary folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops all of it and removes the folder.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.order_service.stop().await?;
        self.token_service
            .stop()
            .await
            .map_err(|cause| Failure::surprise(format!("the token service: {cause}")))?;
        self.folder
            .close()
            .map_err(|cause| Failure::surprise(format!("the temporary folder: {cause}")))
    }
}

impl OrderServer {
    async fn start(token_service: &Running) -> Result<Self, Failure> {
        let fault = |cause: String| Failure::internal(format!("the order service: {cause}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|cause| fault(cause.to_string()))?;
        let address = listener
            .local_addr()
            .map_err(|cause| fault(cause.to_string()))?;
        let url = format!("http://{address}");
        // These four lines are all that it takes to guard a service.
        let guard: Guard = countersign_guard::Builder::new(token_service.url())
            .serve(&url)
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
            .connect()
            .await
            .map_err(|cause| fault(cause.to_string()))?;
        let (stop, stopped) = oneshot::channel();
        let serving = tonic::transport::Server::builder()
            .layer(guard.layer())
            .add_service(OrderServiceServer::new(Orders::default()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
                // Gone, or told: the end either way.
                let _ended = stopped.await;
            });
        Ok(Self {
            url,
            stop,
            task: tokio::spawn(serving),
        })
    }

    async fn stop(self) -> Result<(), Failure> {
        // It may have ended already; the task knows how.
        let _told = self.stop.send(());
        // Connections that are kept for `--stay` would hold the drain up.
        self.task.abort();
        match self.task.await {
            Ok(Err(cause)) => Err(Failure::surprise(format!("the order service: {cause}"))),
            Ok(Ok(())) => Ok(()),
            Err(ended) if ended.is_cancelled() => Ok(()),
            Err(panic) => Err(Failure::surprise(format!("the order service: {panic}"))),
        }
    }
}

fn configuration(folder: &Path) -> Config {
    let mut config = Config::default();
    config.listen.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.store.directory = folder.join("data");
    config.store.key_file = Some(folder.join("key"));
    config.admin.socket = Some(folder.join("admin.sock"));
    config
}
