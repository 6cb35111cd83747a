//! DPoP (RFC 9449) without I/O: mint a proof, verify a proof, nonces, targets.
//!
//! [`verify`] makes the checks of RFC 9449 §4.3, by their numbers; the profile for gRPC that
//! it follows is `docs/grpc-dpop.md`. Two things are left to the caller, who keeps the state for
//! them: that the proof is spent now ([`VerifiedProof::spent`]), and that the access token is
//! bound to the proof's key ([`VerifiedProof::jkt`]).
//!
//! ```
//! use std::sync::Arc;
//! use countersign_dpop::{Ath, Call, Jti, Limits, Mint, Minter, NonceRule, Origin, Paths, verify};
//! use countersign_jose::{SigningKey, UnixTime};
//!
//! // Time, identifiers and keys are arguments; here they are fixed.
//! let now = UnixTime::from_secs(1_760_000_000);
//! let minter = Minter::new(Arc::new(SigningKey::generate_ed25519([7; 32])?));
//! let origins = [Origin::parse("https://orders.internal:8443")?];
//! let ath = Ath::of("an-access-token");
//!
//! let proof = minter.mint(&Mint {
//!     jti: Jti::new([1; 16]),
//!     method: "POST",
//!     target: &origins[0].target("/orders.v1.Orders/Create")?,
//!     iat: now,
//!     nonce: None,
//!     ath: Some(&ath),
//! })?;
//!
//! let call = Call {
//!     method: "POST",
//!     origins: &origins,
//!     path: "/orders.v1.Orders/Create",
//!     paths: Paths::Plain,
//!     ath: Some(&ath),
//! };
//! let verified = verify(&proof, &call, &Limits::default(), &NonceRule::Off, now)?;
//! assert_eq!(verified.jkt, minter.jkt());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ath;
mod claims;
mod field;
mod limits;
mod mint;
mod nonce;
mod refusal;
mod spent;
mod target;
mod verify;

pub use ath::Ath;
pub use field::sole_proof;
pub use limits::Limits;
pub use mint::{Jti, Mint, Minter};
pub use nonce::{NonceAge, NonceKey, NonceRefusal, NonceRule, NonceTermsError, Nonces};
pub use refusal::Refusal;
pub use spent::SpentProof;
pub use target::{Origin, OriginError, PathRefused, Paths, Target, TargetError, without_userinfo};
pub use verify::{Call, NonceStanding, VerifiedProof, verify};

/// A proof above this size is refused before anything is decoded. An RSA key of 4096 bits, its
/// signature and long claims take half of it.
pub const PROOF_BYTES_MAX: usize = 4 * 1024;

/// Longer than any UUID or digest in text; short enough to hash without a thought.
pub const JTI_BYTES_MAX: usize = 128;
