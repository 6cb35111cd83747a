//! Log lines: which, how they look, and how they leave.

mod format;
mod writer;

use std::fmt;

use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use self::format::{Json, Pretty};
pub(crate) use self::writer::Lines;
use crate::settings::{LogFormat, Logs, SettingsError};

type Written = Box<dyn Layer<Registry> + Send + Sync>;

/// The layer that writes events, the queue it writes to, and its filter.
pub(crate) fn layer(logs: Logs) -> Result<(Written, Lines, Chosen), Failed> {
    let (chosen, handle) = reload::Layer::new(filter(&logs.filter)?);
    // Only events: the fields of spans are not formatted for a log that shows none.
    let filter = chosen.and(filter_fn(|meta| meta.is_event()));
    let (lines, colours) = Lines::to(logs.sink, logs.format)?;
    let base = tracing_subscriber::fmt::layer()
        .with_writer(lines.clone())
        .with_ansi(colours);
    let layer = match logs.format {
        LogFormat::Pretty => base.event_format(Pretty).with_filter(filter).boxed(),
        LogFormat::Json => base
            .event_format(Json)
            .with_ansi(false)
            .with_filter(filter)
            .boxed(),
    };
    Ok((layer, lines, Chosen(handle)))
}

/// The filter that these directives mean.
pub(crate) fn filter(directives: &str) -> Result<EnvFilter, SettingsError> {
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| SettingsError::Filter(format!("'{directives}': {error}")))
}

/// The filter in use, to be exchanged.
#[derive(Clone)]
pub(crate) struct Chosen(reload::Handle<EnvFilter, Registry>);

impl Chosen {
    /// Whether lines are chosen by `next` from now on: not when the subscriber is gone.
    pub(crate) fn replace(&self, next: EnvFilter) -> bool {
        self.0.reload(next).is_ok()
    }

    /// Whether there may be lines of this level; which, the filter itself says.
    pub(crate) fn may_tell(&self, level: Level) -> bool {
        let may = |filter: &EnvFilter| filter.max_level_hint().is_none_or(|most| level <= most);
        self.0.with_current(may).unwrap_or(false)
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chosen(..)")
    }
}

/// Why there is no log.
#[derive(Debug)]
pub(crate) enum Failed {
    Settings(SettingsError),
    Thread(std::io::Error),
}

impl From<SettingsError> for Failed {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Thread(error)
    }
}
