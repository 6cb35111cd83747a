use std::collections::{BTreeSet, HashMap};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_client::Builder;
use countersign_server::{Config, Running, Server};
use countersign_store::{EmbeddedStore, Options, Store};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
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
    config: Config,
    over: Over,
    /// The resources that this object registered, and their scopes.
    resources: Mutex<HashMap<String, BTreeSet<String>>>,
    names: AtomicUsize,
}

/// What stands between the service and its store.
type Over = Box<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;

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
        Self::begin(clock, change, Box::new(|store| store)).await
    }

    /// Starts one on what `over` makes of its store: one that counts, or that
    /// is wrong on purpose.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    #[cfg(feature = "workspace")]
    pub async fn start_over(
        change: impl FnOnce(&mut Config),
        over: impl Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Result<Self, Problem> {
        Self::begin(Arc::new(MovableClock::new()), change, Box::new(over)).await
    }

    async fn begin(
        clock: Arc<MovableClock>,
        change: impl FnOnce(&mut Config),
        over: Over,
    ) -> Result<Self, Problem> {
        let folder = tempfile::tempdir()?;
        let mut config = Config::default();
        config.listen.address.set_port(0);
        config.store.directory = folder.path().join("data");
        config.store.key_file = Some(folder.path().join("key"));
        config.admin.socket = Some(folder.path().join("admin.sock"));
        config.stop.notice = std::time::Duration::ZERO;
        // Whoever asks in a test comes from one address.
        config.limits.public_requests_per_min = 0;
        change(&mut config);
        let running = run(&config, &clock, &over).await?;
        Ok(Self {
            running,
            clock,
            folder,
            config,
            over,
            resources: Mutex::default(),
            names: AtomicUsize::new(0),
        })
    }

    /// Stops the service and starts it again on the same data, at the same
    /// address and by the same clock; `between` may do something to the data.
    ///
    /// # Errors
    ///
    /// What did not end well, or why it does not start.
    pub async fn restart(
        mut self,
        between: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Self, Problem> {
        // Clients are connected to it, and the issuer is named after it.
        self.config.listen.address = self.running.grpc_address();
        self.running.stop().await?;
        between(&self.config.store.directory)?;
        // A start is large, and would make every test's future so that restarts.
        self.running = Box::pin(run(&self.config, &self.clock, &self.over)).await?;
        Ok(self)
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

    pub(crate) fn known_resources(&self) -> &Mutex<HashMap<String, BTreeSet<String>>> {
        &self.resources
    }

    /// A name for a client that this platform has not given yet.
    pub(crate) fn new_name(&self, what: &str) -> String {
        format!("{what}-{}", self.names.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// A connection to the admin socket.
    ///
    /// # Errors
    ///
    /// The socket cannot be reached.
    pub async fn admin(&self) -> Result<Channel, Problem> {
        unix_channel(self.running.admin_socket().to_owned()).await
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

async fn run(config: &Config, clock: &Arc<MovableClock>, over: &Over) -> Result<Running, Problem> {
    let directory = config.store.directory.clone();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    let opened = spawn_blocking(move || EmbeddedStore::open(&directory, Options::default()));
    let store = over(Arc::new(opened.await??));
    Ok(Server::start_on(config.clone(), clock.clone(), store).await?)
}

/// A connection to a Unix socket, which is made anew when it breaks.
pub(crate) async fn unix_channel(path: PathBuf) -> Result<Channel, Problem> {
    // The name is not used: the connector goes to the socket.
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await?;
    Ok(channel)
}
