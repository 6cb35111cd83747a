//! Asynchronous work in a test of this harness.

use countersign_testkit::Problem;

/// Runs the work to its end.
pub(crate) fn in_a_runtime(work: impl Future<Output = Result<(), Problem>>) -> Result<(), String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(work)
        .map_err(|error| error.to_string())
}
