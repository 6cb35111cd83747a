//! Client assertions: RFC 7523 §3 as RFC 10070 tightens it.

use std::time::Duration;

use countersign_jose::json::{self, Number, Object, Value};
use countersign_jose::{Algorithm, CompactJws, UnixTime};

use super::SpentAssertion;
use crate::issuer::{CLOCK_MARGIN, Issuer};
use crate::model::ClientId;
use crate::refusal::{AuthenticationCause as Cause, Refusal};

/// An RSA signature of 4096 bits, long names, and as much again.
pub const ASSERTION_BYTES_MAX: usize = 4 * 1024;

/// Longer than any UUID or digest in text.
pub const ASSERTION_JTI_BYTES_MAX: usize = 128;

/// How far `exp` may be ahead: an assertion is made for one call, and is remembered until it
/// expires.
pub const ASSERTION_LIFETIME_MAX: Duration = Duration::from_secs(300);

/// How far the clocks of client and service may be apart (FAPI 2.0 §5.3.2.1 (13)).
pub const ASSERTION_SKEW: Duration = Duration::from_secs(10);

/// An assertion for this client and issuer at this time, whose signature was not looked at.
pub(super) struct Assertion<'a> {
    pub(super) jws: CompactJws<'a>,
    pub(super) algorithm: Algorithm,
    jti: String,
    expires_at: UnixTime,
}

impl<'a> Assertion<'a> {
    pub(super) fn parse(
        text: &'a str,
        id: &ClientId,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Result<Self, Cause> {
        let jws = CompactJws::parse(text, ASSERTION_BYTES_MAX).map_err(|_| Cause::AssertionForm)?;
        // RFC 7523 §3 (9): signed. There is no value for `none` or a MAC.
        let algorithm = jws.header().algorithm.map_err(|_| Cause::AssertionForm)?;
        // RFC 10070: no token of another kind is taken for an assertion. `JWT` (RFC 7519 §5.1), which
        // many libraries write in every header, says no more than nothing.
        if !matches!(
            jws.header().typ.as_deref(),
            None | Some(
                "JWT" | "client-authentication+jwt" | "application/client-authentication+jwt"
            )
        ) {
            return Err(Cause::AssertionType);
        }
        let (jti, expires_at) = {
            let claims = json::object(jws.payload()).map_err(|_| Cause::AssertionClaims)?;
            claimed(&claims, id, issuer, now)?
        };
        Ok(Self {
            jws,
            algorithm,
            jti,
            expires_at,
        })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.jws.header().kid.as_deref()
    }

    pub(super) fn spent_by(self, client: &ClientId) -> SpentAssertion {
        SpentAssertion {
            client: client.clone(),
            jti: self.jti,
            until: self.expires_at.plus(ASSERTION_SKEW).plus(CLOCK_MARGIN),
        }
    }
}

/// The client that an assertion says it is of. Nothing else of it is looked at: RFC 7521 §4.2 lets a
/// client leave out `client_id` where it presents one.
///
/// # Errors
/// What is said of an assertion that no client can have made.
pub fn subject(assertion: &str) -> Result<ClientId, Refusal> {
    let jws =
        CompactJws::parse(assertion, ASSERTION_BYTES_MAX).map_err(|_| Cause::AssertionForm)?;
    let claims = json::object(jws.payload()).map_err(|_| Cause::AssertionClaims)?;
    let subject = claims.member("sub").and_then(Value::text);
    subject
        .and_then(|text| ClientId::parse(text).ok())
        .ok_or_else(|| Cause::AssertionIssuer.into())
}

fn claimed(
    claims: &Object<'_>,
    id: &ClientId,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<(String, UnixTime), Cause> {
    // RFC 7523 §3 (1), (2): issuer and subject are the client.
    for name in ["iss", "sub"] {
        if claims.member(name).and_then(Value::text) != Some(id.as_str()) {
            return Err(Cause::AssertionIssuer);
        }
    }
    // RFC 7523 §3 (3), RFC 10070: the issuer as the sole audience, never an endpoint.
    let audience = match claims.member("aud") {
        Some(Value::List(listed)) if listed.len() == 1 => listed[0].text(),
        Some(value) => value.text(),
        None => None,
    };
    if audience != Some(issuer.name.as_str()) {
        return Err(Cause::AssertionAudience);
    }
    // RFC 7523 §3 (4): it expires, and soon.
    let expires_at = time(claims, "exp")?.ok_or(Cause::AssertionExpiryMissing)?;
    if now >= expires_at.plus(ASSERTION_SKEW) {
        return Err(Cause::AssertionExpired);
    }
    if expires_at > now.plus(ASSERTION_LIFETIME_MAX).plus(ASSERTION_SKEW) {
        return Err(Cause::AssertionTooLong);
    }
    // RFC 7523 §3 (5), (6): not before its time.
    let (not_before, issued_at) = (time(claims, "nbf")?, time(claims, "iat")?);
    if not_before.max(issued_at) > Some(now.plus(ASSERTION_SKEW)) {
        return Err(Cause::AssertionNotYet);
    }
    // The client's clock may be ahead of ours. One that does not say when it was made is taken for
    // as old as it can be.
    let made_at = issued_at
        .unwrap_or(expires_at.minus(ASSERTION_LIFETIME_MAX))
        .minus(ASSERTION_SKEW);
    if issuer.may_have_forgotten(made_at) {
        return Err(Cause::AssertionForgotten);
    }
    // RFC 7523 §3 (7): it has a name, so that it can be used once.
    match claims.member("jti").and_then(Value::text) {
        Some(jti) if (1..=ASSERTION_JTI_BYTES_MAX).contains(&jti.len()) => {
            Ok((jti.to_owned(), expires_at))
        }
        _ => Err(Cause::AssertionId),
    }
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn time(claims: &Object<'_>, name: &str) -> Result<Option<UnixTime>, Cause> {
    match claims.member(name) {
        None => Ok(None),
        Some(Value::Number(Number::Whole(secs))) => Ok(Some(UnixTime::from_secs(*secs))),
        // It is not negative, and the cast saturates: an absurd time stays one.
        Some(Value::Number(Number::Float(secs))) if *secs >= 0.0 => {
            Ok(Some(UnixTime::from_millis((secs * 1000.0) as u64)))
        }
        Some(_) => Err(Cause::AssertionClaims),
    }
}
