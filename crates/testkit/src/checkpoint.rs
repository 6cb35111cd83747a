//! The real guard in memory, with an issuer of its own: for handlers' tests.

mod caller;
mod issuer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_dpop::Origin;
use countersign_guard::{BuildError, Builder, Guard};
use tokio::time::timeout;

pub use self::caller::Caller;
pub(crate) use self::caller::LIFETIME;
pub(crate) use self::issuer::new_key;
use self::issuer::{ISSUER, Issuer};
use crate::{MovableClock, Problem};

/// What the guard is reached by, where a test does not say otherwise. Nobody
/// connects to it: calls stay in the process.
const ORIGIN: &str = "https://service.test";

/// A guard hears of a revocation at once; a loaded machine may take its time.
const REVOKED_SECS_MAX: u64 = 30;

/// The real guard, in this process and without a token service: it trusts an
/// issuer that lives in the test and signs whatever claims the test wants.
///
/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Checkpoint(Arc<Inner>);

struct Inner {
    guard: Guard,
    issuer: Arc<Issuer>,
    clock: Arc<MovableClock>,
    origin: Origin,
}

impl Checkpoint {
    /// A guard with the rules in this encoded `FileDescriptorSet`: that of your
    /// service.
    ///
    /// # Errors
    ///
    /// The rules are wrong; see [`BuildError`].
    pub async fn of(descriptors: impl Into<Vec<u8>>) -> Result<Self, BuildError> {
        Self::with(|guard| guard.descriptors(descriptors)).await
    }

    /// A guard that is configured as the service's own, such as with
    /// `descriptors` and a rule file. What the checkpoint brings
    /// along is set already: issuer, keys, revocations, clock and an origin.
    ///
    /// # Errors
    ///
    /// The configuration is wrong; see [`BuildError`].
    pub async fn with(configure: impl FnOnce(Builder) -> Builder) -> Result<Self, BuildError> {
        let clock = Arc::new(MovableClock::new());
        let issuer = Arc::new(Issuer::new(Arc::clone(&clock))?);
        let builder = Builder::new(ISSUER)
            .serve(ORIGIN)
            .key_source(issuer.clone())
            .revocation_source(issuer.clone())
            .clock(clock.clone());
        let guard = configure(builder).connect().await?;
        let origin = Origin::parse(ORIGIN).map_err(|cause| BuildError::Origin {
            uri: ORIGIN.to_owned(),
            cause,
        })?;
        Ok(Self(Arc::new(Inner {
            guard,
            issuer,
            clock,
            origin,
        })))
    }

    /// Somebody who calls: the client of this name, in its own name until
    /// [`Caller::subject`] says otherwise, with a key of its own and a token that
    /// lives for five minutes.
    pub fn caller(&self, client_id: &str) -> Caller {
        Caller::new(self.clone(), client_id)
    }

    /// The clock that guard and callers go by.
    pub fn clock(&self) -> &Arc<MovableClock> {
        &self.0.clock
    }

    /// The guard: its counts, its layer.
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Revokes the caller's token: the one with its `jti`, which clones of the caller have
    /// as well, until [`Caller::renewed`]. The guard knows it when this returns. A second
    /// time changes nothing.
    ///
    /// # Errors
    ///
    /// The guard learns of revocations from somebody else, or did not take this one within
    /// half a minute; or the token has no `jti`.
    pub async fn revoke(&self, caller: &Caller) -> Result<(), Problem> {
        self.revoke_token(caller.token_id()).await
    }

    pub(crate) async fn revoke_token(&self, token_id: Option<&str>) -> Result<(), Problem> {
        let token_id = token_id.ok_or("a token without a jti cannot be revoked by it")?;
        let taken = self.0.issuer.revoke(token_id).ok_or(
            "the guard does not ask the checkpoint what is revoked: was its revocation source replaced?",
        )?;
        timeout(Duration::from_secs(REVOKED_SECS_MAX), taken)
            .await
            .map_err(|_| "the guard does not take the revocation")?;
        Ok(())
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("guard", &self.0.guard)
            .finish_non_exhaustive()
    }
}
