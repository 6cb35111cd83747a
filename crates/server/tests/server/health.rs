//! Health of the whole, of each service and of each component.

use countersign_server::health::{CERTIFICATE, CONFIGURATION, KEYS, STORE};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::Service;

pub(crate) async fn status(channel: Channel, service: &str) -> Result<ServingStatus, Code> {
    HealthClient::new(channel)
        .check(HealthCheckRequest {
            service: service.to_owned(),
        })
        .await
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_each_service_and_each_component_serve() {
    let service = Service::start().await;
    for name in [
        "",
        "countersign.token.v1.TokenService",
        "countersign.authorization.v1.AuthorizationService",
        "countersign.introspection.v1.IntrospectionService",
        "countersign.keys.v1.KeyService",
        "countersign.admin.v1.ClientService",
        STORE,
        KEYS,
        CERTIFICATE,
        CONFIGURATION,
    ] {
        for channel in [service.public().await, service.admin().await] {
            assert_eq!(
                status(channel, name).await,
                Ok(ServingStatus::Serving),
                "{name}"
            );
        }
    }
    let unknown = status(service.public().await, "nonsense").await;
    assert_eq!(unknown, Err(Code::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_announced() {
    let mut service =
        Service::start_cold(|config| config.stop.notice = std::time::Duration::from_secs(1)).await;
    let mut watch = HealthClient::new(service.public().await)
        .watch(HealthCheckRequest::default())
        .await
        .expect("watched")
        .into_inner();
    let first = watch.message().await.expect("a message").expect("one");
    assert_eq!(first.status(), ServingStatus::Serving);
    let stopping = tokio::spawn(async move { service.stop().await });
    let second = watch.message().await.expect("a message").expect("one");
    assert_eq!(second.status(), ServingStatus::NotServing);
    drop(watch);
    stopping.await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_question_is_refused() {
    let service = Service::start().await;
    for channel in [service.public().await, service.admin().await] {
        let large = "x".repeat(65 * 1024);
        assert_eq!(status(channel, &large).await, Err(Code::OutOfRange));
    }
}
