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
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::config::{Change, Config, ConfigError};
use crate::health::{CONFIGURATION, Health};
use crate::stack::Platform;
use crate::start;
use crate::tls::{Certificates, TlsError};
pub(crate) use certificate::Followed;
use certificate::Watch;

/// How often the files are looked at. A certificate is renewed days before its end; a second is
/// soon enough, and two small reads are nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// When they have changed, they are looked at once more: whoever replaces them may not be done, and
/// half a chain can fit its key. Longer than a few writes take.
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);

/// Why the configuration was read again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody asked for it, and so is done with writing: what is in the files is believed.
    Asked,
    /// Its file was seen to have changed. Whoever writes may not be done: what is in the files is
    /// believed when two looks have seen it.
    Seen,
}

/// What a configuration that was read again has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose new values hold from now on.
    pub applied: Vec<&'static str>,
    /// The keys whose new values need a restart. The old ones hold.
    pub waiting: Vec<&'static str>,
    /// Why the files of the certificate hold nothing that could be used; the last good one is. Who
    /// did not ask is not told here, but by the log and by health, as soon as it lasts.
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
        if let Some(watch) = &self.certificate {
            certificate::follow(watch, &*self.clock, &self.health, &stop).await;
        }
    }

    /// Changes what can be changed to what was read; or says why it could not be read.
    pub(crate) async fn change(
        &self,
        read: Result<Config, ConfigError>,
        occasion: Occasion,
    ) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        let changed = self.changed(read, occasion).await;
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

    async fn changed(
        &self,
        read: Result<Config, ConfigError>,
        occasion: Occasion,
    ) -> Result<Reloaded, ReloadError> {
        let change = Change::between(&self.config(), &read?);
        change.config.check()?;
        // Everything that can go wrong comes before anything that takes effect.
        let files = change.config.tls.clone();
        let pair = match (
            files.filter(|files| Some(files) != self.config().tls.as_ref()),
            occasion,
        ) {
            (None, _) => None,
            (Some(files), Occasion::Asked) => Some((certificate::at_once(&files).await?, files)),
            (Some(files), Occasion::Seen) => Some((certificate::settled(&files).await?, files)),
        };
        let mut watch = match &self.certificate {
            Some(watch) => Some(watch.lock().await),
            None => None,
        };
        if let (Some(watch), Some((pair, files))) = (&mut watch, pair) {
            watch.follow(files, pair, self.clock.now())?;
        }

        let config = Arc::new(change.config);
        self.platform
            .engine
            .replace_lifetimes(start::lifetimes(&config));
        self.platform.keys.replace_max_age(config.key_set_max_age);
        self.platform.keeper.replace_schedules(config.schedules());
        self.platform.engine.audit.replace_retention(config.audit);
        self.platform.overload.replace(&config.limits);
        self.platform.key_watchers.replace(&config.limits);
        self.platform.revocation_watchers.replace(&config.limits);
        self.config.store(config);
        let certificate = match (watch, occasion) {
            // Whoever asks wants to know now.
            (Some(mut watch), Occasion::Asked) => {
                watch.look_closely(self.clock.now(), &self.health).await
            }
            (Some(_), Occasion::Seen) | (None, _) => None,
        };
        Ok(Reloaded {
            applied: change.applied,
            waiting: change.waiting,
            certificate,
        })
    }
}
