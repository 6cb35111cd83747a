//! The login application in a process of its own: a store, a listener for browsers, and a Unix
//! socket for those who look after accounts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_login::{App, Settings, TokenService, Witness};
use countersign_store::{EmbeddedStore, Options, Store, StoreError};
use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::{accounts, proxies, wrong};
use crate::audit::Audit;
use crate::config::{Config, Tls};
use crate::health::Health;
use crate::janitor::{Janitor, PASS_MAX};
use crate::listen::{self, Places, Unix};
use crate::overload::Overload;
use crate::records::Records;
use crate::reload::Followed;
use crate::serve::{Manner, Peers, Speaks, Stop, Workers, serve};
use crate::stack;
use crate::start::{ADMIN_CONNECTIONS_MAX, StartError, bind, make_directory};
use crate::tls::{Certificates, TlsError};

/// Browsers connected at once; further ones wait.
const CONNECTIONS_MAX: usize = 4_000;

/// How long pages under way may take at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// What the application is told.
#[derive(Clone, Debug)]
pub struct LoginConfig {
    /// Where browsers connect.
    pub listen: SocketAddr,
    /// The URL that browsers reach it by; none for the address listened on.
    pub url: Option<String>,
    /// The issuer: where browsers are sent afterwards.
    pub issuer: String,
    /// Where accounts, sessions and consent are kept.
    pub directory: PathBuf,
    /// The socket for those who look after accounts; none for `login.sock` in the directory.
    pub socket: Option<PathBuf>,
    /// Accounts of the system that may connect to it; none for root and the one it runs as.
    pub allowed_uids: Vec<u32>,
    /// Certificate and key, whose files may be replaced at any time; without them it listens on
    /// loopback alone.
    pub tls: Option<Tls>,
    /// A proxy stands in front.
    pub behind_proxy: bool,
}

/// Starts it.
pub struct LoginApp;

/// The application that runs. Dropped without [`LoginRunning::stop`], it stops at once.
pub struct LoginRunning {
    address: SocketAddr,
    url: String,
    socket: PathBuf,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
    certificate: Option<Arc<Followed>>,
    audit: Arc<Audit>,
    store: Arc<dyn Store>,
}

