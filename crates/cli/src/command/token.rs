//! `countersign token`: ask a token service for tokens, and about tokens.

mod credential;
mod details;
mod introspect;
mod issue;
mod keep;
mod renew;
mod revoke;
mod revoke_all;
mod rotate;

use std::fmt::Display;

use clap::Subcommand;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use tonic::transport::Channel;

pub(crate) use credential::CLIENT_ID_VARIABLE;

use crate::exit::Failure;
use crate::output::{self, Output};

/// Tokens.
#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Get a token: with the client's own credentials, or for a code
    #[command(after_help = issue::EXAMPLES)]
    Issue(Box<issue::Issue>),
    /// Ask what a token is worth now
    #[command(after_help = introspect::EXAMPLES)]
    Introspect(Box<introspect::Introspect>),
    /// Get an access token of the login that `countersign login` kept
    #[command(after_help = renew::EXAMPLES)]
    Renew(renew::Renew),
    /// Revoke a token, or a whole family of tokens
    #[command(after_help = revoke::EXAMPLES)]
    Revoke(Box<revoke::Revoke>),
    /// Revoke all that a client, a subject or a key has, as an operator
    #[command(after_help = revoke_all::EXAMPLES)]
    RevokeAll(Box<revoke_all::RevokeAll>),
    /// Exchange a refresh token for an access token and the next refresh token
    #[command(after_help = rotate::EXAMPLES)]
    Rotate(Box<rotate::Rotate>),
}

impl TokenCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Issue(issue) => issue.run(output).await,
            Self::Introspect(introspect) => introspect.run(output).await,
            Self::Renew(renew) => renew.run(output).await,
            Self::Revoke(revoke) => revoke.run(output).await,
            Self::RevokeAll(revoke) => revoke.run(output).await,
            Self::Rotate(rotate) => rotate.run(output).await,
        }
    }
}

/// Who issues tokens there, as it stands in `iss`.
pub(super) async fn issuer(channel: Channel) -> Result<String, Failure> {
    let keys = KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await
        .map_err(|status| Failure::answered(&status))?;
    Ok(keys.into_inner().issuer)
}

/// What was issued, for people. The tokens stand last: they are long.
fn issued(
    key: impl Display,
    scopes: &[String],
    expires_in: Option<prost_types::Duration>,
    family_id: &str,
    authorization_details: &str,
    tokens: [(&str, &str); 2],
    places: &[String],
) -> String {
    let mut text = output::fields([
        ("bound to key", key.to_string()),
        ("scopes", scopes.join(" ")),
        ("lives", output::span(expires_in)),
        ("details", authorization_details.to_owned()),
        ("family", family_id.to_owned()),
    ]);
    for (what, token) in tokens.into_iter().filter(|(_, token)| !token.is_empty()) {
        text.push_str(&format!("\n{what}:\n{token}\n"));
    }
    for place in places {
        text.push_str(&format!("\n{place}"));
    }
    text
}

const ACCESS_TOKEN: &str = "access token (secret)";
const REFRESH_TOKEN: &str = "refresh token (secret, works once)";
