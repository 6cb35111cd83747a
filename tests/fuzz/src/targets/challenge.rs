//! `client` and `guard`: the headers of answers and calls, and refusals in them.

use countersign_client::fuzz;
use countersign_client::outcome::{HttpRefused, Refused};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

pub fn check(input: &[u8]) {
    let headers = headers(input);
    let again = fuzz::is_asked_again(&headers);
    if again {
        let status = headers.get(Status::GRPC_STATUS).map(HeaderValue::as_bytes);
        assert_eq!(
            status,
            Some(&b"16"[..]),
            "only UNAUTHENTICATED is sent again"
        );
        assert!(headers.contains_key("www-authenticate"));
    }
    if let Some(nonce) = fuzz::nonce(&headers) {
        assert!(HeaderValue::from_str(&nonce).is_ok() && nonce.len() <= 1024);
        assert!(!nonce.contains(['"', '\\', ' ']));
    }
    refused(&headers);
    refused_over_http(&headers);
    if let Ok((token, proof)) = countersign_guard::fuzz::presented(&headers) {
        assert!(!token.is_empty() && !token.contains([' ', ',']));
        assert!(proof.is_ascii() && !proof.contains(','));
    }
}

/// Details that are somebody else's, or nobody's, are no refusal and no panic.
fn refused(headers: &HeaderMap) {
    let metadata = MetadataMap::from_headers(headers.clone());
    let Some(details) = metadata.get_bin(Status::GRPC_STATUS_DETAILS.as_str()) else {
        return;
    };
    if let Ok(details) = details.to_bytes()
        && let Some(refused) = Refused::of(&Status::with_details(
            Code::Unauthenticated,
            "",
            details.clone(),
        ))
    {
        let again = Refused::of(&Status::with_details(Code::Internal, "", details));
        assert_eq!(again.map(|it| it.reason), Some(refused.reason));
    }
}

/// Only a challenge for DPoP is read, and only one that is there.
fn refused_over_http(headers: &HeaderMap) {
    let refused = HttpRefused::of(StatusCode::BAD_REQUEST, headers);
    if let Some(refused) = &refused {
        let mut challenges = headers.get_all("www-authenticate").iter();
        let is_there = challenges.any(|it| {
            it.as_bytes()
                .to_ascii_lowercase()
                .windows(4)
                .any(|it| it == b"dpop")
        });
        assert!(is_there, "{refused:?}");
    }
    let unauthorized = HttpRefused::of(StatusCode::UNAUTHORIZED, headers).map(|it| it.error);
    assert_eq!(unauthorized.flatten(), refused.and_then(|it| it.error));
}

/// Lines of `name: value`; bytes that no header has are left out with their line.
fn headers(input: &[u8]) -> HeaderMap {
    input
        .split(|byte| *byte == b'\n')
        .take(64)
        .filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..at]).ok()?;
            let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
            Some((name, value))
        })
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
}
