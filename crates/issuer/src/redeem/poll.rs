//! What a device is told whose person has not approved (RFC 8628 §3.5).

use std::time::Duration;

use countersign_jose::UnixTime;

use crate::Expect;
use crate::change::{Change, Decision, Known, Record};
use crate::model::{Authorization, Client, Polling, RecordId, Stage, Way};
use crate::refusal::{NotAllowedCause, Refusal};

/// What is added to the interval of a device that asks too soon (RFC 8628 §3.5).
pub const SLOW_DOWN: Duration = Duration::from_secs(5);

/// Tells a device to wait, or that waiting is over. That it asked is written, so that asking too
/// soon is noticed on every instance and after a restart.
pub(super) fn undecided<T>(
    change: Change,
    client: &Client,
    id: RecordId,
    known: &Known<Authorization>,
    polling: Polling,
    now: UnixTime,
) -> Decision<T> {
    let authorization = &known.value;
    if !authorization.way.is_granted_to(client) {
        return change.refuse(NotAllowedCause::GrantType);
    }
    if authorization.stage == Stage::Denied {
        return change.refuse(Refusal::AccessDenied);
    }
    if now >= authorization.expires_at {
        return change.refuse(Refusal::DeviceCodeExpired);
    }
    let next = polling.polled_at.map(|at| at.plus(polling.interval));
    if next.is_none_or(|next| now >= next) {
        let interval = polling.interval;
        return asked(change, id, known, interval, now)
            .refuse(Refusal::AuthorizationPending { interval });
    }
    // It is too soon until the end, whatever is added: nothing more to write for those who flood.
    if next.is_some_and(|next| next >= authorization.expires_at) {
        let interval = polling.interval;
        return change.refuse(Refusal::SlowDown { interval });
    }
    let interval = polling.interval + SLOW_DOWN;
    asked(change, id, known, interval, now).refuse(Refusal::SlowDown { interval })
}

fn asked(
    change: Change,
    id: RecordId,
    known: &Known<Authorization>,
    interval: Duration,
    now: UnixTime,
) -> Change {
    let authorization = Authorization {
        way: Way::Device(Polling {
            interval,
            polled_at: Some(now),
        }),
        ..known.value.clone()
    };
    change.put(
        Record::Authorization(id, authorization),
        Expect::Version(known.version),
    )
}
