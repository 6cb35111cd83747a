//! Why a directory is not opened.

use std::io;
use std::path::PathBuf;

/// Why a directory could not be opened as a store. Each is one line, naming the directory.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another store has it open.
    #[error("{}: another process is using this store", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// It holds something else. Nothing in it was touched.
    #[error("{}: not a Countersign store: {why}", directory.display())]
    NotOurs {
        /// The directory.
        directory: PathBuf,
        /// What was found instead.
        why: &'static str,
    },
    /// The operating system refuses.
    #[error("{}: cannot be used: {error}", directory.display())]
    Unreadable {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A later release wrote it.
    #[error(
        "{}: written by a later release (its format is {found}, this release knows {known})",
        directory.display()
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// The format it has.
        found: u64,
        /// The format that this release writes.
        known: u64,
    },
    /// The database in it cannot be read whole.
    #[error("{}: the database is damaged: {why}", directory.display())]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// Where it showed.
        why: String,
    },
    /// Nobody knows whether commits that were acknowledged are missing from it.
    #[error(
        "{}: the file `mark` in it {what}, so nobody knows whether commits are missing",
        directory.display()
    )]
    NoMark {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with the mark.
        what: &'static str,
    },
    /// The database can be read, but commits that were acknowledged are not in it.
    #[error(
        "{}: the database has lost its end: commit {mark} was acknowledged, the last one here is {found}",
        directory.display()
    )]
    LostTail {
        /// The directory.
        directory: PathBuf,
        /// The last commit in the database.
        found: u64,
        /// A commit that was acknowledged.
        mark: u64,
    },
}

impl OpenError {
    /// A stable name for logs and scripts.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::NotOurs { .. } => "not_ours",
            Self::Unreadable { .. } => "unreadable",
            Self::Newer { .. } => "newer",
            Self::Damaged { .. } => "damaged",
            Self::LostTail { .. } => "lost_tail",
            Self::NoMark { .. } => "no_mark",
        }
    }
}
