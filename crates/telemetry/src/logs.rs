//! Log lines: which, how they look, and how they leave.

mod format;
mod writer;

use std::fmt;

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

use self::format::{Json, Pretty};
pub(crate) use self::writer::Lines;
use crate::settings::{LogFormat, Logs, SettingsError};

type Written<S> = Box<dyn Layer<S> + Send + Sync>;

/// The layer that writes events, the queue it writes to, and its filter.
pub(crate) fn layer<S>(logs: Logs) -> Result<(Written<S>, Lines, Chosen), Failed>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let (chosen, handle) = reload::Layer::new(filter(&logs.filter)?);
    // Only events: the fields of spans are not formatted for a log that shows none.
    let events = filter_fn(|meta| meta.is_event()).with_max_level_hint(LevelFilter::TRACE);
    let filter = chosen.and(events);
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
    Ok((
        layer,
        lines,
        Chosen(Box::new(move |next| handle.reload(next).is_ok())),
    ))
}

/// The filter that these directives mean.
pub(crate) fn filter(directives: &str) -> Result<EnvFilter, SettingsError> {
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| SettingsError::Filter(format!("'{directives}': {error}")))
}

/// The filter in use, to be exchanged.
pub(crate) struct Chosen(Box<dyn Fn(EnvFilter) -> bool + Send + Sync>);

impl Chosen {
    /// Whether lines are chosen by `next` from now on: not when the subscriber is gone.
    pub(crate) fn replace(&self, next: EnvFilter) -> bool {
        (self.0)(next)
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
