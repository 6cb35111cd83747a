//! A program without a browser asks for approval (RFC 8628): it shows a code, a person types it
//! somewhere else and approves, and the program, which asks every few seconds, gets its tokens.
//!
//! ```no_run
//! # async fn login(countersign: countersign_client::Countersign) -> Result<(), Box<dyn std::error::Error>> {
//! let device = countersign.device().scopes(["films.watch"]).begin().await?;
//! println!("go to {} and type {}", device.verification_uri(), device.user_code());
//! let issued = device.wait().await?;
//! let channel = countersign
//!     .channel("https://films.example")
//!     .tokens(countersign.tokens_of(&issued)?)
//!     .connect()
//!     .await?;
//! # let _ = channel;
//! # Ok(())
//! # }
//! ```

mod poll;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign::authorization::v1::AuthorizeDeviceRequest;
use countersign::error::v1::Reason;

pub use self::poll::{Heard, Next, Polling};
use crate::clock::Clock;
use crate::countersign::Countersign;
use crate::error::TokenError;
use crate::secret::Secret;
use crate::token_service::{Issued, TokenService};
use crate::wanted::{Wanted, wanted_setters};

/// RFC 8628 §3.2: where the server says nothing.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a person is asked for; made by [`Countersign::device`].
#[must_use]
#[derive(Clone)]
pub struct DeviceRequest {
    countersign: Countersign,
    wanted: Wanted,
}

/// Why there are no tokens.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// The person declined.
    #[error("the person declined")]
    Declined,
    /// Nobody decided in time.
    #[error("nobody approved in time: begin anew, with another code to show")]
    Expired,
    /// The token service refused, or something else went wrong that time does not mend.
    #[error(transparent)]
    Token(TokenError),
}

impl DeviceRequest {
    pub(crate) fn new(countersign: Countersign) -> Self {
        Self {
            countersign,
            wanted: Wanted::default(),
        }
    }

    wanted_setters!();

    /// Asks for a code to show.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn begin(self) -> Result<DeviceAuthorization, TokenError> {
        let service = self.countersign.token_service();
        let clock = self.countersign.clock();
        // Its life is counted from before it was asked for.
        let begun = clock.steady();
        let given = service
            .lodge_device(AuthorizeDeviceRequest {
                scopes: self.wanted.scopes,
                resources: self.wanted.resources,
                authorization_details: self.wanted.authorization_details,
                ..AuthorizeDeviceRequest::default()
            })
            .await?;
        let expires_in = given
            .expires_in
            .and_then(|lifetime| Duration::try_from(lifetime).ok())
            .ok_or(TokenError::Incomplete("lifetime"))?;
        let interval = given
            .interval
            .and_then(|interval| Duration::try_from(interval).ok())
            // One of nothing would be a flood.
            .filter(|interval| !interval.is_zero())
            .unwrap_or(INTERVAL);
        for (what, text) in [
            ("device code", &given.device_code),
            ("user code", &given.user_code),
            ("verification URI", &given.verification_uri),
        ] {
            if text.is_empty() {
                return Err(TokenError::Incomplete(what));
            }
        }
        Ok(DeviceAuthorization {
            service,
            clock,
            device_code: given.device_code.into(),
            user_code: given.user_code,
            verification_uri: given.verification_uri,
            verification_uri_complete: Some(given.verification_uri_complete)
                .filter(|uri| !uri.is_empty()),
            expires_in,
            polling: Polling::new(interval, expires_in, begun),
        })
    }
}

/// A device that waits for a person.
pub struct DeviceAuthorization {
    service: TokenService,
    clock: Arc<dyn Clock>,
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Duration,
    polling: Polling,
}

impl DeviceAuthorization {
    /// What the person types.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the person types it.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it, for a QR code. Show the code beside it all the same: the
    /// person compares it (RFC 8628 §3.3.1).
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// How long the person has, from when it began.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// Asks until the person has decided, or the code has ended. While the token service cannot be
    /// reached it asks less and less often. Whoever drops this asks no more.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub async fn wait(mut self) -> Result<Issued, DeviceError> {
        let mut next = self.polling.first(self.clock.steady());
        loop {
            let Next::Ask(pause) = next else {
                return Err(DeviceError::Expired);
            };
            tokio::time::sleep(pause).await;
            let error = match self.service.redeem_device(&self.device_code).await {
                Ok(issued) => return Ok(issued),
                Err(error) => error,
            };
            let asked_for = error.retry_after();
            let heard = heard(error)?;
            next = self.polling.heard(heard, asked_for, self.clock.steady());
        }
    }
}

/// Whether to ask again.
fn heard(error: TokenError) -> Result<Heard, DeviceError> {
    match &error {
        TokenError::Unavailable(_) => Ok(Heard::Nothing),
        TokenError::Refused(refused, _) => match refused.reason {
            Reason::AuthorizationPending => Ok(Heard::Pending),
            Reason::SlowDown => Ok(Heard::SlowDown),
            Reason::ExpiredToken => Err(DeviceError::Expired),
            // RFC 8628 §3.5: that the client may not is another error of OAuth's.
            Reason::ClientNotAllowed if refused.oauth_error.as_deref() == Some("access_denied") => {
                Err(DeviceError::Declined)
            }
            _ => Err(DeviceError::Token(error)),
        },
        _ => Err(DeviceError::Token(error)),
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
