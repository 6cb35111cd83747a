//! Access tokens, signed here as the issuer would.

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_jose::{SigningKey, Thumbprint};
use serde_json::json;

use crate::child::{ISSUER, ORIGIN};
use crate::world::Prover;
use crate::{BenchError, keys};

/// Access tokens of the issuer whose key a guarded service has.
pub(crate) struct AccessTokens {
    issuer: SigningKey,
    client: SigningKey,
    holder: Thumbprint,
    now: u64,
}

impl AccessTokens {
    pub(crate) fn new(prover: &Prover) -> Result<Self, BenchError> {
        let wrong = || BenchError::preparing("the issuer's key");
        Ok(Self {
            issuer: keys::issuer().map_err(wrong())?,
            client: keys::client().map_err(wrong())?,
            holder: prover.jkt(),
            now: SystemClock.now().as_secs(),
        })
    }

    /// Tokens with other numbers, or from other seconds, are other tokens.
    pub(crate) fn token(&self, number: usize) -> Result<String, BenchError> {
        // A new one each time a batch is made, or it was seen before.
        let millis = SystemClock.now().as_millis();
        let name = match number {
            0 => "the one token of all calls".to_owned(),
            number => format!("token {number} of {millis}"),
        };
        self.signed(&self.issuer, &name)
    }

    /// A token whose signature a floor verifies as if it were an assertion.
    pub(super) fn by_client(&self, number: usize) -> Result<String, BenchError> {
        self.signed(&self.client, &number.to_string())
    }

    fn signed(&self, key: &SigningKey, name: &str) -> Result<String, BenchError> {
        let claims = json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "iat": self.now, "exp": self.now + 600, "jti": name,
            "scope": "orders.read orders.write", "cnf": { "jkt": self.holder.to_string() },
        });
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
            .map_err(BenchError::preparing("an access token"))
    }
}
