//! The two steps between a group of commits and its answers.

use std::fs::File;
use std::io;

/// How written data becomes durable. [`Fdatasync`] is the one to use; tests have others, which
/// fail, wait, or count.
pub trait Disk: Send + Sync + 'static {
    /// Hands what the database has buffered to the operating system, by calling `flush`.
    ///
    /// # Errors
    /// Any error ends the store: what is on the disk then is unknown.
    fn flush(&self, flush: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        flush()
    }

    /// Returns when the disk has what was written to `file`.
    ///
    /// # Errors
    /// Any error ends the store. It is never tried again: the operating system reports a failed
    /// write once, and drops the data.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The real disk, asked by `fdatasync`.
#[derive(Copy, Clone, Debug, Default)]
pub struct Fdatasync;

impl Disk for Fdatasync {
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
