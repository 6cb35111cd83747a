//! Tokens in a person's name, for as long as the refresh token's family lives.

use std::sync::Arc;
use std::time::Duration;

use countersign_telemetry::spans;
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::{AccessToken, BoxFuture, Fetch};
use crate::error::TokenError;
use crate::secret::Secret;
use crate::token_service::{Issued, TokenService};

/// Presenting the same refresh token again is answered with the same successor
/// for ten seconds after the first; three attempts with these pauses, each of
/// at most two seconds, are over before that.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
const ATTEMPT: Duration = Duration::from_secs(2);

/// The longest pause that the token service may ask for between two attempts:
/// with it, too, they are over in nine seconds.
const PAUSE_MAX: Duration = Duration::from_millis(1_500);

/// Called with each new refresh token, before the access token that came with
/// it is used: store it, so that a restart goes on where this left off.
pub type Rotation = Arc<dyn Fn(&Secret) + Send + Sync>;

/// A refresh token, and its successors as it is rotated. One value per family:
/// clones share the newest token, and rotate one after the other.
#[derive(Clone)]
pub struct RefreshToken {
    service: TokenService,
    newest: Arc<Mutex<Secret>>,
    on_rotation: Option<Rotation>,
    scopes: Vec<String>,
    resources: Vec<String>,
}

impl RefreshToken {
    /// Begins with `newest`, the refresh token that was received last.
    pub fn new(service: TokenService, newest: Secret) -> Self {
        Self {
            service,
            newest: Arc::new(Mutex::new(newest)),
            on_rotation: None,
            scopes: Vec::new(),
            resources: Vec::new(),
        }
    }

    /// Calls `rotation` with each new refresh token.
    #[must_use]
    pub fn on_rotation(self, rotation: Rotation) -> Self {
        Self {
            on_rotation: Some(rotation),
            ..self
        }
    }

    /// Fetches access tokens for some of the family's scopes and resources
    /// only; of the same family.
    #[must_use]
    pub fn narrowed(&self, scopes: Vec<String>, resources: Vec<String>) -> Self {
        Self {
            scopes,
            resources,
            ..self.clone()
        }
    }

    /// The newest refresh token.
    pub async fn newest(&self) -> Secret {
        self.newest.lock().await.clone()
    }

    /// Rotates now, and keeps the successor.
    ///
    /// A lost answer is asked for again with the same refresh token, which the
    /// token service answers with the same successor. A caller that gives up
    /// loses nothing: the successor is kept all the same. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`TokenError`]. After [`TokenError::Unavailable`] the same refresh
    /// token is still the newest; presenting it again later than ten seconds
    /// after an answer that was lost ends the family.
    pub async fn rotate(&self) -> Result<Issued, TokenError> {
        let family = self.clone();
        // A task of its own: a successor that nobody keeps is a family that
        // ends with the next rotation.
        let task = async move { family.rotate_to_the_end().await };
        tokio::spawn(countersign_telemetry::carry(task))
            .await
            .unwrap_or(Err(TokenError::Interrupted))
    }

    async fn rotate_to_the_end(&self) -> Result<Issued, TokenError> {
        // One at a time: two at once would present the same token twice.
        let mut newest = self.newest.lock().await;
        let issued = self.ask(&newest).await?;
        if let Some(successor) = &issued.refresh_token {
            newest.clone_from(successor);
            if let Some(rotation) = &self.on_rotation {
                rotation(successor);
            }
        }
        Ok(issued)
    }

    async fn ask(&self, newest: &Secret) -> Result<Issued, TokenError> {
        let ask = || {
            self.service
                .rotate_within(newest, &self.scopes, &self.resources, ATTEMPT)
        };
        for pause in PAUSES {
            let outcome = ask().await;
            let Err(error @ TokenError::Unavailable(_)) = &outcome else {
                return outcome;
            };
            match error.retry_after() {
                None => tokio::time::sleep(pause).await,
                Some(wait) if wait <= PAUSE_MAX => tokio::time::sleep(wait.max(pause)).await,
                Some(_) => return outcome,
            }
        }
        ask().await
    }
}

impl Fetch for RefreshToken {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        let fetch = async { self.rotate().await?.access_token() };
        Box::pin(fetch.instrument(spans::token_fetch("rotate")))
    }
}
