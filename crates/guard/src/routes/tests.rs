mod config;

use countersign::policy::v1::{Rule, ServiceRule};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{
    Duration, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
};

use super::*;

const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";

fn ours() -> Routes {
    let mut routes = Routes::default();
    routes.add(countersign::FILE_DESCRIPTOR_SET).unwrap();
    routes
}

fn guarded(scopes: &[&str], streaming: bool) -> Route {
    Route::Guarded(Guarded {
        needs: Needs {
            scopes: scopes.iter().map(|scope| Box::from(*scope)).collect(),
            streaming,
            ..Needs::default()
        },
        inherits: false,
        bearer_until: None,
    })
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
    set_of(options, &[], dependencies)
}

/// The same, with options of the service besides.
fn set_of(options: &[u8], of_service: &[u8], dependencies: &[&str]) -> Vec<u8> {
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
    field(&mut service, 3, of_service);
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
    option(&Rule {
        scopes: texts(scopes),
        public,
        ..Rule::default()
    })
}

fn option(rule: &impl prost_reflect::prost::Message) -> Vec<u8> {
    let mut options = Vec::new();
    field(&mut options, 59449, &rule.encode_to_vec());
    options
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
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
    let public = |also| RulesError::PublicAnd {
        method: method(),
        also,
    };
    check(&rule(&["a"], true), public("scopes"));
    check(&rule(&[], false), RulesError::Empty { method: method() });
    check(&rule(&[""], false), scope(""));
    check(&rule(&["a", "b c"], false), scope("b c"));
    check(&rule(&["a\"b"], false), scope("a\"b"));

    let good = || Rule {
        scopes: texts(&["a"]),
        ..Rule::default()
    };
    let everybody = || Rule {
        public: true,
        ..Rule::default()
    };
    let check = |rule: Rule, expected: RulesError| check(&option(&rule), expected);
    let age = |seconds, nanos| Some(Duration { seconds, nanos });
    check(
        Rule {
            any_scopes: texts(&["b"]),
            ..everybody()
        },
        public("any_scopes"),
    );
    check(
        Rule {
            acr_values: texts(&["mfa"]),
            ..everybody()
        },
        public("acr_values"),
    );
    check(
        Rule {
            max_age: age(1, 0),
            ..everybody()
        },
        public("max_age"),
    );
    check(
        Rule {
            resource: "urn:r".to_owned(),
            ..everybody()
        },
        public("resource"),
    );
    check(
        Rule {
            any_scopes: texts(&["b", "c d"]),
            ..good()
        },
        scope("c d"),
    );
    check(
        Rule {
            any_scopes: texts(&["b", "a"]),
            ..good()
        },
        RulesError::AnyAsksNothing {
            method: method(),
            scope: "a".to_owned(),
        },
    );
    check(
        Rule {
            acr_values: texts(&["mfa"]),
            max_age: age(60, 0),
            ..Rule::default()
        },
        RulesError::Empty { method: method() },
    );
    for value in ["", "two words", "a\"", "é"] {
        check(
            Rule {
                acr_values: texts(&[value]),
                ..good()
            },
            RulesError::Acr {
                method: method(),
                value: value.to_owned(),
            },
        );
    }
    for max_age in [age(0, 0), age(-1, 0), age(1, 1), age(1, -1), age(0, 5)] {
        check(
            Rule { max_age, ..good() },
            RulesError::MaxAge { method: method() },
        );
    }
    for resource in [
        "orders",
        "//orders.test",
        ":x",
        "1http://x",
        "https:",
        "https://x#f",
        "https://x y",
        "https://é",
    ] {
        check(
            Rule {
                resource: resource.to_owned(),
                ..good()
            },
            RulesError::Resource {
                of: method(),
                resource: resource.to_owned(),
            },
        );
    }
}

/// A later release may add words that ask for more. Read without them, a rule
/// would let through what its author did not.
#[test]
fn a_rule_with_a_word_that_is_not_known_is_refused() {
    let mut newer = Vec::new();
    let mut said = Rule {
        scopes: texts(&["a"]),
        ..Rule::default()
    }
    .encode_to_vec();
    field(&mut said, 77, b"more");
    field(&mut newer, 59449, &said);
    let found = Routes::default().add(&set_with(&newer, &[POLICY]));
    assert!(
        matches!(&found, Err(RulesError::NotARule { method, cause }) if method == "t.S.Go" && cause.contains("77")),
        "{found:?}"
    );

    let mut said = Vec::new();
    field(&mut said, 9, b"more");
    let mut newer = Vec::new();
    field(&mut newer, 59449, &said);
    let found = Routes::default().add(&set_of(&rule(&["a"], false), &newer, &[POLICY]));
    assert!(
        matches!(&found, Err(RulesError::NotARule { method, cause }) if method == "t.S" && cause.contains('9')),
        "{found:?}"
    );
}

