//! A log that is watched while it grows.

use countersign::admin::v1 as admin;

use super::{all, audits};
use crate::harness::{Service, inner};

/// Registers so many resources, and returns their URIs.
async fn register(service: &Service, from: usize, many: usize) -> Vec<String> {
    let mut uris = Vec::new();
    for nth in from..from + many {
        let uri = format!("https://{nth}.example.com");
        let resource = admin::Resource {
            uri: uri.clone(),
            scopes: vec!["x".to_owned()],
            ..admin::Resource::default()
        };
        let create = admin::CreateResourceRequest {
            resource: Some(resource),
        };
        inner(service.resources().await.create_resource(create).await).expect("registered");
        uris.push(uri);
    }
    uris
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_where_it_ended_without_a_gap() {
    let mut service = Service::start().await;
    let mut next = 0;
    let mut seen = Vec::new();
    let mut expected = Vec::new();
    for round in 0..4 {
        let request = admin::WatchEventsRequest {
            filter: Some(admin::EventFilter {
                events: vec!["RESOURCE_CREATED".to_owned()],
                ..admin::EventFilter::default()
            }),
            from: next,
            ..admin::WatchEventsRequest::default()
        };
        let mut stream =
            inner(audits(&service).await.watch_events(request).await).expect("a watch");
        let opening = stream.message().await.expect("an answer").expect("at once");
        assert!(opening.events.is_empty());
        assert!(
            next == 0 || opening.next == next,
            "{} instead of {next}",
            opening.next
        );
        next = opening.next;
        expected.extend(register(&service, 10 * round, 3).await);
        while seen.len() < expected.len() {
            let answer = stream.message().await.expect("an answer").expect("goes on");
            seen.extend(answer.events.into_iter().map(|event| event.object));
            next = answer.next;
        }
        drop(stream);
        // Nobody watches, and once the service is another one.
        expected.extend(register(&service, 10 * round + 5, 3).await);
        if round == 1 {
            service.restart().await;
        }
    }
    let missed = 3;
    assert_eq!(seen, expected[..expected.len() - missed]);

    // Who asks from where no log has come to is told where it is.
    let request = admin::WatchEventsRequest {
        from: u64::MAX,
        ..admin::WatchEventsRequest::default()
    };
    let mut stream = inner(audits(&service).await.watch_events(request).await).expect("a watch");
    let opening = stream.message().await.expect("an answer").expect("at once");
    assert_eq!(opening.next, all(&service).await.len() as u64 + 1);
}
