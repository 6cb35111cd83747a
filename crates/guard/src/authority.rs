//! Who vouches for an access token: the issuer's key set, offline.

mod claims;
pub(crate) mod offline;
mod seen;

use std::sync::Arc;

use countersign_dpop::Ath;
use countersign_jose::{Algorithms, UnixTime};
use countersign_telemetry::spans;

pub(crate) use self::claims::Claims;
use self::offline::Offline;
use self::seen::{Seen, SeenTokens};
use crate::keys::{KeyRing, KeySet};
use crate::refusal::{Refusal, TokenRefusal};

/// Vouches for access tokens.
pub(crate) struct Authority {
    keys: Arc<KeyRing>,
    offline: Offline,
    seen: Arc<SeenTokens>,
}

/// What the authority says of a token.
pub(crate) enum Vouched {
    /// The issuer issued it, and it is in force.
    For(Arc<Claims>),
    /// No key of that name is known yet: looking again may help.
    KeyUnknown,
}

impl Authority {
    pub(crate) fn new(issuer: &str, algorithms: Algorithms, keys: Arc<KeyRing>) -> Self {
        let seen = Arc::new(SeenTokens::default());
        let purged = Arc::clone(&seen);
        keys.on_change(Box::new(move |keys| {
            purged.keep(|signer| keys.holds(signer));
        }));
        Self {
            keys,
            offline: Offline::new(issuer, algorithms),
            seen,
        }
    }

    /// Whether the issuer vouches for `token`, whose hash is `ath`, now.
    ///
    /// Everything but time is checked once per token, by whoever sees it first.
    pub(crate) fn vouch(&self, token: &str, ath: &Ath, now: UnixTime) -> Result<Vouched, Refusal> {
        let keys = self.keys.current().ok_or(Refusal::AuthorityUnreachable)?;
        let claims = match self.remembered(ath, &keys) {
            Some(claims) => claims,
            None => match self.look_at(token, ath, &keys) {
                Ok(claims) => claims,
                Err(TokenRefusal::UnknownKey) => return Ok(Vouched::KeyUnknown),
                Err(refusal) => return Err(refusal.into()),
            },
        };
        claims.in_force(now)?;
        Ok(Vouched::For(claims))
    }

    /// Fetches the key set, unless that was done a moment ago.
    pub(crate) async fn look_again(&self) {
        self.keys.look_again().await;
    }

    /// Fetches the key set, however short ago that was done.
    pub(crate) async fn fetch_keys(&self) {
        self.keys.fetch().await;
    }

    fn remembered(&self, ath: &Ath, keys: &KeySet) -> Option<Arc<Claims>> {
        let seen = self.seen.find(ath.as_bytes())?;
        // Also here, not only when the key set changes: this call may have been
        // under way when it did.
        keys.holds(&seen.signer)
            .then(|| spans::token_verify("remembered").in_scope(|| seen.claims))
    }

    fn look_at(&self, token: &str, ath: &Ath, keys: &KeySet) -> Result<Arc<Claims>, TokenRefusal> {
        let (claims, signer) =
            spans::token_verify("offline").in_scope(|| self.offline.verify(token, keys))?;
        let claims = Arc::new(claims);
        let seen = Seen {
            claims: Arc::clone(&claims),
            signer,
        };
        self.seen.remember(*ath.as_bytes(), seen);
        Ok(claims)
    }
}
