//! Reading access tokens that this issuer made.

use std::borrow::Borrow;

use countersign_jose::json::{self, Number, Object, Value};
use countersign_jose::{
    Algorithms, CertificateThumbprint, CompactJws, PublishedKey, Thumbprint, UnixTime,
};

use super::{Claims, TYP};
use crate::issuer::IssuerName;
use crate::model::{Acr, ClientId, Details, FamilyId, ResourceUri, Scopes, Subject, TokenId};

/// The longest names in every claim, and as many scopes as one token may have, encoded: what a
/// guard takes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The text is not an access token of this issuer. That it has not expired and was not revoked is
/// another question.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an access token of this issuer")]
pub struct NotAccessToken;

/// Reads an access token and checks its signature with one of `keys`.
///
/// # Errors
/// [`NotAccessToken`], for all causes alike.
pub fn read<'k>(
    text: &str,
    keys: impl IntoIterator<Item: Borrow<PublishedKey<'k>>>,
    issuer: &IssuerName,
) -> Result<Claims, NotAccessToken> {
    let jws = CompactJws::parse(text, TOKEN_BYTES_MAX).map_err(|_| NotAccessToken)?;
    let header = jws.header();
    // RFC 9068 §4: the type, in either form.
    let typed = header.typ.as_deref();
    if !(typed == Some(TYP) || typed == Some("application/at+jwt")) || header.names_key {
        return Err(NotAccessToken);
    }
    let kid = header.kid.as_deref().ok_or(NotAccessToken)?;
    let key = keys
        .into_iter()
        .find(|key| key.borrow().kid == kid)
        .ok_or(NotAccessToken)?;
    let key = key.borrow();
    jws.verify(key.key, Algorithms::of(&[key.algorithm]))
        .map_err(|_| NotAccessToken)?;
    let members = json::object(jws.payload()).map_err(|_| NotAccessToken)?;
    if text_of(&members, "iss") != Some(issuer.as_str()) {
        return Err(NotAccessToken);
    }
    claims(&members).ok_or(NotAccessToken)
}

fn claims(members: &Object<'_>) -> Option<Claims> {
    let cnf = match members.member("cnf")? {
        Value::Object(cnf) => cnf,
        _ => return None,
    };
    let jkt = text_of(cnf, "jkt")?;
    let certificate = |value: &Value<'_>| CertificateThumbprint::parse(value.text()?).ok();
    Some(Claims {
        subject: Subject::parse(text_of(members, "sub")?).ok()?,
        audience: audience(members.member("aud")?)?,
        client: ClientId::parse(text_of(members, "client_id")?).ok()?,
        scopes: scopes(members.member("scope"))?,
        jkt: Thumbprint::parse(jkt).ok()?,
        certificate: optional(cnf, "x5t#S256", certificate)?,
        issued_at: secs(members.member("iat")?)?,
        expires_at: secs(members.member("exp")?)?,
        id: TokenId::parse(text_of(members, "jti")?).ok()?,
        family: optional(members, "fam", |value| FamilyId::parse(value.text()?).ok())?,
        auth_time: optional(members, "auth_time", secs)?,
        acr: optional(members, "acr", |value| Acr::parse(value.text()?).ok()?)?,
        details: optional(members, "authorization_details", details)?.unwrap_or_default(),
    })
}

/// The outer option is none where the member is there and wrong.
#[expect(
    clippy::option_option,
    reason = "absent and wrong are different answers"
)]
fn optional<'o, T>(
    members: &'o Object<'_>,
    name: &str,
    form: impl FnOnce(&'o Value<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match members.member(name) {
        None => Some(None),
        Some(value) => form(value).map(Some),
    }
}

fn text_of<'o>(members: &'o Object<'_>, name: &str) -> Option<&'o str> {
    members.member(name)?.text()
}

fn audience(value: &Value<'_>) -> Option<Vec<ResourceUri>> {
    let uri = |value: &Value<'_>| ResourceUri::parse(value.text()?).ok();
    match value {
        // RFC 9068 §2.2: a token is for somebody.
        Value::List(listed) if listed.is_empty() => None,
        Value::List(listed) => listed.iter().map(uri).collect(),
        one => Some(vec![uri(one)?]),
    }
}

fn details(value: &Value<'_>) -> Option<Details> {
    match value {
        Value::List(items) => Details::read(items.clone()).ok(),
        _ => None,
    }
}

/// A token without scopes has no `scope` (RFC 9068 §2.2.3).
fn scopes(value: Option<&Value<'_>>) -> Option<Scopes> {
    match value {
        None => Some(Scopes::default()),
        Some(value) => Scopes::parse_claim(value.text()?).ok(),
    }
}

/// The last second of the year 9999. A later time is not a time, to a guard neither.
const SECONDS_MAX: u64 = 253_402_300_799;

fn secs(value: &Value<'_>) -> Option<UnixTime> {
    match value {
        Value::Number(Number::Whole(secs)) if *secs <= SECONDS_MAX => {
            Some(UnixTime::from_secs(*secs))
        }
        _ => None,
    }
}
