//! Who vouches for an access token: for a JWT the issuer's key set, offline; for a reference the
//! issuer itself, who is asked.

mod claims;
mod details;
pub(crate) mod offline;
pub(crate) mod online;
mod seen;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign_dpop::Ath;
use countersign_jose::{Algorithms, Thumbprint, UnixTime};
use countersign_telemetry::spans;

pub(crate) use self::claims::Claims;
pub use self::details::Detail;
use self::offline::Offline;
use self::online::{Answer, Asking, Online, is_reference};
use self::seen::SeenTokens;
use crate::keys::{KeyRing, KeySet};
use crate::refusal::{Refusal, TokenRefusal};
use crate::revocations::{Kept, Knowledge, RevokedSet};

/// Vouches for access tokens.
pub(crate) struct Authority {
    keys: Arc<KeyRing>,
    offline: Offline,
    seen: Arc<SeenTokens<Arc<Claims>>>,
    /// Without one, references are not accepted.
    online: Option<Online>,
    revoked: Arc<RevokedSet>,
    knowledge: Arc<Knowledge>,
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
    pub(crate) fn new(
        issuer: &str,
        algorithms: Algorithms,
        keys: Arc<KeyRing>,
        kept: &Kept,
    ) -> Self {
        let streams = Arc::clone(&kept.streams);
        let seen = Arc::new(SeenTokens::<Arc<Claims>>::default());
        let purged = Arc::clone(&seen);
        keys.on_change(Box::new(move |keys| {
            purged.keep(|seen| seen.signer.as_ref().is_none_or(|key| keys.holds(key)));
            streams.keep(|signer| keys.holds(signer));
        }));
        Self {
            keys,
            offline: Offline::new(issuer, algorithms),
            seen,
            online: None,
            revoked: Arc::clone(&kept.set),
            knowledge: Arc::clone(&kept.knowledge),
        }
    }

    /// Vouches for reference tokens, too.
    pub(crate) fn and_online(self, online: Option<Online>) -> Self {
        Self { online, ..self }
    }

    /// Whether the issuer vouches for `token`, whose hash is `ath`, now.
    ///
    /// Everything but time and revocation is checked once per token, by whoever
    /// sees it first.
    pub(crate) fn vouch(&self, token: &str, ath: &Ath, now: UnixTime) -> Result<Vouched, Refusal> {
        // By its form: nothing is tried as the one and then as the other.
        if is_reference(token) {
            return self.vouch_online(ath, now);
        }
        let keys = self.keys.current().ok_or(Refusal::AuthorityUnreachable)?;
        self.knows_enough()?;
        let claims = match self.remembered(ath, &keys) {
            Some(claims) => claims,
            None => match self.look_at(token, ath, &keys) {
                Ok(claims) => claims,
                Err(TokenRefusal::UnknownKey) if self.names_revoked_signer(token) => {
                    return Err(TokenRefusal::Revoked.into());
                }
                Err(TokenRefusal::UnknownKey) => return Ok(Vouched::KeyUnknown),
                Err(refusal) => return Err(refusal.into()),
            },
        };
        claims.in_force(now)?;
        self.not_revoked(&claims)?;
        Ok(Vouched::For(claims))
    }

    /// Whether a token, whose key is unknown, names one that was revoked: no key set will have it
    /// any more, and whoever holds the token is told to get another. It is refused in any case.
    fn names_revoked_signer(&self, token: &str) -> bool {
        Offline::named_signer(token).is_some_and(|signer| self.revoked.hits_signer(&signer))
    }

    fn vouch_online(&self, ath: &Ath, now: UnixTime) -> Result<Vouched, Refusal> {
        let online = self.online()?;
        self.knows_enough()?;
        let Some(claims) = online.remembered(ath.as_bytes()) else {
            return Ok(Vouched::ToBeAsked);
        };
        spans::token_verify("remembered").in_scope(|| claims.in_force(now))?;
        self.not_revoked(&claims)?;
        Ok(Vouched::For(claims))
    }

    /// What was revoked lately must be known, where a limit says so: also of what the
    /// issuer vouches for now, since a stream that opens on it would not be found.
    fn knows_enough(&self) -> Result<(), Refusal> {
        if self.knowledge.is_too_old() {
            return Err(Refusal::KnowledgeTooOld);
        }
        Ok(())
    }

    /// Asks what a reference token says. Only once its proof, of `key`, was verified.
    pub(crate) fn ask(&self, token: &str, ath: &Ath, key: Thumbprint) -> Result<Asking, Refusal> {
        self.online()?.ask(token, *ath.as_bytes(), key)
    }

    /// What was said, if it holds now.
    pub(crate) fn said(&self, answer: Answer, now: UnixTime) -> Answer {
        let claims = answer?;
        self.knows_enough()?;
        claims.in_force(now)?;
        self.not_revoked(&claims)?;
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

    /// Whether the token stands. Looked up once for each change of what is
    /// revoked.
    pub(crate) fn not_revoked(&self, claims: &Claims) -> Result<(), TokenRefusal> {
        // Read before it is looked up: what comes meanwhile has a later one.
        let version = self.revoked.version();
        if claims.cleared.load(Ordering::Relaxed) == version {
            return Ok(());
        }
        if !self.revoked.is_empty() && self.revoked.hits(claims.marks(), claims.issued_at) {
            return Err(TokenRefusal::Revoked);
        }
        claims.cleared.store(version, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the key that signed the token is still in the key set.
    pub(crate) fn signer_stands(&self, claims: &Claims) -> bool {
        let keys = self.keys.current();
        claims
            .signer
            .as_ref()
            .is_none_or(|signer| keys.is_some_and(|keys| keys.holds(signer)))
    }

    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    pub(crate) fn revocations(&self) -> usize {
        self.revoked.len()
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
        let claims = self.seen.find(ath.as_bytes())?;
        // Also here, not only when the key set changes: this call may have been
        // under way when it did.
        claims
            .signer
            .as_ref()
            .is_none_or(|signer| keys.holds(signer))
            .then(|| spans::token_verify("remembered").in_scope(|| claims))
    }

    fn look_at(&self, token: &str, ath: &Ath, keys: &KeySet) -> Result<Arc<Claims>, TokenRefusal> {
        let claims =
            spans::token_verify("offline").in_scope(|| self.offline.verify(token, keys))?;
        let claims = Arc::new(claims);
        self.seen.remember(*ath.as_bytes(), Arc::clone(&claims));
        Ok(claims)
    }
}
