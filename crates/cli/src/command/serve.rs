//! `countersign serve`: run a token service.

mod again;
pub(super) mod failure;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, process};

use clap::{Args, ValueEnum};
use countersign_client::clock::SystemClock;
use countersign_server::config::{Sources, VARIABLE_PREFIX};
use countersign_server::{Config, KeyFileError, KeyPlace, Running, Server};
use countersign_telemetry::{
    LogFormat, LogSink, Logs, Metrics, Service, Settings, Telemetry, Traces, start,
};

use super::CLIENT_VARIABLES;
use crate::entropy;
use crate::exit::{Failure, Kind};
use crate::output::{self, Output};
use crate::signals::{Hangups, Signals};
use crate::whole::whole;
use again::Again;

/// How long the last spans may take to leave: a stop must not wait for a
/// collector that is away.
const TELEMETRY_STOP_SECS_MAX: Duration = Duration::from_secs(3);

/// A token service to run.
#[derive(Args, Debug)]
#[command(after_help = "\
Without any configuration it serves http://127.0.0.1:7443, for this machine, with
its data in ./countersign-data and its key in ./countersign-data.key. Flags win
over COUNTERSIGN_... variables, which win over the file; docs/configuration.md
has every key.

SIGTERM or SIGINT stops it gracefully; a second one stops it at once. SIGHUP, or
a change of the file, reads the configuration again.

Examples:
  countersign serve
  countersign serve --with-login
  countersign serve --config /etc/countersign/countersign.toml
  countersign serve --check --config /etc/countersign/countersign.toml
  countersign serve --data /var/lib/countersign --key-file /etc/countersign/kek
  countersign serve --listen 0.0.0.0:7443 \\
    --issuer https://tokens.internal:7443 \\
    --tls-certificate tls.pem --tls-key tls.key")]
pub(crate) struct Serve {
    /// A TOML file with the configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say whether the configuration is right, and exit
    #[arg(long)]
    check: bool,

    /// Where calls are taken (listen.address)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// The URL that clients reach the service by (issuer)
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// Where records are kept (store.directory)
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// The key that encrypts the service's keys (store.key_file)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// The socket of the admin services (admin.socket)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Certificate chain, PEM (tls.certificate_file)
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,

    /// Private key of the certificate, PEM (tls.key_file)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Serve the login application too, below the issuer at /login (login.serve)
    #[arg(long)]
    with_login: bool,

    /// Where traces go: an OTLP/gRPC endpoint (telemetry.otlp_endpoint)
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,

    /// How the log is written (telemetry.log_format)
    #[arg(long, value_enum)]
    log: Option<LogKind>,
}

/// How the log is written.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum LogKind {
    /// Text for people
    Pretty,
    /// One JSON object a line
    Json,
}

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let sources = self.sources()?;
        let again = Again::from(self.config.clone(), sources.clone());
        let config = Config::read(Sources {
            file: self.config.as_deref(),
            ..sources
        });
        let config = config.map_err(|cause| failure::configuration(&cause))?;
        if self.check {
            return right(&config, output);
        }
        // Before anything can be left half done.
        let signals = (Signals::listen()?, Hangups::listen()?);
        let telemetry = telemetry(&config)?;
        let outcome = serve(config, signals, again, &telemetry, output).await;
        let stopped =
            tokio::task::spawn_blocking(move || telemetry.shutdown(TELEMETRY_STOP_SECS_MAX));
        // A collector that is away takes nothing from a service that stopped well.
        let _delivery = stopped.await;
        outcome
    }

    /// All of them but the file.
    fn sources(&self) -> Result<Sources<'static>, Failure> {
        Ok(Sources {
            file: None,
            variables: variables()?,
            others: CLIENT_VARIABLES,
            overrides: self.overrides()?,
        })
    }

    fn overrides(&self) -> Result<Vec<(String, String)>, Failure> {
        let log = self.log.map(|log| match log {
            LogKind::Pretty => "pretty".to_owned(),
            LogKind::Json => "json".to_owned(),
        });
        let mut said = Vec::new();
        for (key, value) in [
            ("listen.address", self.listen.clone()),
            ("issuer", self.issuer.clone()),
            ("store.directory", text("--data", self.data.as_ref())?),
            (
                "store.key_file",
                text("--key-file", self.key_file.as_ref())?,
            ),
            ("admin.socket", text("--socket", self.socket.as_ref())?),
            (
                "tls.certificate_file",
                text("--tls-certificate", self.tls_certificate.as_ref())?,
            ),
            ("tls.key_file", text("--tls-key", self.tls_key.as_ref())?),
            ("login.serve", self.with_login.then(|| "yes".to_owned())),
            ("telemetry.otlp_endpoint", self.otlp.clone()),
            ("telemetry.log_format", log),
        ] {
            said.extend(value.map(|value| (key.to_owned(), value)));
        }
        Ok(said)
    }
}

