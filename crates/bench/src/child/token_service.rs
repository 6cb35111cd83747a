//! The token service itself, as `countersign serve` runs it: the same
//! configuration, log and store, on the same runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_server::config::Sources;
use countersign_server::{Config, Server};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::clock::WarmClock;
use super::telemetry::{self, Tracing};
use crate::BenchError;
use crate::child::Facts;

/// What limits a caller must not limit a measurement, of which one caller makes
/// all calls: 56 bytes each while they live; what is not used is not allocated.
const REMEMBERED_MAX: &str = "80000000";

/// A token service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenServiceSpec {
    /// Its records are kept in a folder of their own in here.
    pub data: PathBuf,
    /// This folder instead, which is somebody else's: it may hold records already,
    /// and stays.
    pub folder: Option<PathBuf>,
    /// Its issuer; proofs are made for this.
    pub issuer: String,
    /// Spans that leave, if any do.
    pub tracing: Option<Tracing>,
    /// More configuration, by the names of the file; wins over what a measurement
    /// sets.
    pub overrides: Vec<(String, String)>,
}

pub(super) async fn serve(spec: TokenServiceSpec) -> Result<(), BenchError> {
    let own = match &spec.folder {
        Some(_) => None,
        None => Some(super::folder(&spec.data)?),
    };
    let own = own.as_ref().map(TempDir::path);
    let folder = own.or(spec.folder.as_deref()).unwrap_or(Path::new("."));
    let config = configuration(&spec, folder)?;
    let telemetry = telemetry::begin(&config.telemetry.log_filter, spec.tracing.as_ref())?;
    let clock = Arc::new(WarmClock::default());
    let running = Server::start(config, Arc::clone(&clock) as _)
        .await
        .map_err(BenchError::preparing("the token service"))?;
    clock.started();
    super::ready(&Facts {
        url: running.url().to_owned(),
        issuer: Some(running.issuer().to_owned()),
        admin_socket: Some(running.admin_socket().to_owned()),
        folder: own.map(Path::to_owned),
    })?;
    super::told_to_end().await;
    // Nobody calls any more, and the folder goes in any case.
    let _ = running.stop().await;
    telemetry::end(telemetry).await;
    Ok(())
}

/// The configuration of a token service in this folder.
pub(crate) fn configuration(spec: &TokenServiceSpec, folder: &Path) -> Result<Config, BenchError> {
    let place = |name: &str| folder.join(name).display().to_string();
    let mut overrides: Vec<(String, String)> = Vec::new();
    for (name, value) in [
        ("proofs.remembered_max", REMEMBERED_MAX.to_owned()),
        ("listen.address", "127.0.0.1:0".to_owned()),
        ("issuer", spec.issuer.clone()),
        ("store.directory", place("data")),
        ("store.key_file", place("key")),
        ("admin.socket", place("admin.sock")),
        ("stop.drain_secs", "1".to_owned()),
    ] {
        overrides.push((name.to_owned(), value));
    }
    for (name, value) in &spec.overrides {
        overrides.retain(|(set, _)| set != name);
        overrides.push((name.clone(), value.clone()));
    }
    Config::read(Sources {
        overrides,
        ..Sources::default()
    })
    .map_err(BenchError::preparing("the token service's configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_configuration_does_not_have_is_no_measurement() {
        let of = |name: &str| {
            let spec = TokenServiceSpec {
                issuer: "http://localhost:7443".to_owned(),
                overrides: vec![(name.to_owned(), "7".to_owned())],
                ..TokenServiceSpec::default()
            };
            configuration(&spec, Path::new("/nowhere"))
        };
        assert!(of("limits.client_calls_per_sec").is_ok());
        assert!(of("limits.client_calls_per_year").is_err());
    }
}
