//! Reflection says what is served, with the rules of the methods.

use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, Value};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_reflection::pb::{v1, v1alpha};

use crate::harness::Service;

async fn ask(
    channel: Channel,
    request: v1::server_reflection_request::MessageRequest,
) -> v1::server_reflection_response::MessageResponse {
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    v1::server_reflection_client::ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(request))
        .await
        .expect("reflects")
        .into_inner()
        .message()
        .await
        .expect("answers")
        .expect("once")
        .message_response
        .expect("something")
}

async fn services(channel: Channel) -> Vec<String> {
    use v1::server_reflection_request::MessageRequest::ListServices;
    use v1::server_reflection_response::MessageResponse::ListServicesResponse;
    let ListServicesResponse(listed) = ask(channel, ListServices(String::new())).await else {
        panic!("not a list")
    };
    let mut names: Vec<_> = listed
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_edge_lists_exactly_its_services() {
    let service = Service::start().await;
    assert_eq!(
        services(service.public().await).await,
        [
            "countersign.authorization.v1.AuthorizationService",
            "countersign.introspection.v1.IntrospectionService",
            "countersign.keys.v1.KeyService",
            "countersign.revocation.v1.RevocationService",
            "countersign.token.v1.TokenService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
        ]
    );
    assert_eq!(
        services(service.admin().await).await,
        [
            "countersign.admin.v1.AccountService",
            "countersign.admin.v1.AuditService",
            "countersign.admin.v1.ClientService",
            "countersign.admin.v1.ResourceService",
            "countersign.admin.v1.RevocationService",
            "countersign.admin.v1.SigningKeyService",
            "countersign.admin.v1.StoreService",
            "countersign.keys.v1.KeyService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_methods_are_shown() {
    let service = Service::start().await;
    let channel = service.public().await;
    // As a client that knows nothing does: the file of the service, then what it imports.
    let mut pool = DescriptorPool::new();
    let mut wanted = vec![Wanted::Symbol(
        "countersign.introspection.v1.IntrospectionService".to_owned(),
    )];
    let mut files = Vec::new();
    while let Some(next) = wanted.pop() {
        let bytes = file(channel.clone(), next).await;
        let decoded =
            prost_types::FileDescriptorProto::decode(bytes.as_slice()).expect("a descriptor");
        wanted.extend(decoded.dependency.iter().cloned().map(Wanted::Name));
        files.insert(0, (decoded.name().to_owned(), bytes));
    }
    let mut added = Vec::new();
    for (name, bytes) in files {
        if !added.contains(&name) {
            pool.decode_file_descriptor_proto(bytes.as_slice())
                .expect("in order");
            added.push(name);
        }
    }
    let rule = pool
        .get_extension_by_name(countersign::RULE_OPTION)
        .expect("the option");
    let method = pool
        .get_service_by_name("countersign.introspection.v1.IntrospectionService")
        .expect("the service")
        .methods()
        .next()
        .expect("a method");
    let options = method.options();
    let Value::Message(rule) = options.get_extension(&rule).into_owned() else {
        panic!("a rule is a message")
    };
    let scopes = rule
        .get_field_by_name("scopes")
        .expect("scopes")
        .into_owned();
    assert_eq!(
        scopes,
        Value::List(vec![Value::String("introspect".to_owned())])
    );
}

/// What was asked comes back with the answer, twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_64_kib_is_out_of_range() {
    use v1::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_request::MessageRequest as AlphaRequest;
    let service = Service::start().await;
    let host = |kib: usize| "x".repeat(kib * 1024);
    for (kib, expected) in [(20, Code::Ok), (40, Code::OutOfRange)] {
        for channel in [service.public().await, service.admin().await] {
            let request = v1::ServerReflectionRequest {
                host: host(kib),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let answers =
                v1::server_reflection_client::ServerReflectionClient::new(channel.clone())
                    .server_reflection_info(tokio_stream::once(request))
                    .await
                    .expect("reflects");
            let answer = answers.into_inner().message().await;
            assert_eq!(code(&answer), expected, "{kib} KiB");

            let request = v1alpha::ServerReflectionRequest {
                host: host(kib),
                message_request: Some(AlphaRequest::ListServices(String::new())),
            };
            let answers = v1alpha::server_reflection_client::ServerReflectionClient::new(channel)
                .server_reflection_info(tokio_stream::once(request))
                .await
                .expect("reflects");
            let answer = answers.into_inner().message().await;
            assert_eq!(code(&answer), expected, "{kib} KiB, v1alpha");
        }
    }
}

fn code<T>(answer: &Result<T, Status>) -> Code {
    answer.as_ref().err().map_or(Code::Ok, Status::code)
}

enum Wanted {
    Symbol(String),
    Name(String),
}

async fn file(channel: Channel, wanted: Wanted) -> Vec<u8> {
    use v1::server_reflection_request::MessageRequest::{FileByFilename, FileContainingSymbol};
    use v1::server_reflection_response::MessageResponse::FileDescriptorResponse;
    let request = match wanted {
        Wanted::Symbol(name) => FileContainingSymbol(name),
        Wanted::Name(name) => FileByFilename(name),
    };
    let FileDescriptorResponse(found) = ask(channel, request).await else {
        panic!("not a file")
    };
    found
        .file_descriptor_proto
        .into_iter()
        .next()
        .expect("a file")
}

#[tokio::test(flavor = "multi_thread")]
async fn v1alpha_answers_too() {
    use v1alpha::server_reflection_request::MessageRequest;
    let service = Service::start().await;
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answer =
        v1alpha::server_reflection_client::ServerReflectionClient::new(service.public().await)
            .server_reflection_info(tokio_stream::once(request))
            .await
            .expect("reflects")
            .into_inner()
            .message()
            .await
            .expect("answers")
            .expect("once");
    assert!(format!("{answer:?}").contains("countersign.token.v1.TokenService"));
}
