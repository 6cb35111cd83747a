//! `countersign token revoke-all`.

use clap::Args;
use countersign::admin::v1::RevokeTokensRequest;
use countersign::admin::v1::revocation_service_client::RevocationServiceClient;
use countersign::admin::v1::revoke_tokens_request::Target;

use crate::command::connection::AdminArgs;
use crate::confirm::confirm;
use crate::exit::Failure;
use crate::output::{self, Output};

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
For an operator, over the admin socket; a client gives up its own tokens with
`countersign token revoke`. Refresh tokens are dead at once; access tokens are
refused within a second by every guard that watches, and their open streams end.
What is issued up to two seconds later is dead, too: some tokens are being made
right now. A client may get new ones until it is removed, or disabled by
ClientService.UpdateClient. Nothing brings a token back: this asks first, or
wants --yes.

Examples:
  countersign token revoke-all --client checkout
  countersign token revoke-all --subject ann --yes
  countersign token revoke-all --jkt 1GCUyHkmgJqiTW4PYsLDI0rM0gR5r2vFvtAYuSQ2wqk";

/// Whose tokens to revoke.
#[derive(Args, Debug)]
pub(crate) struct RevokeAll {
    #[command(flatten)]
    target: TargetArgs,

    /// Do not ask first
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Somebody's, or one by its name.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// All tokens that this client has
    #[arg(long, value_name = "ID")]
    client: Option<String>,

    /// All tokens that speak for this subject, whichever client has them
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// All tokens that are bound to the key of this thumbprint (RFC 7638)
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    jkt: Option<String>,

    /// All tokens of a family, by its name (`fam` in a token)
    #[arg(long, value_name = "FAMILY", allow_hyphen_values = true)]
    family: Option<String>,

    /// One access token, by its name (`jti` in it)
    #[arg(long, value_name = "JTI", allow_hyphen_values = true)]
    token_id: Option<String>,
}

impl TargetArgs {
    fn target(&self) -> Result<(Target, String), Failure> {
        let Self {
            client,
            subject,
            jkt,
            family,
            token_id,
        } = self;
        let revoking = |whose: String| format!("revoking {whose}");
        match (client, subject, jkt, family, token_id) {
            (Some(id), ..) => Ok((
                Target::ClientId(id.clone()),
                revoking(format!("all tokens that the client {id} has")),
            )),
            (_, Some(subject), ..) => Ok((
                Target::Subject(subject.clone()),
                revoking(format!("all tokens that speak for {subject:?}")),
            )),
            (_, _, Some(jkt), ..) => Ok((
                Target::Jkt(jkt.clone()),
                revoking(format!("all tokens that are bound to the key {jkt}")),
            )),
            (_, _, _, Some(family), _) => Ok((
                Target::FamilyId(family.clone()),
                revoking(format!("all tokens of the family {family}")),
            )),
            (_, _, _, _, Some(id)) => Ok((
                Target::TokenId(id.clone()),
                revoking(format!("the access token {id} alone")),
            )),
            (None, None, None, None, None) => Err(Failure::internal("no target was named")),
        }
    }
}

impl RevokeAll {
    /// Revokes.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let (target, what) = self.target.target()?;
        confirm(
            &format!("{what}: what is revoked is dead at once, and nothing brings it back"),
            self.yes,
        )?;
        let request = RevokeTokensRequest {
            target: Some(target),
        };
        let revoked = RevocationServiceClient::new(self.admin.connect().await?)
            .revoke_tokens(request)
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let message = "countersign.admin.v1.RevokeTokensResponse";
        output.message(message, &revoked, |revoked| {
            format!(
                "revoked: what was issued until {}",
                output::time(revoked.revoke_time)
            )
        })
    }
}
