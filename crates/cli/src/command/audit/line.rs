//! One event on one line: for people, and as JSON with names that stay.

use countersign::admin::v1::{AuditEvent, Outcome};
use countersign_jose::base64url;
use countersign_server::audit::{self, Told, ToldOutcome, Unreadable};
use countersign_store::{EntryHash, Log};
use serde_json::{Value, json};

use super::asked::timestamp;

/// An event as the service shows it, for people.
pub(crate) fn text(event: &AuditEvent) -> String {
    let mut line = format!("{}  {}", crate::output::time(event.time), event.event);
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            line.push_str(&format!("  {name}={value}"));
        }
    };
    add("client", &event.client_id);
    if event.actor != event.client_id {
        add("actor", &event.actor);
    }
    if event.object != event.client_id && event.object != event.token_id {
        add("object", &event.object);
    }
    add("reason", &event.reason);
    add("outcome", outcome(event.outcome()));
    if event.count > 1 {
        add("count", &event.count.to_string());
        add("until", &crate::output::time(event.until_time));
    }
    add("token", &event.token_id);
    add("scopes", &event.scopes.join(","));
    add("resources", &event.resources.join(","));
    line
}

/// An event as the service shows it, for scripts.
pub(crate) fn json_of(log: Log, event: &AuditEvent) -> Value {
    json!({
        "log": log.name(),
        "number": event.number,
        "index": event.index,
        "hash": hex(&event.hash),
        "time": crate::output::time(event.time),
        "until": crate::output::time(event.until_time),
        "event": event.event,
        "client_id": event.client_id,
        "actor": event.actor,
        "object": event.object,
        "reason": event.reason,
        "outcome": outcome(event.outcome()),
        "count": event.count,
        "scopes": event.scopes,
        "resources": event.resources,
        "token_id": event.token_id,
    })
}

/// An entry as it is stored, and what it is built on.
#[derive(Copy, Clone)]
pub(crate) struct Stored<'a> {
    pub(crate) log: Log,
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) before: EntryHash,
    pub(crate) hash: EntryHash,
}

impl Stored<'_> {
    /// The lines of an export: one for each event, the first with the entry itself. They are a
    /// function of the entry, so that whoever has the entry can tell whether they were changed.
    pub(crate) fn lines(self) -> Result<Vec<Value>, Unreadable> {
        let events = audit::read(self.log, self.bytes)?;
        let lines = events.iter().enumerate().map(|(index, told)| {
            let mut line = self.line(index, told);
            if index == 0 {
                line["before"] = self.before.to_string().into();
                line["entry"] = base64url::encode(self.bytes).into();
            }
            line
        });
        Ok(lines.collect())
    }

    fn line(self, index: usize, told: &Told) -> Value {
        let time = |at: countersign_jose::UnixTime| timestamp(at.as_millis()).to_string();
        json!({
            "log": self.log.name(),
            "number": self.number,
            "index": index,
            "hash": self.hash.to_string(),
            "time": time(told.at),
            "until": told.until.map_or_else(String::new, time),
            "event": told.event,
            "client_id": told.client,
            "actor": told.actor,
            "object": told.object,
            "reason": told.reason,
            "outcome": match told.outcome {
                None => "",
                Some(ToldOutcome::Done) => "done",
                Some(ToldOutcome::Refused) => "refused",
            },
            "count": told.count,
            "scopes": told.scopes,
            "resources": told.resources,
            "token_id": told.token_id,
        })
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "",
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
