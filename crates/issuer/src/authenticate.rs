//! Client authentication (RFC 6749 §2.3): one answer for every failure, and one amount of work.

mod assertion;
mod decoy;

use countersign_jose::{Algorithms, CertificateThumbprint, UnixTime};

pub use assertion::{
    ASSERTION_BYTES_MAX, ASSERTION_JTI_BYTES_MAX, ASSERTION_LIFETIME_MAX, ASSERTION_SKEW, subject,
};

use crate::issuer::Issuer;
use crate::model::{Authentication, Client, ClientId, PeerCertificate};
use crate::refusal::{AuthenticationCause as Cause, NotAllowedCause, Refusal};
use assertion::Assertion;

/// What a client presents in its request to show that it is the client.
#[derive(Copy, Clone)]
pub enum Presented<'a> {
    /// Its name alone: it shows nothing, or the certificate of its connection.
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
    certificate: Option<CertificateThumbprint>,
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

/// Checks what a client presents against what it is registered with. `certificate` is what the
/// connection was opened with (RFC 8705), if it was.
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
    certificate: Option<&PeerCertificate>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Authenticated<'a>, Refusal> {
    let registered = known.map(|client| &client.authentication);
    let checked = match (presented, certificate) {
        (Presented::Nothing, None) => nothing(registered),
        (Presented::Nothing, Some(certificate)) => by_certificate(registered, certificate, now),
        (Presented::Secret(secret), _) => by_secret(registered, secret),
        (Presented::Assertion(text), _) => by_assertion(registered, text, id, issuer, now),
    };
    let client = known.ok_or(Cause::Unknown)?;
    if client.disabled {
        return Err(Cause::Disabled.into());
    }
    // RFC 6749 §2.3: one method, and no more. Where tokens are bound to it, the certificate is not
    // there to authenticate (RFC 8705 §3).
    let shows_more = !matches!(presented, Presented::Nothing);
    if shows_more && certificate.is_some() && !client.certificate_bound {
        return Err(Cause::SeveralMethods.into());
    }
    // Nothing is bound to one that is not good any more, whatever a session that is resumed shows.
    let in_time = certificate.is_none_or(|certificate| certificate.is_in_time(now));
    if client.certificate_bound && !in_time {
        return Err(Cause::CertificateTime.into());
    }
    Ok(Authenticated {
        client,
        spent: checked?,
        certificate: certificate.map(|certificate| certificate.thumbprint),
    })
}

impl<'a> Authenticated<'a> {
    /// The client.
    pub const fn client(&self) -> &'a Client {
        self.client
    }

    /// The certificate that its access tokens are bound to, if they are bound to one.
    ///
    /// # Errors
    /// They are, and the connection has none: a token that is bound to less than its client is
    /// registered for is not made (RFC 8705 §3).
    pub(crate) fn bound_to(&self) -> Result<Option<CertificateThumbprint>, NotAllowedCause> {
        match (self.client.certificate_bound, self.certificate) {
            (false, _) => Ok(None),
            (true, Some(certificate)) => Ok(Some(certificate)),
            (true, None) => Err(NotAllowedCause::CertificateMissing),
        }
    }

    /// The certificate that a refresh token is bound to (RFC 8705 §4) which comes with access tokens
    /// that are bound to `certificate`: a public client's is. Others authenticate with theirs.
    pub(crate) fn refresh_bound_to(
        &self,
        certificate: Option<CertificateThumbprint>,
    ) -> Option<CertificateThumbprint> {
        certificate.filter(|_| self.client.is_public())
    }

    /// The certificate of its connection, if it has one.
    pub(crate) const fn certificate(&self) -> Option<CertificateThumbprint> {
        self.certificate
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

/// RFC 8705 §2. That the other end has the certificate's key, TLS has seen to.
fn by_certificate(
    registered: Option<&Authentication>,
    certificate: &PeerCertificate,
    now: UnixTime,
) -> Checked {
    let in_time = certificate.is_in_time(now);
    match registered {
        // RFC 8705 §4: tokens may be bound to it all the same.
        Some(Authentication::None) => Ok(None),
        Some(Authentication::TlsClientAuth(_) | Authentication::SelfSignedTlsClientAuth(_))
            if !in_time =>
        {
            Err(Cause::CertificateTime)
        }
        Some(Authentication::TlsClientAuth(_)) if !certificate.issued => {
            Err(Cause::CertificateNotIssued)
        }
        Some(Authentication::TlsClientAuth(name)) if name.is_in(certificate) => Ok(None),
        Some(Authentication::TlsClientAuth(_)) => Err(Cause::CertificateName),
        Some(Authentication::SelfSignedTlsClientAuth(own))
            if own.contains(&certificate.thumbprint) =>
        {
            Ok(None)
        }
        Some(Authentication::SelfSignedTlsClientAuth(_)) => Err(Cause::CertificateUnknown),
        Some(Authentication::Secret(_) | Authentication::PrivateKeyJwt(_)) | None => {
            Err(Cause::OtherMethod)
        }
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