async fn serve(
    config: Config,
    (mut signals, mut hangups): (Signals, Hangups),
    mut again: Again,
    telemetry: &Telemetry,
    output: &Output,
) -> Result<(), Failure> {
    let admin_default = config.admin_socket() == Config::default().admin_socket();
    let running = Server::start(config, Arc::new(SystemClock))
        .await
        .map_err(|cause| failure::start(&cause))?;
    greet(&running, admin_default, output)?;
    // A file that is slow to read holds no stop up.
    let broken = tokio::select! {
        reason = running.wait() => Some(reason),
        () = signals.next() => None,
        never = again.follow(&running, &mut hangups, telemetry) => match never {},
    };
    tokio::select! {
        stopped = running.stop() => match (broken, stopped) {
            (Some(reason), _) | (None, Err(reason)) => Err(failure::stopped(&reason)),
            (None, Ok(())) => Ok(()),
        },
        () = signals.next() => stop_at_once(),
    }
}

/// Says what the configuration comes to. Files that it names are not opened.
fn right(config: &Config, output: &Output) -> Result<(), Failure> {
    let [socket, data] = [&config.admin_socket(), &config.store.directory].map(|path| whole(path));
    let place = config.key_place();
    let key_file = place.file().map_err(|cause| failure::key_file(&cause))?;
    let key_file = key_file.as_deref().map(whole);
    if let Some(path) = key_file.clone().filter(|path| path.starts_with(&data)) {
        return Err(failure::key_file(&KeyFileError::InsideData {
            path,
            directory: data,
        }));
    }
    let logs = countersign_telemetry::prepare(settings(config, None, None)?);
    let (_, unused) = logs.map_err(|cause| failure::telemetry(&cause))?;
    // Nothing was logged, so nothing can be lost.
    let _delivery = unused.shutdown(TELEMETRY_STOP_SECS_MAX);
    let facts = serde_json::json!({
        "listen_address": config.listen.address,
        "issuer": config.issuer,
        "admin_socket": socket,
        "data_directory": data,
        "key_file": key_file,
    });
    output.value(&facts, || {
        let issuer = config.issuer.as_deref();
        let about = output::fields([
            ("listens on", config.listen.address.to_string()),
            (
                "issuer",
                issuer.unwrap_or("the address listened on").to_owned(),
            ),
            ("admin socket", socket.display().to_string()),
            ("data", data.display().to_string()),
            key_field(&place, key_file.as_deref(), ""),
        ]);
        format!("the configuration is right\n\n{about}")
    })
}

/// Ends the process with calls in flight: whoever signals twice means it.
fn stop_at_once() -> ! {
    let failure = Failure::new(
        Kind::Interrupted,
        "stopped at once by a second signal; calls in flight were cut off",
    );
    // Told before the end: the process does not come back from here.
    let _code = failure.report();
    process::exit(i32::from(Kind::Interrupted.code()))
}

