//! How clients authenticate (RFC 6749 §2.3, RFC 7523 §2.2): by header, by secret in the form, by
//! assertion, or by their name alone. Never by two of these at once.

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_form::decode;
use countersign_issuer::model::ClientId;
use countersign_issuer::{AuthenticationCause, Presented, Refusal, subject};
use zeroize::Zeroizing;

use super::form::Form;
use crate::operation::Caller;
use crate::refused::Refused;

/// RFC 7523 §2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who the client is, and what it shows for it: what stands in the form stays there, where it is wiped.
pub(super) struct Shown<'a> {
    id: ClientId,
    proof: Proof<'a>,
}

/// What is shown.
enum Proof<'a> {
    Nothing,
    /// In the header.
    Basic(Zeroizing<String>),
    /// In the form.
    Secret(&'a str),
    Assertion(&'a str),
}

impl<'a> Shown<'a> {
    pub(super) fn read(headers: &HeaderMap, form: &'a Form) -> Result<Self, Refused> {
        let basic = basic(headers)?;
        let secret = form.get("client_secret");
        // Its type alone says that there is one (RFC 7521 §4.2): that is half of a second method beside
        // another, and alone an assertion that is empty (RFC 6749 §3.2), which is right for nobody.
        let announced = || form.get("client_assertion_type").map(|_| "");
        let assertion = form.get("client_assertion").or_else(announced);
        let named = form.get("client_id");
        // RFC 6749 §2.3: not more than one method.
        match (basic, secret, assertion) {
            (Some((id, secret)), None, None) => {
                // RFC 6749 §2.3.1: the name may stand in the form as well, and then it is the same.
                if named.is_some_and(|named| named != id) {
                    return Err(wrong("client_id", "must name the client of Authorization"));
                }
                Self::of(&id, Proof::Basic(secret))
            }
            (None, Some(secret), None) => {
                let named = named.ok_or_else(nobody)?;
                Self::of(named, Proof::Secret(secret))
            }
            (None, None, Some(assertion)) => by_assertion(assertion, named, form),
            (None, None, None) => Self::of(named.ok_or_else(nobody)?, Proof::Nothing),
            _ => Err(wrong("body", "must authenticate the client by one method")),
        }
    }

    fn of(id: &str, proof: Proof<'a>) -> Result<Self, Refused> {
        let id = ClientId::parse(id).map_err(|problem| Refused::field("client_id", problem))?;
        Ok(Self { id, proof })
    }

    /// The client, as the desk takes it.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller {
            id: self.id.clone(),
            presented: match &self.proof {
                Proof::Nothing => Presented::Nothing,
                Proof::Basic(secret) => Presented::Secret(secret),
                Proof::Secret(secret) => Presented::Secret(secret),
                Proof::Assertion(assertion) => Presented::Assertion(assertion),
            },
            certificate: None,
        }
    }

    /// Whether it shows nothing but its name, which everybody knows.
    pub(super) fn is_name_alone(&self) -> bool {
        matches!(self.proof, Proof::Nothing)
    }
}

fn by_assertion<'a>(
    assertion: &'a str,
    named: Option<&str>,
    form: &Form,
) -> Result<Shown<'a>, Refused> {
    if form.text("client_assertion_type") != JWT_BEARER {
        let expected = "must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        return Err(wrong("client_assertion_type", expected));
    }
    let proof = Proof::Assertion(assertion);
    match named {
        Some(named) => Shown::of(named, proof),
        // RFC 7521 §4.2: the assertion names its client.
        None => Ok(Shown {
            id: subject(assertion)?,
            proof,
        }),
    }
}

/// The name and the secret of `Authorization: Basic` (RFC 7617), each of them encoded as in a form
/// (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, Zeroizing<String>)>, Refused> {
    let malformed = || wrong("authorization", "must be one, of the scheme Basic");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed());
    }
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = value.split_at(space.unwrap_or(value.len()));
    // RFC 6749 §5.2: another method is no authentication.
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(nobody());
    }
    let decoded = STANDARD
        .decode(rest.trim_ascii())
        .map(Zeroizing::new)
        .map_err(|_| malformed())?;
    let colon = decoded.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or_else(malformed)?;
    let name = decode(&decoded[..colon]).ok_or_else(malformed)?;
    let secret = decode(&decoded[colon + 1..]).ok_or_else(malformed)?;
    Ok(Some((name, Zeroizing::new(secret))))
}

/// No client has said who it is.
fn nobody() -> Refused {
    Refusal::from(AuthenticationCause::NotNamed).into()
}

fn wrong(field: &'static str, expected: &'static str) -> Refused {
    Refused::Field { field, expected }
}
