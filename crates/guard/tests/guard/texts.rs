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
