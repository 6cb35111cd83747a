//! `countersign client add`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign::admin::v1::{
    AuthenticationMethod, Client, CreateClientRequest, GrantType, RefreshKey,
};
use countersign_jose::Jwks;

use super::allow::{Allow, permissions};
use super::certificate::CertificateArgs;
use super::{SecretPlace, service, shown};
use crate::command::connection::AdminArgs;
use crate::exit::Failure;
use crate::key_file;
use crate::output::Output;

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
A secret is made by the service and shown once; only its hash is kept.

Examples:
  # a service with a secret
  countersign client add checkout \\
    --allow https://orders.internal:8443=orders.read,orders.write

  # a service with a key of its own: no secret anywhere
  countersign key generate checkout.pem > checkout.jwks
  countersign client add checkout --jwks checkout.jwks \\
    --allow https://orders.internal:8443=orders.read

  # a program on a person's machine: public, with codes and refresh tokens
  countersign client add desk --auth none --redirect-uri http://127.0.0.1/back \\
    --allow https://orders.internal:8443=orders.read

  # a service whose browsers bring nothing that it has not pushed
  countersign client add bank --redirect-uri https://bank.example/back \\
    --only-pushed --allow https://orders.internal:8443=orders.read

  # a television: no browser, so a person types a code elsewhere
  countersign client add tv --auth none --grant device-code,refresh-token \\
    --allow https://orders.internal:8443=orders.read

  # a service that may name the accounts that its tokens are for
  countersign client add ledger \\
    --allow https://orders.internal:8443=orders.read \\
    --details-type https://orders.internal:8443=account

  # a service with a certificate of an authority, over mutual TLS
  countersign client add checkout --tls-san-dns checkout.internal \\
    --allow https://orders.internal:8443=orders.read

  # a service with a certificate that it has made itself, and tokens bound to it
  countersign client add checkout \\
    --tls-certificate checkout.crt --certificate-bound-tokens \\
    --allow https://orders.internal:8443=orders.read

  # a resource server that asks about the tokens it receives
  countersign client add orders --serves https://orders.internal:8443 \\
    --allow http://127.0.0.1:7443=introspect";

/// A client to register.
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// Its identifier; made by the service when left out
    #[arg(value_name = "ID", default_value = "", hide_default_value = true)]
    client_id: String,

    /// Its name for people
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    name: String,

    /// How it authenticates [default: private-key-jwt with --jwks, tls-client-auth with a --tls
    /// name, self-signed-tls-client-auth with --tls-certificate, else client-secret]
    #[arg(long, value_enum)]
    auth: Option<By>,

    /// Its public keys, a JWK Set, as `countersign key generate` prints it
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,

    #[command(flatten)]
    certificate: CertificateArgs,

    /// Bind its access tokens to the certificate that they are asked for with (RFC 8705 §3), besides
    /// the proof key
    #[arg(long)]
    certificate_bound_tokens: bool,

    /// What it may ask for at a resource; say it again for each resource
    #[arg(long = "allow", value_name = "RESOURCE=SCOPE,SCOPE")]
    allow: Vec<Allow>,

    /// The types of authorization details (RFC 9396) that it may ask for at a resource; say it
    /// again for each resource
    #[arg(long = "details-type", value_name = "RESOURCE=TYPE,TYPE")]
    details_types: Vec<Allow>,

    /// What it may present to get tokens; say it again for each [default: client-credentials;
    /// with --redirect-uri authorization-code and refresh-token, too]
    #[arg(long = "grant", value_enum, value_delimiter = ',')]
    grants: Vec<Grant>,

    /// Where its codes may go; say it again for each
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,

    /// Take only requests that it has pushed (RFC 9126), none that its browsers bring in parameters
    #[arg(long)]
    only_pushed: bool,

    /// A resource that it serves, and whose tokens it may introspect; say it again for each
    #[arg(long = "serves", value_name = "URI")]
    serves: Vec<String>,

    /// What its refresh tokens are bound to
    #[arg(long, value_enum, default_value_t = BoundTo::Pinned)]
    refresh_key: BoundTo,

    /// Write the secret to this file, mode 0600, instead of printing it; must not be there yet
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    #[command(flatten)]
    admin: AdminArgs,
}

/// How a client authenticates.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// By the secret that the service makes
    ClientSecret,
    /// By a JWT signed with one of its keys (RFC 7523)
    PrivateKeyJwt,
    /// By a certificate from an authority, which names it (RFC 8705 §2.1)
    TlsClientAuth,
    /// By a certificate that is registered with it (RFC 8705 §2.2)
    SelfSignedTlsClientAuth,
    /// It cannot keep a secret: a public client
    None,
}

