//! `countersign login-app`: the login application in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use countersign::error::v1::Reason;
use countersign_client::clock::SystemClock;
use countersign_client::{Builder, Countersign, Credential, KeyFile};
use countersign_login::OverGrpc;
use countersign_server::config::Tls;
use countersign_server::{LoginApp, LoginConfig, LoginRunning};
use countersign_telemetry::{
    LogFormat, LogSink, Logs, Metrics, Service, Settings, Telemetry, Traces, start,
};
use tonic::Status;

use super::certificate::CertificateArgs;
use super::connection::ServerArgs;
use super::serve::failure;
use super::token;
use crate::entropy;
use crate::exit::{Failure, reason};
use crate::output::{self, Output};
use crate::signals::{Hangups, Signals};
use crate::whole::whole;

/// How long the last spans may take to leave.
const TELEMETRY_STOP_SECS_MAX: Duration = Duration::from_secs(3);

/// A login application to run.
#[derive(Args, Debug)]
#[command(after_help = "\
It has a store of its own for accounts, sessions and remembered consent, and a
socket in it for `countersign account --socket`. The client that it is at the
token service needs the scope authorizations.decide:

  countersign client add login \\
    --allow http://127.0.0.1:7443=authorizations.decide --secret-file login.secret

Files may be replaced while it runs: --tls-certificate and --tls-key are looked at
once a second and at SIGHUP, what the client shows with each request for a token.

Examples:
  countersign login-app --client-id login --client-secret-file login.secret
  countersign login-app --check --client-id login --client-key login.pem
  countersign login-app --client-id login --client-key login.pem \\
    --server https://tokens.internal:7443 --listen 0.0.0.0:8443 \\
    --url https://login.example.com --tls-certificate tls.pem --tls-key tls.key

  # it shows a certificate where the token service asks for one
  countersign login-app --client-id login \\
    --server https://tokens.internal:7444 \\
    --client-certificate login.crt --client-certificate-key login.key")]
pub(crate) struct RunLoginApp {
    /// Say whether it can start and may decide for people, and exit; nothing is made or opened
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    server: ServerArgs,

    /// The client that it is at the token service
    #[arg(long, value_name = "ID", env = token::CLIENT_ID_VARIABLE)]
    client_id: String,

    /// A file that holds the client's secret and nothing else, mode 0600; it may be replaced at
    /// any time
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["client_key", "client_certificate"]
    )]
    client_secret_file: Option<PathBuf>,

    /// The client's private key, for a client that signs assertions (`private_key_jwt`)
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_file")]
    client_key: Option<PathBuf>,

    #[command(flatten)]
    certificate: CertificateArgs,

    /// Where browsers connect
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7444")]
    listen: SocketAddr,

    /// The URL that browsers reach it by [default: the address listened on]
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Where its records are kept
    #[arg(long, value_name = "DIRECTORY", default_value = "countersign-login")]
    data: PathBuf,

    /// The socket for those who look after accounts [default: login.sock in the data directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Certificate chain, PEM; it and its key may be replaced at any time
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// A proxy stands in front and ends `X-Forwarded-For` with the address that it was connected
    /// to from
    #[arg(long)]
    behind_proxy: bool,
}

