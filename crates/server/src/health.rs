//! Health (`grpc.health.v1`) of the whole (""), of each service and of each component.

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as _, HealthServer};
use tonic_health::pb::{HealthCheckRequest, health_check_response};
use tonic_health::server::{HealthReporter, HealthService};

use crate::wire::MESSAGE_BYTES_MAX;

/// The component that keeps records.
pub const STORE: &str = "store";
/// The component that signs tokens and authenticates handles.
pub const KEYS: &str = "keys";
/// The certificate: not serving while its files hold nothing that could be used, though the last
/// good one is.
pub const CERTIFICATE: &str = "certificate";
/// The configuration: not serving while what was read last could not be used, though the last good
/// one is.
pub const CONFIGURATION: &str = "configuration";

/// Components whose trouble is for operators alone: whoever calls notices nothing.
const FOR_OPERATORS: [&str; 2] = [CERTIFICATE, CONFIGURATION];

/// Reports how the service is.
#[derive(Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
    /// Held while something is reported, so that nothing is said to serve after the stop.
    stopped: Arc<Mutex<bool>>,
}

impl Health {
    /// Reports for "", `services` and the components; all of them serve from now on.
    pub(crate) async fn serving(services: &[&'static str]) -> Self {
        let reporter = HealthReporter::new();
        let mut names = vec!["", STORE, KEYS, CERTIFICATE, CONFIGURATION];
        names.extend_from_slice(services);
        let health = Self {
            reporter,
            names,
            stopped: Arc::default(),
        };
        health.report_all(ServingStatus::Serving).await;
        health
    }

    /// The service that answers for it.
    pub(crate) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(self.service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// The answers themselves.
    pub(crate) fn service(&self) -> HealthService {
        HealthService::from_health_reporter(self.reporter.clone())
    }

    /// Whether the whole serves now, as who asks for "" is told.
    pub(crate) async fn serves(&self) -> bool {
        let whole = tonic::Request::new(HealthCheckRequest::default());
        let answer = self.service().check(whole).await;
        answer.is_ok_and(|answer| {
            answer.into_inner().status == i32::from(health_check_response::ServingStatus::Serving)
        })
    }

    /// The store has failed: nothing that needs it serves, and that is all but the keys, which are
    /// in memory.
    pub(crate) async fn store_failed(&self) {
        let unharmed = |name: &str| name == KEYS || FOR_OPERATORS.contains(&name);
        for name in self.names.iter().filter(|name| !unharmed(name)) {
            self.reporter
                .set_service_status(*name, ServingStatus::NotServing)
                .await;
        }
    }

    /// How the certificate or the configuration is.
    pub(crate) async fn component(&self, name: &'static str, good: bool) {
        let stopped = self.stopped.lock().await;
        let status = match good && !*stopped {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        self.reporter.set_service_status(name, status).await;
    }

    /// The service stops.
    pub(crate) async fn stopping(&self) {
        *self.stopped.lock().await = true;
        self.report_all(ServingStatus::NotServing).await;
    }

    async fn report_all(&self, status: ServingStatus) {
        for name in &self.names {
            self.reporter.set_service_status(*name, status).await;
        }
    }
}
