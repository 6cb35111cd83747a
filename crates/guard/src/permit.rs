//! Permission, as a value that only the guard can make.

use std::sync::Arc;

use countersign_jose::{Thumbprint, UnixTime};

use crate::authority::{Claims, Detail};

mod denied;
mod ext;

pub(crate) use self::denied::Denial;
pub use self::denied::Denied;
pub use self::ext::PermitExt;
use crate::refusal::Refusal;

/// What the guard found out about the caller. Handlers take it from the
/// request; nobody but the guard can make one.
#[derive(Clone, Debug)]
pub struct Permit {
    claims: Arc<Claims>,
    resource: Arc<str>,
    thumbprint: Option<Thumbprint>,
}

impl Permit {
    pub(crate) fn new(
        claims: Arc<Claims>,
        resource: Arc<str>,
        thumbprint: Option<Thumbprint>,
    ) -> Self {
        Self {
            claims,
            resource,
            thumbprint,
        }
    }

    /// The client that calls (`client_id`, RFC 9068 §2.2).
    pub fn client_id(&self) -> &str {
        &self.claims.client_id
    }

    /// In whose name it calls (`sub`): a person's, or the client's own.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// Whether the client calls in its own name, and for no person (`sub` is `client_id`). No
    /// person's token says so: nobody can approve under the identifier of the client that asks
    /// (RFC 9700 §4.15).
    pub fn is_client_itself(&self) -> bool {
        self.claims.subject == self.claims.client_id
    }

    /// The scopes that were granted.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.claims.scopes.iter().map(|scope| &**scope)
    }

    /// Whether this scope was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.has_scope(scope)
    }

    /// Refuses a caller without this scope, beyond what the method's rule asks.
    ///
    /// # Errors
    /// PERMISSION_DENIED, over HTTP 403; `REASON_SCOPE_INSUFFICIENT`.
    pub fn require_scope(&self, scope: &str) -> Result<(), Denied> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            let missing = Refusal::ScopeInsufficient(vec![scope.to_owned()]);
            Err(Denied::because(Denial::Refused(missing)))
        }
    }

    /// Refuses a caller other than the one that the object belongs to; `owner`
    /// is the subject that it was made for, be it a person's or a client's own.
    ///
    /// Nobody can approve under the identifier of a client that is registered. What was
    /// approved before the client was registered, or is after it was removed, has the
    /// subject that the client has, too. Where persons and clients own things, ask
    /// [`require_person`](Self::require_person) or
    /// [`require_client`](Self::require_client), which tell them apart for good.
    ///
    /// # Errors
    /// PERMISSION_DENIED, over HTTP 403; `REASON_NOT_OWNER`.
    pub fn require_owner(&self, owner: &str) -> Result<(), Denied> {
        if self.subject() == owner {
            Ok(())
        } else {
            Err(Denied::because(Denial::NotOwner))
        }
    }

    /// Refuses a caller that does not act for this person: another person's client, and a
    /// client in its own name, whatever it is called.
    ///
    /// # Errors
    /// PERMISSION_DENIED, `REASON_NOT_OWNER`.
    pub fn require_person(&self, person: &str) -> Result<(), Denied> {
        if self.is_client_itself() {
            return Err(Denied::because(Denial::NotOwner));
        }
        self.require_owner(person)
    }

    /// Refuses a caller other than this client in its own name: another client, and a person
    /// through whichever client, whatever their subject is.
    ///
    /// # Errors
    /// PERMISSION_DENIED, `REASON_NOT_OWNER`.
    pub fn require_client(&self, client_id: &str) -> Result<(), Denied> {
        if self.is_client_itself() {
            self.require_owner(client_id)
        } else {
            Err(Denied::because(Denial::NotOwner))
        }
    }

    /// What the token allows beyond scopes (RFC 9396), as far as it is meant for
    /// the resource that was called: details whose `locations` name others are
    /// left out.
    pub fn details(&self) -> impl Iterator<Item = &Detail> {
        let here = |detail: &&Detail| detail.is_for(&self.resource);
        self.claims.details.iter().filter(here)
    }

    /// Those details that are of this `type`.
    pub fn details_of(&self, kind: &str) -> impl Iterator<Item = &Detail> {
        self.details().filter(move |detail| detail.kind() == kind)
    }

    /// Whether the token is for this one thing: it has a detail of the `type`
    /// `kind` whose `identifier` this is (RFC 9396 §2.2).
    pub fn owns(&self, kind: &str, identifier: &str) -> bool {
        self.details_of(kind)
            .any(|detail| detail.identifier() == Some(identifier))
    }

    /// Refuses a caller whose token is not for this one thing, as
    /// [`owns`](Self::owns).
    ///
    /// # Errors
    /// PERMISSION_DENIED, over HTTP 403; `REASON_NOT_OWNER`.
    pub fn require_owned(&self, kind: &str, identifier: &str) -> Result<(), Denied> {
        if self.owns(kind, identifier) {
            Ok(())
        } else {
            Err(Denied::because(Denial::NotOwner))
        }
    }

    /// How the person proved who they are (`acr`, RFC 9068 §2.2.1), if one did.
    pub fn acr(&self) -> Option<&str> {
        self.claims.acr.as_deref()
    }

    /// When they last did so (`auth_time`, RFC 9068 §2.2.1).
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.claims.auth_time
    }

    /// The resource that was called: that of the method's rule, or of the origin
    /// the proof was made for. The token names it in `aud`.
    pub fn audience(&self) -> &str {
        &self.resource
    }

    /// The key that the token is bound to and that signed the proof. `None` only
    /// for a bearer token, under
    /// [`Builder::accept_bearer`](crate::Builder::accept_bearer).
    pub fn thumbprint(&self) -> Option<Thumbprint> {
        self.thumbprint
    }

    /// When the token ends.
    pub fn expires_at(&self) -> UnixTime {
        self.claims.expires_at
    }

    /// The token's identifier (`jti`).
    pub fn token_id(&self) -> &str {
        &self.claims.token_id
    }

    /// The family of refresh tokens that the token comes from, if it does.
    pub fn family(&self) -> Option<&str> {
        self.claims.family.as_deref()
    }
}
