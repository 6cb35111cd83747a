//! The one place where the command draws random values.

use countersign_client::random;

use crate::exit::Failure;

/// Draws `N` random bytes from the operating system's generator.
///
/// # Errors
///
/// When the generator fails, which leaves nothing sensible to do.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    random::bytes().map_err(|cause| Failure::internal(cause.to_string()))
}
