//! `audit export`: the logs as JSON lines.

use clap::Args;
use countersign_server::audit::{self, LOGS};
use countersign_store::{EntryHash, Log};
use prost_types::Timestamp;
use tonic::Status;

use super::asked::{LogName, time, timestamp};
use super::line::Stored;
use super::{anew_if_trimmed, reading};
use crate::command::connection::AdminArgs;
use crate::exit::{Failure, Kind};
use crate::output::Output;

/// What to export.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// This log alone
    #[arg(long, value_enum)]
    log: Option<LogName>,

    /// From the first entry on that is not before: a time such as 2026-11-27T08:00:00Z, or how long
    /// ago, as in 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Export {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let logs = match self.log {
            Some(name) => vec![name.log()],
            None => LOGS.to_vec(),
        };
        for log in logs {
            anew_if_trimmed(async || self.export(log, output).await).await?;
        }
        Ok(())
    }

    async fn export(&self, log: Log, output: &Output) -> Result<(), Failure> {
        let mut stream = reading(&self.admin, log).await?;
        let mut printed = false;
        let mut before = None;
        let mut begun = self.since.is_none();
        while let Some(answer) = stream
            .message()
            .await
            .map_err(|status| broken_off(&status, log, printed))?
        {
            if let Some(start) = answer.start {
                before = Some(hash(&start.before)?);
            }
            for entry in answer.entries {
                let stored = Stored {
                    log,
                    number: entry.number,
                    bytes: &entry.entry,
                    before: before.ok_or_else(|| fault("has no beginning"))?,
                    hash: hash(&entry.hash)?,
                };
                before = Some(stored.hash);
                begun = begun || self.is_recent(stored)?;
                if begun {
                    for line in stored.lines().map_err(|_| unreadable(stored))? {
                        output.streamed(&line.to_string())?;
                        printed = true;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_recent(&self, stored: Stored<'_>) -> Result<bool, Failure> {
        let told = audit::read(stored.log, stored.bytes).map_err(|_| unreadable(stored))?;
        let since = self.since.unwrap_or_default();
        let latest = told.iter().map(|told| timestamp(told.latest().as_millis()));
        Ok(latest
            .into_iter()
            .any(|at| (at.seconds, at.nanos) >= (since.seconds, since.nanos)))
    }
}

/// Why a log could not be read to its end. What was printed of it cannot begin anew.
fn broken_off(status: &Status, log: Log, printed: bool) -> Failure {
    let failure = Failure::answered(status);
    match (failure.kind(), printed) {
        (Kind::Registry, true) => Failure::unreachable(format!(
            "the log {}: entries that were still to be read were removed, since they were too old",
            log.name()
        ))
        .next("export it again"),
        _ => failure,
    }
}

/// A hash as it is sent.
pub(super) fn hash(bytes: &[u8]) -> Result<EntryHash, Failure> {
    let bytes = bytes
        .try_into()
        .map_err(|_| fault("holds a hash that is none"))?;
    Ok(EntryHash::from_bytes(bytes))
}

fn fault(what: &str) -> Failure {
    Failure::internal(format!("what the service sent {what}"))
}

fn unreadable(stored: Stored<'_>) -> Failure {
    Failure::surprise(format!(
        "the log {}, entry {}: it cannot be read",
        stored.log.name(),
        stored.number
    ))
    .next("run `countersign audit verify`, and compare with an earlier export")
}
