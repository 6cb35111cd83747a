//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use countersign::keys::v1::ListKeysResponse;
use countersign_jose::{Algorithms, Jwks, Thumbprint, UnixTime};
use http::HeaderMap;
use prost_reflect::prost::Message as _;

use crate::authority::offline::Offline;
use crate::keys::{KeySet, published};
use crate::routes::{Route, Routes};
use crate::{KeysUnavailable, PublishedKeys, RulesError, credentials};

/// What a guard reads in an access token.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// `sub`.
    pub subject: String,
    /// `client_id`.
    pub client_id: String,
    /// `scope`, one by one.
    pub scopes: Vec<String>,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `cnf.jkt`.
    pub jkt: Option<Thumbprint>,
    /// The key that signed it.
    pub signer: Thumbprint,
}

/// Reads and verifies an access token, but for time, audience and binding.
///
/// # Errors
/// The refusal's label.
pub fn token(text: &str, keys: Jwks, issuer: &str) -> Result<Read, &'static str> {
    let claims = Offline::new(issuer, Algorithms::DEFAULT)
        .verify(text, &KeySet::new(keys))
        .map_err(|refusal| crate::refusal::Refusal::from(refusal).label())?;
    Ok(Read {
        subject: claims.subject.into(),
        client_id: claims.client_id.into(),
        scopes: claims.scopes.into_iter().map(Into::into).collect(),
        expires_at: claims.expires_at,
        jkt: claims.jkt,
        signer: claims.signer.ok_or("unsigned")?,
    })
}

/// The token and the proof that a call presents.
///
/// # Errors
/// The refusal's label.
pub fn presented(headers: &HeaderMap) -> Result<(&str, &str), &'static str> {
    let token = credentials::access_token(headers).map_err(|refusal| refusal.label())?;
    let proof = credentials::proof(headers).map_err(|refusal| refusal.label())?;
    Ok((token.token, proof))
}

/// The rules of all methods, by path.
pub struct Rules(Routes);

impl Rules {
    /// No rules.
    #[expect(clippy::new_without_default, reason = "for one caller")]
    pub fn new() -> Self {
        Self(Routes::default())
    }

    /// Adds those of an encoded descriptor set.
    ///
    /// # Errors
    /// As [`Builder::connect`](crate::Builder::connect).
    pub fn add(&mut self, descriptors: &[u8]) -> Result<(), RulesError> {
        self.0.add(descriptors)
    }

    /// Leaves a service or method alone.
    ///
    /// # Errors
    /// As [`Builder::connect`](crate::Builder::connect).
    pub fn exempt(&mut self, name: &str) -> Result<(), RulesError> {
        self.0.exempt(name)
    }

    /// The scopes that a path asks for: none for nobody's, an empty list where every call passes.
    pub fn scopes(&self, path: &str) -> Option<Vec<String>> {
        match self.0.find(path)? {
            Route::Exempt | Route::Public => Some(Vec::new()),
            Route::Guarded(guarded) => {
                let needs = &guarded.needs;
                let scopes = needs.scopes().chain(needs.any_scopes());
                Some(scopes.map(str::to_owned).collect())
            }
        }
    }

    /// All paths that have a rule of their own.
    pub fn paths(&self) -> Vec<String> {
        self.0.paths().map(str::to_owned).collect()
    }
}

/// The key set in an answer of `KeyService.ListKeys`; nothing where it is no such message.
pub fn key_answer(message: &[u8]) -> Option<Result<PublishedKeys, KeysUnavailable>> {
    Some(published(ListKeysResponse::decode(message).ok()?))
}