impl RunLoginApp {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let mut hangups = Hangups::listen()?;
        let telemetry = telemetry()?;
        let outcome = self.serve(&mut signals, &mut hangups, output).await;
        let stopped =
            tokio::task::spawn_blocking(move || telemetry.shutdown(TELEMETRY_STOP_SECS_MAX));
        // A collector that is away takes nothing from an application that stopped well.
        let _delivery = stopped.await;
        outcome
    }

    async fn serve(
        self,
        signals: &mut Signals,
        hangups: &mut Hangups,
        output: &Output,
    ) -> Result<(), Failure> {
        let url = self.server.server.clone();
        // Also: nobody logs in where the token service cannot be asked.
        let identity = self.certificate.identity()?;
        let issuer = token::issuer(self.server.connect_showing(identity).await?).await?;
        let client = self.client(&url, &issuer).await?;
        let tokens = OverGrpc::connect(&client, &url).await;
        let tokens = tokens.map_err(|cause| Failure::configuration(cause.to_string()))?;
        let tls = self.tls_certificate.zip(self.tls_key);
        let config = LoginConfig {
            listen: self.listen,
            url: self.url,
            issuer,
            directory: self.data,
            socket: self.socket,
            allowed_uids: Vec::new(),
            tls: tls.map(|(certificate_file, key_file)| Tls {
                certificate_file,
                key_file,
                client_authorities_file: None,
            }),
            behind_proxy: self.behind_proxy,
        };
        if self.check {
            tokens.check().await.map_err(|status| refused(&status))?;
            let url = LoginApp::check(&config).map_err(|cause| failure::start(&cause))?;
            return output.value(&serde_json::json!({ "url": url }), || {
                format!("the login application can run at {url}")
            });
        }
        let running = LoginApp::start(&config, Arc::new(SystemClock), Arc::new(tokens)).await;
        let running = running.map_err(|cause| failure::start(&cause))?;
        greet(&running, output)?;
        follow(&running, signals, hangups).await;
        let stopped = running.stop().await;
        stopped.map_err(|cause| Failure::internal(cause.to_string()))
    }

    async fn client(&self, url: &str, issuer: &str) -> Result<Countersign, Failure> {
        let credential = match (&self.client_secret_file, &self.client_key) {
            (Some(path), _) => Credential::SecretFile(path.clone()),
            (None, Some(path)) => Credential::KeyFile(KeyFile::new(path)),
            // Then there is a certificate, which tells who it is.
            (None, None) => Credential::Public,
        };
        let mut builder = Builder::new(url)
            .issuer(issuer)
            .client(&self.client_id, credential);
        if let Some(shown) = self.certificate.shown() {
            builder = builder.certificate(shown.files());
        }
        if let Some(pem) = self.server.ca_pem()? {
            builder = builder.trust_ca(pem);
        }
        let client = builder.connect().await;
        client.map_err(|cause| Failure::configuration(cause.to_string()))
    }
}

/// Looks at the certificate whenever SIGHUP asks for it, until another signal ends it.
async fn follow(running: &LoginRunning, signals: &mut Signals, hangups: &mut Hangups) {
    loop {
        tokio::select! {
            () = signals.next() => return,
            // What is wrong with the files is in the log; the last good certificate stays.
            () = hangups.next() => drop(running.look_at_certificate().await),
        }
    }
}

/// What stands against the application's deciding requests.
fn refused(status: &Status) -> Failure {
    let failure = Failure::answered(status);
    match reason(status) {
        Some(
            Reason::InvalidScope
            | Reason::InvalidTarget
            | Reason::ClientNotAllowed
            | Reason::ScopeInsufficient,
        ) => failure.next("the client needs the scope authorizations.decide at the token service"),
        _ => failure,
    }
}

/// Says where it is, and what to do next.
fn greet(running: &LoginRunning, output: &Output) -> Result<(), Failure> {
    let socket = whole(running.socket());
    let facts = serde_json::json!({
        "url": running.url(),
        "listen_address": running.address(),
        "socket": socket,
    });
    output.value(&facts, || {
        let about = output::fields([
            ("login application", running.url().to_owned()),
            ("listens on", running.address().to_string()),
            ("socket", socket.display().to_string()),
        ]);
        format!(
            "{about}\nnext:\n  countersign account add ann --socket {}\n  Ctrl-C stops it\n",
            socket.display()
        )
    })
}

fn telemetry() -> Result<Telemetry, Failure> {
    let instance = entropy::bytes::<8>()?;
    let traces = Traces::from_env(|name| std::env::var(name).ok())
        .map_err(|cause| Failure::configuration(cause.to_string()))?;
    let metrics = Metrics::from_env(|name| std::env::var(name).ok())
        .map_err(|cause| Failure::configuration(cause.to_string()))?;
    let settings = Settings {
        service: Service {
            name: "countersign-login".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: countersign_jose::base64url::encode(instance),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: "info".to_owned(),
            sink: LogSink::Stderr,
        },
        traces,
        metrics,
    };
    start(settings).map_err(|cause| failure::telemetry(&cause))
}
