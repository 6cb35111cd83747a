//! The issuer: its name, its keys for handles, and how long things live.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_jose::UnixTime;
use url::Url;

use crate::handle::MacKeys;
use crate::model::Epoch;

/// The longest that an access token lives, whatever is configured: a guard that verifies offline
/// honours a revoked one for that long.
pub const ACCESS_TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(900);

/// The longest that a family lives, whatever is configured.
pub const REFRESH_ABSOLUTE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long records outlive what they are about, so that a clock that was set back brings
/// nothing back to life.
pub const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// What every decision is made on behalf of.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name.
    pub name: IssuerName,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// The keys for handles.
    pub mac_keys: MacKeys,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// When that epoch began, if it is not the first: the store was set back then, to a backup or
    /// to what was left of it.
    pub set_back_at: Option<UnixTime>,
}

/// The issuer identifier (RFC 8414 §2): compared character for character.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IssuerName(Arc<str>);

/// The text cannot name an issuer.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an issuer must be an https or http URI of at most 255 bytes without query and fragment")]
pub struct NotAnIssuer;

/// How long things live.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// An access token for a resource that does not say; at most [`ACCESS_TOKEN_LIFETIME_MAX`].
    pub access_token: Duration,
    /// An authorization code.
    pub code: Duration,
    /// A pushed authorization request (RFC 9126 §2.2).
    pub request_uri: Duration,
    /// A device code, with its user code (RFC 8628 §3.2).
    pub device_code: Duration,
    /// How long a device waits between two questions, to begin with (RFC 8628 §3.2).
    pub device_interval: Duration,
    /// A family, used or not.
    pub refresh_absolute: Duration,
    /// A family that nobody rotates.
    pub refresh_idle: Duration,
    /// How long after a rotation its lost answer can be asked for again.
    pub retry_window: Duration,
}

impl Issuer {
    /// When a token that is made now says that it was issued: in whole seconds (RFC 7519 §2), and
    /// after the store was set back, since everything that says otherwise is dead. So for less than
    /// a second a token may be issued a little ahead.
    pub(crate) fn issue_time(&self, now: UnixTime) -> UnixTime {
        let second = UnixTime::from_secs(now.as_secs());
        match self.set_back_at {
            Some(back) if second <= back && now >= back => UnixTime::from_secs(back.as_secs() + 1),
            Some(_) | None => second,
        }
    }

    /// Whether something made at that time may have been used up or revoked by changes that the
    /// store has lost since. Then it is dead, like the families of an earlier epoch.
    pub fn may_have_forgotten(&self, made_at: UnixTime) -> bool {
        self.set_back_at.is_some_and(|back| made_at <= back)
    }
}

impl IssuerName {
    /// Reads an issuer identifier.
    ///
    /// # Errors
    /// [`NotAnIssuer`].
    pub fn parse(text: &str) -> Result<Self, NotAnIssuer> {
        let url = Url::parse(text).map_err(|_| NotAnIssuer)?;
        let plain = text.is_ascii() && !text.contains(|c: char| c.is_ascii_control() || c == ' ');
        let fits = text.len() <= 255 && plain && matches!(url.scheme(), "https" | "http");
        // RFC 8414 §2: no query, no fragment.
        if fits && url.query().is_none() && url.fragment().is_none() {
            Ok(Self(text.into()))
        } else {
            Err(NotAnIssuer)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of what is at this path below the issuer; the path begins with a slash.
    pub fn below(&self, path: &str) -> String {
        format!("{}{path}", self.0.trim_end_matches('/'))
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            // Long enough to be cached, short enough that revocation is felt.
            access_token: Duration::from_secs(300),
            // A browser's way from one page to the next (RFC 6749 §4.1.2 allows ten times that).
            code: Duration::from_secs(60),
            // A person's way through a login (RFC 9126 §2.2: 5 to 600 s).
            request_uri: Duration::from_secs(600),
            // A person's way from the device to a browser, and through a login there.
            device_code: Duration::from_secs(600),
            // RFC 8628 §3.2: what clients assume that are told none.
            device_interval: Duration::from_secs(5),
            refresh_absolute: Duration::from_secs(30 * 24 * 3600),
            // Longer than a long weekend away.
            refresh_idle: Duration::from_secs(7 * 24 * 3600),
            // A timeout and a few retries; a thief needs luck to hit it, and the key.
            retry_window: Duration::from_secs(10),
        }
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
