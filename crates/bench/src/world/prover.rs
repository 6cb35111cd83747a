//! Proofs, made beforehand.

use std::sync::Arc;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::random;
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin};
use countersign_jose::{PublicKey, SigningKey, Thumbprint};

use crate::{BenchError, keys};

/// Makes proofs of the caller's key, for the methods of one origin.
pub struct Prover {
    minter: Minter,
    origin: Origin,
}

impl Prover {
    /// For calls to `origin`.
    ///
    /// # Errors
    /// When `origin` is none.
    pub fn new(origin: &str) -> Result<Self, BenchError> {
        let wrong = "the caller's key";
        let key = keys::caller().map_err(BenchError::preparing(wrong))?;
        Self::of(origin, key)
    }

    /// For calls to `origin` by the holder of this key.
    ///
    /// # Errors
    /// When `origin` is none.
    pub fn of(origin: &str, key: SigningKey) -> Result<Self, BenchError> {
        Ok(Self {
            minter: Minter::new(Arc::new(key)),
            origin: Origin::parse(origin).map_err(BenchError::preparing("an origin"))?,
        })
    }

    /// A proof, as of now, for one call of the method at `path`; with a `token`
    /// for calls that carry one.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn proof(&self, path: &str, token: Option<&str>) -> Result<String, BenchError> {
        let target = self
            .origin
            .target(path)
            .map_err(BenchError::preparing("a proof"))?;
        let jti = random::bytes().map_err(BenchError::preparing("a proof"))?;
        let ath = token.map(Ath::of);
        let mint = Mint {
            jti: Jti::new(jti),
            method: "POST",
            target: &target,
            iat: SystemClock.now(),
            nonce: None,
            ath: ath.as_ref(),
        };
        self.minter
            .mint(&mint)
            .map_err(BenchError::preparing("a proof"))
    }

    /// The key's thumbprint.
    pub fn jkt(&self) -> Thumbprint {
        self.minter.jkt()
    }

    /// The key.
    pub fn public(&self) -> &PublicKey {
        self.minter.key().public()
    }
}
