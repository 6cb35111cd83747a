//! `countersign logout`: what `countersign login` kept is given up.

use clap::Args;
use serde_json::json;

use super::login;
use crate::exit::Failure;
use crate::kept_login::LoginArgs;
use crate::output::Output;

/// A logout.
#[derive(Args, Debug)]
#[command(after_help = "\
Revokes the refresh token with all access tokens of its family, and removes the
file. The key of --dpop-key stays: other tokens are bound to it.

Examples:
  countersign logout
  countersign logout --login-file test.json")]
pub(crate) struct Logout {
    #[command(flatten)]
    kept: LoginArgs,
}

impl Logout {
    /// Logs out. The file goes last: what was not revoked can be revoked again.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let file = self.kept.hold()?;
        let login = file.read()?;
        login::revoke(&login).await.map_err(|failure| {
            failure.during("nothing was revoked, and the login is still kept")
        })?;
        file.remove()?;
        output.line(
            &json!({ "issuer": login.issuer, "client_id": login.client_id, "login_file": file.path() }),
            &format!(
                "logged out at {}: its tokens are revoked, {} is removed",
                login.issuer,
                file.path().display()
            ),
        )
    }
}
