//! Entries of the logs of events, read.

use countersign_jose::UnixTime;

use super::{AUDIT, Damaged, ISSUANCE, Log, message_of, stored, time};
use crate::audit::{Told, ToldOutcome};

/// The prefix of every enumerator.
const PREFIX: &str = "AUDIT_EVENT_";

/// What an entry of `log` tells: one event, or those of a block.
pub(crate) fn told(log: Log, bytes: &[u8]) -> Result<Vec<Told>, Damaged> {
    match log {
        AUDIT => Ok(vec![event(message_of(bytes)?)]),
        ISSUANCE => Ok(block(message_of(bytes)?)),
        _ => Err(Damaged),
    }
}

/// The names of all events that there are.
pub(crate) fn event_names() -> impl Iterator<Item = &'static str> {
    // Enumerators are not numbered without a gap; a byte has room for all of them.
    (1..=i32::from(u8::MAX))
        .filter_map(|number| stored::AuditEvent::try_from(number).ok())
        .map(name)
}

fn name(event: stored::AuditEvent) -> &'static str {
    let full = event.as_str_name();
    full.strip_prefix(PREFIX).unwrap_or(full)
}

fn block(block: stored::IssuanceBlock) -> Vec<Told> {
    let dropped = (block.dropped != 0).then(|| stored::AuditEntry {
        time_millis: block.dropped_millis,
        until_millis: block.dropped_until_millis,
        event: stored::AuditEvent::IssuanceEventsDropped.into(),
        actor: "service".to_owned(),
        object: ISSUANCE.name().to_owned(),
        reason: "buffer_full".to_owned(),
        outcome: stored::AuditOutcome::Done.into(),
        count: block.dropped,
        ..stored::AuditEntry::default()
    });
    dropped
        .into_iter()
        .chain(block.entries)
        .map(event)
        .collect()
}

fn event(entry: stored::AuditEntry) -> Told {
    Told {
        at: UnixTime::from_millis(entry.time_millis),
        until: time(entry.until_millis),
        event: match stored::AuditEvent::try_from(entry.event) {
            Ok(event) => name(event).to_owned(),
            // Of a later release: better shown by its number than not at all.
            Err(_) => format!("EVENT_{}", entry.event),
        },
        outcome: match stored::AuditOutcome::try_from(entry.outcome) {
            Ok(stored::AuditOutcome::Done) => Some(ToldOutcome::Done),
            Ok(stored::AuditOutcome::Refused) => Some(ToldOutcome::Refused),
            Ok(stored::AuditOutcome::Unspecified) | Err(_) => None,
        },
        client: entry.client_id,
        actor: entry.actor,
        object: entry.object,
        reason: entry.reason,
        count: entry.count.max(1),
        scopes: entry.scopes,
        resources: entry.resources,
        token_id: entry.token_id,
    }
}
