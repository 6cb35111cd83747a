//! What an unknown client's credentials are checked against, so that it costs what a known
//! client's cost.

use std::sync::LazyLock;

use countersign_jose::Jwks;

use crate::model::SecretHash;

/// No known text has this digest.
pub(super) const SECRET: SecretHash = SecretHash::from_bytes([0; 32]);

/// One key for each algorithm: the generators of the curves, and an RSA modulus of 2048 ones.
/// Nothing follows from a signature that they verify: the caller has no client to take it for.
pub(super) static KEYS: LazyLock<Jwks> = LazyLock::new(|| {
    let modulus = format!("{}w", "_".repeat(341));
    let keys = format!(
        r#"{{"keys":[
            {{"kty":"EC","crv":"P-256",
              "x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
              "y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}},
            {{"kty":"OKP","crv":"Ed25519","x":"WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY"}},
            {{"kty":"EC","crv":"P-384",
              "x":"qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3",
              "y":"NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f"}},
            {{"kty":"RSA","n":"{modulus}","e":"AQAB"}}
        ]}}"#
    );
    Jwks::parse(keys.as_bytes()).expect("the keys above are constants, read by a test")
});

#[cfg(test)]
mod tests;
