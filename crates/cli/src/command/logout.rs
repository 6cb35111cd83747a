//! `countersign logout`: what `countersign login` kept is given up.

use clap::Args;
use serde_json::json;

use super::certificate::CertificateArgs;
use super::login;
use crate::exit::Failure;
use crate::kept_login::LoginArgs;
use crate::output::Output;

/// A logout.
#[derive(Args, Debug)]
#[command(after_help = "\
Revokes the refresh token with all access tokens of its family, and removes the
file. The key of --dpop-key stays: other tokens are bound to it. A certificate that
the login was begun with is shown again, unless another is named.

Examples:
  countersign logout
  countersign logout --login-file test.json

  # a login with a certificate that has another place now
  countersign logout --client-certificate new.crt \\
    --client-certificate-key new.key")]
pub(crate) struct Logout {
    #[command(flatten)]
    kept: LoginArgs,

    #[command(flatten)]
    certificate: CertificateArgs,
}

impl Logout {
    /// Logs out. The file goes last: what was not revoked can be revoked again.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let file = self.kept.hold()?;
        let login = file.read()?.showing(&self.certificate);
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
