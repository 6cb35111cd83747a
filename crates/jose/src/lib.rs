//! The part of JOSE that Countersign uses: algorithms, public keys, thumbprints, compact JWS.
//!
//! Everything here is a pure function of its arguments. Nothing reads a clock, draws a random
//! value or does I/O, so the crate can be read, tested and fuzzed alone. (An ECDSA signature's
//! own nonce is the cryptographic library's affair.)
//!
//! ```
//! use countersign_jose::{Algorithms, CompactJws, SigningKey};
//!
//! let key = SigningKey::generate_ed25519([7; 32])?;
//! let jws = key.sign_compact(br#"{"alg":"Ed25519","typ":"JWT"}"#, br#"{"sub":"me"}"#)?;
//!
//! let parsed = CompactJws::parse(&jws, 8 * 1024)?;
//! parsed.verify(key.public(), Algorithms::DEFAULT)?;
//! assert_eq!(parsed.payload(), br#"{"sub":"me"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
pub mod base64url;
mod certificate;
mod digest;
pub mod json;
mod jwk;
pub mod jwks;
mod jws;
mod signing;
mod thumbprint;
pub mod time;

pub use algorithm::{Algorithm, Algorithms};
pub use base64url::NotBase64Url;
pub use certificate::CertificateThumbprint;
pub use digest::sha256;
pub use json::JsonError;
pub use jwk::{Jwk, JwkError, PublicKey, SignatureError};
pub use jwks::{Jwks, JwksError, PublishedKey, RegisteredKey};
pub use jws::{AlgorithmError, CompactJws, Header, JwsError, Part};
pub use signing::{KeyRejected, SigningFailed, SigningKey};
pub use thumbprint::Thumbprint;
pub use time::UnixTime;
