//! Health (`grpc.health.v1`) of the whole (""), of each service and of each component.

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::wire::MESSAGE_BYTES_MAX;

/// The component that keeps records.
pub const STORE: &str = "store";
/// The component that signs tokens and authenticates handles.
pub const KEYS: &str = "keys";

/// Reports how the service is.
#[derive(Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
}

impl Health {
    /// Reports for "", `services` and the components; all of them serve from now on.
    pub(crate) async fn serving(services: &[&'static str]) -> Self {
        let reporter = HealthReporter::new();
        let mut names = vec!["", STORE, KEYS];
        names.extend_from_slice(services);
        let health = Self { reporter, names };
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

    /// The store has failed: nothing that needs it serves, and that is all but the keys, which are
    /// in memory.
    pub(crate) async fn store_failed(&self) {
        for name in self.names.iter().filter(|name| **name != KEYS) {
            self.reporter
                .set_service_status(*name, ServingStatus::NotServing)
                .await;
        }
    }

    /// The service stops.
    pub(crate) async fn stopping(&self) {
        self.report_all(ServingStatus::NotServing).await;
    }

    async fn report_all(&self, status: ServingStatus) {
        for name in &self.names {
            self.reporter.set_service_status(*name, status).await;
        }
    }
}
