//! Reading the configuration again: when SIGHUP asks for it, and when its file has changed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use countersign_server::config::Sources;
use countersign_server::{Config, ConfigError, Running};
use countersign_telemetry::{Telemetry, check_log_filter};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The key that the program takes care of itself.
const LOG_FILTER: &str = "telemetry.log_filter";

/// How often the file is looked at: whoever saves it watches the log for what comes of it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A file that is larger holds no configuration, and is not compared.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the configuration came from, to read it there again.
pub(super) struct Again<'a> {
    sources: Sources<'a>,
    /// `None` where there is no file, or something that can be read only once, such as a pipe.
    file: Option<PathBuf>,
    /// What the file held when it was read, and when it was looked at.
    read: Option<Vec<u8>>,
    seen: Option<Vec<u8>>,
    looks: Interval,
}

impl<'a> Again<'a> {
    /// From these sources. Comes before they are read for the first time, or a change in between
    /// would be missed.
    pub(super) fn from(sources: Sources<'a>) -> Self {
        let file = sources
            .file
            .filter(|file| fs::metadata(file).is_ok_and(|about| about.is_file()))
            .map(PathBuf::from);
        let read = file.as_ref().and_then(contents);
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            sources,
            seen: read.clone(),
            file,
            read,
            looks,
        }
    }

    /// Resolves when the file has changed, and stayed so from one look to the next: somebody may
    /// still be writing.
    pub(super) async fn changed(&mut self) {
        let Some(file) = &self.file else {
            return std::future::pending().await;
        };
        loop {
            self.looks.tick().await;
            let seen = contents(file);
            let stays = seen == self.seen;
            self.seen = seen;
            if stays && self.seen != self.read {
                return;
            }
        }
    }

    /// Reads everything again, and has the service change what it can. What comes of it is logged.
    pub(super) async fn apply(&mut self, running: &Running, telemetry: &Telemetry) {
        self.read = self.file.as_ref().and_then(contents);
        self.seen.clone_from(&self.read);
        let read = self.config();
        let filter = read.as_ref().ok().map(log_filter);
        let reloaded = running.reload(read).await;
        if let (Ok(reloaded), Some(filter)) = (reloaded, filter)
            && reloaded.applied.contains(&LOG_FILTER)
        {
            // It was checked before anything was changed.
            let _checked = telemetry.replace_log_filter(&filter);
        }
    }

    fn config(&self) -> Result<Config, ConfigError> {
        if let (None, Some(path)) = (&self.file, self.sources.file) {
            return Err(ConfigError::Unreadable {
                path: path.to_owned(),
                cause: "is not a regular file, and cannot be read a second time".to_owned(),
            });
        }
        let config = Config::read(self.sources.clone())?;
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
fn contents(file: &PathBuf) -> Option<Vec<u8>> {
    let about = fs::metadata(file).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    fs::read(file).ok()
}
