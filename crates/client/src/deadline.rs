//! The deadline of a call, as gRPC writes it: `grpc-timeout`, a number of at
//! most eight digits and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How long the caller is ready to wait, counted from when the headers were
/// sent. `None` where it does not say, or not legibly: gRPC then waits.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// When a call that starts now has to be over.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::after(timeout(headers))
    }

    /// So long from now; without a timeout, never.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// Runs `work` until the deadline at most.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Passed> {
        match self.0 {
            Some(at) => tokio::time::timeout_at(at, work).await.map_err(|_| Passed),
            None => Ok(work.await),
        }
    }

    /// What is left, where there is a deadline.
    pub(crate) fn left(self) -> Result<Option<Duration>, Passed> {
        let left = self
            .0
            .map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Passed);
        }
        Ok(left)
    }

    /// Writes what is left into the headers, so that the other side does not
    /// wait longer than the caller does.
    pub(crate) fn write(self, headers: &mut HeaderMap) -> Result<(), Passed> {
        let Some(left) = self.left()? else {
            return Ok(());
        };
        let written = HeaderValue::from_str(&legible(left))
            .expect("digits and a letter are a header's value");
        headers.insert(GRPC_TIMEOUT, written);
        Ok(())
    }
}

/// The deadline has passed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed;

/// The finest unit that leaves at most eight digits.
fn legible(left: Duration) -> String {
    const DIGITS_MAX: u128 = 99_999_999;
    if left.as_micros() <= DIGITS_MAX {
        format!("{}u", left.as_micros().max(1))
    } else if left.as_millis() <= DIGITS_MAX {
        format!("{}m", left.as_millis())
    } else {
        format!("{}S", u128::from(left.as_secs()).min(DIGITS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let check = |text: &str, expected: Option<Duration>| {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(text).unwrap());
            assert_eq!(timeout(&headers), expected, "{text:?}");
        };
        check("0n", Some(Duration::ZERO));
        check("5S", Some(Duration::from_secs(5)));
        check("2H", Some(Duration::from_secs(7200)));
        check("99999999m", Some(Duration::from_millis(99_999_999)));
        for illegible in [
            "",
            "S",
            "-1S",
            "+1S",
            "1",
            "1s",
            "100000000S",
            "1.5S",
            "1 S",
        ] {
            check(illegible, None);
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_left_stays_within_eight_digits() {
        assert_eq!(legible(Duration::from_nanos(1)), "1u");
        assert_eq!(legible(Duration::from_secs(99)), "99000000u");
        assert_eq!(legible(Duration::from_secs(100)), "100000m");
        assert_eq!(legible(Duration::from_secs(1_000_000)), "1000000S");
    }
}
