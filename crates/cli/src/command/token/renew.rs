//! `countersign token renew`.

use std::path::PathBuf;

use clap::Args;
use countersign::error::v1::Reason;
use countersign::token::v1::RotateTokenResponse;
use countersign_client::TokenError;
use zeroize::{Zeroize as _, Zeroizing};

use crate::command::certificate::CertificateArgs;
use crate::exit::Failure;
use crate::kept_login::{Login, LoginArgs};
use crate::key_file;
use crate::output::Output;

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
Uses what `countersign login` kept, and keeps the next refresh token in its place.
A certificate that the login was begun with is shown again; another that is named
here is kept for the next time.

Examples:
  countersign login --client-id orders-cli
  countersign token renew --access-token-file token
  countersign token renew --scope orders.read --json

  # a guarded call by hand, with the key of the login
  countersign proof --token-file token \\
    --url http://127.0.0.1:8443/orders.v1.Orders/Create";

/// A fresh access token.
#[derive(Args, Debug)]
pub(crate) struct Renew {
    /// A scope that the access token shall have; say it again for each. Without: all
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,

    /// A resource that the access token is for. Without: all
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,

    /// Write the access token to this file, mode 0600, instead of printing it; replaces the file
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,

    #[command(flatten)]
    kept: LoginArgs,

    #[command(flatten)]
    certificate: CertificateArgs,
}

impl Renew {
    /// Rotates, keeps the successor, and prints the access token.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let file = self.kept.hold()?;
        let mut login = file.read()?.showing(&self.certificate);
        let client = login.client().await?;
        let family = client
            .refresh_token(login.refresh_token.clone())
            .narrowed(self.scopes.clone(), self.resources.clone());
        let issued = family
            .rotate()
            .await
            .map_err(|error| over(&error, &login))?;
        if let Some(successor) = &issued.refresh_token {
            login.refresh_token = successor.clone();
            // First of all: the one before works once.
            file.write(&login)?;
        }
        let mut access_token = issued.access_token.expose().to_owned();
        let mut places = Vec::new();
        if let Some(path) = &self.access_token_file {
            key_file::replace_private(path, &Zeroizing::new(format!("{access_token}\n")))?;
            access_token.zeroize();
            places.push(format!(
                "the access token is in {} (mode 0600)",
                path.display()
            ));
        }
        let renewed = RotateTokenResponse {
            access_token,
            token_type: "DPoP".to_owned(),
            expires_in: issued.expires_in.try_into().ok(),
            scopes: issued.scopes,
            family_id: issued.family_id.unwrap_or_default(),
            authorization_details: issued.authorization_details.unwrap_or_default(),
            // It is in the file, and nowhere else.
            ..RotateTokenResponse::default()
        };
        let key = client.thumbprint();
        output.message(
            "countersign.token.v1.RotateTokenResponse",
            &renewed,
            |renewed| {
                super::issued(
                    key,
                    &renewed.scopes,
                    renewed.expires_in,
                    &renewed.family_id,
                    &renewed.authorization_details,
                    [
                        (super::ACCESS_TOKEN, &renewed.access_token),
                        (super::REFRESH_TOKEN, &renewed.refresh_token),
                    ],
                    &places,
                )
            },
        )
    }
}

/// Why there is no token. A refresh token that is refused ends the login.
fn over(error: &TokenError, login: &Login) -> Failure {
    let failure = Failure::untokened(error);
    match error {
        TokenError::Refused(refused, _) if refused.reason == Reason::GrantInvalid => {
            failure.next(match login.certificate {
                None => "the login is over: log in anew with `countersign login --client-id ID`",
                // A public client's is bound to it (RFC 8705 §4), and not consumed by another.
                Some(_) => {
                    "show the certificate that the login was begun with; with that one, the login is \
                     over: log in anew with `countersign login --client-id ID`"
                }
            })
        }
        _ => failure,
    }
}
