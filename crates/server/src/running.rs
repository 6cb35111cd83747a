//! A token service that runs, and how it stops without losing a call.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_store::{Health as StoreHealth, Store};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::config::{Config, ConfigError, KeyPlace};
use crate::health::Health;
use crate::janitor;
use crate::login::ServedLogin;
use crate::reload::{Occasion, Reload, ReloadError, Reloaded};
use crate::serve::{ServeError, Stop};
use crate::stack::Platform;
use crate::tls::Certificates;

/// After the last call under way: long enough for its answer to leave, and for whoever has not
/// heard yet that we stop to say what was on its way.
const LINGER: Duration = Duration::from_secs(1);

/// After that, or the hard limit: how long connections that were cut have to notice.
const CUT_DUE: Duration = Duration::from_secs(1);

/// A token service that takes calls. Dropped without [`Running::stop`], it stops at once and loses
/// calls in flight; what was acknowledged is on disk all the same.
pub struct Running {
    places: Whereabouts,
    reload: Arc<Reload>,
    health: Health,
    store: Arc<dyn Store>,
    edges: Edges,
}

/// Where things are.
pub(crate) struct Whereabouts {
    pub(crate) address: SocketAddr,
    pub(crate) http_address: Option<SocketAddr>,
    pub(crate) mtls_address: Option<SocketAddr>,
    pub(crate) mtls_url: Option<String>,
    pub(crate) url: String,
    pub(crate) issuer: String,
    pub(crate) socket: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) key_place: KeyPlace,
    pub(crate) first_start: bool,
    pub(crate) login: Option<ServedLogin>,
}

/// Why a service stopped, or did not stop cleanly.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Stopped {
    /// The store failed. A restart begins with what is on the disk.
    #[error("the store failed: {0}")]
    StoreFailed(String),
    /// A listener ended by itself.
    #[error("a listener ended: {0}")]
    ListenerFailed(String),
}

/// The listeners, as tasks.
pub(crate) struct Edges {
    tasks: Vec<JoinHandle<()>>,
    platform: Platform,
    stop: Stop,
    failed: watch::Sender<Option<Stopped>>,
}

impl Edges {
    /// None yet. What they serve is made of `platform`, and ends with `stop`.
    pub(crate) fn new(platform: Platform, stop: Stop) -> Self {
        Self {
            tasks: Vec::new(),
            platform,
            stop,
            failed: watch::channel(None).0,
        }
    }

    /// Another one, until the stop.
    pub(crate) fn add(
        &mut self,
        serve: impl Future<Output = Result<(), ServeError>> + Send + 'static,
    ) {
        self.tasks.push(tokio::spawn(edge(
            serve,
            self.stop.begun.clone(),
            self.failed.clone(),
        )));
    }
}

/// Serves, and tells everybody if it ends before it was told to.
async fn edge(
    serve: impl Future<Output = Result<(), ServeError>> + Send + 'static,
    stop: CancellationToken,
    failed: watch::Sender<Option<Stopped>>,
) {
    let problem = match tokio::spawn(serve).await {
        Ok(Ok(())) if stop.is_cancelled() => return,
        Ok(Ok(())) => "it takes no more connections".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.to_string(),
    };
    error!(%problem, "a listener ended");
    failed.send_replace(Some(Stopped::ListenerFailed(problem)));
}

impl Running {
    pub(crate) fn new(
        edges: Edges,
        health: Health,
        store: Arc<dyn Store>,
        config: Config,
        certificates: Option<Arc<Certificates>>,
        places: Whereabouts,
    ) -> Self {
        tokio::spawn(attend(
            Arc::clone(&store),
            health.clone(),
            edges.failed.clone(),
            edges.stop.begun.clone(),
        ));
        tokio::spawn(janitor::run(
            Arc::clone(&store),
            Arc::clone(&edges.platform.revoked),
            Arc::clone(&edges.platform.engine.clock),
            edges.stop.begun.clone(),
        ));
        let keeper = Arc::clone(&edges.platform.keeper);
        tokio::spawn(keeper.run(edges.stop.begun.clone()));
        let engine = &edges.platform.engine;
        engine.audit.run(&engine.records, &engine.clock);
        let reload = Arc::new(Reload::new(config, certificates, edges.platform.clone()));
        tokio::spawn(Arc::clone(&reload).watch(edges.stop.begun.clone()));
        Self {
            places,
            reload,
            health,
            store,
            edges,
        }
    }

    /// The TCP address, with its actual port.
    pub fn grpc_address(&self) -> SocketAddr {
        self.places.address
    }

