//! Lists of registered things, and who may reach them.

use std::os::unix::fs::PermissionsExt as _;

use countersign::admin::v1 as admin;
use tokio::net::UnixStream;

use crate::comes::{Comes, check};
use crate::harness::{ORDERS, Service, inner, service_client};

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page() {
    let service = Service::start().await;
    service.add_orders().await;
    for number in 0..7 {
        service
            .add(service_client(
                &format!("client-{number}"),
                &[(ORDERS, &["orders.read"])],
            ))
            .await;
    }
    let mut clients = service.clients().await;
    let mut seen = Vec::new();
    let mut request = admin::ListClientsRequest {
        page_size: 3,
        page_token: String::new(),
    };
    loop {
        let page = inner(clients.list_clients(request.clone()).await).expect("a page");
        assert!(page.clients.len() <= 3);
        seen.extend(page.clients.into_iter().map(|client| client.client_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected: Vec<_> = (0..7).map(|number| format!("client-{number}")).collect();
    assert_eq!(seen, expected);

    for (what, size, token, expected) in [
        ("below zero", -1, "", Comes::R("page_size")),
        ("over a thousand", 1_001, "", Comes::R("page_size")),
        ("absurd", i32::MIN, "", Comes::R("page_size")),
        ("a token that is none", 0, "x", Comes::R("page_token")),
        (
            "a token for elsewhere",
            0,
            "a2V5AAE",
            Comes::R("page_token"),
        ),
    ] {
        let answer = clients
            .list_clients(admin::ListClientsRequest {
                page_size: size,
                page_token: token.to_owned(),
            })
            .await;
        check(what, &answer, expected);
    }
    let listed = inner(
        service
            .resources()
            .await
            .list_resources(admin::ListResourcesRequest::default())
            .await,
    )
    .expect("a page");
    assert_eq!(listed.resources.len(), 2, "orders and the service itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_before_a_message_is_too_large() {
    let service = Service::start().await;
    let mut resources = service.resources().await;
    // Some 6 KiB each.
    let scopes: Vec<String> = (0..90).map(|n| format!("{n:0>64}")).collect();
    for number in 0..14 {
        resources
            .create_resource(admin::CreateResourceRequest {
                resource: Some(admin::Resource {
                    uri: format!("https://r{number}.example.com"),
                    scopes: scopes.clone(),
                    ..admin::Resource::default()
                }),
            })
            .await
            .expect("registered");
    }
    let mut seen = 0;
    let mut request = admin::ListResourcesRequest {
        page_size: 1_000,
        page_token: String::new(),
    };
    loop {
        let page = inner(resources.list_resources(request.clone()).await).expect("a page");
        seen += page.resources.len();
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_private_and_only_for_accounts_of_the_list() {
    let service = Service::start_cold(|config| config.admin.allowed_uids = vec![4_000_000]).await;
    let path = service.running().admin_socket();
    let mode = std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // We are not on the list: the connection is closed at once.
    let stream = UnixStream::connect(path).await.expect("connects");
    stream.readable().await.expect("closed");
    let mut byte = [0];
    assert_eq!(stream.try_read(&mut byte).expect("an end"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_services_are_not_on_the_tcp_address() {
    let service = Service::start().await;
    let mut clients =
        admin::client_service_client::ClientServiceClient::new(service.public().await);
    let answer = clients
        .list_clients(admin::ListClientsRequest::default())
        .await;
    assert!(answer.is_err());
}
