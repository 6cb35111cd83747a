//! Verifying a JWT access token with the issuer's keys (RFC 9068 §4).

use countersign_jose::{Algorithms, CompactJws, Header, JwsError, RegisteredKey, Thumbprint, json};

use super::Claims;
use crate::credentials::TOKEN_BYTES_MAX;
use crate::keys::KeySet;
use crate::refusal::TokenRefusal;

/// What an issuer's tokens must be like.
pub(crate) struct Offline {
    issuer: Box<str>,
    algorithms: Algorithms,
}

impl Offline {
    pub(crate) fn new(issuer: &str, algorithms: Algorithms) -> Self {
        Self {
            issuer: issuer.into(),
            algorithms,
        }
    }

    /// The claims of a token of the issuer's. Time, audience and binding are for
    /// the caller to check: they depend on the call.
    pub(crate) fn verify(&self, token: &str, keys: &KeySet) -> Result<Claims, TokenRefusal> {
        let jws = CompactJws::parse(token, TOKEN_BYTES_MAX).map_err(ill_formed)?;
        let header = jws.header();
        typ(header)?;
        // Nothing that a token says about where its key is to be had is
        // followed, or believed.
        if header.names_key {
            return Err(TokenRefusal::NamesKey);
        }
        let (key, signer) = self.key(header, keys)?;
        jws.verify(key.key(), self.algorithms).map_err(ill_formed)?;
        let payload = json::object(jws.payload()).map_err(|_| TokenRefusal::NotJson)?;
        Claims::read(&payload, &self.issuer, signer)
    }

    /// The thumbprint that a token names its key by, as the token service's do. Nobody has verified
    /// that it is that key's.
    pub(crate) fn named_signer(token: &str) -> Option<Thumbprint> {
        let jws = CompactJws::parse(token, TOKEN_BYTES_MAX).ok()?;
        Thumbprint::parse(jws.header().kid.as_deref()?).ok()
    }

    fn key<'k>(
        &self,
        header: &Header,
        keys: &'k KeySet,
    ) -> Result<(&'k RegisteredKey, Thumbprint), TokenRefusal> {
        let algorithm = header
            .allowed_algorithm(self.algorithms)
            .map_err(|_| TokenRefusal::AlgorithmNotAllowed)?;
        let kid = header.kid.as_deref().ok_or(TokenRefusal::UnknownKey)?;
        keys.choose(kid, algorithm).ok_or(TokenRefusal::UnknownKey)
    }
}

/// RFC 9068 §4: `at+jwt` or `application/at+jwt`. Media types are
/// case-insensitive.
fn typ(header: &Header) -> Result<(), TokenRefusal> {
    let is_at_jwt = header.typ.as_deref().is_some_and(|typ| {
        typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
    });
    if is_at_jwt {
        Ok(())
    } else {
        Err(TokenRefusal::WrongType)
    }
}

fn ill_formed(error: JwsError) -> TokenRefusal {
    match error {
        JwsError::TooLarge => TokenRefusal::TooLarge,
        JwsError::NotCompact
        | JwsError::Base64(_)
        | JwsError::HeaderJson(_)
        | JwsError::Critical
        | JwsError::Unencoded
        | JwsError::Kid => TokenRefusal::NotJws,
        JwsError::Typ => TokenRefusal::WrongType,
        JwsError::Algorithm(_) => TokenRefusal::AlgorithmNotAllowed,
        JwsError::Signature(_) => TokenRefusal::BadSignature,
    }
}
