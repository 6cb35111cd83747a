//! What a server process does: it listens, says where, and serves until its
//! standard input ends.

mod clock;
mod facts;
mod floor;
mod guarded;
mod http;
mod keeper;
mod orders;
mod telemetry;
mod token_service;

use std::io::{Write as _, copy, sink, stdin};
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::{runtime, task};
use tokio_stream::wrappers::TcpListenerStream;

pub use self::facts::Facts;
pub use self::floor::Floor;
pub use self::guarded::Guarded;
pub(crate) use self::guarded::{ISSUER, ORIGIN};
pub(crate) use self::http::PATH as ORDERS_PATH;
pub use self::keeper::Keeper;
pub use self::telemetry::Tracing;
pub use self::token_service::TokenServiceSpec;
pub(crate) use self::token_service::configuration;
use crate::BenchError;

/// Which server to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spec {
    /// What nobody can do without.
    Floor(Floor),
    /// An order service behind a guard.
    Guarded(Guarded),
    /// The token service.
    TokenService(TokenServiceSpec),
    /// No server at all, but who looks after a folder.
    Keeper(Keeper),
}

impl Spec {
    /// Its name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Floor(_) => "floor",
            Self::Guarded(_) => "guarded",
            Self::TokenService(_) => "token service",
            Self::Keeper(_) => "folder",
        }
    }

    /// As the argument of the hidden command.
    pub fn to_argument(&self) -> String {
        // A plain structure with text keys has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the argument of the hidden command.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_argument(text: &str) -> Result<Self, BenchError> {
        serde_json::from_str(text).map_err(|error| BenchError::Asked(error.to_string()))
    }
}

/// Is the server, until standard input ends. Needs a multi-threaded tokio
/// runtime, on which the token service runs as `countersign serve` runs it. The
/// others make themselves a current-thread runtime: the cheapest there is, since
/// they stand for what must be.
///
/// # Errors
/// When it does not start.
pub async fn serve(spec: Spec) -> Result<(), BenchError> {
    match spec {
        Spec::TokenService(spec) => token_service::serve(spec).await,
        Spec::Keeper(spec) => keeper::serve(spec).await,
        Spec::Floor(spec) => alone(move || floor::serve(spec)).await,
        Spec::Guarded(spec) => alone(move || guarded::serve(spec)).await,
    }
}

async fn alone<F>(server: impl FnOnce() -> F + Send + 'static) -> Result<(), BenchError>
where
    F: Future<Output = Result<(), BenchError>>,
{
    let served = task::spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BenchError::system("making a runtime"))?;
        runtime.block_on(server())
    });
    served
        .await
        .map_err(BenchError::preparing("the server's thread"))?
}

/// A port of its own on loopback.
async fn listen() -> Result<(String, TcpListener), BenchError> {
    let failed = || BenchError::system("listening on 127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    Ok((format!("http://{address}"), listener))
}

/// Connections as tonic's own listener hands them out.
fn incoming(
    listener: TcpListener,
) -> impl tokio_stream::Stream<Item = std::io::Result<tokio::net::TcpStream>> {
    use tokio_stream::StreamExt as _;
    TcpListenerStream::new(listener).map(|socket| {
        let socket = socket?;
        socket.set_nodelay(true)?;
        Ok(socket)
    })
}

/// Tells the process that started this one where to call.
fn ready(facts: &Facts) -> Result<(), BenchError> {
    let line = serde_json::to_string(facts).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(BenchError::system("saying where it listens"))
}

/// Waits for the end of standard input: an order to stop, or the end of whoever
/// started this.
async fn told_to_end() {
    let (end, ended) = oneshot::channel();
    // A thread of its own, since a runtime that ends would wait for one of its.
    thread::spawn(move || {
        // Any end of it is the end.
        let _ = copy(&mut stdin().lock(), &mut sink());
        let _ = end.send(());
    });
    let _ = ended.await;
}

/// A folder that goes with the process.
fn folder(inside: &Path) -> Result<TempDir, BenchError> {
    tempfile::Builder::new()
        .prefix("countersign-bench-")
        .tempdir_in(inside)
        .map_err(BenchError::system(format!(
            "making a folder in {}",
            inside.display()
        )))
}

/// Facts of a server that is only an address.
fn only(url: String, folder: Option<PathBuf>) -> Facts {
    Facts {
        url,
        issuer: None,
        admin_socket: None,
        folder,
    }
}
