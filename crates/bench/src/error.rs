//! Why a measurement cannot be made.

use std::io;

use thiserror::Error;

/// Why a measurement cannot be made. A call that is answered wrongly is none of
/// these: it is counted in the [`Measurement`](crate::Measurement).
#[derive(Debug, Error)]
pub enum BenchError {
    /// The operating system refused.
    #[error("{doing}: {cause}")]
    System {
        /// What was being done.
        doing: String,
        /// What it said.
        cause: io::Error,
    },
    /// A server process did not start, or ended by itself.
    #[error("the {kind} server ended: {how}\n{log}")]
    ServerEnded {
        /// Which one.
        kind: &'static str,
        /// Its exit status.
        how: String,
        /// The end of what it wrote on standard error.
        log: String,
    },
    /// A server said something else than where it listens.
    #[error("the {kind} server did not say where it listens: {said}")]
    ServerSaid {
        /// Which one.
        kind: &'static str,
        /// What it said.
        said: String,
    },
    /// What must be there before the measurement could not be made.
    #[error("preparing {what}: {cause}")]
    Preparing {
        /// What it was.
        what: &'static str,
        /// Why not.
        cause: String,
    },
    /// A round took longer than any round may.
    #[error("a round of {row} was not over after {secs} s")]
    Stuck {
        /// The row.
        row: String,
        /// For how long it was waited.
        secs: u64,
    },
    /// Whoever runs it wants no more of it.
    #[error("stopped by a signal before it was done")]
    Interrupted,
    /// What was asked for is not there.
    #[error("{0}")]
    Asked(String),
}

impl BenchError {
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |cause| Self::System { doing, cause }
    }

    pub(crate) fn errno(doing: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        let doing = doing.into();
        move |errno| Self::System {
            doing,
            cause: errno.into(),
        }
    }

    pub(crate) fn preparing<E: ToString>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Preparing {
            what,
            cause: cause.to_string(),
        }
    }
}
