//! What an access token says (RFC 9068 §2.2).

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use countersign_jose::json::{Number, Object, Value};
use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};

use super::details::{self, Detail, details};
use super::online::Introspected;
use crate::refusal::TokenRefusal;
use crate::revocations::Marks;

/// How far the issuer's clock may be ahead of ours. Nobody's clock extends a
/// token's life: `exp` is exact.
const SKEW: Duration = Duration::from_secs(10);

/// The last second of the year 9999. A later time is not a time.
const SECONDS_MAX: u64 = 253_402_300_799;

/// The claims of a token whose signature was verified.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) subject: Box<str>,
    pub(crate) client_id: Box<str>,
    pub(crate) scopes: Vec<Box<str>>,
    pub(crate) token_id: Box<str>,
    pub(crate) family: Option<Box<str>>,
    pub(crate) expires_at: UnixTime,
    pub(crate) issued_at: UnixTime,
    /// How the person proved who they are (RFC 9068 §2.2.1).
    pub(crate) acr: Option<Box<str>>,
    /// When they did so.
    pub(crate) auth_time: Option<UnixTime>,
    /// RFC 9396 §9.1.
    pub(crate) details: Box<[Detail]>,
    audience: Vec<Box<str>>,
    /// The later of `nbf` and `iat`.
    begins_at: UnixTime,
    /// The key that the token is bound to.
    pub(crate) jkt: Option<Thumbprint>,
    /// The certificate that it is bound to as well.
    pub(crate) certificate: Option<CertificateThumbprint>,
    /// The key that signed it; of a token that somebody else vouches for, none.
    pub(crate) signer: Option<Thumbprint>,
    /// By what a revocation finds it; made when there is something to find.
    marks: OnceLock<Marks>,
    /// The version of the revocations that it was last found not to be among. 0: none yet.
    pub(crate) cleared: AtomicU64,
}

impl Claims {
    /// Reads the claims of a token of `issuer` that this key signed.
    pub(crate) fn read(
        payload: &Object<'_>,
        issuer: &str,
        signer: Thumbprint,
    ) -> Result<Self, TokenRefusal> {
        // RFC 9068 §4: iss is the issuer, character for character.
        if required(payload, "iss")? != issuer {
            return Err(TokenRefusal::WrongIssuer);
        }
        let issued_at = time(payload, "iat")?.ok_or(TokenRefusal::ClaimMalformed)?;
        let not_before = time(payload, "nbf")?.unwrap_or(issued_at);
        let subject = required(payload, "sub")?;
        let client_id = required(payload, "client_id")?;
        let token_id = required(payload, "jti")?;
        let family = optional(payload, "fam")?;
        let (jkt, certificate) = binding(payload)?;
        Ok(Self {
            subject: subject.into(),
            client_id: client_id.into(),
            token_id: token_id.into(),
            scopes: optional(payload, "scope")?
                .unwrap_or_default()
                .split(' ')
                .filter(|scope| !scope.is_empty())
                .map(Into::into)
                .collect(),
            family: family.map(Into::into),
            acr: optional(payload, "acr")?.map(Into::into),
            auth_time: time(payload, "auth_time")?,
            details: details(payload)?,
            audience: audience(payload)?,
            expires_at: time(payload, "exp")?.ok_or(TokenRefusal::ClaimMalformed)?,
            issued_at,
            begins_at: issued_at.max(not_before),
            jkt,
            certificate,
            signer: Some(signer),
            marks: OnceLock::new(),
            cleared: AtomicU64::new(0),
        })
    }

    /// The claims of a reference token of `issuer`, as they were told.
    pub(super) fn of_reference(told: Introspected, issuer: &str) -> Result<Self, TokenRefusal> {
        if told.issuer != issuer {
            return Err(TokenRefusal::WrongIssuer);
        }
        let named = [&told.subject, &told.client_id, &told.token_id];
        if named.into_iter().any(String::is_empty) || told.audience.is_empty() {
            return Err(TokenRefusal::ClaimMalformed);
        }
        let boxed = |texts: Vec<String>| texts.into_iter().map(Into::into).collect();
        Ok(Self {
            subject: told.subject.into(),
            client_id: told.client_id.into(),
            scopes: boxed(told.scopes),
            token_id: told.token_id.into(),
            family: told.family.map(Into::into),
            expires_at: told.expires_at,
            audience: boxed(told.audience),
            issued_at: told.issued_at,
            begins_at: told.issued_at,
            jkt: told.jkt,
            certificate: told.certificate,
            acr: told.acr.map(Into::into),
            auth_time: told.auth_time,
            details: details::told(&told.authorization_details)?,
            signer: None,
            marks: OnceLock::new(),
            cleared: AtomicU64::new(0),
        })
    }

