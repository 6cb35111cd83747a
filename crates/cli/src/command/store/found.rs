//! What a look through a whole store found, for people and for scripts.

use countersign_store::embedded::{LookError, OpenError, Report, Verified};
use serde_json::{Value, json};

use crate::command::serve::failure;
use crate::exit::{Failure, Kind};
use crate::output;

/// A directory that is not opened.
pub(super) fn unopened(cause: &OpenError) -> Failure {
    Failure::new(Kind::Data, cause.to_string()).next(failure::open(cause))
}

/// A directory of which no copy is looked at.
pub(super) fn unseen(cause: &LookError) -> Failure {
    match cause {
        LookError::Unopened(cause) => unopened(cause),
        LookError::NotCopied { .. } => Failure::new(Kind::Data, cause.to_string()).next(
            "the copy needs as much room as the database, in a folder that this account may write \
             to; no file of the store was changed",
        ),
    }
}

/// A report as JSON.
pub(super) fn facts(report: &Report) -> Value {
    let logs: serde_json::Map<String, Value> = report
        .logs
        .iter()
        .map(|(name, log)| {
            let log = json!({
                "first": log.first,
                "last": log.last,
                "head": log.head.to_string(),
            });
            (name.clone(), log)
        })
        .collect();
    json!({
        "records": report.records,
        "logs": logs,
        "last_commit": report.last_commit,
        "mark": report.mark,
        "disk_bytes": report.disk_bytes,
    })
}

/// A report as tables.
pub(super) fn shown(report: &Report) -> String {
    let records = report
        .records
        .iter()
        .map(|(kind, count)| [kind.clone(), count.to_string()]);
    let logs = report.logs.iter().map(|(name, log)| {
        [
            name.clone(),
            log.first.to_string(),
            log.last.to_string(),
            log.head.to_string(),
        ]
    });
    format!(
        "{}\n\n{}\n\nlast commit {}, {} bytes",
        output::table(["records", "count"], records, "no records"),
        output::table(
            ["log", "first", "last", "hash of the last"],
            logs,
            "no logs"
        ),
        report.last_commit,
        report.disk_bytes,
    )
}

/// What is wrong, a line each.
pub(super) fn findings(verified: &Verified) -> String {
    let mut lines: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
    if verified.more_findings > 0 {
        lines.push(format!("and {} more", verified.more_findings));
    }
    lines.join("\n")
}
