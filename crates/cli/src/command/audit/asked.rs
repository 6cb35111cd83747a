//! Which events of which log.

use clap::{Args, ValueEnum};
use countersign::admin::v1::{AuditLog, EventFilter, Outcome};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_server::audit::LOGS;
use countersign_store::Log;
use prost_types::Timestamp;

use crate::hyphened::Hyphened;

/// A log of events.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum LogName {
    /// Security and administrative events
    Audit,
    /// Tokens that were issued by client credentials
    Issuance,
}

/// How an event ended.
#[derive(Copy, Clone, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum OutcomeName {
    /// It was done
    Done,
    /// It was refused
    Refused,
}

/// What an event must be like.
#[derive(Args, Debug)]
pub(crate) struct Asked {
    /// Of this log
    #[arg(long, value_enum, default_value_t = LogName::Audit)]
    pub(crate) log: LogName,

    /// Of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,

    /// One of these events, as in REFRESH_REUSED; `docs/audit.md` lists them
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', value_parser = event)]
    events: Vec<String>,

    /// Done by this client, subject or operator, as in uid:0
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,

    /// Done to this client, resource, family or token
    #[arg(long, value_name = "WHAT", allow_hyphen_values = true, value_parser = Hyphened)]
    object: Option<String>,

    /// For this reason, as in client_wrong_secret
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,

    /// With this outcome
    #[arg(long, value_enum)]
    outcome: Option<OutcomeName>,

    /// Not before: a time such as 2026-11-27T08:00:00Z, or how long ago, as in 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// Before, as --since
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

impl Asked {
    /// As the service takes it.
    pub(crate) fn filter(&self) -> EventFilter {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        EventFilter {
            events: self.events.clone(),
            client_id: text(&self.client),
            actor: text(&self.actor),
            object: text(&self.object),
            reason: text(&self.reason),
            outcome: match self.outcome {
                None => Outcome::Unspecified,
                Some(OutcomeName::Done) => Outcome::Done,
                Some(OutcomeName::Refused) => Outcome::Refused,
            }
            .into(),
            since: self.since,
            until: self.until,
        }
    }
}

impl LogName {
    /// The log of that name.
    pub(crate) fn log(self) -> Log {
        let [audit, issuance] = LOGS;
        match self {
            Self::Audit => audit,
            Self::Issuance => issuance,
        }
    }
}

/// The log of that name, if it is one of events.
pub(crate) fn log_named(name: &str) -> Option<Log> {
    LOGS.into_iter().find(|log| log.name() == name)
}

/// The number that the contracts give to a log.
pub(crate) fn number(log: Log) -> AuditLog {
    let [audit, _] = LOGS;
    if log == audit {
        AuditLog::Audit
    } else {
        AuditLog::Issuance
    }
}

/// A time, or how long ago.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(timestamp(SystemClock.now().minus(ago).as_millis()));
    }
    text.parse()
        .map_err(|_| "write a time as 2026-11-27T08:00:00Z, or how long ago, as 2h".to_owned())
}

/// Milliseconds since the Unix epoch as the contracts have them.
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1_000).unwrap_or_default() * 1_000_000,
    }
}

/// Upper or lower case.
fn event(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    match countersign_server::audit::event_names().any(|event| event == name) {
        true => Ok(name),
        false => Err("is no event; docs/audit.md lists them".to_owned()),
    }
}
