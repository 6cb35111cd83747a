//! `countersign client`: what tokens are given to.

mod add;
mod allow;
mod certificate;
mod exchange;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign::admin::v1::client::TlsClientAuth;
use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, Client, DeleteClientRequest, GetClientRequest, GrantType,
    ListClientsRequest, ListClientsResponse, RefreshKey, RotateClientSecretRequest,
};
use tonic::Status;
use tonic::transport::Channel;
use zeroize::{Zeroize as _, Zeroizing};

use super::connection::AdminArgs;
use crate::confirm::confirm;
use crate::exit::Failure;
use crate::key_file;
use crate::output::{self, Output};

/// Clients.
#[derive(Subcommand, Debug)]
pub(crate) enum ClientCommand {
    /// Register a client
    #[command(after_help = add::EXAMPLES)]
    Add(Box<add::Add>),
    /// Change a client; tokens that were issued stay as they are
    #[command(after_help = update::EXAMPLES)]
    Update(Box<update::Update>),
    /// List the clients
    #[command(after_help = "\
Examples:
  countersign client list
  countersign client list --json | jq -r '.clients[].client_id'")]
    List(AdminArgs),
    /// Show one client
    #[command(after_help = "\
Examples:
  countersign client show checkout
  countersign client show checkout --json")]
    Show(Named),
    /// Remove a client: it gets no further token, and its refresh tokens are dead
    #[command(after_help = "\
Examples:
  countersign client remove checkout
  countersign client remove checkout --yes")]
    Remove(Remove),
    /// Replace a client's secret; the old one is refused at once
    #[command(after_help = "\
Examples:
  countersign client rotate-secret checkout
  countersign client rotate-secret checkout --secret-file checkout.secret --yes")]
    RotateSecret(RotateSecret),
}

/// A client that is there.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its identifier
    #[arg(value_name = "ID")]
    client_id: String,

    #[command(flatten)]
    admin: AdminArgs,
}

/// A client that is removed.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    #[command(flatten)]
    named: Named,

    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

/// A client whose secret is replaced.
#[derive(Args, Debug)]
pub(crate) struct RotateSecret {
    #[command(flatten)]
    named: Named,

    /// Write the new secret to this file, mode 0600, instead of printing it; must not be there yet
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

impl ClientCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(output).await,
            Self::Update(update) => update.run(output).await,
            Self::List(admin) => list(&admin, output).await,
            Self::Show(named) => named.show(output).await,
            Self::Remove(remove) => remove.run(output).await,
            Self::RotateSecret(rotate) => rotate.run(output).await,
        }
    }
}

impl Named {
    async fn show(self, output: &Output) -> Result<(), Failure> {
        let answer = service(&self.admin)
            .await?
            .get_client(GetClientRequest {
                client_id: self.client_id.clone(),
            })
            .await
            .map_err(|status| about(&self.client_id, &status))?
            .into_inner();
        output.message(
            "countersign.admin.v1.Client",
            &answer.client.unwrap_or_default(),
            shown,
        )
    }
}

impl Remove {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let Named { client_id, admin } = self.named;
        let question = format!(
            "removing the client {client_id}: it gets no further token, and its refresh tokens are dead \
             at once"
        );
        confirm(&question, self.yes)?;
        let answer = service(&admin)
            .await?
            .delete_client(DeleteClientRequest {
                client_id: client_id.clone(),
                etag: String::new(),
            })
            .await
            .map_err(|status| about(&client_id, &status))?
            .into_inner();
        output.message("countersign.admin.v1.DeleteClientResponse", &answer, |_| {
            format!("removed the client {client_id}")
        })
    }
}

impl RotateSecret {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let place = SecretPlace::new(self.secret_file)?;
        let question = format!(
            "replacing the secret of the client {}: the old one is refused at once",
            self.named.client_id
        );
        confirm(&question, self.yes)?;
        let mut answer = service(&self.named.admin)
            .await?
            .rotate_client_secret(RotateClientSecretRequest {
                client_id: self.named.client_id.clone(),
            })
            .await
            .map_err(|status| about(&self.named.client_id, &status))?
            .into_inner();
        let told = place.keep(&mut answer.client_secret)?;
        output.message(
            "countersign.admin.v1.RotateClientSecretResponse",
            &answer,
            |_| told,
        )
    }
}

/// Why a call about this client failed.
fn about(client_id: &str, status: &Status) -> Failure {
    Failure::answered(status).during(format!("client {client_id}"))
}

/// Where a new secret goes: to a file, or to the person, once.
pub(crate) struct SecretPlace(Option<PathBuf>);

impl SecretPlace {
    /// This file, or else standard output.
    ///
    /// # Errors
    ///
    /// The file is there already: better said before the secret is made.
    pub(crate) fn new(file: Option<PathBuf>) -> Result<Self, Failure> {
        match file {
            Some(path) if path.exists() => Err(Failure::configuration(format!(
                "{}: is there already",
                path.display()
            ))
            .next("choose another name, or remove the file; nothing was changed")),
            file => Ok(Self(file)),
        }
    }

