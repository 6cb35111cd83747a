//! Tokens in the client's own name (RFC 6749 §4.4).

use countersign_telemetry::spans;
use tracing::Instrument as _;

use super::{AccessToken, BoxFuture, Fetch};
use crate::error::TokenError;
use crate::token_service::TokenService;

/// Fetches tokens for the client's own registration.
pub struct ClientCredentials {
    service: TokenService,
    scopes: Vec<String>,
    resources: Vec<String>,
}

impl ClientCredentials {
    /// Asks `service` for `scopes` at `resources`.
    pub fn new(service: TokenService, scopes: Vec<String>, resources: Vec<String>) -> Self {
        Self {
            service,
            scopes,
            resources,
        }
    }
}

impl Fetch for ClientCredentials {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        let fetch = async {
            self.service
                .issue(&self.scopes, &self.resources)
                .await?
                .access_token()
        };
        Box::pin(fetch.instrument(spans::token_fetch("issue")))
    }
}
