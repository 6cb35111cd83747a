//! What a call presents: exactly one `authorization`, exactly one `dpop`.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::refusal::{Refusal, TokenRefusal};

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Room for many scopes and audiences; checked before anything is decoded.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The access token of a call, and how it was presented.
#[derive(Copy, Clone)]
pub(crate) struct Presented<'a> {
    pub(crate) token: &'a str,
    pub(crate) scheme: Scheme,
}

/// How a token is presented.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    Dpop,
    Bearer,
}

/// The access token.
pub(crate) fn access_token(headers: &HeaderMap) -> Result<Presented<'_>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::CredentialsMissing)?;
    if values.next().is_some() || value.as_bytes().contains(&b',') {
        return Err(Refusal::AuthorizationRepeated);
    }
    let (scheme, token) = split(value)?;
    // Scheme names are case-insensitive (RFC 9110 §11.1).
    let scheme = if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else {
        // RFC 6750 §3.1: as if there were none.
        return Err(Refusal::CredentialsMissing);
    };
    if token.is_empty() || token.contains(' ') {
        return Err(Refusal::AuthorizationMalformed);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenRefusal::TooLarge.into());
    }
    Ok(Presented { token, scheme })
}

/// The proof. RFC 9449 §4.3 (1): exactly one; `dpop-bin` does not count.
pub(crate) fn proof(headers: &HeaderMap) -> Result<&str, Refusal> {
    let fields = headers.get_all(DPOP).iter().map(HeaderValue::as_bytes);
    Ok(countersign_dpop::sole_proof(fields)?)
}

fn split(value: &HeaderValue) -> Result<(&str, &str), Refusal> {
    let text = value
        .to_str()
        .map_err(|_| Refusal::AuthorizationMalformed)?;
    // A scheme alone has a token that is empty.
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok((scheme, token.trim_start_matches(' ')))
}
