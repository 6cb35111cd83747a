//! Making proofs.

use std::fmt;
use std::sync::Arc;

use countersign_jose::{SigningFailed, SigningKey, Thumbprint, UnixTime, base64url};

use crate::{Ath, Target};

/// A proof's identifier: 16 random bytes of the caller's, never used before. RFC 9449 §4.2 asks
/// for at least 96 bits.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Jti([u8; 16]);

impl Jti {
    /// An identifier from random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }
}

/// What a proof is to say (RFC 9449 §4.2).
#[derive(Copy, Clone, Debug)]
pub struct Mint<'m> {
    /// `jti`: a new one for every proof.
    pub jti: Jti,
    /// `htm`: the request's method, `POST` for gRPC.
    pub method: &'m str,
    /// `htu`.
    pub target: &'m Target,
    /// `iat`: now.
    pub iat: UnixTime,
    /// `nonce`: the newest that this server gave, if it gave one.
    pub nonce: Option<&'m str>,
    /// `ath`: the hash of the access token that goes with the proof, if one does.
    pub ath: Option<&'m Ath>,
}

/// Mints proofs with one key. The header is the same for all of them, and encoded once.
pub struct Minter {
    key: Arc<SigningKey>,
    jkt: Thumbprint,
    header_segment: String,
}

impl Minter {
    /// A minter for `key`.
    pub fn new(key: Arc<SigningKey>) -> Self {
        let header = format!(
            r#"{{"typ":"dpop+jwt","alg":"{}","jwk":{}}}"#,
            key.algorithm(),
            key.public().to_jwk()
        );
        Self {
            jkt: key.public().thumbprint(),
            header_segment: base64url::encode(header),
            key,
        }
    }

    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The key's thumbprint: what an access token for these proofs is bound to.
    pub fn jkt(&self) -> Thumbprint {
        self.jkt
    }

    /// Signs a proof.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn mint(&self, mint: &Mint<'_>) -> Result<String, SigningFailed> {
        self.key
            .sign_segments(&self.header_segment, payload(mint).as_bytes())
    }
}

fn payload(mint: &Mint<'_>) -> String {
    // Fits a gRPC target with every optional claim.
    let mut json = String::with_capacity(384);
    json.push_str(r#"{"jti":""#);
    base64url::encode_onto(&mut json, mint.jti.0);
    json.push_str(r#"","htm":"#);
    push_text(&mut json, mint.method);
    json.push_str(r#","htu":"#);
    push_text(&mut json, mint.target.as_str());
    json.push_str(r#","iat":"#);
    json.push_str(&mint.iat.as_secs().to_string());
    if let Some(nonce) = mint.nonce {
        json.push_str(r#","nonce":"#);
        push_text(&mut json, nonce);
    }
    if let Some(ath) = mint.ath {
        json.push_str(r#","ath":""#);
        base64url::encode_onto(&mut json, ath.as_bytes());
        json.push('"');
    }
    json.push('}');
    json
}

/// A JSON string; a nonce comes from somebody else, so it may hold anything.
fn push_text(json: &mut String, text: &str) {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
    {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter")
            .field("jkt", &self.jkt)
            .finish_non_exhaustive()
    }
}
