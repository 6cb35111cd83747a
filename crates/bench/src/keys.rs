//! The keys of a run. They are the same in every process, so that nothing has
//! to be passed on; what they protect ends with the run.

use countersign_jose::{KeyRejected, SigningKey};

/// Signs proofs.
pub(crate) fn caller() -> Result<SigningKey, KeyRejected> {
    SigningKey::generate_es256([2; 32])
}

/// Signs proofs of the caller of that number; none of them is the key of another purpose.
pub(crate) fn of_caller(number: u8) -> Result<SigningKey, KeyRejected> {
    let mut secret = [4; 32];
    secret[31] = number;
    SigningKey::generate_es256(secret)
}

/// Signs access tokens where no token service does.
pub(crate) fn issuer() -> Result<SigningKey, KeyRejected> {
    SigningKey::generate_es256([1; 32])
}

/// Signs client assertions.
pub(crate) fn client() -> Result<SigningKey, KeyRejected> {
    SigningKey::generate_es256([3; 32])
}
