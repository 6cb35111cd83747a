//! Verifying a proof.

use std::time::Duration;

use countersign_jose::json::{self, Value};
use countersign_jose::{
    Algorithm, AlgorithmError, CompactJws, Header, Jwk, JwkError, JwsError, SignatureError,
    Thumbprint, UnixTime,
};

use crate::claims::Claims;
use crate::limits::SKEW_SECS_MAX;
use crate::target::{Astray, origin_of};
use crate::{
    Ath, Limits, NonceAge, NonceRefusal, NonceRule, Origin, PROOF_BYTES_MAX, Paths, Refusal,
    SpentProof,
};

/// The call that a proof comes with.
#[derive(Copy, Clone, Debug)]
pub struct Call<'a> {
    /// The request's method as received: `POST` for gRPC.
    pub method: &'a str,
    /// Where this service is reached, as configured. Never taken from the request.
    pub origins: &'a [Origin],
    /// The request's path as received, without a query: `/package.Service/Method` for gRPC.
    pub path: &'a str,
    /// What such a path may be made of.
    pub paths: Paths,
    /// The hash of the access token that comes with the proof. Where none does, `ath` is ignored.
    pub ath: Option<&'a Ath>,
}

/// What the nonce of a verified proof was like.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum NonceStanding {
    /// There was none, or nobody looked at it.
    Absent,
    /// Accepted, for a while yet.
    Fresh,
    /// Accepted, soon not any more: hand out another.
    Expiring,
}

/// What a proof that passed says. It is not spent yet: the caller remembers
/// [`VerifiedProof::spent`], atomically, as the last thing before acting on the call.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct VerifiedProof {
    /// The thumbprint of the key that signed: the one an access token must be bound to
    /// (RFC 9449 §4.3 (12), second half).
    pub jkt: Thumbprint,
    /// The proof's identity.
    pub spent: SpentProof,
    /// The identity may be forgotten at this instant: the proof would be refused from then on
    /// for its age alone. Counted from the proof's own time, not from now.
    pub remember_until: UnixTime,
    /// Which of [`Call::origins`] the proof is for.
    pub origin: usize,
    /// What the nonce was like.
    pub nonce: NonceStanding,
    /// When the proof says it was made.
    pub iat: UnixTime,
    /// What it was signed with.
    pub algorithm: Algorithm,
}

/// Makes the checks of RFC 9449 §4.3 on one proof; the first, that there is only one, is
/// [`sole_proof`](crate::sole_proof)'s.
///
/// The numbers are the RFC's; the order is by cost, as it allows. The signature comes last, so
/// nothing before it may write anything.
///
/// # Errors
/// See [`Refusal`].
pub fn verify(
    proof: &str,
    call: &Call<'_>,
    limits: &Limits,
    rule: &NonceRule<'_>,
    now: UnixTime,
) -> Result<VerifiedProof, Refusal> {
    // (2) One well-formed JWT.
    let jws = CompactJws::parse(proof, PROOF_BYTES_MAX).map_err(ill_formed)?;
    let payload = json::object(jws.payload()).map_err(|_| Refusal::NotJson)?;

    // (4) typ.
    typ(jws.header())?;
    // (5) alg: registered, asymmetric, accepted here.
    let algorithm = jws
        .header()
        .allowed_algorithm(limits.algorithms)
        .map_err(unacceptable)?;
    // (7) jwk holds no private key, and (6) is a key that such a signature can be checked with.
    let jwk = key(jws.header(), algorithm)?;

    // (3) All required claims.
    let claims = Claims::read(&payload)?;
    // (8) htm is the method of the call. Methods are case-sensitive (RFC 9110 §9.1).
    if claims.htm != call.method {
        return Err(Refusal::WrongMethod);
    }
    // (9) htu is the target of the call.
    let origin =
        origin_of(claims.htu, call.origins, call.path, call.paths).map_err(
            |astray| match astray {
                Astray::Path => Refusal::PathNotPlain,
                Astray::Malformed => Refusal::HtuMalformed,
                Astray::Elsewhere => Refusal::WrongTarget,
            },
        )?;
    // (10) The nonce is one of ours, where nonces are on.
    let nonce = nonce(claims.nonce, rule, now)?;
    // (11) The proof is recent, by its nonce or by its own word.
    let remember_until = recent(claims.iat, nonce, limits, rule, now)?;
    // (12) With an access token, ath is its hash. (That the token is bound to this key is for
    // whoever reads the token to compare.)
    ath(claims.ath, call.ath)?;

    // (6) The signature verifies with jwk.
    jws.verify(&jwk.key, limits.algorithms).map_err(unsigned)?;

    let jkt = jwk.key.thumbprint();
    Ok(VerifiedProof {
        jkt,
        spent: SpentProof::of(&jkt, [call.origins[origin].as_str(), call.path], claims.jti),
        remember_until,
        origin,
        nonce: match nonce {
            None => NonceStanding::Absent,
            Some(NonceAge {
                expiring: false, ..
            }) => NonceStanding::Fresh,
            Some(NonceAge { expiring: true, .. }) => NonceStanding::Expiring,
        },
        iat: claims.iat,
        algorithm,
    })
}

fn typ(header: &Header) -> Result<(), Refusal> {
    // RFC 9449 §4.2 gives the value; RFC 7515 §4.1.9 would allow a longer spelling that no
    // client uses.
    if header.typ.as_deref() == Some("dpop+jwt") {
        Ok(())
    } else {
        Err(Refusal::WrongType)
    }
}

