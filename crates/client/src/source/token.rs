//! One access token.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_dpop::Ath;
use countersign_jose::UnixTime;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::cached::is_ahead;
use super::{BoxFuture, TokenSource};
use crate::credential::Edition;
use crate::error::TokenError;
use crate::random;

/// The part of its life after which a token is renewed, at the earliest: sooner would ask the token
/// service for little.
const RENEWED_FROM: f64 = 0.3;

/// And at the latest: whenever the token service goes away, a client that makes calls has half of a
/// life in hand. In between it is drawn, so that many clients do not come at once.
const RENEWED_UNTIL: f64 = 0.5;

/// An access token, ready to be sent: hashed and written into a header once.
pub struct AccessToken {
    authorization: HeaderValue,
    ath: Ath,
    scopes: Vec<String>,
    renew_at: UnixTime,
    expires_at: UnixTime,
    /// The certificate that it was asked for with, and may be bound to.
    edition: Option<Edition>,
    /// A call got past a guard with it.
    accepted: AtomicBool,
    /// Until when it stays in use although it was refused, in milliseconds; 0 as long as it was
    /// not.
    doubted_until: AtomicU64,
}

impl AccessToken {
    /// A token that was issued at `now` for `lifetime`, with `scopes`.
    ///
    /// # Errors
    /// [`TokenError::Incomplete`] for what cannot be sent as a header.
    pub fn new(
        token: &str,
        scopes: Vec<String>,
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Self, TokenError> {
        let text = Zeroizing::new(format!("DPoP {token}"));
        let mut authorization = HeaderValue::from_str(&text)
            .map_err(|_| TokenError::Incomplete("legible access token"))?;
        // Never indexed by HPACK, never printed.
        authorization.set_sensitive(true);
        let renew_after = renewed_after(lifetime, random::fraction());
        Ok(Self {
            authorization,
            ath: Ath::of(token),
            scopes,
            renew_at: now.plus(renew_after),
            expires_at: now.plus(lifetime),
            edition: None,
            accepted: AtomicBool::new(false),
            doubted_until: AtomicU64::new(0),
        })
    }

    /// The scopes that were granted.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// When it ends.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    pub(crate) fn asked_for_with(self, edition: Option<Edition>) -> Self {
        Self { edition, ..self }
    }

    pub(crate) fn edition(&self) -> Option<Edition> {
        self.edition
    }

    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    pub(crate) fn ath(&self) -> &Ath {
        &self.ath
    }

    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        now < self.expires_at
    }

    pub(crate) fn wants_renewal(&self, now: UnixTime) -> bool {
        let doubt_is_over = |until| !is_ahead(until, now);
        now >= self.renew_at || self.doubted_until().is_some_and(doubt_is_over)
    }

    /// A call got past a guard with it. On the path of every call: it is written once.
    pub(crate) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    /// It was refused, and stays in use until then all the same: another may not be asked for yet.
    pub(super) fn doubt(&self, until: UnixTime) {
        let until = until.as_millis().max(1);
        self.doubted_until.store(until, Ordering::Relaxed);
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted_until().is_some()
    }

    fn doubted_until(&self) -> Option<UnixTime> {
        let until = self.doubted_until.load(Ordering::Relaxed);
        (until > 0).then(|| UnixTime::from_millis(until))
    }
}

/// After which part of its life a token is renewed, by a fraction from 0 to below 1.
pub(super) fn renewed_after(lifetime: Duration, fraction: f64) -> Duration {
    lifetime.mul_f64((RENEWED_UNTIL - RENEWED_FROM).mul_add(fraction, RENEWED_FROM))
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A source of one token that somebody else obtained. When it is refused there
/// is no other.
pub struct GivenToken(ArcSwapOption<AccessToken>);

impl GivenToken {
    /// Hands out this token.
    pub fn new(token: AccessToken) -> Self {
        Self(ArcSwapOption::from_pointee(token))
    }
}

impl TokenSource for GivenToken {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        let held = self.0.load_full();
        Box::pin(std::future::ready(held.ok_or(TokenError::Spent)))
    }

    fn discard(&self, token: &Arc<AccessToken>) {
        self.0.compare_and_swap(token, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> AccessToken {
        let now = UnixTime::from_secs(1_760_000_000);
        AccessToken::new("t", Vec::new(), Duration::from_secs(300), now).unwrap()
    }

    #[tokio::test]
    async fn a_given_token_is_handed_out_until_it_is_refused() {
        let given = GivenToken::new(token());
        let held = given.token().await.unwrap();
        given.discard(&Arc::new(token()));
        assert!(given.token().await.is_ok(), "another one was refused");
        given.discard(&held);
        assert!(matches!(given.token().await, Err(TokenError::Spent)));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let now = UnixTime::from_secs(1_760_000_000);
        let life = Duration::from_secs(300);
        let token = AccessToken::new("s3cret", Vec::new(), life, now).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        assert!(!format!("{:?}", token.authorization()).contains("s3cret"));
    }
}