    /// By what a revocation finds it.
    pub(crate) fn marks(&self) -> &Marks {
        self.marks.get_or_init(|| {
            Marks::of(
                &self.token_id,
                self.family.as_deref(),
                &self.client_id,
                &self.subject,
                self.jkt.as_ref(),
                self.signer.as_ref(),
            )
        })
    }

    /// Whether the token is in force now.
    pub(super) fn in_force(&self, now: UnixTime) -> Result<(), TokenRefusal> {
        // RFC 9068 §4: now is before exp. No leeway.
        if now >= self.expires_at {
            return Err(TokenRefusal::Expired);
        }
        // RFC 7519 §4.1.5, and the same for iat: what is issued later than now
        // was not issued.
        if self.begins_at > now.plus(SKEW) {
            return Err(TokenRefusal::NotYetValid);
        }
        Ok(())
    }

    /// RFC 9068 §4: aud contains the resource that is called.
    pub(crate) fn is_for(&self, resource: &str) -> bool {
        self.audience.iter().any(|audience| **audience == *resource)
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| **held == *scope)
    }
}

fn required<'p>(payload: &'p Object<'_>, name: &str) -> Result<&'p str, TokenRefusal> {
    optional(payload, name)?
        .filter(|text| !text.is_empty())
        .ok_or(TokenRefusal::ClaimMalformed)
}

fn optional<'p>(payload: &'p Object<'_>, name: &str) -> Result<Option<&'p str>, TokenRefusal> {
    match payload.member(name) {
        None => Ok(None),
        Some(value) => value.text().map(Some).ok_or(TokenRefusal::ClaimMalformed),
    }
}

/// RFC 7519 §2, NumericDate: a fraction is allowed, and dropped.
fn time(payload: &Object<'_>, name: &str) -> Result<Option<UnixTime>, TokenRefusal> {
    let secs = match payload.member(name) {
        None => return Ok(None),
        Some(Value::Number(Number::Whole(secs))) => *secs,
        Some(Value::Number(Number::Float(secs))) if (0.0..=SECONDS_MAX as f64).contains(secs) => {
            *secs as u64
        }
        Some(_) => return Err(TokenRefusal::ClaimMalformed),
    };
    if secs > SECONDS_MAX {
        return Err(TokenRefusal::ClaimMalformed);
    }
    Ok(Some(UnixTime::from_secs(secs)))
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
fn audience(payload: &Object<'_>) -> Result<Vec<Box<str>>, TokenRefusal> {
    let text = |value: &Value<'_>| value.text().map(Into::into);
    let audience: Option<Vec<Box<str>>> = match payload.member("aud") {
        Some(Value::List(values)) => values.iter().map(text).collect(),
        Some(value) => text(value).map(|one| vec![one]),
        None => None,
    };
    audience
        .filter(|audience| !audience.is_empty())
        .ok_or(TokenRefusal::ClaimMalformed)
}

/// RFC 9449 §6.1, RFC 7800 §3.1, RFC 8705 §3.1: a key, and besides it perhaps a certificate. Whatever
/// else the token is bound to cannot be checked here, and a binding that is not checked is none.
fn binding(
    payload: &Object<'_>,
) -> Result<(Option<Thumbprint>, Option<CertificateThumbprint>), TokenRefusal> {
    let cnf = match payload.member("cnf") {
        None => return Ok((None, None)),
        Some(Value::Object(cnf)) => cnf,
        Some(_) => return Err(TokenRefusal::ClaimMalformed),
    };
    let mut members = cnf.members();
    if members.any(|(name, _)| !matches!(name, "jkt" | "x5t#S256")) {
        return Err(TokenRefusal::BindingNotSupported);
    }
    // A certificate alone is no binding here: every call carries a proof.
    let jkt = cnf.member("jkt").ok_or(TokenRefusal::BindingNotSupported)?;
    let jkt = jkt
        .text()
        .and_then(|text| Thumbprint::parse(text).ok())
        .ok_or(TokenRefusal::ClaimMalformed)?;
    let certificate = |value: &Value<'_>| {
        let read = value.text().map(CertificateThumbprint::parse);
        read.and_then(Result::ok)
            .ok_or(TokenRefusal::ClaimMalformed)
    };
    let certificate = cnf.member("x5t#S256").map(certificate).transpose()?;
    Ok((Some(jkt), certificate))
}
