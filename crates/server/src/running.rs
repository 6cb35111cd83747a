//! A token service that runs, and how it stops without losing a call.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_guard::Guard;
use countersign_store::{Health as StoreHealth, Store};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::{self, ServerTlsConfig};
use tracing::{error, info, warn};

use crate::config::Config;
use crate::health::Health;
use crate::janitor;
use crate::listen::{Tcp, Terms, Unix};
use crate::stack::{self, Platform};

/// After the hard limit: how long connections that were cut have to notice.
const CUT_DUE: Duration = Duration::from_secs(1);

/// A token service that takes calls. Dropped without [`Running::stop`], it stops at once and loses
/// calls in flight; what was acknowledged is on disk all the same.
pub struct Running {
    places: Places,
    config: Config,
    health: Health,
    store: Arc<dyn Store>,
    edges: Edges,
    failure: watch::Receiver<Option<Stopped>>,
}

/// Where things are.
pub(crate) struct Places {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    pub(crate) issuer: String,
    pub(crate) socket: PathBuf,
    pub(crate) key_file: PathBuf,
    pub(crate) first_start: bool,
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

/// The two listeners and the janitor, as tasks.
pub(crate) struct Edges {
    tasks: Vec<JoinHandle<Result<(), transport::Error>>>,
    platform: Platform,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Edges {
    pub(crate) fn serve(
        platform: Platform,
        guard: Guard,
        tls: Option<ServerTlsConfig>,
        tcp: Tcp,
        unix: Unix,
        (public, admin): (Terms, Terms),
    ) -> Self {
        let stop = CancellationToken::new();
        let cut = public.cut.clone();
        let tasks = vec![
            tokio::spawn(stack::serve_public(
                platform.clone(),
                guard,
                tls,
                tcp,
                public,
                stop.clone(),
            )),
            tokio::spawn(stack::serve_admin(
                platform.clone(),
                unix,
                admin,
                stop.clone(),
            )),
        ];
        Self {
            tasks,
            platform,
            stop,
            cut,
        }
    }
}

impl Running {
    pub(crate) fn new(
        edges: Edges,
        health: Health,
        store: Arc<dyn Store>,
        config: Config,
        places: Places,
    ) -> Self {
        let (failed, failure) = watch::channel(None);
        tokio::spawn(attend(
            Arc::clone(&store),
            health.clone(),
            failed,
            edges.stop.clone(),
        ));
        tokio::spawn(janitor::run(
            Arc::clone(&store),
            Arc::clone(&edges.platform.engine.clock),
            edges.stop.clone(),
        ));
        Self {
            places,
            config,
            health,
            store,
            edges,
            failure,
        }
    }

    /// The TCP address, with its actual port.
    pub fn grpc_address(&self) -> SocketAddr {
        self.places.address
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
        &self.config.store.directory
    }

    /// The file of the key-encryption key.
    pub fn key_file(&self) -> &Path {
        &self.places.key_file
    }

    /// Whether this start made the store.
    pub fn first_start(&self) -> bool {
        self.places.first_start
    }

    /// Waits until the service cannot go on by itself, and says why. Then [`Running::stop`] it,
    /// and exit with an error: a restart begins with what is on the disk.
    pub async fn wait(&self) -> Stopped {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(stopped)) => stopped.clone(),
            // Whoever would have told is gone: the runtime is being torn down.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Stops without losing a call: reports NOT_SERVING, waits for balancers to notice, takes no
    /// more connections, lets calls in flight finish up to a hard limit, and closes the store.
    ///
    /// # Errors
    /// The store had failed, or did not close cleanly.
    pub async fn stop(mut self) -> Result<(), Stopped> {
        info!("stopping");
        self.health.stopping().await;
        sleep(self.config.stop.notice).await;
        self.edges.stop.cancel();
        let mut failed = self.failure.borrow().clone();
        if timeout(self.config.stop.drain, self.ended(&mut failed))
            .await
            .is_err()
        {
            warn!("calls in flight did not end in time; connections are cut");
            self.edges.cut.cancel();
            if timeout(CUT_DUE, self.ended(&mut failed)).await.is_err() {
                warn!("connections did not end although they were cut");
            }
        }
        let closed = self.store.close().await;
        match (failed, closed) {
            (Some(stopped), _) => Err(stopped),
            (None, Err(error)) => Err(Stopped::StoreFailed(error.to_string())),
            (None, Ok(())) => Ok(()),
        }
    }

    async fn ended(&mut self, failed: &mut Option<Stopped>) {
        while let Some(task) = self.edges.tasks.last_mut() {
            let ended = task.await;
            self.edges.tasks.pop();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    *failed = Some(Stopped::ListenerFailed(error.to_string()));
                }
                Err(panic) => *failed = Some(Stopped::ListenerFailed(panic.to_string())),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.edges.stop.cancel();
        self.edges.cut.cancel();
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
    let failure = async {
        let state = state
            .wait_for(|state| matches!(state, StoreHealth::Failed(_)))
            .await;
        match state.as_deref() {
            Ok(StoreHealth::Failed(reason)) => Some(reason.clone()),
            _ => None,
        }
    };
    tokio::select! {
        reason = failure => {
            if let Some(reason) = reason {
                error!(%reason, "the store failed; no more writes are taken");
                health.store_failed().await;
                failed.send_replace(Some(Stopped::StoreFailed(reason)));
            }
            // Kept, so that whoever waits hears of it.
            failed.closed().await;
        }
        () = stop.cancelled() => {}
    }
}
