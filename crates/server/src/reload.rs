//! What changes while the service runs: the certificate, when its files do; and the configuration,
//! when it is read again. What is bad is said and not used; the last good one stays.

mod alarm;
mod certificate;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_client::clock::Clock;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::{Change, Config, ConfigError, Tls};
use crate::health::{CONFIGURATION, Health};
use crate::stack::Platform;
use crate::start;
use crate::tls::{Certificates, Pair, TlsError};
use certificate::{Look, Watch};

/// How often the files are looked at. A certificate is renewed days before its end; a second is
/// soon enough, and two small reads are nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// When they have changed, they are looked at once more: whoever replaces them may not be done, and
/// half a chain can fit its key. Longer than a few writes take.
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);

/// What a configuration that was read again has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose new values hold from now on.
    pub applied: Vec<&'static str>,
    /// The keys whose new values need a restart. The old ones hold.
    pub waiting: Vec<&'static str>,
    /// Why the files of the certificate hold nothing that could be used; the last good one is.
    pub certificate: Option<TlsError>,
}

/// Why nothing was changed: everything that was read, or nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReloadError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It names other files for the certificate and its key, and they are wrong.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What can change, and what it is now.
pub(crate) struct Reload {
    config: ArcSwap<Config>,
    certificate: Option<Mutex<Watch>>,
    platform: Platform,
    clock: Arc<dyn Clock>,
    health: Health,
    /// One change after the other.
    turn: Mutex<()>,
}

impl Reload {
    pub(crate) fn new(
        config: Config,
        certificates: Option<Arc<Certificates>>,
        platform: Platform,
    ) -> Self {
        let certificate = config.tls.clone().zip(certificates);
        Self {
            config: ArcSwap::from_pointee(config),
            certificate: certificate
                .map(|(files, certificates)| Mutex::new(Watch::new(files, certificates))),
            clock: Arc::clone(&platform.engine.clock),
            health: platform.health.clone(),
            platform,
            turn: Mutex::default(),
        }
    }

    /// The configuration that holds.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Looks at the certificate's files until the stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let Some(watch) = &self.certificate else {
            return;
        };
        loop {
            let now = self.clock.now();
            let wait = match watch.lock().await.look(now, &self.health).await {
                Look::Settled => LOOK_INTERVAL,
                Look::Unsettled => SETTLE_INTERVAL,
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Changes what can be changed to what was read; or says why it could not be read.
    pub(crate) async fn change(
        &self,
        read: Result<Config, ConfigError>,
    ) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        let changed = self.changed(read).await;
        self.health.component(CONFIGURATION, changed.is_ok()).await;
        match &changed {
            Ok(Reloaded {
                applied, waiting, ..
            }) => {
                if !applied.is_empty() {
                    info!(keys = applied.join(", "), "the configuration has changed");
                }
                if !waiting.is_empty() {
                    let keys = waiting.join(", ");
                    warn!(keys, "changes of the configuration that need a restart");
                }
            }
            Err(problem) => {
                error!(%problem, "the configuration cannot be used; the last good one stays");
            }
        }
        changed
    }

    async fn changed(&self, read: Result<Config, ConfigError>) -> Result<Reloaded, ReloadError> {
        let change = Change::between(&self.config(), &read?);
        change.config.check()?;
        // Everything that can go wrong comes before anything that takes effect.
        let files = change.config.tls.clone();
        let pair = match files.filter(|files| Some(files) != self.config().tls.as_ref()) {
            Some(files) => Some((read_pair(files.clone()).await?, files)),
            None => None,
        };

        let config = Arc::new(change.config);
        self.platform
            .engine
            .replace_lifetimes(start::lifetimes(&config));
        self.platform.keys.replace_max_age(config.key_set_max_age);
        self.platform.overload.replace(&config.limits);
        self.config.store(config);
        let certificate = match &self.certificate {
            Some(watch) => {
                let mut watch = watch.lock().await;
                if let Some((pair, files)) = pair {
                    watch.follow(files, pair);
                }
                // Whoever asks wants to know now.
                watch.look_closely(self.clock.now(), &self.health).await
            }
            None => None,
        };
        Ok(Reloaded {
            applied: change.applied,
            waiting: change.waiting,
            certificate,
        })
    }
}

async fn read_pair(files: Tls) -> Result<Pair, TlsError> {
    let file = files.certificate_file.clone();
    spawn_blocking(move || Pair::read(&files))
        .await
        .unwrap_or_else(|panic| {
            Err(TlsError {
                file,
                problem: panic.to_string(),
            })
        })
}
