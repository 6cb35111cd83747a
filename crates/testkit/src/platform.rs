use std::path::PathBuf;
use std::sync::Arc;

use countersign_client::Builder;
use countersign_server::{Config, Running, Server};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::{MovableClock, Registered};

/// Whatever went wrong; a test can only report it.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// A token service in this process: real sockets on loopback, a real store in
/// a folder that goes with it.
pub struct Platform {
    running: Running,
    clock: Arc<MovableClock>,
    folder: TempDir,
}

impl Platform {
    /// Starts one with the default configuration.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub async fn start() -> Result<Self, Problem> {
        Self::start_with(|_| {}).await
    }

    /// Starts one with a configuration that `change` has been at.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Result<Self, Problem> {
        Self::start_at(Arc::new(MovableClock::new()), change).await
    }

    /// As [`start_with`](Self::start_with), at the time that `clock` shows: for a store that was
    /// made at another time.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub async fn start_at(
        clock: Arc<MovableClock>,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, Problem> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::default();
        config.listen.address.set_port(0);
        config.store.directory = folder.path().join("data");
        config.store.key_file = Some(folder.path().join("key"));
        config.admin.socket = Some(folder.path().join("admin.sock"));
        config.stop.notice = std::time::Duration::ZERO;
        change(&mut config);
        let running = Server::start(config, clock.clone()).await?;
        Ok(Self {
            running,
            clock,
            folder,
        })
    }

    /// The clock that the service goes by.
    pub fn clock(&self) -> &Arc<MovableClock> {
        &self.clock
    }

    /// What clients connect to.
    pub fn url(&self) -> &str {
        self.running.url()
    }

    /// The issuer, as it stands in tokens.
    pub fn issuer(&self) -> &str {
        self.running.issuer()
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A connection to the admin socket.
    ///
    /// # Errors
    ///
    /// The socket cannot be reached.
    pub async fn admin(&self) -> Result<Channel, Problem> {
        let path = self.running.admin_socket().to_owned();
        // The name is not used: the connector goes to the socket.
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            }))
            .await?;
        Ok(channel)
    }

    /// A client of this platform, going by its clock, not connected yet.
    pub fn client(&self, registered: &Registered) -> Builder {
        Builder::new(self.url())
            .client(registered.client_id.clone(), registered.credential())
            .clock(self.clock.clone())
    }

    /// Stops the service as an operator would.
    ///
    /// # Errors
    ///
    /// What did not end well.
    pub async fn stop(self) -> Result<(), Problem> {
        self.running.stop().await?;
        Ok(())
    }
}
