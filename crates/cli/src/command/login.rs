//! `countersign login`: a person lets this program act for them.

use std::path::Path;

use clap::Args;
use countersign_client::authorization::PushError;
use countersign_client::device::DeviceError;
use countersign_client::loopback::{LoopbackError, LoopbackReceiver};
use countersign_client::{Countersign, Issued};
use serde_json::json;

use super::certificate::CertificateArgs;
use super::connection::ServerArgs;
use super::proof::ProofKeyArgs;
use super::token::{self, CLIENT_ID_VARIABLE};
use crate::exit::{Failure, Kind, plain};
use crate::kept_login::{self, Login, LoginArgs};
use crate::output::{self, Output};
use crate::whole::whole;

/// What to do when the answer did not come.
const AGAIN: &str = "begin again with `countersign login`";

/// A login.
#[derive(Args, Debug)]
#[command(after_help = "\
Opens the browser of this machine, where you log in and approve; with --device it
prints a code instead, which you type in a browser anywhere. The refresh token is
kept in a file of mode 0600, bound to the key of --dpop-key, for
`countersign token renew`. A login that was kept there before is revoked.

Examples:
  countersign login --client-id orders-cli --scope orders.read
  countersign token renew --access-token-file token
  countersign logout

  # over ssh: no browser here
  countersign login --client-id orders-cli --device

  # several logins at a time
  countersign login --client-id orders-cli --login-file test.json

  # a client with a certificate
  countersign login --client-id desk --server https://tokens.internal:7444 \\
    --client-certificate desk.crt --client-certificate-key desk.key

  # the client, registered by an operator
  countersign client add orders-cli --auth none \\
    --redirect-uri http://127.0.0.1/back \\
    --grant authorization-code,device-code,refresh-token \\
    --allow https://orders.internal:8443=orders.read")]
pub(crate) struct LoginCommand {
    /// The client that this program is: a public one, or one that is known by its certificate
    #[arg(long, value_name = "ID", env = CLIENT_ID_VARIABLE)]
    client_id: String,

    /// A scope to ask for; say it again for each. Without: all that may be had
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,

    /// A resource that tokens are for; may be left out where only one is possible
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,

    /// Print a code to type in a browser anywhere, instead of opening one here
    #[arg(long, conflicts_with_all = ["redirect_uri", "no_browser"])]
    device: bool,

    /// Where the browser comes back to, as the client is registered: http://127.0.0.1/… or
    /// http://[::1]/…, at any free port unless one is named
    #[arg(long, value_name = "URI", default_value = "http://127.0.0.1/back")]
    redirect_uri: String,

    /// Do not open a browser: the address that is printed is opened by hand
    #[arg(long)]
    no_browser: bool,

    #[command(flatten)]
    certificate: CertificateArgs,

    #[command(flatten)]
    kept: LoginArgs,

    #[command(flatten)]
    key: ProofKeyArgs,

    #[command(flatten)]
    server: ServerArgs,
}

