//! Events.

use countersign::admin::v1 as message;
use countersign_jose::{UnixTime, base64url};
use countersign_store::Log;

use crate::audit::{Filter, Order, Place, Placed, ToldOutcome, event_names};
use crate::record;
use crate::refused::Refused;
use crate::wire::{timestamp, unix_time};

use super::page;

/// Which page of which log is asked for.
pub(crate) struct LogAsking {
    pub(crate) log: Log,
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) after: Option<Place>,
    pub(crate) limit: usize,
}

impl LogAsking {
    pub(crate) fn parse(request: message::ListEventsRequest) -> Result<Self, Refused> {
        let log = log(request.log)?;
        let order = if request.oldest_first {
            Order::OldestFirst
        } else {
            Order::NewestFirst
        };
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(place(token, log, order).ok_or(page::NOT_A_TOKEN)?),
        };
        Ok(Self {
            log,
            filter: filter(request.filter)?,
            order,
            after,
            limit: page::limit(request.page_size)?,
        })
    }

    /// The token of the page behind that place.
    pub(crate) fn token(&self, after: Option<Place>) -> String {
        let Some(Place { number, index }) = after else {
            return String::new();
        };
        let mut bytes = vec![mark(self.log, self.order)];
        bytes.extend(number.to_be_bytes());
        bytes.extend(index.to_be_bytes());
        base64url::encode(bytes)
    }
}

/// What a token of one log, and one order, begins with: it means nothing in another.
fn mark(log: Log, order: Order) -> u8 {
    u8::from(log == record::ISSUANCE) << 1 | u8::from(order == Order::OldestFirst)
}

fn place(token: &str, log: Log, order: Order) -> Option<Place> {
    let bytes: [u8; 13] = base64url::decode_array(token).ok()?;
    let (head, rest) = bytes.split_first()?;
    let (number, index) = rest.split_first_chunk()?;
    let index: [u8; 4] = index.try_into().ok()?;
    (*head == mark(log, order)).then(|| Place {
        number: u64::from_be_bytes(*number),
        index: u32::from_be_bytes(index),
    })
}

/// The field `log` of a request.
pub(crate) fn log(number: i32) -> Result<Log, Refused> {
    match message::AuditLog::try_from(number) {
        Ok(message::AuditLog::Unspecified | message::AuditLog::Audit) => Ok(record::AUDIT),
        Ok(message::AuditLog::Issuance) => Ok(record::ISSUANCE),
        Err(_) => Err(Refused::Field {
            field: "log",
            expected: "must be the audit log or the log of issuances",
        }),
    }
}

/// The field `filter` of a request.
pub(crate) fn filter(filter: Option<message::EventFilter>) -> Result<Filter, Refused> {
    let filter = filter.unwrap_or_default();
    // A name with an error in it would find nothing, and say nothing.
    let unknown = |name: &String| !event_names().any(|event| event == name);
    if filter.events.iter().any(unknown) {
        return Err(Refused::Field {
            field: "filter.events",
            expected: "must be names of events, as in REFRESH_REUSED; docs/audit.md lists them",
        });
    }
    Ok(Filter {
        outcome: match message::Outcome::try_from(filter.outcome) {
            Ok(message::Outcome::Unspecified) => None,
            Ok(message::Outcome::Done) => Some(ToldOutcome::Done),
            Ok(message::Outcome::Refused) => Some(ToldOutcome::Refused),
            Err(_) => {
                return Err(Refused::Field {
                    field: "filter.outcome",
                    expected: "must be done or refused",
                });
            }
        },
        since: time("filter.since", filter.since)?,
        until: time("filter.until", filter.until)?,
        events: filter.events,
        client: filter.client_id,
        actor: filter.actor,
        object: filter.object,
        reason: filter.reason,
    })
}

fn time(
    field: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<UnixTime>, Refused> {
    let Some(time) = time else { return Ok(None) };
    match unix_time(&time) {
        Some(time) => Ok(Some(time)),
        None => Err(Refused::Field {
            field,
            expected: "must be a time from 1970 to 9999",
        }),
    }
}

/// An event as it is shown.
pub(crate) fn event(placed: Placed) -> message::AuditEvent {
    let Placed { place, hash, told } = placed;
    message::AuditEvent {
        number: place.number,
        index: place.index,
        hash: hash.as_bytes().to_vec(),
        time: Some(timestamp(told.at)),
        until_time: told.until.map(timestamp),
        event: told.event,
        client_id: told.client,
        actor: told.actor,
        object: told.object,
        reason: told.reason,
        outcome: match told.outcome {
            None => message::Outcome::Unspecified,
            Some(ToldOutcome::Done) => message::Outcome::Done,
            Some(ToldOutcome::Refused) => message::Outcome::Refused,
        }
        .into(),
        count: told.count,
        scopes: told.scopes,
        resources: told.resources,
        token_id: told.token_id,
    }
}
