//! Attacks to play on a service of one's own, to see that it is protected.

mod outcome;
mod play;
mod victim;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_dpop::Origin;

use crate::calls::Calls;
use crate::{MovableClock, Problem};

use self::outcome::Answer;
pub use self::outcome::{Failure, Outcome};
pub(crate) use self::victim::{ServiceVictim, Victim};

/// What a thief or a careless caller does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Attack {
    /// Calls without token and proof.
    NoCredentials,
    /// Presents a bound token as a bearer token, without a proof (RFC 9449 §7.2).
    BoundAsBearer,
    /// Presents a stolen token with proofs by a key of its own (RFC 9449 §6).
    StolenToken,
    /// Sends the token and the proof of a call that was let through once more
    /// (RFC 9449 §11.1).
    Replay,
    /// Uses a proof that was made for another method of the server.
    OtherMethod,
    /// Signs the token itself.
    ForgedToken,
    /// Uses a token that is for another resource.
    OtherResource,
    /// Has a good token that lacks the scopes.
    ScopeMissing,
    /// Uses a token that was revoked.
    RevokedToken,
    /// Uses a token after its end. Moves the clock ahead by a token's life.
    ExpiredToken,
}

impl Attack {
    /// All of them. The one that moves the clock is the last.
    pub const ALL: [Self; 10] = [
        Self::NoCredentials,
        Self::BoundAsBearer,
        Self::StolenToken,
        Self::Replay,
        Self::OtherMethod,
        Self::ForgedToken,
        Self::OtherResource,
        Self::ScopeMissing,
        Self::RevokedToken,
        Self::ExpiredToken,
    ];

    /// What a guard says to it.
    pub const fn reason(self) -> Reason {
        match self {
            Self::NoCredentials => Reason::CredentialsMissing,
            Self::BoundAsBearer | Self::StolenToken | Self::ForgedToken | Self::OtherResource => {
                Reason::TokenInvalid
            }
            Self::Replay => Reason::DpopProofReplayed,
            Self::OtherMethod => Reason::DpopProofInvalid,
            Self::ScopeMissing => Reason::ScopeInsufficient,
            Self::RevokedToken => Reason::TokenRevoked,
            Self::ExpiredToken => Reason::TokenExpired,
        }
    }

    /// Where to look when it goes through.
    const fn look(self) -> &'static str {
        match self {
            Self::NoCredentials
            | Self::BoundAsBearer
            | Self::StolenToken
            | Self::Replay
            | Self::OtherMethod
            | Self::ForgedToken => {
                "is guard.layer(), or http_layer(), in front of the service, and is the method neither public nor exempt?"
            }
            Self::OtherResource => {
                "does serve() of the guard name the resource of this service alone?"
            }
            Self::ScopeMissing => "does the method's rule name its scopes?",
            Self::RevokedToken => {
                "does the guard watch revocations? Call client(…) when it is built, or take it from Platform::guard"
            }
            Self::ExpiredToken => {
                "does the guard go by the clock that was moved? Call clock(…) when it is built, or take it from Platform::guard"
            }
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredentials => "a call without token and proof",
            Self::BoundAsBearer => "a bound token as a bearer token",
            Self::StolenToken => "a stolen token with another key",
            Self::Replay => "a proof that was used before",
            Self::OtherMethod => "a proof for another method",
            Self::ForgedToken => "a token that the caller signed",
            Self::OtherResource => "a token for another resource",
            Self::ScopeMissing => "a token without the scopes",
            Self::RevokedToken => "a token that was revoked",
            Self::ExpiredToken => "a token after its end",
        })
    }
}

/// Plays attacks on one service, with what was stolen from one caller. Made by
/// [`Caller::attacks`](crate::Caller::attacks) and
/// [`Platform::attacks`](crate::Platform::attacks).
pub struct Attacks {
    victim: Box<dyn Victim>,
    wire: Calls,
    origin: Origin,
    clock: Arc<MovableClock>,
}

/// Why an attack does not count as repelled.
#[derive(Debug)]
pub enum Unprotected {
    /// It was let through.
    LetThrough(Attack),
    /// Somebody other than a guard answered it with an error: the handler, after
    /// it had run, or nobody was there.
    NotByGuard(Attack, Failure),
    /// A guard refused it, for another reason than the one to expect.
    OtherReason(Attack, Box<Refused>),
    /// The call that a caller with everything right makes first was refused, so
    /// that nothing follows from a refusal of the attack.
    HonestCall(Failure),
    /// The attack could not be prepared.
    Preparation(Problem),
}

