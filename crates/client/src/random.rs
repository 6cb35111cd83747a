//! Random bytes, drawn here and handed to rules that draw none.

/// The operating system's source of random bytes failed. There is no going on
/// without it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// `N` unpredictable bytes.
///
/// # Errors
/// See [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A fraction from 0 to below 1, for jitter. Where randomness fails, one half:
/// jitter is not worth an error.
pub(crate) fn fraction() -> f64 {
    bytes::<4>().map_or(0.5, |bytes| {
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    })
}