    /// Keeps the secret: in the file, where it is then taken out of the answer,
    /// or in the text that comes back.
    pub(crate) fn keep(&self, secret: &mut String) -> Result<String, Failure> {
        match &self.0 {
            Some(path) => {
                key_file::write_private(path, &Zeroizing::new(format!("{secret}\n")))?;
                secret.zeroize();
                Ok(format!("the secret is in {} (mode 0600)", path.display()))
            }
            None => Ok(format!(
                "client secret (shown now and never again):\n{secret}"
            )),
        }
    }
}

async fn list(admin: &AdminArgs, output: &Output) -> Result<(), Failure> {
    let mut service = service(admin).await?;
    let mut all = ListClientsResponse::default();
    loop {
        let page = service
            .list_clients(ListClientsRequest {
                page_size: 0,
                page_token: all.next_page_token,
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        all.clients.extend(page.clients);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    output.message("countersign.admin.v1.ListClientsResponse", &all, |all| {
        let rows = all.clients.iter().map(|client| {
            [
                client.client_id.clone(),
                client.display_name.clone(),
                authentication(client).to_owned(),
                allowed(client),
                state(client).to_owned(),
            ]
        });
        output::table(
            ["client", "name", "authentication", "may ask for", "state"],
            rows,
            "no clients; `countersign client add --help` shows how to register one",
        )
    })
}

pub(crate) async fn service(admin: &AdminArgs) -> Result<ClientServiceClient<Channel>, Failure> {
    Ok(ClientServiceClient::new(admin.connect().await?))
}

pub(crate) fn shown(client: &Client) -> String {
    let refresh_key = match client.refresh_key() {
        RefreshKey::Client => "the client",
        RefreshKey::Pinned | RefreshKey::Unspecified => "the proof key",
    };
    let bound_to = match client.tls_client_certificate_bound_access_tokens {
        true => "the proof key and the certificate",
        false => "the proof key",
    };
    let requests = match client.require_pushed_authorization_requests {
        true => "only pushed",
        false => "pushed or not",
    };
    let grants: Vec<_> = client.grant_types().map(grant).collect();
    output::fields([
        ("client", client.client_id.clone()),
        ("name", client.display_name.clone()),
        ("state", state(client).to_owned()),
        ("authentication", authentication(client).to_owned()),
        ("grants", grants.join(", ")),
        ("may ask for", allowed(client)),
        ("serves", client.serves.join("\n")),
        ("redirect URIs", client.redirect_uris.join("\n")),
        ("requests", requests.to_owned()),
        ("refresh tokens bound to", refresh_key.to_owned()),
        ("access tokens bound to", bound_to.to_owned()),
        ("keys", client.jwks.clone()),
        ("certificate", certificates(client)),
        ("registered", output::time(client.create_time)),
        ("changed", output::time(client.update_time)),
        ("etag", client.etag.clone()),
    ])
}

fn authentication(client: &Client) -> &'static str {
    match client.authentication_method() {
        AuthenticationMethod::Unspecified => "-",
        AuthenticationMethod::None => "none (public)",
        AuthenticationMethod::ClientSecret => "client secret",
        AuthenticationMethod::PrivateKeyJwt => "private_key_jwt",
        AuthenticationMethod::TlsClientAuth => "tls_client_auth",
        AuthenticationMethod::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
    }
}

/// What its certificate must name, or which it is.
fn certificates(client: &Client) -> String {
    let (kind, name) = match &client.tls_client_auth {
        None => return client.tls_client_certificates.join("\n"),
        Some(TlsClientAuth::TlsClientAuthSubjectDn(name)) => ("subject", name),
        Some(TlsClientAuth::TlsClientAuthSanDns(name)) => ("DNS name", name),
        Some(TlsClientAuth::TlsClientAuthSanUri(name)) => ("URI", name),
        Some(TlsClientAuth::TlsClientAuthSanIp(name)) => ("IP address", name),
        Some(TlsClientAuth::TlsClientAuthSanEmail(name)) => ("mail address", name),
    };
    format!("{kind} {name}")
}

fn grant(grant: GrantType) -> &'static str {
    match grant {
        GrantType::Unspecified => "-",
        GrantType::ClientCredentials => "client_credentials",
        GrantType::AuthorizationCode => "authorization_code",
        GrantType::RefreshToken => "refresh_token",
        GrantType::DeviceCode => "device_code",
    }
}

fn allowed(client: &Client) -> String {
    let lines: Vec<_> = client
        .permissions
        .iter()
        .map(|permission| {
            let details = match permission.details_types.as_slice() {
                [] => String::new(),
                types => format!(", details of {}", types.join(" ")),
            };
            let scopes = permission.scopes.join(" ");
            format!("{}: {scopes}{details}", permission.resource)
        })
        .collect();
    lines.join("\n")
}

fn state(client: &Client) -> &'static str {
    if client.disabled {
        "disabled"
    } else {
        "enabled"
    }
}
