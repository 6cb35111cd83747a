//! What happened is in the logs, and nothing secret is.

use std::time::Duration;

use countersign::admin::v1::audit_service_client::AuditServiceClient;
use countersign::admin::v1::{self as admin, AuditEvent, AuditLog, AuthenticationMethod, Outcome};
use countersign::authorization::v1 as authorization;
use countersign::token::v1::revoke_token_request::Target;
use countersign_jose::base64url;
use tonic::transport::Channel;

use crate::comes::{Comes, check};
use crate::flow::{
    approved, pkce, push_request, redeem, redeem_request, revoke, rotate, signed_in, with_login,
};
use crate::harness::{
    Client, DENY, ISSUE, ORDERS, Service, credentials, inner, person_client, service_client,
    with_proof,
};
use crate::proof::Key;

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

async fn all(service: &Service) -> Vec<AuditEvent> {
    events(service, AuditLog::Audit, admin::EventFilter::default()).await
}

/// What waits is written by a stop.
async fn written(service: &mut Service) {
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
async fn raw(service: &Service) -> Vec<u8> {
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

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_leaves_its_event_and_nothing_secret() {
    let (mut service, login) = with_login().await;
    let operator = operator();
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let mut secrets: Vec<String> = Vec::new();
    for client in [&login, &shop, &other] {
        secrets.extend(client.secret.clone());
    }

    // What clients and resources go through.
    let mut clients = service.clients().await;
    let update = |disabled| admin::UpdateClientRequest {
        client: Some(admin::Client {
            client_id: "other".to_owned(),
            disabled,
            ..admin::Client::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["disabled".to_owned()],
        }),
    };
    inner(clients.update_client(update(true)).await).expect("switched off");
    inner(clients.update_client(update(false)).await).expect("switched on");
    let renewed = clients
        .rotate_client_secret(admin::RotateClientSecretRequest {
            client_id: "other".to_owned(),
        })
        .await;
    let other = Client {
        secret: Some(inner(renewed).expect("renewed").client_secret),
        ..other
    };
    secrets.extend(other.secret.clone());

    // A code: declined; in other hands; redeemed; again.
    let key = Key::new();
    let (verifier, challenge) = pkce();
    secrets.push(verifier.clone());
    let lodge = || async {
        let push = push_request(&shop, &challenge);
        let lodged = service
            .authorizations()
            .await
            .push_authorization(push)
            .await;
        inner(lodged).expect("lodged").request_uri
    };
    let declined = lodge().await;
    let deny = authorization::DenyAuthorizationRequest {
        request_uri: declined.clone(),
    };
    let request = service.guarded(&login, DENY, deny).await;
    inner(
        service
            .authorizations()
            .await
            .deny_authorization(request)
            .await,
    )
    .expect("declined");
    let lodged = lodge().await;
    let code = approved(&service, &login, &lodged).await;
    secrets.extend([declined, lodged, code.clone()]);
    for (by, with, expected) in [
        (&other, &verifier, Comes::G),
        (&shop, &pkce().0, Comes::G),
        (&shop, &verifier, Comes::Ok),
        (&shop, &verifier, Comes::G),
    ] {
        let answer = redeem(&service, &key, redeem_request(by, &code, with)).await;
        check("a code", &answer, expected);
        if let Ok(issued) = answer {
            secrets.extend([issued.access_token, issued.refresh_token]);
        }
    }

    // A refresh token: rotated; its answer lost; in other hands; reused.
    let first = signed_in(&service, &login, &shop, &key).await;
    for (by, expected) in [(&shop, Comes::Ok), (&shop, Comes::Ok), (&other, Comes::G)] {
        let answer = rotate(&service, by, &key, &first.refresh_token, &[]).await;
        check("a refresh token", &answer, expected);
        if let Ok(issued) = answer {
            secrets.extend([issued.access_token, issued.refresh_token]);
        }
    }
    service.clock.advance(Duration::from_secs(60));
    let reused = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("reuse", &reused, Comes::G);
    secrets.extend([first.access_token, first.refresh_token]);

    // Given up: a family, and an access token alone.
    let second = signed_in(&service, &login, &shop, &key).await;
    let family = Target::FamilyId(second.family_id.clone());
    revoke(&service, &shop, family, "").await.expect("revoked");
    secrets.extend([second.access_token, second.refresh_token]);
    let third = service.issue(&login, &key).await.expect("issued");
    let token = Target::Token(third.access_token.clone());
    revoke(&service, &login, token, "").await.expect("revoked");
    secrets.push(third.access_token);

    // Refused: a wrong secret, a proof twice, what a client is not registered for.
    let wrong = Client {
        secret: Some("x".repeat(43)),
        ..shop.clone()
    };
    for _ in 0..3 {
        check("wrong secret", &service.issue(&wrong, &key).await, Comes::C);
    }
    let proof = service.proof(&key, ISSUE);
    secrets.push(proof.clone());
    for _ in 0..2 {
        let request = with_proof(credentials(&login), &proof);
        let _ = service.tokens().await.issue_token(request).await;
    }
    let answer = service.issue(&shop, &key).await;
    check("no such grant", &answer, Comes::NotAllowed);
    inner(
        clients
            .delete_client(admin::DeleteClientRequest {
                client_id: "other".to_owned(),
                etag: String::new(),
            })
            .await,
    )
    .expect("removed");
    let mut resources = service.resources().await;
    let orders = admin::Resource {
        uri: ORDERS.to_owned(),
        display_name: "Orders".to_owned(),
        ..admin::Resource::default()
    };
    let update = admin::UpdateResourceRequest {
        resource: Some(orders),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["display_name".to_owned()],
        }),
    };
    inner(resources.update_resource(update).await).expect("changed");
    let delete = admin::DeleteResourceRequest {
        uri: ORDERS.to_owned(),
        etag: String::new(),
    };
    inner(resources.delete_resource(delete).await).expect("removed");

    written(&mut service).await;
    let found = all(&service).await;
    use Outcome::{Done, Refused};
    let op = operator.as_str();
    let mut expected = vec![
        ("KEY_CREATED", "", "service", Outcome::Unspecified, ""),
        ("KEY_CREATED", "", "service", Outcome::Unspecified, ""),
        ("RESOURCE_CREATED", "", "service", Done, ""),
        ("RESOURCE_CREATED", "", op, Done, ""),
        ("CLIENT_CREATED", "login", op, Done, ""),
        ("CLIENT_CREATED", "shop", op, Done, ""),
        ("CLIENT_CREATED", "other", op, Done, ""),
        ("CLIENT_UPDATED", "other", op, Done, "disabled"),
        ("CLIENT_UPDATED", "other", op, Done, "enabled"),
        ("CLIENT_SECRET_ROTATED", "other", op, Done, ""),
        ("AUTHORIZATION_DENIED", "shop", "login", Done, ""),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        (
            "CODE_MISPRESENTED",
            "shop",
            "other",
            Refused,
            "grant_other_client",
        ),
        (
            "CODE_MISPRESENTED",
            "shop",
            "shop",
            Refused,
            "grant_verifier_wrong",
        ),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("CODE_REUSED", "shop", "shop", Refused, ""),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("REFRESH_ROTATED", "shop", "shop", Done, ""),
        (
            "REFRESH_MISPRESENTED",
            "shop",
            "other",
            Refused,
            "grant_other_client",
        ),
        ("REFRESH_REUSED", "shop", "shop", Refused, "grant_reused"),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("FAMILY_REVOKED", "shop", "shop", Done, ""),
        ("TOKEN_REVOKED", "login", "login", Done, ""),
        ("CLIENT_DELETED", "other", op, Done, ""),
        ("RESOURCE_UPDATED", "", op, Done, ""),
        ("RESOURCE_DELETED", "", op, Done, ""),
    ];
    let counted = [
        (
            "AUTHENTICATION_REFUSED",
            "shop",
            "",
            Refused,
            "client_wrong_secret",
        ),
        (
            "AUTHENTICATION_REFUSED",
            "login",
            "",
            Refused,
            "proof_replayed",
        ),
        (
            "REQUEST_REFUSED",
            "shop",
            "shop",
            Refused,
            "grant_type_not_allowed",
        ),
    ];
    let (rows, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|event| ["AUTHENTICATION_REFUSED", "REQUEST_REFUSED"].contains(&&*event.event));
    let mut short_rows = short(&rows);
    short_rows.sort_unstable_by_key(|row| (row.0, std::cmp::Reverse(row.4.len())));
    let mut counted = counted.to_vec();
    counted.sort_unstable_by_key(|row| (row.0, std::cmp::Reverse(row.4.len())));
    assert_eq!(short_rows, counted);
    let wrong = rows.iter().find(|row| row.reason == "client_wrong_secret");
    assert_eq!(wrong.map(|row| row.count), Some(3));
    // Keys are another story, told by as many events as there are keys.
    expected.retain(|row| row.0 != "KEY_CREATED");
    let short_others: Vec<_> = short(&others)
        .into_iter()
        .filter(|row| !row.0.starts_with("KEY_"))
        .collect();
    assert_eq!(short_others, expected);

    let rotated = others
        .iter()
        .find(|event| event.event == "REFRESH_ROTATED")
        .expect("one");
    assert_eq!(rotated.scopes, ["orders.read", "orders.write"]);
    assert_eq!(rotated.resources, [ORDERS]);
    assert_eq!(
        base64url::decode(&rotated.token_id).expect("a jti").len(),
        16
    );

    // Tokens that nothing else was written for: those of the login application, and the successor
    // that was asked for again.
    let issued = events(&service, AuditLog::Issuance, admin::EventFilter::default()).await;
    assert!(issued.iter().all(|event| event.event == "TOKEN_ISSUED"));
    let by_login = issued.iter().filter(|event| event.client_id == "login");
    // Four calls of the login application to decide, one of its own, one whose proof came again.
    assert_eq!(by_login.count(), 6);
    let again: Vec<_> = issued
        .iter()
        .filter(|event| event.client_id == "shop")
        .collect();
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].reason.as_str(), &again[0].object),
        ("answer_lost", &rotated.object)
    );

    // Neither as they are, nor as the bytes they stand for.
    let raw = raw(&service).await;
    assert!(raw.len() > 2_000, "{}", raw.len());
    for secret in &secrets {
        for part in secret.split(['.', ':']).filter(|part| part.len() >= 20) {
            // Of a handle, what its prefix stands before.
            let handle = part.starts_with("cs") && part.get(3..4) == Some("_");
            let bytes = base64url::decode(if handle { &part[4..] } else { part });
            for mark in [Some(part.as_bytes().to_vec()), bytes.ok()]
                .into_iter()
                .flatten()
            {
                let found = raw.windows(mark.len()).any(|window| window == mark);
                assert!(
                    !found,
                    "a secret of {} characters is in a log",
                    secret.len()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_enter_no_name_and_few_entries() {
    let mut service = Service::start().await;
    let before = all(&service).await.len();
    let key = Key::new();
    let mut tokens = service.tokens().await;
    for nth in 0..300 {
        let stranger = Client {
            id: format!("made-up-{nth}"),
            secret: Some("s".repeat(43)),
        };
        let proof = service.proof(&key, ISSUE);
        let answer = tokens
            .issue_token(with_proof(credentials(&stranger), &proof))
            .await;
        check("a stranger", &answer, Comes::C);
        // No proof at all.
        let answer = tokens.issue_token(credentials(&stranger)).await;
        assert!(answer.is_err());
    }
    written(&mut service).await;
    let found = all(&service).await;
    let new = short(&found[before..]);
    assert_eq!(new.len(), 2, "{new:?}");
    for row in &found[before..] {
        assert_eq!(
            (row.event.as_str(), row.client_id.as_str(), row.count),
            ("AUTHENTICATION_REFUSED", "", 300)
        );
    }
    let raw = raw(&service).await;
    assert!(!raw.windows(7).any(|window| window == b"made-up"));
}

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
