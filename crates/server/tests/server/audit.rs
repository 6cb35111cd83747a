//! What happened is in the logs, and nothing secret is.

mod asked;
mod operations;
mod strangers;
mod watch;

use countersign::admin::v1::audit_service_client::AuditServiceClient;
use countersign::admin::v1::{self as admin, AuditEvent, AuditLog, Outcome};
use tonic::transport::Channel;

use crate::harness::{Service, inner};

async fn audits(service: &Service) -> AuditServiceClient<Channel> {
    AuditServiceClient::new(service.admin().await)
}

/// All events that fit, the oldest first.
async fn events(service: &Service, log: AuditLog, filter: admin::EventFilter) -> Vec<AuditEvent> {
    let mut audits = audits(service).await;
    let mut request = admin::ListEventsRequest {
        log: log.into(),
        filter: Some(filter),
        oldest_first: true,
        ..admin::ListEventsRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = inner(audits.list_events(request.clone()).await).expect("a page");
        all.extend(page.events);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

pub(crate) async fn all(service: &Service) -> Vec<AuditEvent> {
    events(service, AuditLog::Audit, admin::EventFilter::default()).await
}

/// What waits is written by a stop.
pub(crate) async fn written(service: &mut Service) {
    service.restart().await;
}

/// Event, client, actor, outcome, reason.
fn short(events: &[AuditEvent]) -> Vec<(&str, &str, &str, Outcome, &str)> {
    events
        .iter()
        .map(|event| {
            (
                event.event.as_str(),
                event.client_id.as_str(),
                event.actor.as_str(),
                event.outcome(),
                event.reason.as_str(),
            )
        })
        .collect()
}

fn operator() -> String {
    format!(
        "uid:{}",
        std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("it runs"))
    )
}

/// The raw bytes of all entries of both logs.
pub(crate) async fn raw(service: &Service) -> Vec<u8> {
    let mut bytes = Vec::new();
    for log in [AuditLog::Audit, AuditLog::Issuance] {
        let request = admin::ReadLogRequest {
            log: log.into(),
            from: 0,
        };
        let mut stream = inner(audits(service).await.read_log(request).await).expect("a log");
        while let Some(answer) = stream.message().await.expect("an answer") {
            for entry in answer.entries {
                bytes.extend(entry.entry);
            }
        }
    }
    bytes
}
