//! Why the service did not start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_store::StoreError;
use countersign_store::embedded::OpenError;
use thiserror::Error;

use crate::config::ConfigError;
use crate::keyring::custody::CustodyError;
use crate::keyring::{KeyFileError, KeyProgramError};
use crate::listen::SocketProblem;
use crate::refused::Refused;
use crate::tls::TlsError;

/// Why the service did not start. Each is one line that says what would be right.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The file of the key-encryption key.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The program that holds the key-encryption key.
    #[error(transparent)]
    KeyProgram(#[from] KeyProgramError),
    /// The key-encryption key is not the one that was named as the old one, but the one that was
    /// named as the new.
    #[error(
        "the keys in the store are encrypted under what {place} has already, and not under the old \
         key that was named: an earlier `countersign key rekey` was done"
    )]
    AlreadyUnder {
        /// The new file, credential or program.
        place: String,
    },
    /// The data directory is locked, not ours, unreadable, damaged or newer.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The login application.
    #[error("the login application: {0}")]
    Login(String),
    /// The directory cannot be made.
    #[error("{}: {cause}", path.display())]
    Directory {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The store failed while it was read for the first time.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The records were written by a later release.
    #[error(
        "the store was written by a later release (its records have format {found}, this release \
         knows {known}); start that release"
    )]
    NewerRecords {
        /// The format of the records.
        found: u32,
        /// The highest format that this release knows.
        known: u32,
    },
    /// A record that the service cannot do without is damaged or missing.
    #[error("{}: {problem}; restore the store from a backup", directory.display())]
    DamagedRecords {
        /// The data directory.
        directory: PathBuf,
        /// Which record.
        problem: &'static str,
    },
    /// The note that the store was set back cannot be read, or not be taken away.
    #[error("{}: {problem}", path.display())]
    SetBackNote {
        /// The note.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Somebody listens on the address already.
    #[error("{0} is in use; set listen.address to another")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The threads that serve connections cannot be started.
    #[error("cannot start the workers of listen.workers: {0}")]
    Workers(io::Error),
    /// The admin socket cannot be opened.
    #[error("admin socket {}: {problem}", path.display())]
    AdminSocket {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: SocketProblem,
    },
    /// The guard in front of the service's own methods cannot be made: a fault of this release.
    #[error("the service's own guard: {0}")]
    Guard(String),
}

impl From<CustodyError> for StartError {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::File(error) => error.into(),
            CustodyError::Program(error) => error.into(),
        }
    }
}

/// A refusal while the service reads its own records.
pub(crate) fn unreadable(directory: &Path, refused: Refused) -> StartError {
    match refused {
        Refused::Store(error) => StartError::Store(error),
        Refused::DeadlinePassed
        | Refused::Overloaded { .. }
        | Refused::RateLimited { .. }
        | Refused::WatchesTaken { .. }
        | Refused::Guessing { .. }
        | Refused::Crowd { .. }
        | Refused::Field { .. }
        | Refused::Proof { .. }
        | Refused::Ledger(_)
        | Refused::CursorTooOld
        | Refused::Issuer(_)
        | Refused::Backup(_)
        | Refused::Contended
        | Refused::NoNewKey(_)
        | Refused::Fault(_) => StartError::DamagedRecords {
            directory: directory.to_owned(),
            problem: "a record of the service's own cannot be read",
        },
    }
}
