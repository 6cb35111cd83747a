//! Authorization details, as `docs/authorization-details.md` has them.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Ran, Service};

const ACCOUNTS: &str = "https://accounts.internal:8443";

/// That of the page.
const SCHEMA: &str = r#"{
  "properties": {
    "identifier": {"type": "string", "pattern": "^acc-[0-9]+$"},
    "actions": {"type": "array", "items": {"enum": ["read", "transfer"]}, "minItems": 1},
    "locations": true
  },
  "required": ["identifier", "actions"]
}
"#;

fn done(service: &Service, line: &str) {
    let ran = service.run(line);
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
}

/// The service with accounts, a client that may ask for them, and one that introspects.
fn prepared() -> Service {
    let service = Service::start();
    let issuer = service.url.clone();
    fs::write(service.file("account.schema.json"), SCHEMA).unwrap();
    for line in [
        format!(
            "resource add {ACCOUNTS} --scope accounts.use --details-type account=account.schema.json"
        ),
        format!(
            "client add ledger --secret-file ledger.secret --allow {ACCOUNTS}=accounts.use --details-type {ACCOUNTS}=account"
        ),
        format!(
            "client add accounts --serves {ACCOUNTS} --allow {issuer}=introspect --secret-file accounts.secret"
        ),
    ] {
        done(&service, &line);
    }
    service
}

/// Asks for a token with these details in a file.
fn issue(service: &Service, details: &Value) -> Ran {
    fs::write(service.file("details.json"), details.to_string()).unwrap();
    service.run(
        "token issue --json --client-id ledger --client-secret-file ledger.secret \
         --details @details.json --access-token-file token",
    )
}

#[test]
fn a_token_for_one_account_is_issued_and_introspected() {
    let service = prepared();
    let seven = json!([{"type": "account", "identifier": "acc-17", "actions": ["read"]}]);
    let issued = issue(&service, &seven).json();
    let read = |told: &Value| -> Value {
        serde_json::from_str(told["authorization_details"].as_str().unwrap()).unwrap()
    };
    assert_eq!(read(&issued), seven);
    let told = service.run(
        "token introspect --json --client-id accounts --client-secret-file accounts.secret \
         --token-file token",
    );
    assert_eq!(read(&told.json()), seven);
}

#[test]
fn what_is_wrong_is_told_by_its_place() {
    let service = prepared();
    let burn = json!([{"type": "account", "identifier": "acc-17", "actions": ["burn"]}]);
    let refused = issue(&service, &burn);
    assert_ne!(refused.code, 0);
    let place = "authorization_details[0]: /actions/0 must be as 'enum' in the schema of its type";
    assert!(refused.err.contains(place), "{refused:?}");
    assert!(
        refused.err.contains("REASON_INVALID_AUTHORIZATION_DETAILS"),
        "{refused:?}"
    );
    assert!(!refused.err.contains("burn"), "{refused:?}");

    fs::write(
        service.file("typo.json"),
        r#"{"properties": {"a": {"maxlenght": 3}}}"#,
    )
    .unwrap();
    let refused = service.run(&format!(
        "resource update {ACCOUNTS} --details-type a=typo.json"
    ));
    let place = "resource.details_types[0].schema#/properties/a/maxlenght";
    assert!(refused.err.contains(place), "{refused:?}");
    let absent = service.run(&format!(
        "resource update {ACCOUNTS} --details-type a=absent.json"
    ));
    assert!(
        absent.err.contains("absent.json: cannot be read"),
        "{absent:?}"
    );
}

#[test]
fn types_are_shown_and_taken_away() {
    let service = prepared();
    let show = format!("resource show {ACCOUNTS}");
    assert!(service.run(&show).out.contains("account: { \"properties\""));
    let client = service.run("client show ledger");
    assert!(
        client.out.contains("accounts.use, details of account"),
        "{client:?}"
    );
    done(
        &service,
        &format!("resource update {ACCOUNTS} --name Accounts"),
    );
    assert!(service.run(&show).out.contains("account: {"), "kept");
    done(
        &service,
        &format!("resource update {ACCOUNTS} --no-details-types"),
    );
    assert!(!service.run(&show).out.contains("account: {"));
    let seven = json!([{"type": "account", "identifier": "acc-17", "actions": ["read"]}]);
    let refused = issue(&service, &seven);
    assert!(
        refused.err.contains("authorization_details[0]: /type"),
        "{refused:?}"
    );
}
