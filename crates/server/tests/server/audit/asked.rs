//! What was asked for, and requests that nothing can be answered to.

use countersign::admin::v1::{self as admin, AuditLog, Outcome};

use super::{audits, events, operator, short};
use crate::comes::{Comes, check};
use crate::harness::{ORDERS, Service, inner, service_client};

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_pages_are_those_that_were_asked_for() {
    let service = Service::start().await;
    service.add_orders().await;
    for id in ["a", "b", "a.b"] {
        service
            .add(service_client(id, &[(ORDERS, &["orders.read"])]))
            .await;
    }
    let of = |filter| events(&service, AuditLog::Audit, filter);
    let found = of(admin::EventFilter {
        client_id: "a".to_owned(),
        ..admin::EventFilter::default()
    })
    .await;
    assert_eq!(
        short(&found),
        [(
            "CLIENT_CREATED",
            "a",
            operator().as_str(),
            Outcome::Done,
            ""
        )]
    );
    let none = of(admin::EventFilter {
        since: Some(prost_types::Timestamp {
            seconds: 3_000_000_000,
            nanos: 0,
        }),
        ..admin::EventFilter::default()
    })
    .await;
    assert!(none.is_empty());

    let mut audits = audits(&service).await;
    let list = |filter: admin::EventFilter, size, token: &str, log| admin::ListEventsRequest {
        log,
        filter: Some(filter),
        oldest_first: false,
        page_size: size,
        page_token: token.to_owned(),
    };
    let page = inner(
        audits
            .list_events(list(admin::EventFilter::default(), 1, "", 0))
            .await,
    );
    let page = page.expect("a page");
    assert_eq!(
        (page.events.len(), page.events[0].client_id.as_str()),
        (1, "a.b")
    );
    let token = page.next_page_token;
    let next = inner(
        audits
            .list_events(list(admin::EventFilter::default(), 1, &token, 0))
            .await,
    );
    assert_eq!(next.expect("a page").events[0].client_id, "b");
    let named = |name: &str| admin::EventFilter {
        events: vec![name.to_owned()],
        ..admin::EventFilter::default()
    };
    let everything = admin::EventFilter::default;
    for (what, request, expected) in [
        (
            "no such event",
            list(named("REFRESH_REUSE"), 0, "", 0),
            Comes::R("filter.events"),
        ),
        (
            "below zero",
            list(everything(), -1, "", 0),
            Comes::R("page_size"),
        ),
        (
            "over a thousand",
            list(everything(), 1_001, "", 0),
            Comes::R("page_size"),
        ),
        (
            "a token that is none",
            list(everything(), 0, "x", 0),
            Comes::R("page_token"),
        ),
        (
            "a token of another log",
            list(everything(), 0, &token, 2),
            Comes::R("page_token"),
        ),
        ("no such log", list(everything(), 0, "", 7), Comes::R("log")),
        (
            "no such outcome",
            list(
                admin::EventFilter {
                    outcome: 7,
                    ..everything()
                },
                0,
                "",
                0,
            ),
            Comes::R("filter.outcome"),
        ),
        (
            "before 1970",
            list(
                admin::EventFilter {
                    until: Some(prost_types::Timestamp {
                        seconds: -1,
                        nanos: 0,
                    }),
                    ..everything()
                },
                0,
                "",
                0,
            ),
            Comes::R("filter.until"),
        ),
    ] {
        check(what, &audits.list_events(request).await, expected);
    }
    for from in [999, u64::MAX] {
        let request = admin::ReadLogRequest { log: 0, from };
        check(
            "not there",
            &audits.read_log(request).await,
            Comes::R("from"),
        );
    }
}