    /// The address of the HTTP endpoints, with its actual port, if they are served.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.places.http_address
    }

    /// The address where clients are asked for certificates, with its actual port, if they are.
    pub fn mtls_address(&self) -> Option<SocketAddr> {
        self.places.mtls_address
    }

    /// The URL by which clients reach the address where they are asked for certificates, if they are.
    pub fn mtls_url(&self) -> Option<&str> {
        self.places.mtls_url.as_deref()
    }

    /// Where the HTTP endpoints are, as a URL: what a client on this machine connects to. Which URL
    /// others reach them by is the [issuer](Self::issuer).
    pub fn http_url(&self) -> Option<String> {
        let scheme = self.url().split("://").next().unwrap_or_default();
        let address = self.http_address()?;
        Some(format!("{scheme}://{address}"))
    }

    /// Where people log in, if the login application is a part of the service, and whether anybody
    /// could when it started.
    pub fn login(&self) -> Option<&ServedLogin> {
        self.places.login.as_ref()
    }

    /// The address as a URL: what a client on this machine connects to.
    pub fn url(&self) -> &str {
        &self.places.url
    }

    /// The issuer, as it stands in `iss`.
    pub fn issuer(&self) -> &str {
        &self.places.issuer
    }

    /// The Unix socket of the admin services.
    pub fn admin_socket(&self) -> &Path {
        &self.places.socket
    }

    /// The directory of the store.
    pub fn data_directory(&self) -> &Path {
        &self.places.data
    }

    /// Who has the key-encryption key.
    pub fn key_place(&self) -> &KeyPlace {
        &self.places.key_place
    }

    /// Whether this start made the store.
    pub fn first_start(&self) -> bool {
        self.places.first_start
    }

    /// Changes what can be changed to what was `read`; or says why it could not be read. Whoever
    /// asks has the certificate's files looked at, too. Calls go on all the while, and a decision
    /// under way ends by the rules that it began with.
    ///
    /// # Errors
    /// Nothing was changed. Health reports the component `configuration` as not serving until a
    /// configuration is good again.
    pub async fn reload(
        &self,
        read: Result<Config, ConfigError>,
        occasion: Occasion,
    ) -> Result<Reloaded, ReloadError> {
        self.reload.change(read, occasion).await
    }

    /// Waits until the service cannot go on by itself, and says why. Then [`Running::stop`] it,
    /// and exit with an error: a restart begins with what is on the disk.
    pub async fn wait(&self) -> Stopped {
        let mut failure = self.edges.failed.subscribe();
        match failure.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(stopped)) => stopped.clone(),
            // Whoever would have told is gone: the runtime is being torn down.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Stops without losing a call: reports NOT_SERVING, waits for balancers to notice, takes no
    /// more connections, lets calls in flight finish up to a hard limit, and closes the store. A
    /// connection without a call, and the rest of a stream, hold nothing up.
    ///
    /// # Errors
    /// The store had failed, or did not close cleanly.
    pub async fn stop(mut self) -> Result<(), Stopped> {
        info!("stopping");
        self.health.stopping().await;
        let config = self.reload.config();
        sleep(config.stop.notice).await;
        self.edges.stop.begun.cancel();
        if timeout(config.stop.drain, self.drained()).await.is_err() {
            warn!("calls in flight did not end in time; connections are cut");
        }
        self.edges.stop.cut.cancel();
        if timeout(CUT_DUE, self.ended()).await.is_err() {
            warn!("connections did not end although they were cut");
        }
        self.edges.platform.engine.audit.close().await;
        let closed = self.store.close().await;
        let failed = self.edges.failed.borrow().clone();
        match (failed, closed) {
            (Some(stopped), _) => Err(stopped),
            (None, Err(error)) => Err(Stopped::StoreFailed(error.to_string())),
            (None, Ok(())) => Ok(()),
        }
    }

    /// Every connection has ended, or no call is under way on those that have not.
    async fn drained(&mut self) {
        let calls = self.edges.stop.calls.clone();
        calls.close();
        tokio::select! {
            () = self.ended() => {}
            () = quiet(&calls) => {}
        }
    }

    async fn ended(&mut self) {
        while let Some(task) = self.edges.tasks.last_mut() {
            // What went wrong was told when it did.
            let _ = task.await;
            self.edges.tasks.pop();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.edges.stop.begun.cancel();
        self.edges.stop.cut.cancel();
        self.edges.platform.engine.audit.abandon();
    }
}

async fn quiet(calls: &TaskTracker) {
    loop {
        calls.wait().await;
        sleep(LINGER).await;
        if calls.is_empty() {
            return;
        }
    }
}

/// Tells everybody when the store has failed.
async fn attend(
    store: Arc<dyn Store>,
    health: Health,
    failed: watch::Sender<Option<Stopped>>,
    stop: CancellationToken,
) {
    let mut state = store.health();
    let failure = state.wait_for(|state| matches!(state, StoreHealth::Failed(_)));
    let reason = tokio::select! {
        state = failure => match state.as_deref() {
            Ok(StoreHealth::Failed(reason)) => reason.clone(),
            _ => return,
        },
        () = stop.cancelled() => return,
    };
    error!(%reason, "the store failed; no more writes are taken");
    health.store_failed().await;
    failed.send_replace(Some(Stopped::StoreFailed(reason)));
}
