//! The protected header.

use crate::json::{self, Value};
use crate::{Algorithm, Algorithms, Jwk, JwkError, JwsError};

/// Why no signature is checked with what a header says in `alg`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AlgorithmError {
    /// There is no `alg`.
    #[error("alg is missing")]
    Missing,
    /// `alg` is not a string.
    #[error("alg is not a string")]
    NotText,
    /// No algorithm that Countersign knows: `none`, a MAC, another curve…
    #[error("alg is not a supported signature algorithm")]
    Unknown,
    /// Known, but not allowed here.
    #[error("alg is not allowed here")]
    NotAllowed,
}

/// What a JWS header says. Members that are not known are ignored; `jku` and `x5u` are never
/// fetched.
#[derive(Clone, Debug)]
pub struct Header {
    /// `alg`.
    pub algorithm: Result<Algorithm, AlgorithmError>,
    /// `typ`, as written.
    pub typ: Option<String>,
    /// `kid`. Anything can be in it: it is for comparing, not for looking up in a file or table.
    pub kid: Option<String>,
    /// `jwk`, if there is one: the key, or what is wrong with it.
    pub jwk: Option<Result<Jwk, JwkError>>,
    /// Whether the header brings or points to a key of its own: `jwk`, `jku`, `x5u`, `x5c`,
    /// `x5t` or `x5t#S256`. Nothing but a proof has a reason to.
    pub names_key: bool,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let members = json::object(bytes).map_err(JwsError::HeaderJson)?;
        let mut header = Self {
            algorithm: Err(AlgorithmError::Missing),
            typ: None,
            kid: None,
            jwk: None,
            names_key: false,
        };
        for (name, value) in members.members() {
            match name {
                "alg" => header.algorithm = algorithm(value),
                "typ" => header.typ = Some(text(value).ok_or(JwsError::Typ)?),
                "kid" => header.kid = Some(text(value).ok_or(JwsError::Kid)?),
                "jwk" => {
                    header.names_key = true;
                    header.jwk = Some(match value {
                        Value::Object(object) => Jwk::from_object(object),
                        _ => Err(JwkError::NotAnObject),
                    });
                }
                "jku" | "x5u" | "x5c" | "x5t" | "x5t#S256" => header.names_key = true,
                "crit" => return Err(JwsError::Critical),
                // RFC 7797 §3: `true` is the default, spelt out.
                "b64" if *value != Value::Bool(true) => return Err(JwsError::Unencoded),
                _ => {}
            }
        }
        Ok(header)
    }

    /// The algorithm, if it is one of `allowed`.
    ///
    /// # Errors
    /// See [`AlgorithmError`].
    pub fn allowed_algorithm(&self, allowed: Algorithms) -> Result<Algorithm, AlgorithmError> {
        let algorithm = self.algorithm?;
        if allowed.contains(algorithm) {
            Ok(algorithm)
        } else {
            Err(AlgorithmError::NotAllowed)
        }
    }
}

fn algorithm(value: &Value<'_>) -> Result<Algorithm, AlgorithmError> {
    let name = value.text().ok_or(AlgorithmError::NotText)?;
    Algorithm::parse(name).ok_or(AlgorithmError::Unknown)
}

fn text(value: &Value<'_>) -> Option<String> {
    value.text().map(str::to_owned)
}
