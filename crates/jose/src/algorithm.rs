//! The signature algorithms that may be used, and sets of them.

use std::fmt;

/// A signature algorithm that Countersign can check (RFC 7518 §3.1, RFC 8037, RFC 9864).
///
/// There is no value for `none` or for a MAC, so neither can be accepted by mistake.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA on Curve25519. On the wire `Ed25519` (RFC 9864) or its older name `EdDSA`.
    Ed25519,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// In the order in which challenges and metadata list them.
    const ALL: [Self; 5] = [
        Self::Es256,
        Self::Ed25519,
        Self::Es384,
        Self::Ps256,
        Self::Rs256,
    ];

    /// The algorithm of that name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "Ed25519" | "EdDSA" => Some(Self::Ed25519),
            "ES384" => Some(Self::Es384),
            "PS256" => Some(Self::Ps256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }

    /// The name to write into a header or a challenge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ed25519 => "Ed25519",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Es256 => 1,
            Self::Ed25519 => 1 << 1,
            Self::Es384 => 1 << 2,
            Self::Ps256 => 1 << 3,
            Self::Rs256 => 1 << 4,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An allow-list of algorithms. Displays as their names, separated by spaces: the form of
/// `algs` in a DPoP challenge (RFC 9449 §7.1).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Algorithms(u8);

impl Algorithms {
    /// ES256 and Ed25519: what every client can do, and the two that are fast to sign.
    pub const DEFAULT: Self = Self(Algorithm::Es256.bit() | Algorithm::Ed25519.bit());

    /// The set of exactly these algorithms.
    pub fn of(algorithms: &[Algorithm]) -> Self {
        Self(
            algorithms
                .iter()
                .fold(0, |bits, algorithm| bits | algorithm.bit()),
        )
    }

    /// Whether `algorithm` is in the set.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// The members, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL
            .into_iter()
            .filter(move |algorithm| self.contains(*algorithm))
    }
}

impl Default for Algorithms {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, algorithm) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(algorithm.name())?;
        }
        Ok(())
    }
}
