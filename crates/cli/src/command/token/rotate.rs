//! `countersign token rotate`.

use clap::Args;
use countersign::token::v1::RotateTokenRequest;
use countersign::token::v1::token_service_client::TokenServiceClient;

use super::credential::CredentialArgs;
use super::details::DetailsArgs;
use super::keep::KeepArgs;
use crate::command::connection::ServerArgs;
use crate::command::proof::ProofKeyArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::proven;
use crate::secret::TokenArgs;

/// The path that the proof names.
const PATH: &str = "/countersign.token.v1.TokenService/RotateToken";

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
A refresh token works once. If the answer was lost, the same call with the same
key within ten seconds brings the same successor; later, or with another key, it
counts as theft and ends the whole family.

Examples:
  countersign token rotate --client-id web \\
    --token-file web.refresh --refresh-token-file web.refresh
  countersign token rotate --client-id web --scope orders.read --json \\
    --token - < web.refresh";

/// A refresh token to rotate.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    credential: CredentialArgs,

    #[command(flatten)]
    token: TokenArgs,

    /// A scope that the access token shall have; say it again for each. Without: all
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,

    /// A resource that the access token is for. Without: all
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,

    #[command(flatten)]
    details: DetailsArgs,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    key: ProofKeyArgs,

    #[command(flatten)]
    server: ServerArgs,
}

impl Rotate {
    /// Rotates, and prints the successors.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let target = proven::target(&self.server.server, PATH)?;
        let token = self.token.read()?;
        let authorization_details = self.details.read()?;
        let prover = self.key.prover(output)?;
        let channel = self.credential.connect(&self.server).await?;
        let request = RotateTokenRequest {
            client: Some(self.credential.present(&channel).await?),
            refresh_token: token.to_string(),
            scopes: self.scopes.clone(),
            resources: self.resources.clone(),
            authorization_details,
        };
        let service = TokenServiceClient::new(channel);
        let mut rotated = prover
            .call(&target, None, &request, async |request| {
                service.clone().rotate_token(request).await
            })
            .await?
            .map_err(|status| Failure::answered(&status))?;
        let places = self
            .keep
            .keep(&mut rotated.access_token, &mut rotated.refresh_token)?;
        output.message(
            "countersign.token.v1.RotateTokenResponse",
            &rotated,
            |rotated| {
                super::issued(
                    prover.jkt(),
                    &rotated.scopes,
                    rotated.expires_in,
                    &rotated.family_id,
                    &rotated.authorization_details,
                    [
                        (super::ACCESS_TOKEN, &rotated.access_token),
                        (super::REFRESH_TOKEN, &rotated.refresh_token),
                    ],
                    &places,
                )
            },
        )
    }
}