#[test]
fn every_word_of_a_rule_is_read() {
    let all = Rule {
        scopes: texts(&["a", "b"]),
        any_scopes: texts(&["c", "d"]),
        acr_values: texts(&["urn:mfa", "hwk"]),
        max_age: Some(Duration {
            seconds: 300,
            nanos: 0,
        }),
        resource: "urn:example:r".to_owned(),
        public: false,
    };
    let boxed = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect();
    let expected = Needs {
        scopes: boxed(&["a", "b"]),
        any_scopes: boxed(&["c", "d"]),
        acr_values: boxed(&["urn:mfa", "hwk"]),
        max_age: Some(std::time::Duration::from_secs(300)),
        resource: Some("urn:example:r".into()),
        streaming: false,
    };
    let mut routes = Routes::default();
    routes.add(&set_with(&option(&all), &[POLICY])).unwrap();
    assert_eq!(needs(&routes, GO), &expected);

    // In a file, the same words come to the same.
    let mut configured = Routes::default();
    configured.add(&set_with(&[], &[])).unwrap();
    configured
        .configure(
            "rules",
            r#"
                ["/t.S/Go"]
                scopes = ["a", "b"]
                any_scopes = ["c", "d"]
                acr_values = ["urn:mfa", "hwk"]
                max_age = "300s"
                resource = "urn:example:r"
            "#,
        )
        .unwrap();
    assert_eq!(needs(&configured, GO), &expected);
}

const GO: &str = "/t.S/Go";

fn needs<'a>(routes: &'a Routes, path: &str) -> &'a Needs {
    match routes.find(path) {
        Some(Route::Guarded(guarded)) => &guarded.needs,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn a_method_has_the_resource_of_its_service_unless_it_names_one() {
    let of_service = |uri: &str| {
        option(&ServiceRule {
            resource: uri.to_owned(),
        })
    };
    let read = |method: &Rule, service: &str| {
        let mut routes = Routes::default();
        let set = set_of(&option(method), &of_service(service), &[POLICY]);
        routes.add(&set).map(|()| routes)
    };
    let plain = Rule {
        scopes: texts(&["a"]),
        ..Rule::default()
    };
    let own = Rule {
        resource: "urn:own".to_owned(),
        ..plain.clone()
    };
    let of = |routes: &Routes| needs(routes, GO).resource().map(str::to_owned);
    assert_eq!(of(&read(&plain, "").unwrap()), None);
    assert_eq!(of(&read(&plain, "urn:s").unwrap()).unwrap(), "urn:s");
    assert_eq!(of(&read(&own, "urn:s").unwrap()).unwrap(), "urn:own");
    assert_eq!(
        read(&plain, "not a uri").unwrap_err().to_string(),
        RulesError::Resource {
            of: "t.S".to_owned(),
            resource: "not a uri".to_owned()
        }
        .to_string()
    );

    // The same set again says the same; another resource contradicts it.
    let mut routes = read(&plain, "urn:s").unwrap();
    let set = |uri: &str| set_of(&option(&plain), &of_service(uri), &[POLICY]);
    routes.add(&set("urn:s")).unwrap();
    let path = "t.S".to_owned();
    assert_eq!(
        routes.add(&set("urn:t")),
        Err(RulesError::Conflict { path })
    );
    // One that the method itself named is not the service's.
    let mut routes = read(&own, "").unwrap();
    let path = GO.to_owned();
    assert_eq!(routes.add(&set("")), Err(RulesError::Conflict { path }));
}

#[test]
fn only_a_method_that_asks_for_a_token_has_a_bearer_grace() {
    let mut routes = ours();
    let until = UnixTime::from_secs(1);
    routes.accept_bearer(CREATE, until).unwrap();
    for wrong in [
        "/countersign.example.v1.OrderService/Ping",
        "/countersign.example.v1.OrderService/PurgeOrders",
        "countersign.example.v1.OrderService",
        "/a.B/C",
    ] {
        let error = routes.accept_bearer(wrong, until);
        assert_eq!(error, Err(RulesError::Bearer(wrong.to_owned())));
    }
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
