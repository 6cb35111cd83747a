//! Between messages and parsed values, one file for each service. An error names the field.

pub(crate) mod admin;
pub(crate) mod authorization;
pub(crate) mod introspection;
pub(crate) mod revocation;
pub(crate) mod token;

use std::time::Duration;

use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential;
use countersign_issuer::Presented;
use countersign_issuer::model::{ClientId, Malformed, Permissions, Scopes};
use countersign_jose::UnixTime;

use crate::operation::Caller;
use crate::refused::Refused;

/// The largest message, both ways. The largest honest one, a client with 32 keys, is a third.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Who the client is, and what it presents.
pub(crate) fn caller(message: Option<&ClientAuthentication>) -> Result<Caller<'_>, Refused> {
    let client = message.ok_or_else(|| Refused::field("client", Malformed::Missing))?;
    let id = ClientId::parse(&client.client_id)
        .map_err(|problem| Refused::field("client.client_id", problem))?;
    let presented = match &client.credential {
        None => Presented::Nothing,
        Some(Credential::ClientSecret(secret)) => Presented::Secret(secret),
        Some(Credential::ClientAssertion(assertion)) => Presented::Assertion(assertion),
    };
    Ok(Caller {
        id,
        presented,
        certificate: None,
    })
}

/// A length of time. None here is longer than a message can say.
pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

/// An instant.
pub(crate) fn timestamp(time: UnixTime) -> prost_types::Timestamp {
    let millis = time.as_millis();
    prost_types::Timestamp {
        seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1_000).unwrap_or_default() * 1_000_000,
    }
}

/// An instant from a message; `None` where it is before 1970 or no instant at all.
pub(crate) fn unix_time(timestamp: &prost_types::Timestamp) -> Option<UnixTime> {
    let secs = u64::try_from(timestamp.seconds).ok()?;
    let nanos = u64::try_from(timestamp.nanos).ok()?;
    // protobuf's own bounds: the year 9999, and less than a second of nanoseconds.
    (secs <= 253_402_300_799 && nanos < 1_000_000_000)
        .then(|| UnixTime::from_millis(secs * 1_000 + nanos / 1_000_000))
}

/// Scopes as messages list them.
pub(crate) fn scopes(scopes: &Scopes) -> Vec<String> {
    scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect()
}

/// The resources of permissions as messages list them.
pub(crate) fn resources(permissions: &Permissions) -> Vec<String> {
    permissions
        .resources()
        .map(|uri| uri.as_str().to_owned())
        .collect()
}