impl LoginCommand {
    /// Logs in.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let (key_file, key) = self.key.key(output)?;
        let shown = self.certificate.shown();
        let identity = self.certificate.identity()?;
        let issuer = token::issuer(self.server.connect_showing(identity).await?).await?;
        let (server, ca) = (&self.server.server, self.server.ca.as_deref());
        let client =
            kept_login::client(server, ca, &issuer, &self.client_id, key, shown.as_ref()).await?;
        let issued = match self.device {
            true => self.by_code(&client, output).await?,
            false => self.by_browser(&client, output).await?,
        };
        let Some(refresh_token) = issued.refresh_token else {
            return Err(Failure::new(
                Kind::Refused,
                "no refresh token was issued: there is nothing to keep",
            )
            .next("register the client with the grant refresh-token as well"));
        };
        let login = Login {
            server: self.server.server.clone(),
            ca: ca.map(whole),
            issuer,
            client_id: self.client_id.clone(),
            scopes: issued.scopes,
            family_id: issued.family_id.unwrap_or_default(),
            key_file: whole(&key_file),
            jkt: client.thumbprint().to_string(),
            certificate: shown.map(|shown| shown.absolute()),
            refresh_token,
        };
        self.keep(&login, output).await
    }

    /// Only now: nobody else is held up while a person thinks.
    async fn keep(&self, login: &Login, output: &Output) -> Result<(), Failure> {
        let file = self.kept.hold()?;
        // One that cannot be read holds nothing that could be revoked.
        let before = file.find().unwrap_or_default();
        file.write(login)?;
        if let Some(before) = before
            && revoke(&before).await.is_err()
        {
            output.note(
                "the login that was kept here before could not be revoked: its tokens live until \
                 their end",
            );
        }
        told(login, file.path(), output)
    }

    async fn by_browser(&self, client: &Countersign, output: &Output) -> Result<Issued, Failure> {
        let receiver = LoopbackReceiver::bind(&self.redirect_uri)
            .await
            .map_err(|error| lost(&error))?;
        let pending = client
            .authorization(receiver.redirect_uri())
            .scopes(&self.scopes)
            .resources(&self.resources)
            .push()
            .await
            .map_err(|error| match error {
                PushError::Token(error) => Failure::untokened(&error),
                PushError::Endpoint(_) | PushError::MaxAge(_) => {
                    Failure::configuration(error.to_string())
                }
            })?;
        let url = pending.url();
        output.line(
            &json!({ "open": url }),
            &format!("open this in a browser of this machine:\n{url}"),
        )?;
        if !self.no_browser && open::that_detached(url).is_err() {
            output.note("no browser could be opened: open the address above by hand");
        }
        let code = receiver
            .receive(&pending, pending.expires_in())
            .await
            .map_err(|error| lost(&error))?;
        client
            .token_service()
            .redeem(&code, &[], &[])
            .await
            .map_err(|error| Failure::untokened(&error))
    }

    async fn by_code(&self, client: &Countersign, output: &Output) -> Result<Issued, Failure> {
        let device = client
            .device()
            .scopes(&self.scopes)
            .resources(&self.resources)
            .begin()
            .await
            .map_err(|error| Failure::untokened(&error))?;
        let (uri, code) = (device.verification_uri(), device.user_code());
        output.line(
            &json!({
                "verification_uri": uri,
                "verification_uri_complete": device.verification_uri_complete(),
                "user_code": code,
                "expires_in": device.expires_in().as_secs(),
            }),
            &format!(
                "open {} in a browser anywhere, and type\n\n    {}\n",
                plain(uri),
                plain(code)
            ),
        )?;
        device.wait().await.map_err(|error| match error {
            DeviceError::Token(error) => Failure::untokened(&error),
            DeviceError::Declined | DeviceError::Expired => {
                Failure::new(Kind::Refused, error.to_string()).next(AGAIN)
            }
        })
    }
}

/// Why the browser brought no code.
fn lost(error: &LoopbackError) -> Failure {
    match error {
        LoopbackError::Uri(_) | LoopbackError::Bind { .. } => {
            Failure::configuration(format!("--redirect-uri: {error}"))
        }
        LoopbackError::TimedOut(_) => Failure::new(Kind::Refused, error.to_string()).next(
            "begin again and open the address in a browser of this machine, or use --device; where \
             it shows no login, the service needs one: `countersign serve --with-login`",
        ),
        LoopbackError::Answer(_) => Failure::new(Kind::Refused, error.to_string()).next(AGAIN),
    }
}

/// Gives up what a login has.
pub(super) async fn revoke(login: &Login) -> Result<(), Failure> {
    let client = login.client().await?;
    let revoked = client.token_service().revoke(&login.refresh_token).await;
    revoked.map_err(|error| Failure::untokened(&error))
}

fn told(login: &Login, path: &Path, output: &Output) -> Result<(), Failure> {
    let value = json!({
        "client_id": login.client_id,
        "issuer": login.issuer,
        "scopes": login.scopes,
        "family_id": login.family_id,
        "jkt": login.jkt,
        "key_file": login.key_file,
        "login_file": path,
    });
    let text = output::fields([
        ("logged in at", login.issuer.clone()),
        ("as client", login.client_id.clone()),
        ("scopes", login.scopes.join(" ")),
        ("kept in", format!("{} (mode 0600)", path.display())),
        (
            "bound to key",
            format!("{} in {}", login.jkt, login.key_file.display()),
        ),
    ]);
    output.line(&value, text.trim_end())
}