fn key(header: &Header, algorithm: Algorithm) -> Result<&Jwk, Refusal> {
    let jwk = match header.jwk.as_ref().ok_or(Refusal::KeyMissing)? {
        Ok(jwk) => jwk,
        Err(JwkError::PrivateMember) => return Err(Refusal::PrivateKey),
        Err(JwkError::Contradiction) => return Err(Refusal::KeyMismatch),
        Err(
            JwkError::Json(_)
            | JwkError::NotAnObject
            | JwkError::KeyType
            | JwkError::Curve
            | JwkError::Component
            | JwkError::Kid
            | JwkError::RsaModulus
            | JwkError::RsaExponent
            | JwkError::SmallOrder
            | JwkError::PointNotOnCurve,
        ) => return Err(Refusal::KeyMalformed),
    };
    let agrees = jwk.alg.is_none_or(|alg| alg == algorithm) && jwk.key.algorithm_fits(algorithm);
    if agrees {
        Ok(jwk)
    } else {
        Err(Refusal::KeyMismatch)
    }
}

fn nonce(
    claim: Option<&str>,
    rule: &NonceRule<'_>,
    now: UnixTime,
) -> Result<Option<NonceAge>, Refusal> {
    let (nonces, required, minted_from) = match rule {
        NonceRule::Off => return Ok(None),
        NonceRule::WhenOff { nonces } => (nonces, false, None),
        NonceRule::Required {
            nonces,
            minted_from,
        } => (nonces, true, *minted_from),
    };
    let Some(claim) = claim else {
        return if required {
            Err(Refusal::NonceMissing)
        } else {
            Ok(None)
        };
    };
    // RFC 9449 §8: a nonce that does not match is refused, whether one was asked for or not.
    let age = nonces.check(claim, now).map_err(|refusal| match refusal {
        NonceRefusal::Unknown => Refusal::NonceUnknown,
        NonceRefusal::Stale => Refusal::NonceStale,
    })?;
    if minted_from.is_some_and(|from| age.minted_at < from) {
        return Err(Refusal::NonceBeforeStart);
    }
    Ok(Some(age))
}

/// Whether the proof is recent, and until when it would be.
fn recent(
    iat: UnixTime,
    nonce: Option<NonceAge>,
    limits: &Limits,
    rule: &NonceRule<'_>,
    now: UnixTime,
) -> Result<UnixTime, Refusal> {
    // In whole seconds, because iat was floored to one.
    let (iat_secs, now_secs) = (iat.as_secs(), now.as_secs());
    let too_old = iat_secs.saturating_add(limits.age.as_secs()) < now_secs;
    let in_future = iat_secs > now_secs.saturating_add(limits.skew_secs());
    let in_window = !too_old && !in_future;

    // At least one second of skew: the last second of the window is a whole one.
    let window_end = iat
        .plus(Duration::from_secs(limits.age.as_secs()))
        .plus(Duration::from_secs(limits.skew_secs().max(1)));
    match nonce {
        // An accepted nonce says more than the client's clock. While it is accepted the proof
        // is, so that is how long it is remembered; and not for less than by its iat, in case
        // the rule changes meanwhile.
        Some(age) if in_window => Ok(age.ends_at.max(window_end)),
        Some(age) => Ok(age.ends_at),
        None if in_window => Ok(window_end),
        // A proof from far in the future is not one from a clock that is a little off.
        None if iat_secs > now_secs.saturating_add(SKEW_SECS_MAX) => Err(Refusal::InFuture),
        None => match rule {
            NonceRule::WhenOff { .. } | NonceRule::Required { .. } => Err(Refusal::NonceNeeded),
            NonceRule::Off if in_future => Err(Refusal::InFuture),
            NonceRule::Off => Err(Refusal::TooOld),
        },
    }
}

fn ath(claim: Option<&Value<'_>>, expected: Option<&Ath>) -> Result<(), Refusal> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let claim = claim.ok_or(Refusal::AthMissing)?;
    if claim
        .text()
        .is_some_and(|claim| expected.is_claimed_by(claim))
    {
        Ok(())
    } else {
        Err(Refusal::AthMismatch)
    }
}

fn ill_formed(error: JwsError) -> Refusal {
    match error {
        JwsError::TooLarge => Refusal::TooLarge,
        JwsError::NotCompact => Refusal::NotCompact,
        JwsError::Base64(_) => Refusal::NotBase64Url,
        JwsError::HeaderJson(_) => Refusal::NotJson,
        JwsError::Critical | JwsError::Unencoded => Refusal::Extension,
        JwsError::Typ => Refusal::WrongType,
        JwsError::Kid => Refusal::HeaderMalformed,
        JwsError::Algorithm(error) => unacceptable(error),
        JwsError::Signature(_) => Refusal::BadSignature,
    }
}

fn unacceptable(error: AlgorithmError) -> Refusal {
    match error {
        AlgorithmError::Missing | AlgorithmError::NotText => Refusal::AlgorithmMissing,
        AlgorithmError::Unknown | AlgorithmError::NotAllowed => Refusal::AlgorithmNotAllowed,
    }
}

fn unsigned(error: JwsError) -> Refusal {
    match error {
        JwsError::Signature(SignatureError::AlgorithmMismatch) => Refusal::KeyMismatch,
        JwsError::Signature(SignatureError::PointNotOnCurve) => Refusal::KeyMalformed,
        JwsError::Signature(SignatureError::Length | SignatureError::Mismatch) => {
            Refusal::BadSignature
        }
        form => ill_formed(form),
    }
}
