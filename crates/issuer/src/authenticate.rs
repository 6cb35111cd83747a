//! Client authentication (RFC 6749 §2.3): one answer for every failure, and one amount of work.

mod assertion;
mod decoy;

use countersign_jose::{Algorithms, UnixTime};

pub use assertion::{
    ASSERTION_BYTES_MAX, ASSERTION_JTI_BYTES_MAX, ASSERTION_LIFETIME_MAX, ASSERTION_SKEW, subject,
};

use crate::issuer::Issuer;
use crate::model::{Authentication, Client, ClientId};
use crate::refusal::{AuthenticationCause as Cause, Refusal};
use assertion::Assertion;

/// What a client presents to show that it is the client.
#[derive(Copy, Clone)]
pub enum Presented<'a> {
    /// Its name alone.
    Nothing,
    /// Its secret.
    Secret(&'a str),
    /// A signed assertion (RFC 7523).
    Assertion(&'a str),
}

/// A client that showed that it is the client. Only [`authenticate`] makes one.
#[derive(Debug)]
pub struct Authenticated<'a> {
    client: &'a Client,
    spent: Option<SpentAssertion>,
}

/// An assertion that was used, and cannot be again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpentAssertion {
    /// The client that signed it.
    pub client: ClientId,
    /// Its `jti`, which is unique for this client only.
    pub jti: String,
    /// When it is no longer accepted anyway.
    pub until: UnixTime,
}

/// Checks what a client presents against what it is registered with.
///
/// An unknown client costs the same work as a known one: what is presented is checked against
/// something that nobody has. That an assertion was not used before shows when the decision is
/// committed, with the [`SpentAssertion`] in it.
///
/// # Errors
/// [`Refusal::ClientAuthentication`], with the cause for the operator.
pub fn authenticate<'a>(
    id: &ClientId,
    known: Option<&'a Client>,
    presented: &Presented<'_>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Authenticated<'a>, Refusal> {
    let registered = known.map(|client| &client.authentication);
    let checked = match presented {
        Presented::Nothing => nothing(registered),
        Presented::Secret(secret) => by_secret(registered, secret),
        Presented::Assertion(text) => by_assertion(registered, text, id, issuer, now),
    };
    let client = known.ok_or(Cause::Unknown)?;
    if client.disabled {
        return Err(Cause::Disabled.into());
    }
    Ok(Authenticated {
        client,
        spent: checked?,
    })
}

impl<'a> Authenticated<'a> {
    /// The client.
    pub const fn client(&self) -> &'a Client {
        self.client
    }

    /// The assertion that it used, if it used one.
    pub const fn spent(&self) -> Option<&SpentAssertion> {
        self.spent.as_ref()
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret(..)",
            Self::Assertion(_) => "Assertion(..)",
        })
    }
}

type Checked = Result<Option<SpentAssertion>, Cause>;

fn nothing(registered: Option<&Authentication>) -> Checked {
    match registered {
        Some(Authentication::None) => Ok(None),
        _ => Err(Cause::OtherMethod),
    }
}

fn by_secret(registered: Option<&Authentication>, secret: &str) -> Checked {
    let (hash, of_client) = match registered {
        Some(Authentication::Secret(hash)) => (hash, true),
        _ => (&decoy::SECRET, false),
    };
    match (hash.matches(secret), of_client) {
        (true, true) => Ok(None),
        (false, true) => Err(Cause::WrongSecret),
        (_, false) => Err(Cause::OtherMethod),
    }
}

fn by_assertion(
    registered: Option<&Authentication>,
    text: &str,
    id: &ClientId,
    issuer: &Issuer,
    now: UnixTime,
) -> Checked {
    // What can be refused without a key is refused first: it is the same for every client.
    let assertion = Assertion::parse(text, id, issuer, now)?;
    let of_client = match registered {
        Some(Authentication::PrivateKeyJwt(keys)) => Some(
            keys.choose(assertion.kid(), assertion.algorithm)
                .ok_or(Cause::AssertionKey),
        ),
        _ => None,
    };
    let key = match of_client {
        Some(Ok(key)) => Some(key),
        _ => decoy::KEYS.choose(None, assertion.algorithm),
    };
    let algorithms = Algorithms::of(&[assertion.algorithm]);
    let verified = key.map(|key| assertion.jws.verify(key.key(), algorithms));
    of_client.ok_or(Cause::OtherMethod)??;
    match verified {
        Some(Ok(())) => Ok(Some(assertion.spent_by(id))),
        _ => Err(Cause::AssertionSignature),
    }
}
