//! Permission, as a value that only the guard can make.

use std::sync::Arc;

use countersign_jose::{Thumbprint, UnixTime};
use tonic::Status;

use crate::authority::Claims;
use crate::respond;

/// What the guard found out about the caller. Handlers take it from the
/// request; nobody but the guard can make one.
#[derive(Clone, Debug)]
pub struct Permit {
    claims: Arc<Claims>,
    resource: Arc<str>,
    thumbprint: Thumbprint,
}

impl Permit {
    pub(crate) fn new(claims: Arc<Claims>, resource: Arc<str>, thumbprint: Thumbprint) -> Self {
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
    /// PERMISSION_DENIED, `REASON_SCOPE_INSUFFICIENT`.
    pub fn require_scope(&self, scope: &str) -> Result<(), Status> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            Err(respond::scope_insufficient(scope))
        }
    }

    /// Refuses a caller other than the one that the object belongs to; `owner`
    /// is the subject that it was made for.
    ///
    /// # Errors
    /// PERMISSION_DENIED, `REASON_NOT_OWNER`.
    pub fn require_owner(&self, owner: &str) -> Result<(), Status> {
        if self.subject() == owner {
            Ok(())
        } else {
            Err(respond::not_owner())
        }
    }

    /// The resource that was called: that of the origin the proof was made for.
    /// The token names it in `aud`.
    pub fn audience(&self) -> &str {
        &self.resource
    }

    /// The key that the token is bound to and that signed the proof.
    pub fn thumbprint(&self) -> Thumbprint {
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

/// Asks a request for its permit.
pub trait PermitExt {
    /// The permit that the guard gave this call.
    ///
    /// # Errors
    /// INTERNAL where no guard stands in front of the handler, or its method is
    /// public: both are mistakes of the server's.
    fn permit(&self) -> Result<&Permit, Status>;
}

impl<T> PermitExt for tonic::Request<T> {
    fn permit(&self) -> Result<&Permit, Status> {
        self.extensions().get().ok_or_else(respond::no_permit)
    }
}
