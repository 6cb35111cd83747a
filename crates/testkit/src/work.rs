//! Asynchronous work in a test of this harness.

use crate::Problem;

/// Runs the work to its end.
///
/// # Errors
/// What went wrong, as text.
pub fn in_a_runtime(work: impl Future<Output = Result<(), Problem>>) -> Result<(), String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(work)
        .map_err(|error| error.to_string())
}
