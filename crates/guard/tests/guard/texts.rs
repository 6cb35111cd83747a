//! Why a guard does not start, and what to do about it.

use std::time::Duration;

use countersign_client::ConnectError;
use countersign_client::random::NoRandomness;
use countersign_dpop::Origin;
use countersign_guard::{BuildError, RulesError};

#[test]
fn every_build_error_says_what_to_do() {
    let rows: [(BuildError, &str); 9] = [
        (BuildError::NoOrigin, "call serve(\"https://…\")"),
        (
            BuildError::Origin {
                uri: "orders".to_owned(),
                cause: Origin::parse("orders").unwrap_err(),
            },
            "Give scheme, host and port, such as https://orders.internal:8443",
        ),
        (
            RulesError::Exempt("a/b".to_owned()).into(),
            "write a service as package.Service, a method as /package.Service/Method",
        ),
        (
            BuildError::NoRules,
            "add the option countersign.policy.v1.rule to the rpcs, and give descriptors() a set",
        ),
        (
            ConnectError::ClientMissing.into(),
            "call client(\"its id\", Credential::…)",
        ),
        (
            BuildError::OtherIssuer {
                published: "https://a.test".to_owned(),
                expected: "https://b.test".to_owned(),
            },
            "call issuer(\"https://a.test\") if that is right",
        ),
        (
            BuildError::KnowledgeAge(Duration::from_secs(1)),
            "give at least 15 s",
        ),
        (
            BuildError::NoWatch,
            "call client(…), or revocation_source(…)",
        ),
        (NoRandomness.into(), "Give one with nonce_key(…)"),
    ];
    for (error, says) in rows {
        let text = error.to_string();
        assert!(text.contains(says), "{text}");
    }
}

/// A new error does not compile until it stands here.
fn advice(error: &RulesError) -> &'static str {
    match error {
        RulesError::Descriptors(_) => {
            "Give an encoded FileDescriptorSet that includes imports, as protox's encode_file_descriptor_set writes it"
        }
        RulesError::PublicAnd { .. } => "it must be one of the two",
        RulesError::Empty { .. } => "name one, or write public: true",
        RulesError::Scope { .. } => {
            "a scope is printable ASCII without spaces, quotes and backslashes"
        }
        RulesError::AnyAsksNothing { .. } => "write it once",
        RulesError::Acr { .. } => "give printable ASCII without spaces, quotes and backslashes",
        RulesError::MaxAge { .. } => "must be whole seconds, at least one",
        RulesError::Resource { .. } => {
            "give an absolute URI without fragment, such as https://orders.internal:8443"
        }
        RulesError::NotARule { .. } => "Write it as in countersign/policy/v1/rule.proto",
        RulesError::Conflict { .. } => "give descriptors() sets of the same version of its .proto",
        RulesError::SecondRule { .. } => "a method has one, in its .proto or in one rule file",
        RulesError::Unknown { .. } => {
            "check the spelling, or give descriptors() the set of its service too"
        }
        RulesError::NotAName(_) => "write a method as [\"/package.Service/Method\"]",
        RulesError::NotARoute { .. } => {
            "such as [\"GET /orders/{id}\"]: a path begins with a slash"
        }
        RulesError::RouteConflict { .. } => "write one template for both",
        RulesError::UnknownKey { .. } => "there are scopes",
        RulesError::Value { .. } => "`max_age` must be a number",
        RulesError::Unreadable { .. } => "rules.toml: no such file",
        RulesError::Syntax { .. } => "rules.toml, line 3: not TOML: no value",
        RulesError::InFile { .. } => "rules.toml, line 3: m: the rule names no scope; name one",
        RulesError::Exempt(_) => {
            "write a service as package.Service, a method as /package.Service/Method"
        }
        RulesError::Bearer(_) => {
            "name a method with a rule that asks for scopes, as /package.Service/Method"
        }
    }
}

#[test]
fn every_error_of_rules_says_what_to_do() {
    let method = || "m".to_owned();
    let file = || "rules.toml".to_owned();
    let rows = [
        RulesError::Descriptors("not protobuf".to_owned()),
        RulesError::PublicAnd {
            method: method(),
            also: "scopes",
        },
        RulesError::Empty { method: method() },
        RulesError::Scope {
            method: method(),
            scope: "a b".to_owned(),
        },
        RulesError::AnyAsksNothing {
            method: method(),
            scope: "a".to_owned(),
        },
        RulesError::Acr {
            method: method(),
            value: "a b".to_owned(),
        },
        RulesError::MaxAge { method: method() },
        RulesError::Resource {
            of: method(),
            resource: "orders".to_owned(),
        },
        RulesError::NotARule {
            method: method(),
            cause: "field 77".to_owned(),
        },
        RulesError::Conflict { path: method() },
        RulesError::SecondRule { path: method() },
        RulesError::Unknown { path: method() },
        RulesError::NotAName(method()),
        RulesError::NotARoute {
            route: "GET x".to_owned(),
            why: "a path begins with a slash",
        },
        RulesError::RouteConflict {
            route: method(),
            with: "/orders/{order}".to_owned(),
        },
        RulesError::UnknownKey {
            path: method(),
            word: "scope".to_owned(),
            known: "there are scopes",
        },
        RulesError::Value {
            path: method(),
            word: "max_age",
            expected: "a number",
        },
        RulesError::Unreadable {
            file: file(),
            cause: "no such file".to_owned(),
        },
        RulesError::Syntax {
            file: file(),
            line: 3,
            problem: "no value".to_owned(),
        },
        RulesError::InFile {
            file: file(),
            line: 3,
            cause: Box::new(RulesError::Empty { method: method() }),
        },
        RulesError::Exempt("a/b".to_owned()),
        RulesError::Bearer(method()),
    ];
    for error in rows {
        let (text, advice) = (error.to_string(), advice(&error));
        assert!(text.contains(advice), "{text}");
    }
}
