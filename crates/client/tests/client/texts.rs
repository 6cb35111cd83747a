//! What a user of the library reads of an error: the fact, and what to do about it.

use std::collections::HashMap;

use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_client::random::NoRandomness;
use countersign_client::{CallError, ConnectError, TokenError};
use countersign_dpop::Origin;
use countersign_jose::{KeyRejected, SigningFailed};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

#[test]
fn every_connect_error_says_what_to_do() {
    let url = || "orders".to_owned();
    let rows = [
        (
            ConnectError::Url {
                url: url(),
                cause: "it has no scheme".to_owned(),
            },
            "Give scheme, host and port, such as https://orders.internal:8443",
        ),
        (
            ConnectError::Plaintext { url: url() },
            "use https, or call allow_plaintext() where something else encrypts",
        ),
        (
            ConnectError::Origin {
                url: url(),
                cause: Origin::parse("orders").unwrap_err(),
            },
            "Give scheme, host and port, such as https://orders.internal:8443",
        ),
        (
            ConnectError::Tls {
                url: url(),
                cause: "no certificate".to_owned(),
            },
            "Is the certificate authority's file PEM?",
        ),
        (
            ConnectError::ClientMissing,
            "call client(\"its id\", Credential::…) before connect()",
        ),
        (KeyRejected.into(), "Give one with proof_key(…)"),
        (NoRandomness.into(), "Give one with proof_key(…)"),
    ];
    for (error, says) in rows {
        let text = error.to_string();
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn every_token_error_says_what_to_do() {
    let scope_insufficient = Status::with_error_details(
        tonic::Code::PermissionDenied,
        "ask for less",
        ErrorDetails::with_error_info(
            Reason::ScopeInsufficient.as_str_name(),
            "countersign",
            HashMap::new(),
        ),
    );
    let refused = Refused::of(&scope_insufficient).unwrap();
    let status = || Status::unavailable("away");
    let rows = [
        (
            TokenError::Refused(Box::new(refused), status()),
            "no access token: the token service refused (REASON_SCOPE_INSUFFICIENT): ask for less",
        ),
        (
            TokenError::Unavailable(status()),
            "no access token: the token service cannot be reached or cannot answer now; try again later: away",
        ),
        (
            TokenError::Unexpected(status()),
            "no access token: what answered is not the token service, check its URL: away",
        ),
        (
            TokenError::NotDpop("Bearer".to_owned()),
            "no access token: a bound one was asked for, one of type \"Bearer\" came, and it was thrown away; is the URL that of a Countersign?",
        ),
        (
            TokenError::Incomplete("lifetime"),
            "no access token: the answer has no lifetime; is the URL that of a Countersign?",
        ),
        (
            TokenError::Signing(SigningFailed),
            "no access token: the signature could not be made",
        ),
        (
            TokenError::Randomness(NoRandomness),
            "no access token: the system gives no random bytes",
        ),
        (
            TokenError::Spent,
            "the access token that was given is not accepted any more; give a new one, or use a client's credential",
        ),
        (
            TokenError::Interrupted,
            "no access token: the request for it was given up, the runtime is shutting down",
        ),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
        // A call that fails for it says the same.
        assert_eq!(CallError::Token(error).to_string(), text);
    }
}

#[test]
fn every_call_error_says_what_to_do() {
    let path = Origin::parse("https://orders.test")
        .unwrap()
        .target("/a/../b")
        .unwrap_err();
    let rows = [
        (
            CallError::DeadlinePassed,
            "the deadline passed before the call was sent; nothing was signed: give it more time",
        ),
        (
            CallError::Signing(SigningFailed),
            "the proof could not be signed: the signature could not be made",
        ),
        (
            CallError::Randomness(NoRandomness),
            "no proof: the system gives no random bytes",
        ),
        (
            CallError::Path(path),
            "no proof can be made for this method: the path is not plain: absolute, without percent-encodings, dot segments or a query",
        ),
        (
            CallError::Transport("connection refused".into()),
            "connection refused",
        ),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}