/// Says what it listens on, where its data is, and what to do next.
fn greet(running: &Running, admin_default: bool, output: &Output) -> Result<(), Failure> {
    let [socket, data] = [running.admin_socket(), running.data_directory()].map(whole);
    let place = running.key_place();
    let key_file = place.file().map_err(|cause| failure::key_file(&cause))?;
    let key_file = key_file.as_deref().map(whole);
    let facts = serde_json::json!({
        "grpc": running.url(),
        "http": running.http_url(),
        "mtls": running.mtls_url(),
        "issuer": running.issuer(),
        "login": running.login().map(|login| &login.url),
        "admin_socket": socket,
        "data_directory": data,
        "key_file": key_file,
        "first_start": running.first_start(),
    });
    output.value(&facts, || {
        let option = match admin_default {
            true => String::new(),
            false => format!(" --socket {}", socket.display()),
        };
        let http = running.http_url();
        let login = running.login();
        let mtls = running.mtls_url().unwrap_or_default();
        let mut text = output::fields([
            ("gRPC", running.url().to_owned()),
            ("HTTP", http.unwrap_or_else(|| "not served".to_owned())),
            ("mutual TLS", mtls.to_owned()),
            ("issuer", running.issuer().to_owned()),
            ("login", login.map(|login| login.url.clone()).unwrap_or_default()),
            ("admin socket", socket.display().to_string()),
            ("data", data.display().to_string()),
            key_field(place, key_file.as_deref(), " (back it up, apart from the data)"),
        ]);
        text.push_str("\nnext:\n");
        if login.is_some_and(|login| login.is_empty) {
            text.push_str(&format!("  countersign account add{option} ann\n"));
        }
        if running.first_start() {
            text.push_str(&format!(
                "  countersign resource add{option} https://orders.internal:8443 --scope orders.read\n  \
                 countersign client add{option} checkout --allow https://orders.internal:8443=orders.read\n"
            ));
        } else {
            text.push_str(&format!(
                "  countersign client list{option}\n  countersign resource list{option}\n"
            ));
        }
        text.push_str("  Ctrl-C stops it\n");
        text
    })
}

/// Who has the key-encryption key. Arguments of a program are not shown: they may be secret.
fn key_field(place: &KeyPlace, file: Option<&Path>, more: &str) -> (&'static str, String) {
    match (place, file) {
        (KeyPlace::Command(command), _) => {
            let program = command.first().cloned().unwrap_or_default();
            ("key program", program)
        }
        (_, file) => {
            let file = file.map(|file| file.display().to_string());
            ("key file", format!("{}{more}", file.unwrap_or_default()))
        }
    }
}

fn telemetry(config: &Config) -> Result<Telemetry, Failure> {
    let wanted = &config.telemetry;
    let traces = match &wanted.otlp_endpoint {
        Some(endpoint) => Some(Traces {
            ratio: wanted.sample_ratio,
            ..Traces::to(endpoint.clone())
        }),
        None => Traces::from_env(|name| env::var(name).ok())
            .map_err(|cause| Failure::configuration(cause.to_string()))?,
    };
    let metrics = match &wanted.metrics_endpoint {
        Some(endpoint) => Some(Metrics::to(endpoint.clone())),
        None => Metrics::from_env(|name| env::var(name).ok())
            .map_err(|cause| Failure::configuration(cause.to_string()))?,
    };
    start(settings(config, traces, metrics)?).map_err(|cause| failure::telemetry(&cause))
}

fn settings(
    config: &Config,
    traces: Option<Traces>,
    metrics: Option<Metrics>,
) -> Result<Settings, Failure> {
    let instance = entropy::bytes::<8>()?;
    let wanted = &config.telemetry;
    Ok(Settings {
        service: Service {
            name: "countersign".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: countersign_jose::base64url::encode(instance),
        },
        logs: Logs {
            format: if wanted.log_json {
                LogFormat::Json
            } else {
                LogFormat::Pretty
            },
            filter: wanted.log_filter.clone(),
            sink: LogSink::Stderr,
        },
        traces,
        metrics,
    })
}

/// The environment, as far as it is text.
pub(super) fn variables() -> Result<Vec<(String, String)>, Failure> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Failure::configuration(format!("{name}: is not UTF-8"))),
        })
        .collect()
}

pub(super) fn text(flag: &str, path: Option<&PathBuf>) -> Result<Option<String>, Failure> {
    path.map(|path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::configuration(format!("{flag}: is not UTF-8")))
    })
    .transpose()
}