/// It did not stop cleanly.
#[derive(Debug, Error)]
#[error("the store did not close: {0}")]
pub struct NotClosed(#[from] StoreError);

impl LoginConfig {
    /// What browsers are greeted with, if that is anything.
    fn greeting(&self) -> Result<Option<Certificates>, StartError> {
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(StartError::Login(
                "without a certificate it listens on a loopback address only".to_owned(),
            ));
        }
        Ok(self.tls.as_ref().map(Certificates::load).transpose()?)
    }

    /// `address` is the one listened on.
    fn settings(&self, address: SocketAddr) -> Settings {
        let scheme = self.scheme();
        let url = self.url.clone();
        Settings {
            url: url.unwrap_or_else(|| format!("{scheme}://{address}")),
            issuer: self.issuer.clone(),
            proxies: proxies(self.behind_proxy),
        }
    }

    const fn scheme(&self) -> &'static str {
        match &self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

impl LoginApp {
    /// Whether the application could be started so, and the URL that browsers would reach it by.
    /// Nothing is made, opened or listened on, so another one may run meanwhile.
    ///
    /// # Errors
    /// Whatever is not as it must be.
    pub fn check(config: &LoginConfig) -> Result<String, StartError> {
        config.greeting()?;
        let settings = config.settings(config.listen);
        settings.check().map_err(|error| wrong(&error))?;
        Ok(settings.url)
    }

    /// Starts the application in front of that token service.
    ///
    /// # Errors
    /// Whatever is not as it must be.
    pub async fn start(
        config: &LoginConfig,
        clock: Arc<dyn Clock>,
        tokens: Arc<dyn TokenService>,
    ) -> Result<LoginRunning, StartError> {
        let tls = config.greeting()?;
        make_directory(&config.directory)?;
        let directory = config.directory.clone();
        let opened = spawn_blocking(move || EmbeddedStore::open(&directory, Options::default()));
        let opened = opened
            .await
            .map_err(|panic| StoreError::Unavailable(panic.to_string()))?;
        let store: Arc<dyn Store> = Arc::new(opened?);
        let started = started(config, clock, tokens, &store, tls.map(Arc::new)).await;
        if started.is_err() {
            // The lock must be free when the next attempt comes.
            let _ = store.close().await;
        }
        started
    }
}

async fn started(
    config: &LoginConfig,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenService>,
    store: &Arc<dyn Store>,
    tls: Option<Arc<Certificates>>,
) -> Result<LoginRunning, StartError> {
    let tcp = bind(config.listen)?;
    let address = tcp.address();
    let socket = config.socket.clone();
    let socket = socket.unwrap_or_else(|| config.directory.join("login.sock"));
    let unix = Unix::bind(&socket, &config.allowed_uids).await;
    let unix = unix.map_err(|problem| StartError::AdminSocket {
        path: socket.clone(),
        problem,
    })?;
    let accounts = accounts(store, &clock)?;
    let settings = config.settings(address);
    let records = Records::new(Arc::clone(store));
    let audit = Audit::new(Config::default().audit);
    let app = App::new(
        &settings,
        store,
        Arc::clone(&clock),
        accounts.clone(),
        tokens,
        Arc::clone(&audit) as Arc<dyn Witness>,
    );
    let app = app.map_err(|error| wrong(&error))?;
    let stop = Stop::default();
    let overload = Overload::new(&Config::default().limits);
    let calls = stop.calls.clone();
    let url = settings.url;
    let people = stack::people(app.router(), &url, config.scheme(), &overload, calls);
    let health = Health::serving(&stack::ACCOUNTS).await;
    let operators = stack::accounts(accounts, records.clone(), &health, stop.calls.clone());

    let certificate = config.tls.clone().zip(tls.clone());
    let certificate = certificate.map(|(files, certificates)| {
        Arc::new(Followed::new(
            files,
            certificates,
            Arc::clone(&clock),
            health.clone(),
        ))
    });

    let workers = Workers::start(0).map_err(StartError::Workers)?;
    let places = Places::new(listen::connections(CONNECTIONS_MAX, workers.count()));
    let manner = Manner {
        asks: None,
        tls,
        speaks: Speaks::Both,
        peers: Peers::Callers,
    };
    let browsers = serve(tcp, people, manner, places, workers, stop.clone());
    let manner = Manner {
        asks: None,
        tls: None,
        speaks: Speaks::Http2,
        peers: Peers::Operators,
    };
    let places = Places::new(ADMIN_CONNECTIONS_MAX);
    let here = Workers::here();
    let operators = serve(unix, operators, manner, places, here, stop.clone());
    audit.run(&records, &clock);
    let mut tasks = vec![
        tokio::spawn(async move {
            if let Err(error) = browsers.await {
                error!(%error, "the listener for browsers ended");
            }
        }),
        tokio::spawn(async move {
            if let Err(error) = operators.await {
                error!(%error, "the socket ended");
            }
        }),
        tokio::spawn(sweep(Arc::clone(store), clock, stop.clone())),
    ];
    if let Some(certificate) = &certificate {
        let followed = Arc::clone(certificate).watch(stop.begun.clone());
        tasks.push(tokio::spawn(followed));
    }
    info!(%url, %address, socket = %socket.display(), "the login application takes requests");
    Ok(LoginRunning {
        address,
        url,
        socket,
        stop,
        tasks,
        certificate,
        audit,
        store: Arc::clone(store),
    })
}

/// Removes sessions that are over, as the token service removes its records.
async fn sweep(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: Stop) {
    let mut janitor = Janitor::new(store, clock, PASS_MAX);
    loop {
        let pause = janitor.sweep().await;
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.begun.cancelled() => return,
        }
    }
}

impl LoginRunning {
    /// Where browsers connect, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that browsers reach it by.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The socket for those who look after accounts.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Looks at the certificate's files at once, because somebody has replaced them; it looks once a
    /// second by itself, and then waits until they stay the same. Why they cannot be used, if they
    /// cannot; then the last good certificate stays.
    pub async fn look_at_certificate(&self) -> Option<TlsError> {
        match &self.certificate {
            Some(certificate) => certificate.look_closely().await,
            None => None,
        }
    }

    /// Takes no more connections, lets pages under way finish, and closes the store.
    ///
    /// # Errors
    /// The store did not close cleanly.
    pub async fn stop(mut self) -> Result<(), NotClosed> {
        self.stop.begun.cancel();
        let tasks = std::mem::take(&mut self.tasks);
        let ended = async {
            for task in tasks {
                // What went wrong was told when it did.
                let _ = task.await;
            }
        };
        if timeout(DRAIN, ended).await.is_err() {
            warn!("pages under way did not end in time; connections are cut");
        }
        self.stop.cut.cancel();
        self.audit.close().await;
        Ok(self.store.close().await?)
    }
}

impl Drop for LoginRunning {
    fn drop(&mut self) {
        self.stop.begun.cancel();
        self.stop.cut.cancel();
        self.audit.abandon();
    }
}
