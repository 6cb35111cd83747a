//! Reading the configuration again: when SIGHUP asks for it, and when its file has changed.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_server::config::Sources;
use countersign_server::{Config, ConfigError, Occasion, Running};
use countersign_telemetry::{Telemetry, check_log_filter};
use tokio::task::spawn_blocking;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::signals::Hangups;

/// The key that the program takes care of itself.
const LOG_FILTER: &str = "telemetry.log_filter";

/// How often the file is looked at: whoever saves it watches the log for what comes of it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A file that is larger holds no configuration, and is not compared.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the configuration came from, to read it there again.
pub(super) struct Again {
    named: Option<PathBuf>,
    /// All sources but the file.
    sources: Sources<'static>,
    /// `None` where there is no file, or something that can be read only once, such as a pipe.
    file: Option<PathBuf>,
    /// What the file held when it was read, and when it was looked at.
    read: Option<Vec<u8>>,
    seen: Option<Vec<u8>>,
    looks: Interval,
}

impl Again {
    /// From this file and the other sources. Comes before they are read for the first time, or a
    /// change in between would be missed.
    pub(super) fn from(named: Option<PathBuf>, sources: Sources<'static>) -> Self {
        let regular = |file: &PathBuf| fs::metadata(file).is_ok_and(|about| about.is_file());
        let file = named.clone().filter(regular);
        let read = file.as_deref().and_then(contents);
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            named,
            sources,
            seen: read.clone(),
            file,
            read,
            looks,
        }
    }

    /// Reads everything again whenever SIGHUP asks for it, or the file has changed. May be dropped
    /// at any time.
    pub(super) async fn follow(
        &mut self,
        running: &Running,
        hangups: &mut Hangups,
        telemetry: &Telemetry,
    ) -> Infallible {
        loop {
            let occasion = tokio::select! {
                () = hangups.next() => Occasion::Asked,
                () = self.changed() => Occasion::Seen,
            };
            self.apply(occasion, running, telemetry).await;
        }
    }

    /// Resolves when the file has changed, and stayed so from one look to the next: somebody may
    /// still be writing.
    async fn changed(&mut self) {
        if self.file.is_none() {
            return std::future::pending().await;
        }
        loop {
            self.looks.tick().await;
            let seen = self.contents().await;
            let stays = seen == self.seen;
            self.seen = seen;
            if stays && self.seen != self.read {
                return;
            }
        }
    }

    /// Reads everything again, and has the service change what it can. What comes of it is logged.
    async fn apply(&mut self, occasion: Occasion, running: &Running, telemetry: &Telemetry) {
        self.read = self.contents().await;
        self.seen.clone_from(&self.read);
        let read = self.config().await;
        let filter = read.as_ref().ok().map(log_filter);
        let reloaded = running.reload(read, occasion).await;
        if let (Ok(reloaded), Some(filter)) = (reloaded, filter)
            && reloaded.applied.contains(&LOG_FILTER)
        {
            // It was checked before anything was changed.
            let _checked = telemetry.replace_log_filter(&filter);
        }
    }

    /// Off the runtime, as everything that reads: a disk far away may take its time.
    async fn contents(&self) -> Option<Vec<u8>> {
        let file = self.file.clone()?;
        spawn_blocking(move || contents(&file)).await.ok()?
    }

    async fn config(&self) -> Result<Config, ConfigError> {
        let unreadable = |path: &Path, cause: String| ConfigError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        if let (None, Some(path)) = (&self.file, &self.named) {
            let cause = "is not a regular file, and cannot be read a second time";
            return Err(unreadable(path, cause.to_owned()));
        }
        let (file, sources) = (self.file.clone(), self.sources.clone());
        let read = spawn_blocking(move || {
            Config::read(Sources {
                file: file.as_deref(),
                ..sources
            })
        });
        let config = read.await.unwrap_or_else(|panic| {
            let path = self.named.as_deref().unwrap_or(Path::new(""));
            Err(unreadable(path, panic.to_string()))
        })?;
        check_log_filter(&log_filter(&config)).map_err(|_| ConfigError::Contradiction {
            key: LOG_FILTER,
            expected: "must be directives as in RUST_LOG",
        })?;
        Ok(config)
    }
}

fn log_filter(config: &Config) -> String {
    config.telemetry.log_filter.clone()
}

/// What the file holds; `None` for one that is not there or is none of ours.
fn contents(file: &Path) -> Option<Vec<u8>> {
    let about = fs::metadata(file).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    fs::read(file).ok()
}
