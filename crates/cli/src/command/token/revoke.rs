//! `countersign token revoke`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser as _;
use countersign::token::v1::RevokeTokenRequest;
use countersign::token::v1::revoke_token_request::Target;
use countersign::token::v1::token_service_client::TokenServiceClient;

use super::credential::CredentialArgs;
use crate::command::connection::ServerArgs;
use crate::command::proof::ProofKeyArgs;
use crate::confirm::confirm;
use crate::exit::Failure;
use crate::hyphened::Hyphened;
use crate::output::Output;
use crate::proven;
use crate::secret::{self, RedactedText};

/// The path that the proof names.
const PATH: &str = "/countersign.token.v1.TokenService/RevokeToken";

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
An access token is revoked alone; a refresh token is revoked with its family and
all access tokens of it. A token that is unknown counts as revoked (RFC 7009);
another client's is refused. A public client revokes what is bound to its proof
key, and nothing else. Nothing brings a token back: this asks first, or wants --yes.

Examples:
  countersign token revoke --client-id checkout \\
    --client-secret-file checkout.secret --token-file token --yes
  countersign token revoke --client-id web --family FAMILY";

/// What to revoke.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    credential: CredentialArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Do not ask first
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    key: ProofKeyArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// One token, or a family.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// The token, or `-` to read it from standard input. Others on this machine can see an
    /// argument: prefer `-` or `--token-file`
    #[arg(long, value_name = "TOKEN|-", allow_hyphen_values = true, value_parser = Hyphened.map(RedactedText::from))]
    token: Option<RedactedText>,

    /// A file that holds the token and nothing else, mode 0600
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The family, as `family_id` named it when its tokens were issued
    #[arg(long, value_name = "FAMILY", allow_hyphen_values = true, value_parser = Hyphened)]
    family: Option<String>,
}

impl TargetArgs {
    fn read(&self) -> Result<Target, Failure> {
        if let Some(family) = &self.family {
            return Ok(Target::FamilyId(family.clone()));
        }
        let token = secret::read_token(self.token.as_ref(), self.token_file.as_deref())?
            .ok_or_else(|| Failure::internal("no token was named"))?;
        Ok(Target::Token(token.to_string()))
    }
}

/// What is dead then. The service alone knows what kind of token it is.
fn question(what: &Target) -> &'static str {
    match what {
        Target::Token(_) => {
            "revoking the token: it is dead at once; a refresh token with its whole family, and \
             whoever uses that must sign in again"
        }
        Target::FamilyId(_) => {
            "revoking the family: its refresh token and all its access tokens are dead at once, and \
             whoever uses it must sign in again"
        }
    }
}

impl Revoke {
    /// Revokes.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let target = proven::target(&self.server.server, PATH)?;
        let what = self.target.read()?;
        confirm(question(&what), self.yes)?;
        let prover = self.key.prover(output)?;
        let channel = self.credential.connect(&self.server).await?;
        let request = RevokeTokenRequest {
            client: Some(self.credential.present(&channel).await?),
            target: Some(what),
            token_type_hint: String::new(),
        };
        let service = TokenServiceClient::new(channel);
        let revoked = prover
            .call(&target, None, &request, async |request| {
                service.clone().revoke_token(request).await
            })
            .await?
            .map_err(|status| Failure::answered(&status))?;
        output.message("countersign.token.v1.RevokeTokenResponse", &revoked, |_| {
            "revoked, if it was this client's".to_owned()
        })
    }
}