impl fmt::Display for Unprotected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LetThrough(attack) => {
                write!(f, "{attack} was let through: {}", attack.look())
            }
            Self::NotByGuard(attack, failure) => write!(
                f,
                "{attack} was answered by somebody other than the guard: {failure}; {}",
                attack.look()
            ),
            Self::OtherReason(attack, refused) => write!(
                f,
                "{attack} was refused as {} ({}), not as {}: {}",
                refused.reason.as_str_name(),
                refused.message,
                attack.reason().as_str_name(),
                attack.look()
            ),
            Self::HonestCall(failure) => write!(
                f,
                "the honest call that comes first was refused: {failure}; give the caller the method's scopes, and let the call be one that the handler answers with success"
            ),
            Self::Preparation(problem) => {
                write!(f, "the attack could not be prepared: {problem}")
            }
        }
    }
}

impl Error for Unprotected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotByGuard(_, failure) | Self::HonestCall(failure) => Some(failure),
            Self::Preparation(problem) => Some(&**problem),
            Self::LetThrough(_) | Self::OtherReason(..) => None,
        }
    }
}

impl From<Problem> for Unprotected {
    fn from(problem: Problem) -> Self {
        Self::Preparation(problem)
    }
}

impl Attacks {
    pub(crate) fn new(
        victim: Box<dyn Victim>,
        wire: Calls,
        origin: Origin,
        clock: Arc<MovableClock>,
    ) -> Self {
        Self {
            victim,
            wire,
            origin,
            clock,
        }
    }

    /// Plays one attack. `call` makes one call with the stub of your service, or one
    /// HTTP request (`calls.oneshot(request)`), which
    /// must have success when everything is right: it is made that way first, and
    /// then as the attack has it. It is made once more where the guard asks for a nonce.
    /// Returns how the guard refused.
    ///
    /// # Errors
    ///
    /// The attack was not refused by a guard, or not for the reason that it
    /// should be; see [`Unprotected`].
    pub async fn play<O: Outcome + 'static>(
        &self,
        attack: Attack,
        call: impl AsyncFn(Calls) -> O,
    ) -> Result<Refused, Unprotected> {
        let held = self.victim.holds().await?;
        let (honest, recording) = self.honest(&held)?;
        match made(&call, honest).await {
            Answer::Success => {}
            Answer::Refused(refused) => {
                return Err(Unprotected::HonestCall(Failure::Refused(refused)));
            }
            Answer::Failed(failure) => return Err(Unprotected::HonestCall(failure)),
        }
        let calls = match attack {
            Attack::NoCredentials => self.wire.clone(),
            Attack::BoundAsBearer => self.as_bearer(&held)?,
            Attack::StolenToken => self.with_another_key(&held)?,
            Attack::Replay => self.again(&recording),
            Attack::OtherMethod => self.for_another_method(&held)?,
            Attack::ForgedToken => self.honest(&held.forged()?)?.0,
            Attack::OtherResource => self.honest(&self.victim.elsewhere().await?)?.0,
            Attack::ScopeMissing => self.honest(&self.victim.without_scope().await?)?.0,
            Attack::RevokedToken => {
                self.victim.revoke(&held).await?;
                return repelled(attack, self.until_refused(&held, &call).await?);
            }
            Attack::ExpiredToken => {
                self.clock.advance(held.outlived());
                self.honest(&held)?.0
            }
        };
        repelled(attack, made(&call, calls).await)
    }

    /// Plays all attacks, in the order of [`Attack::ALL`], up to the first that is
    /// not repelled.
    ///
    /// # Errors
    ///
    /// As [`play`](Self::play).
    pub async fn play_all<O: Outcome + 'static>(
        &self,
        call: impl AsyncFn(Calls) -> O,
    ) -> Result<Vec<(Attack, Refused)>, Unprotected> {
        let mut repelled = Vec::with_capacity(Attack::ALL.len());
        for attack in Attack::ALL {
            repelled.push((attack, self.play(attack, &call).await?));
        }
        Ok(repelled)
    }
}

/// One call; over HTTP, where the client layer does not by itself, once more with the nonce that a
/// guard has asked for.
async fn made<O: Outcome + 'static>(call: impl AsyncFn(Calls) -> O, calls: Calls) -> Answer {
    match call(calls.clone()).await.answer().await {
        Answer::Refused(refused) if refused.reason == Reason::DpopNonceRequired => {
            call(calls).await.answer().await
        }
        answer => answer,
    }
}

fn repelled(attack: Attack, answer: Answer) -> Result<Refused, Unprotected> {
    match answer {
        Answer::Success => Err(Unprotected::LetThrough(attack)),
        Answer::Failed(failure) => Err(Unprotected::NotByGuard(attack, failure)),
        Answer::Refused(refused) if refused.reason == attack.reason() => Ok(*refused),
        Answer::Refused(refused) => Err(Unprotected::OtherReason(attack, refused)),
    }
}

impl fmt::Debug for Attacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attacks")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
