//! Key sets: the one a client registers, and the one a service publishes (RFC 7517 §5).

use crate::json::{self, Value};
use crate::{Algorithm, JsonError, Jwk, JwkError, PublicKey};

/// Enough for every rotation and algorithm side by side; few enough to search in order.
pub const KEYS_MAX: usize = 32;

/// Thirty-two RSA keys of 4096 bits, generously written.
pub const SET_BYTES_MAX: usize = 64 * 1024;

/// Longer names than any key server gives; shorter than what would be worth sending.
pub const KID_BYTES_MAX: usize = 256;

/// A public key whose point was checked against its curve, with its name and algorithm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisteredKey(Jwk);

impl RegisteredKey {
    /// Admits a key for repeated use.
    ///
    /// # Errors
    /// [`JwkError::PointNotOnCurve`], and [`JwkError::Kid`] for an empty or overlong `kid`.
    pub fn new(jwk: Jwk) -> Result<Self, JwkError> {
        if jwk
            .kid
            .as_ref()
            .is_some_and(|kid| kid.is_empty() || kid.len() > KID_BYTES_MAX)
        {
            return Err(JwkError::Kid);
        }
        jwk.key.ensure_on_curve()?;
        Ok(Self(jwk))
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.0.key
    }

    /// Its name in the set.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    /// The one algorithm it is for, if its owner said so.
    pub fn alg(&self) -> Option<Algorithm> {
        self.0.alg
    }

    fn signs(&self, algorithm: Algorithm) -> bool {
        self.alg().is_none_or(|alg| alg == algorithm) && self.key().algorithm_fits(algorithm)
    }
}

/// Why a text is not a key set that can be registered.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwksError {
    /// Larger than [`SET_BYTES_MAX`].
    #[error("the key set is larger than 64 KiB")]
    TooLarge,
    /// Not a strict JSON object.
    #[error("the key set is {0}")]
    Json(JsonError),
    /// `keys` is missing, not a list, empty, or longer than [`KEYS_MAX`].
    #[error("the key set needs a list \"keys\" of 1 to 32 keys")]
    Keys,
    /// A key cannot be used.
    #[error("key {at} of the set: {error}")]
    Key {
        /// Its position, from zero.
        at: usize,
        /// What is wrong with it.
        error: JwkError,
    },
    /// Two keys have the same `kid`.
    #[error("two keys have the same kid")]
    SameKid,
}

/// The public keys of one owner: at least one, each usable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jwks(Vec<RegisteredKey>);

impl Jwks {
    /// Reads a JWK Set. A key that cannot be used is an error, not skipped as RFC 7517 §5 would
    /// have it: whoever registers it should hear so at once.
    ///
    /// # Errors
    /// See [`JwksError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        if bytes.len() > SET_BYTES_MAX {
            return Err(JwksError::TooLarge);
        }
        let set = json::object(bytes).map_err(JwksError::Json)?;
        let listed = match set.member("keys") {
            Some(Value::List(listed)) if (1..=KEYS_MAX).contains(&listed.len()) => listed,
            _ => return Err(JwksError::Keys),
        };
        let mut keys: Vec<RegisteredKey> = Vec::with_capacity(listed.len());
        for (at, value) in listed.iter().enumerate() {
            let key = registered(value).map_err(|error| JwksError::Key { at, error })?;
            if key.kid().is_some() && keys.iter().any(|earlier| earlier.kid() == key.kid()) {
                return Err(JwksError::SameKid);
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The keys, in the order of the set.
    pub fn keys(&self) -> &[RegisteredKey] {
        &self.0
    }

    /// The key that a signature's header means: by `kid` and `alg`, or without a `kid` the only
    /// key that can have made such a signature.
    pub fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&RegisteredKey> {
        let mut fitting = self.0.iter().filter(|key| key.signs(algorithm));
        match kid {
            Some(kid) => fitting.find(|key| key.kid() == Some(kid)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// The set as JSON, with nothing in it that was not understood.
    pub fn to_json(&self) -> String {
        set_of(
            self.0
                .iter()
                .map(|key| member(key.key(), key.kid(), key.alg())),
        )
    }
}

fn registered(value: &Value<'_>) -> Result<RegisteredKey, JwkError> {
    match value {
        Value::Object(object) => RegisteredKey::new(Jwk::from_object(object)?),
        _ => Err(JwkError::NotAnObject),
    }
}

/// A key as its service publishes it.
#[derive(Copy, Clone, Debug)]
pub struct PublishedKey<'a> {
    /// The name that headers refer to.
    pub kid: &'a str,
    /// The algorithm of the signatures made with it.
    pub algorithm: Algorithm,
    /// The key.
    pub key: &'a PublicKey,
}

/// Writes a JWK Set document: each key with `kid`, `alg` and `use`.
pub fn publish(keys: &[PublishedKey<'_>]) -> String {
    set_of(
        keys.iter()
            .map(|entry| member(entry.key, Some(entry.kid), Some(entry.algorithm))),
    )
}

fn set_of(members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.collect();
    format!(r#"{{"keys":[{}]}}"#, members.join(","))
}

fn member(key: &PublicKey, kid: Option<&str>, alg: Option<Algorithm>) -> String {
    let mut json = key.to_jwk();
    // The closing brace makes room for what the thumbprint's form leaves out.
    json.pop();
    if let Some(kid) = kid {
        json.push_str(r#","kid":"#);
        json.push_str(&serde_json::Value::from(kid).to_string());
    }
    if let Some(alg) = alg {
        json.push_str(r#","alg":""#);
        json.push_str(alg.name());
        json.push('"');
    }
    json.push_str(r#","use":"sig"}"#);
    json
}
