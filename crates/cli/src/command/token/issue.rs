//! `countersign token issue`.

use clap::Args;
use clap::builder::TypedValueParser as _;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{AuthorizationCode, ClientCredentials, IssueTokenRequest};

use super::credential::CredentialArgs;
use super::details::DetailsArgs;
use super::keep::KeepArgs;
use crate::command::connection::ServerArgs;
use crate::command::proof::ProofKeyArgs;
use crate::exit::Failure;
use crate::hyphened::Hyphened;
use crate::output::Output;
use crate::proven;
use crate::secret::RedactedText;

/// The path that the proof names.
const PATH: &str = "/countersign.token.v1.TokenService/IssueToken";

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
The token is bound to the key of --dpop-key: keep that file to use the token.

Examples:
  countersign token issue --client-id checkout \\
    --client-secret-file checkout.secret \\
    --resource https://orders.internal:8443 --scope orders.read
  COUNTERSIGN_CLIENT_SECRET=$(pass checkout) \\
    countersign token issue --client-id checkout --json
  countersign token issue --client-id checkout --client-key checkout.pem
  countersign token issue --client-id web --code CODE \\
    --redirect-uri http://127.0.0.1/back --code-verifier VERIFIER

  # over mutual TLS, at the URL where the service asks for certificates
  countersign token issue --client-id checkout \\
    --client-certificate checkout.crt --client-certificate-key checkout.key \\
    --server https://tokens.internal:7444

  # for one account, not for all of them
  countersign token issue --client-id checkout --client-key checkout.pem \\
    --details @account-17.json

  # the token in a file, for other commands
  countersign token issue --client-id checkout --client-key checkout.pem \\
    --access-token-file token";

/// A token to ask for.
#[derive(Args, Debug)]
pub(crate) struct Issue {
    #[command(flatten)]
    credential: CredentialArgs,

    /// A scope to ask for; say it again for each. Without: all that may be had
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,

    /// A resource that the token is for; may be left out where only one is possible
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,

    #[command(flatten)]
    details: DetailsArgs,

    /// Redeem this authorization code instead of asking in the client's own name
    #[arg(long, value_name = "CODE", requires_all = ["redirect_uri", "code_verifier"])]
    code: Option<RedactedText>,

    /// The redirect URI that the authorization was pushed with
    #[arg(long, value_name = "URI", requires = "code")]
    redirect_uri: Option<String>,

    /// The PKCE verifier whose challenge the authorization was pushed with
    #[arg(
        long,
        value_name = "VERIFIER",
        requires = "code",
        allow_hyphen_values = true,
        value_parser = Hyphened.map(RedactedText::from)
    )]
    code_verifier: Option<RedactedText>,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    key: ProofKeyArgs,

    #[command(flatten)]
    server: ServerArgs,
}

impl Issue {
    /// Asks, and prints what was issued.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let target = proven::target(&self.server.server, PATH)?;
        let authorization_details = self.details.read()?;
        let prover = self.key.prover(output)?;
        let channel = self.credential.connect(&self.server).await?;
        let request = IssueTokenRequest {
            client: Some(self.credential.present(&channel).await?),
            grant: Some(self.grant()),
            scopes: self.scopes.clone(),
            resources: self.resources.clone(),
            authorization_details,
        };
        let service = TokenServiceClient::new(channel);
        let mut issued = prover
            .call(&target, None, &request, async |request| {
                service.clone().issue_token(request).await
            })
            .await?
            .map_err(|status| Failure::answered(&status))?;
        let places = self
            .keep
            .keep(&mut issued.access_token, &mut issued.refresh_token)?;
        output.message(
            "countersign.token.v1.IssueTokenResponse",
            &issued,
            |issued| {
                super::issued(
                    prover.jkt(),
                    &issued.scopes,
                    issued.expires_in,
                    &issued.family_id,
                    &issued.authorization_details,
                    [
                        (super::ACCESS_TOKEN, &issued.access_token),
                        (super::REFRESH_TOKEN, &issued.refresh_token),
                    ],
                    &places,
                )
            },
        )
    }

    fn grant(&self) -> Grant {
        match (&self.code, &self.redirect_uri, &self.code_verifier) {
            (Some(code), Some(redirect_uri), Some(verifier)) => {
                Grant::AuthorizationCode(AuthorizationCode {
                    code: code.0.to_string(),
                    redirect_uri: redirect_uri.clone(),
                    code_verifier: verifier.0.to_string(),
                })
            }
            _ => Grant::ClientCredentials(ClientCredentials {}),
        }
    }
}
