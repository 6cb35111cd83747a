//! Who vouches for an access token: for a JWT the issuer's key set, offline; for a reference the
//! issuer itself, who is asked.

mod claims;
pub(crate) mod offline;
pub(crate) mod online;
mod seen;

use std::sync::Arc;

use countersign_dpop::Ath;
use countersign_jose::{Algorithms, UnixTime};
use countersign_telemetry::spans;

pub(crate) use self::claims::Claims;
use self::offline::Offline;
use self::online::{Answer, Asking, Online, is_reference};
use self::seen::{Seen, SeenTokens};
use crate::keys::{KeyRing, KeySet};
use crate::refusal::{Refusal, TokenRefusal};

/// Vouches for access tokens.
pub(crate) struct Authority {
    keys: Arc<KeyRing>,
    offline: Offline,
    seen: Arc<SeenTokens<Seen>>,
    /// Without one, references are not accepted.
    online: Option<Online>,
}

/// What the authority says of a token.
pub(crate) enum Vouched {
    /// The issuer issued it, and it is in force.
    For(Arc<Claims>),
    /// No key of that name is known yet: looking again may help.
    KeyUnknown,
    /// It is a reference, and what it says has to be [asked](Authority::ask).
    ToBeAsked,
}

impl Authority {
    pub(crate) fn new(issuer: &str, algorithms: Algorithms, keys: Arc<KeyRing>) -> Self {
        let seen = Arc::new(SeenTokens::<Seen>::default());
        let purged = Arc::clone(&seen);
        keys.on_change(Box::new(move |keys| {
            purged.keep(|seen| keys.holds(&seen.signer));
        }));
        Self {
            keys,
            offline: Offline::new(issuer, algorithms),
            seen,
            online: None,
        }
    }

    /// Vouches for reference tokens, too.
    pub(crate) fn and_online(self, online: Option<Online>) -> Self {
        Self { online, ..self }
    }

    /// Whether the issuer vouches for `token`, whose hash is `ath`, now.
    ///
    /// Everything but time is checked once per token, by whoever sees it first.
    pub(crate) fn vouch(&self, token: &str, ath: &Ath, now: UnixTime) -> Result<Vouched, Refusal> {
        // By its form: nothing is tried as the one and then as the other.
        if is_reference(token) {
            return self.vouch_online(ath, now);
        }
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

    fn vouch_online(&self, ath: &Ath, now: UnixTime) -> Result<Vouched, Refusal> {
        let online = self.online()?;
        let Some(claims) = online.remembered(ath.as_bytes()) else {
            return Ok(Vouched::ToBeAsked);
        };
        spans::token_verify("remembered").in_scope(|| claims.in_force(now))?;
        Ok(Vouched::For(claims))
    }

    /// Asks what a reference token says. Only once its proof was verified.
    pub(crate) fn ask(&self, token: &str, ath: &Ath) -> Result<Asking, Refusal> {
        self.online()?.ask(token, *ath.as_bytes())
    }

    /// What was said, if it holds now.
    pub(crate) fn said(&self, answer: Answer, now: UnixTime) -> Answer {
        let claims = answer?;
        claims.in_force(now)?;
        Ok(claims)
    }

    /// Whether this is the hash of a reference token that was worth something here.
    pub(crate) fn once_knew(&self, ath: &Ath) -> bool {
        self.online
            .as_ref()
            .is_some_and(|online| online.once_known(ath.as_bytes()).is_some())
    }

    fn online(&self) -> Result<&Online, TokenRefusal> {
        self.online.as_ref().ok_or(TokenRefusal::ReferenceNotTaken)
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
