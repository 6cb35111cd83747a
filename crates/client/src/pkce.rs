//! Proof key for code exchange (RFC 7636), in its one method `S256`.

use std::fmt;

use countersign_jose::{base64url, sha256};

use crate::random::{self, NoRandomness};
use crate::secret::Secret;

/// The name of the method: `plain` would show the verifier to whoever sees the request.
pub const METHOD: &str = "S256";

/// A verifier, which stays with the client until the code is redeemed, and its challenge, which goes
/// with the authorization request. For one request.
#[derive(Clone)]
pub struct Pkce {
    verifier: Secret,
    challenge: String,
}

impl Pkce {
    /// A new pair.
    ///
    /// # Errors
    /// See [`NoRandomness`].
    pub fn new() -> Result<Self, NoRandomness> {
        random::bytes().map(|octets| Self::of(&octets))
    }

    /// The pair of 32 octets that nobody can guess (RFC 7636 §4.1, §4.2).
    pub fn of(octets: &[u8; 32]) -> Self {
        let verifier = Secret::new(base64url::encode(octets));
        let challenge = base64url::encode(sha256(&[verifier.expose().as_bytes()]));
        Self {
            verifier,
            challenge,
        }
    }

    /// What the code is redeemed with. Secret until then.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// What the code is asked for with.
    pub fn challenge(&self) -> &str {
        &self.challenge
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkce")
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const OCTETS: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];

    #[test]
    fn the_published_pair_comes_out() {
        let pkce = Pkce::of(&OCTETS);
        assert_eq!(
            pkce.verifier().expose(),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        assert_eq!(
            pkce.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn each_is_new_and_shows_no_verifier() {
        let (one, two) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert!(one.verifier() != two.verifier());
        let shown = format!("{one:?}");
        assert!(shown.contains(one.challenge()), "{shown}");
        assert!(!shown.contains(one.verifier().expose()), "{shown}");
    }
}
