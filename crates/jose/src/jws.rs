//! Compact JWS (RFC 7515 §3.1): three segments, and nothing else.

mod header;

use std::fmt;

pub use header::{AlgorithmError, Header};

use crate::{Algorithms, JsonError, PublicKey, SignatureError, base64url};

/// Which of the three segments.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The first: the protected header.
    Header,
    /// The second: the payload.
    Payload,
    /// The third: the signature.
    Signature,
}

/// Why a text is not a JWS that can be accepted.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwsError {
    /// Over the size that the caller allows; nothing was decoded.
    #[error("the JWS is too large")]
    TooLarge,
    /// Not three segments: a JWE has five, the JSON serialisation none.
    #[error("not a compact JWS of three segments")]
    NotCompact,
    /// A segment is not canonical base64url.
    #[error("a segment is not canonical base64url")]
    Base64(Part),
    /// The header is not a strict JSON object.
    #[error("the header is {0}")]
    HeaderJson(JsonError),
    /// `crit` names extensions; none is understood here (RFC 7515 §4.1.11).
    #[error("the header has a crit member")]
    Critical,
    /// `b64` asks for an unencoded payload (RFC 7797).
    #[error("the payload is not encoded")]
    Unencoded,
    /// `typ` is not a string.
    #[error("typ is not a string")]
    Typ,
    /// `kid` is not a string.
    #[error("kid is not a string")]
    Kid,
    /// `alg` is missing, unknown, or not allowed here.
    #[error("{0}")]
    Algorithm(AlgorithmError),
    /// The signature does not verify.
    #[error("{0}")]
    Signature(SignatureError),
}

/// A compact JWS whose form is good and whose signature has not been looked at.
///
/// Whoever has its text can present it, so `Debug` shows its header alone.
pub struct CompactJws<'a> {
    signing_input: &'a str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> CompactJws<'a> {
    /// Reads the three segments, and the header's members. The payload is decoded, not
    /// interpreted.
    ///
    /// # Errors
    /// Every variant of [`JwsError`] but the last two.
    pub fn parse(text: &'a str, bytes_max: usize) -> Result<Self, JwsError> {
        if text.len() > bytes_max {
            return Err(JwsError::TooLarge);
        }
        let (signing_input, header, payload, signature) = segments(text)?;
        let header = decode(header, Part::Header)?;
        let header = Header::parse(&header)?;
        Ok(Self {
            signing_input,
            header,
            payload: decode(payload, Part::Payload)?,
            signature: decode(signature, Part::Signature)?,
        })
    }

    /// The protected header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload's bytes. Not to be believed before [`CompactJws::verify`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the signature is over: the first two segments with their dot.
    pub fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// Checks the signature with `key`, if its algorithm is among `allowed`.
    ///
    /// # Errors
    /// [`JwsError::Algorithm`] and [`JwsError::Signature`].
    pub fn verify(&self, key: &PublicKey, allowed: Algorithms) -> Result<(), JwsError> {
        let algorithm = self
            .header
            .allowed_algorithm(allowed)
            .map_err(JwsError::Algorithm)?;
        key.verify(algorithm, self.signing_input.as_bytes(), &self.signature)
            .map_err(JwsError::Signature)
    }
}

impl fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

fn segments(text: &str) -> Result<(&str, &str, &str, &str), JwsError> {
    let (signing_input, signature) = text.rsplit_once('.').ok_or(JwsError::NotCompact)?;
    let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
    if payload.contains('.') {
        return Err(JwsError::NotCompact);
    }
    Ok((signing_input, header, payload, signature))
}

fn decode(segment: &str, part: Part) -> Result<Vec<u8>, JwsError> {
    base64url::decode(segment).map_err(|_| JwsError::Base64(part))
}

#[cfg(test)]
mod tests;
