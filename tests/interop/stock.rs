//! A guarded service in a process of its own, with telemetry of its own: this program, started
//! again with an order in its environment.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use countersign_telemetry::{LogFormat, LogSink, Logs, Settings, Telemetry, Traces};
use countersign_testkit::{Problem, work};

use crate::shop::Shop;

const ISSUER: &str = "INTEROP_STOCK_ISSUER";
const RESOURCE: &str = "INTEROP_STOCK_RESOURCE";
const OTLP: &str = "INTEROP_STOCK_OTLP";

/// What a process is to serve.
pub(crate) struct Order {
    /// The token service.
    pub(crate) issuer: String,
    /// What its tokens are for.
    pub(crate) resource: String,
    /// Where its spans go.
    pub(crate) otlp: String,
}

/// The process that serves. It ends with this value, and exports its spans before.
pub(crate) struct Stock {
    child: Child,
    /// While this is open, it serves.
    open: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Order {
    /// What this process was started for, if it is not for the tests.
    pub(crate) fn of_this_process() -> Option<Self> {
        Some(Self {
            issuer: env::var(ISSUER).ok()?,
            resource: env::var(RESOURCE).ok()?,
            otlp: env::var(OTLP).ok()?,
        })
    }

    /// Serves until standard input ends.
    pub(crate) fn obey(self) {
        let telemetry = telemetry("stock", self.otlp).expect("telemetry starts");
        work::in_a_runtime(async {
            let address = Shop::default().serve(&self.issuer, &self.resource).await?;
            println!("{address}");
            let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
            end.await??;
            Ok(())
        })
        .expect("it serves");
        telemetry
            .shutdown(Duration::from_secs(10))
            .expect("spans leave");
    }

    /// Starts the process, and waits until it serves.
    ///
    /// # Errors
    /// It does not serve.
    pub(crate) fn give(&self) -> Result<Stock, Problem> {
        let mut child = Command::new(env::current_exe()?)
            .env(ISSUER, &self.issuer)
            .env(RESOURCE, &self.resource)
            .env(OTLP, &self.otlp)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let open = child.stdin.take();
        let said = child.stdout.take().ok_or("no standard output")?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        let address = address
            .trim()
            .parse()
            .map_err(|_| format!("the stock service said {address:?}"))?;
        Ok(Stock {
            child,
            open,
            address,
        })
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.open = None;
        // It ends by itself, within the time that its spans are given.
        let _ = self.child.wait();
    }
}

/// Telemetry of this process as the service `name`, spans alone.
pub(crate) fn telemetry(name: &str, otlp: String) -> Result<Telemetry, String> {
    countersign_telemetry::start(Settings {
        service: countersign_telemetry::Service {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: "test".to_owned(),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: "off".to_owned(),
            sink: LogSink::Stderr,
        },
        traces: Some(Traces::to(otlp)),
        metrics: None,
    })
    .map_err(|error| error.to_string())
}
