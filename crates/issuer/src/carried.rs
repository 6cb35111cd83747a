//! What an access token of a grant carries: the same rules for the first one and for every later
//! one.

use std::time::Duration;

use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};

use crate::access_token::{self, Binding, Claims};
use crate::authenticate::Authenticated;
use crate::issuer::Issuer;
use crate::model::{AccessTokenFormat, Catalogue, Family, FamilyId, Permissions, TokenId};
use crate::policy::{self, Ask};
use crate::refusal::{NotAllowedCause, Refusal, ScopeCause};

/// What is asked for of a grant, as far as it is allowed still.
pub(crate) struct Carried<'a> {
    client: &'a Authenticated<'a>,
    ask: &'a Ask,
    catalogue: &'a Catalogue,
    issuer: &'a Issuer,
    permissions: Permissions,
    format: AccessTokenFormat,
    certificate: Option<CertificateThumbprint>,
    lifetime: Duration,
}

impl<'a> Carried<'a> {
    /// What is asked for of `granted`. `catalogue` holds its resources.
    ///
    /// # Errors
    /// Nothing of it is allowed still; more is asked for than that; one token cannot be for all of
    /// it, or must be bound to a certificate that the connection lacks.
    pub(crate) fn of(
        granted: &Permissions,
        ask: &'a Ask,
        client: &'a Authenticated<'a>,
        catalogue: &'a Catalogue,
        issuer: &'a Issuer,
    ) -> Result<Self, Refusal> {
        let allowed = policy::still_allowed(granted, client.client(), catalogue);
        if allowed.is_empty() {
            return Err(NotAllowedCause::NothingLeft.into());
        }
        // RFC 6749 §6: nothing that was not granted.
        let permissions = policy::narrow(ask, &allowed, catalogue, ScopeCause::Wider)?;
        let format = policy::format(&permissions, catalogue)?;
        let certificate = client.bound_to()?;
        let lifetime = access_token::lifetime(&permissions, catalogue, &issuer.lifetimes);
        Ok(Self {
            client,
            ask,
            catalogue,
            issuer,
            permissions,
            format,
            certificate,
            lifetime,
        })
    }

    /// What kind of token it is.
    pub(crate) const fn format(&self) -> AccessTokenFormat {
        self.format
    }

    /// The certificate that the token is bound to, if it is bound to one.
    pub(crate) const fn certificate(&self) -> Option<CertificateThumbprint> {
        self.certificate
    }

    /// How long the token lives.
    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What the token of that family says, whose name is `id`, and which is bound to `jkt`.
    ///
    /// # Errors
    /// Authorization details are asked for that the family has not, or that no guard would take.
    pub(crate) fn claims(
        &self,
        (family_id, family): (FamilyId, &Family),
        (jkt, id): (Thumbprint, TokenId),
        now: UnixTime,
    ) -> Result<Claims, Refusal> {
        let binding = Binding {
            jkt,
            certificate: self.certificate,
            id,
            issued_at: self.issuer.issue_time(now),
        };
        let claims =
            Claims::of_family(family_id, family, &self.permissions, self.lifetime, binding);
        // RFC 9396 §6: no object that was not granted.
        let allowed =
            policy::still_allowed_details(&family.details, self.client.client(), self.catalogue);
        let details = policy::carried_details(
            self.ask.details(),
            &allowed,
            &self.permissions,
            self.catalogue,
        )?;
        claims.with_details(details, self.format, &self.issuer.name)
    }
}
