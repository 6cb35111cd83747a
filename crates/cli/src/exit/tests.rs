use std::collections::HashMap;
use std::time::Duration;

use countersign::error::v1::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{CODES_HELP, Failure, Kind};

fn refusal(code: Code, reason: Reason, message: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason.as_str_name(), "countersign", HashMap::new());
    details.add_bad_request_violation("client_id", "is too long");
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(code, message, details)
}

#[test]
fn the_kind_follows_the_reason_and_not_the_code() {
    for (reason, kind) in [
        (Reason::ClientAuthenticationFailed, Kind::Refused),
        (Reason::InvalidRequest, Kind::Refused),
        (Reason::StoreUnavailable, Kind::Unreachable),
        (Reason::ResourceNotFound, Kind::Registry),
        (Reason::ResourceChanged, Kind::Registry),
        (Reason::Internal, Kind::Internal),
    ] {
        let failure = Failure::answered(&refusal(Code::Unknown, reason, "no"));
        assert_eq!(failure.kind(), kind, "{reason:?}");
    }
}

#[test]
fn a_refusal_names_reason_and_field() {
    let failure = Failure::answered(&refusal(
        Code::InvalidArgument,
        Reason::InvalidRequest,
        "a field is wrong",
    ));
    assert_eq!(
        failure.what,
        "a field is wrong (REASON_INVALID_REQUEST); client_id: is too long"
    );
}

#[test]
fn a_field_that_the_message_names_is_not_named_twice() {
    let failure = Failure::answered(&refusal(
        Code::InvalidArgument,
        Reason::InvalidRequest,
        "client_id: is too long",
    ));
    assert_eq!(
        failure.what,
        "client_id: is too long (REASON_INVALID_REQUEST)"
    );
}

#[test]
fn a_scope_that_is_being_registered_is_not_asked_for() {
    for (field, next) in [("resource.scopes", "correct"), ("scopes", "ask for scopes")] {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            Reason::InvalidScope.as_str_name(),
            "countersign",
            HashMap::new(),
        );
        details.add_bad_request_violation(field, "is too long");
        let status = Status::with_error_details(Code::InvalidArgument, "no", details);
        let failure = Failure::answered(&status);
        assert!(failure.next.unwrap().starts_with(next), "{field}");
    }
}

#[test]
fn a_peer_cannot_drive_the_terminal() {
    let failure = Failure::answered(&refusal(
        Code::NotFound,
        Reason::ResourceNotFound,
        "gone\u{1b}[2J\nerror: forged",
    ));
    assert!(!failure.what.contains('\u{1b}'));
    assert!(!failure.what.contains('\n'));
}

#[test]
fn a_foreign_domain_is_not_believed() {
    let details = ErrorDetails::with_error_info(
        Reason::ResourceNotFound.as_str_name(),
        "elsewhere",
        HashMap::new(),
    );
    let status = Status::with_error_details(Code::Unavailable, "away", details);
    assert_eq!(Failure::answered(&status).kind(), Kind::Unreachable);
}

#[test]
fn every_kind_has_its_own_code_and_a_line_of_help() {
    let mut codes: Vec<u8> = [
        Kind::Surprise,
        Kind::Configuration,
        Kind::Data,
        Kind::Unreachable,
        Kind::Refused,
        Kind::Registry,
        Kind::Internal,
        Kind::Interrupted,
    ]
    .map(Kind::code)
    .to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 8);
    for code in codes {
        assert!(CODES_HELP.contains(&format!("{code:>4}  ")), "{code}");
    }
}
