use prost_reflect::prost_types::{
    FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
};

use super::*;

const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";

fn ours() -> Routes {
    let mut routes = Routes::default();
    routes.add(countersign::FILE_DESCRIPTOR_SET).unwrap();
    routes
}

fn guarded(scopes: &[&str], streaming: bool) -> Route {
    Route::Guarded {
        scopes: scopes.iter().map(|scope| Box::from(*scope)).collect(),
        streaming,
    }
}

#[test]
fn rules_are_read_from_the_options() {
    let routes = ours();
    let check = |method: &str, expected: Option<Route>| {
        let path = format!("/countersign.example.v1.OrderService/{method}");
        assert_eq!(routes.find(&path), expected.as_ref(), "{method}");
    };
    check("CreateOrder", Some(guarded(&["orders.write"], false)));
    check("WatchOrders", Some(guarded(&["orders.read"], true)));
    check("ImportOrders", Some(guarded(&["orders.write"], true)));
    let both = &["orders.read", "orders.write"];
    check("ExchangeOrders", Some(guarded(both, true)));
    check("Ping", Some(Route::Public));
    check("PurgeOrders", None);
    check("Unknown", None);
    check("createorder", None);
    check("Create%4Frder", None);
    check("CreateOrder/", None);
}

#[test]
fn what_is_exempt_is_left_alone() {
    let mut routes = ours();
    routes.exempt("grpc.health.v1.Health").unwrap();
    routes.exempt(CREATE).unwrap();
    assert_eq!(
        routes.find("/grpc.health.v1.Health/Check"),
        Some(&Route::Exempt)
    );
    for other in [
        "/grpc.health.v1.Healthy/Check",
        "grpc.health.v1.Health/Check",
        "//grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health",
        "/grpc.health.v1.Health/",
        "/grpc.health.v1.Health/Check/",
        "/grpc.health.v1.Health//Check",
        "/grpc.health.v1.Health/../countersign.example.v1.OrderService/PurgeOrders",
        "/grpc.health.v1.Health/%2e%2e%2fother.Service%2fMethod",
        "/grpc.health.v1.Health/..;x",
    ] {
        assert_eq!(routes.find(other), None, "{other}");
    }
    assert_eq!(routes.find(CREATE), Some(&Route::Exempt));
    // Of a whole service, also the methods that have rules.
    let service = &CREATE[1..CREATE.rfind('/').unwrap()];
    let mut routes = ours();
    routes.exempt(service).unwrap();
    assert_eq!(routes.find(CREATE), Some(&Route::Exempt));
    for wrong in [
        "",
        "/",
        "/Service",
        "/Service/",
        "//Method",
        "Service/Method",
    ] {
        assert!(routes.exempt(wrong).is_err(), "{wrong:?}");
    }
}

/// A set of one file with one method, whose options are these bytes.
fn set_with(options: &[u8], dependencies: &[&str]) -> Vec<u8> {
    let file = FileDescriptorProto {
        name: Some("t.proto".to_owned()),
        package: Some("t".to_owned()),
        dependency: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        message_type: vec![prost_reflect::prost_types::DescriptorProto {
            name: Some("M".to_owned()),
            ..Default::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("S".to_owned()),
            method: vec![MethodDescriptorProto {
                name: Some("Go".to_owned()),
                input_type: Some(".t.M".to_owned()),
                output_type: Some(".t.M".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    // prost's own types would drop the extension, so its bytes are put in by
    // hand: field 4 of the method, inside field 2 of the service, inside
    // field 6 of the file, inside field 1 of the set.
    let mut method = file.service[0].method[0].encode_to_vec();
    field(&mut method, 4, options);
    let mut service = ServiceDescriptorProto {
        method: Vec::new(),
        ..file.service[0].clone()
    }
    .encode_to_vec();
    field(&mut service, 2, &method);
    let mut bytes = FileDescriptorProto {
        service: Vec::new(),
        ..file
    }
    .encode_to_vec();
    field(&mut bytes, 6, &service);
    let mut set = Vec::new();
    field(&mut set, 1, &bytes);
    set
}

fn field(onto: &mut Vec<u8>, number: u32, value: &[u8]) {
    use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
    encode_key(number, WireType::LengthDelimited, onto);
    encode_varint(value.len() as u64, onto);
    onto.extend_from_slice(value);
}

fn rule(scopes: &[&str], public: bool) -> Vec<u8> {
    let rule = Rule {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        public,
    };
    let mut options = Vec::new();
    field(&mut options, 59449, &rule.encode_to_vec());
    options
}

const POLICY: &str = "countersign/policy/v1/rule.proto";

#[test]
fn a_set_without_the_policy_file_is_completed() {
    let mut routes = Routes::default();
    routes
        .add(&set_with(&rule(&["a.b"], false), &[POLICY]))
        .unwrap();
    assert_eq!(routes.find("/t.S/Go"), Some(&guarded(&["a.b"], false)));
    assert_eq!(routes.find(CREATE), None, "what completes adds no rules");
}

#[test]
fn impossible_rules_are_refused_by_name() {
    let check = |options: &[u8], expected: RulesError| {
        let found = Routes::default().add(&set_with(options, &[POLICY]));
        assert!(expected.to_string().contains("t.S.Go"), "{expected}");
        assert_eq!(found, Err(expected));
    };
    let method = || "t.S.Go".to_owned();
    let scope = |scope: &str| RulesError::Scope {
        method: method(),
        scope: scope.to_owned(),
    };
    check(
        &rule(&["a"], true),
        RulesError::PublicAndScopes { method: method() },
    );
    check(&rule(&[], false), RulesError::Empty { method: method() });
    check(&rule(&[""], false), scope(""));
    check(&rule(&["a", "b c"], false), scope("b c"));
    check(&rule(&["a\"b"], false), scope("a\"b"));
}

#[test]
fn what_is_no_descriptor_set_is_refused() {
    for bytes in [&b"\xff\xff"[..], b"text", &set_with(&[], &["absent.proto"])] {
        let found = Routes::default().add(bytes);
        assert!(
            matches!(found, Err(RulesError::Descriptors(_))),
            "{found:?}"
        );
    }
}

/// Found by fuzzing: the reader of descriptors panicked.
#[test]
fn a_set_of_an_unknown_syntax_is_refused() {
    for syntax in ["editions", "proto6"] {
        let file = FileDescriptorProto {
            name: Some("t.proto".to_owned()),
            syntax: Some(syntax.to_owned()),
            ..Default::default()
        };
        let mut set = Vec::new();
        field(&mut set, 1, &file.encode_to_vec());
        let found = Routes::default().add(&set);
        assert!(
            matches!(&found, Err(RulesError::Descriptors(said)) if said.starts_with("t.proto is of")),
            "{syntax}: {found:?}"
        );
    }
}

#[test]
fn two_sets_may_not_disagree() {
    let mut routes = Routes::default();
    routes
        .add(&set_with(&rule(&["a"], false), &[POLICY]))
        .unwrap();
    routes
        .add(&set_with(&rule(&["a"], false), &[POLICY]))
        .unwrap();
    let conflict = routes.add(&set_with(&rule(&["b"], false), &[POLICY]));
    let path = "/t.S/Go".to_owned();
    assert_eq!(conflict, Err(RulesError::Conflict { path }));
}
