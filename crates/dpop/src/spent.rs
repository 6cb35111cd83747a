//! What to remember of a proof that was used.

use std::fmt;

use countersign_jose::{Thumbprint, sha256};

/// The identity of a proof: `SHA-256(len ‖ jkt ‖ len ‖ htu ‖ len ‖ jti)`, each `len` eight bytes,
/// big-endian (RFC 9449 §11.1: `jti` in the context of the target, hashed).
///
/// It does not depend on how the proof was encoded or signed, so a second signature over the same
/// claims is the same proof.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpentProof([u8; 32]);

impl SpentProof {
    /// `htu` is the target of the call in two parts, its origin and its path: what the proof's
    /// own `htu` was found to mean, however the client wrote it.
    pub(crate) fn of(jkt: &Thumbprint, htu: [&str; 2], jti: &str) -> Self {
        let [base, path] = htu.map(str::as_bytes);
        let (jkt, jti) = (jkt.as_bytes(), jti.as_bytes());
        Self(sha256(&[
            &len(jkt.len()),
            jkt,
            &len(base.len() + path.len()),
            base,
            path,
            &len(jti.len()),
            jti,
        ]))
    }

    /// The whole digest: the key to use in a shared store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first half: enough for a ledger in memory. Finding two proofs that agree in it takes
    /// 2^64 attempts, and gains a refusal of one's own second proof.
    pub fn short(&self) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0[..16]);
        short
    }
}

fn len(bytes: usize) -> [u8; 8] {
    (bytes as u64).to_be_bytes()
}

impl fmt::Debug for SpentProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SpentProof({})",
            countersign_jose::base64url::encode(self.0)
        )
    }
}