/// What a client may present.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Grant {
    /// Its own registration
    ClientCredentials,
    /// A code that a person's approval led to
    AuthorizationCode,
    /// A refresh token
    RefreshToken,
    /// A device code: a person decides on another device (RFC 8628)
    DeviceCode,
}

/// What refresh tokens are bound to.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum BoundTo {
    /// The proof key that they were issued to
    Pinned,
    /// The client, which may bring a new proof key
    Client,
}

impl Add {
    /// Registers the client, and prints it with its secret.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let place = SecretPlace::new(self.secret_file.clone())?;
        // What is wrong with the words is told whether or not a service runs.
        let client = self.client()?;
        let mut service = service(&self.admin).await?;
        let mut answer = service
            .create_client(CreateClientRequest {
                client: Some(client),
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let told = match answer.client_secret.is_empty() {
            true => String::new(),
            false => place.keep(&mut answer.client_secret)?,
        };
        output.message(
            "countersign.admin.v1.CreateClientResponse",
            &answer,
            |answer| {
                let client = answer.client.clone().unwrap_or_default();
                format!("registered\n\n{}\n{told}", shown(&client))
            },
        )
    }

    fn client(&self) -> Result<Client, Failure> {
        let auth = self.authentication();
        let grants = self.grants();
        if auth == AuthenticationMethod::None && grants.is_empty() {
            return Err(Failure::configuration(
                "a public client needs --redirect-uri, where its codes may go",
            )
            .next("as in --redirect-uri http://127.0.0.1/back; or name what it may present with --grant"));
        }
        if auth == AuthenticationMethod::PrivateKeyJwt && self.jwks.is_none() {
            return Err(Failure::configuration(
                "--auth private-key-jwt needs --jwks, the client's public keys",
            )
            .next("`countersign key generate FILE` makes a key and prints the set"));
        }
        self.certificate.fit(auth)?;
        Ok(Client {
            client_id: self.client_id.clone(),
            display_name: self.name.clone(),
            authentication_method: auth.into(),
            jwks: self.jwks.as_deref().map_or(Ok(String::new()), key_set)?,
            grant_types: grants.into_iter().map(i32::from).collect(),
            redirect_uris: self.redirect_uris.clone(),
            permissions: permissions(&self.allow, &self.details_types),
            serves: self.serves.clone(),
            refresh_key: match self.refresh_key {
                BoundTo::Pinned => RefreshKey::Pinned,
                BoundTo::Client => RefreshKey::Client,
            }
            .into(),
            tls_client_auth: self.certificate.name(),
            tls_client_certificates: self.certificate.thumbprints()?,
            tls_client_certificate_bound_access_tokens: self.certificate_bound_tokens,
            require_pushed_authorization_requests: self.only_pushed,
            ..Client::default()
        })
    }

    fn authentication(&self) -> AuthenticationMethod {
        match self.auth {
            Some(By::PrivateKeyJwt) => AuthenticationMethod::PrivateKeyJwt,
            Some(By::ClientSecret) => AuthenticationMethod::ClientSecret,
            Some(By::TlsClientAuth) => AuthenticationMethod::TlsClientAuth,
            Some(By::SelfSignedTlsClientAuth) => AuthenticationMethod::SelfSignedTlsClientAuth,
            Some(By::None) => AuthenticationMethod::None,
            None if self.jwks.is_some() => AuthenticationMethod::PrivateKeyJwt,
            None => self
                .certificate
                .method()
                .unwrap_or(AuthenticationMethod::ClientSecret),
        }
    }

    fn grants(&self) -> Vec<GrantType> {
        if !self.grants.is_empty() {
            return self
                .grants
                .iter()
                .map(|grant| match grant {
                    Grant::ClientCredentials => GrantType::ClientCredentials,
                    Grant::AuthorizationCode => GrantType::AuthorizationCode,
                    Grant::RefreshToken => GrantType::RefreshToken,
                    Grant::DeviceCode => GrantType::DeviceCode,
                })
                .collect();
        }
        let mut grants = Vec::new();
        // A public client has nothing to show for itself (RFC 6749 §4.4).
        if self.authentication() != AuthenticationMethod::None {
            grants.push(GrantType::ClientCredentials);
        }
        if !self.redirect_uris.is_empty() {
            grants.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
        }
        grants
    }
}

/// The key set in a file. Read here first: a private key that was named by
/// mistake must not leave this machine.
fn key_set(path: &Path) -> Result<String, Failure> {
    let wrong = |what: String| Failure::configuration(format!("{}: {what}", path.display()));
    let bytes = key_file::read_public(path)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8".to_owned()))?;
    Jwks::parse(text.as_bytes()).map_err(|cause| {
        wrong(format!("not a set of public keys: {cause}")).next(
            "name a JWK Set, as `countersign key generate` prints it beside the private key's file",
        )
    })?;
    Ok(text)
}
