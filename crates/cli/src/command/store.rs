//! `countersign store`: copies of the store, and what to do when something is wrong with it.

mod backup;
mod found;
mod recover;
mod restore;
mod stats;
mod verify;

use clap::Subcommand;

use crate::exit::Failure;
use crate::output::Output;

/// The store.
#[derive(Subcommand, Debug)]
pub(crate) enum StoreCommand {
    /// Show how large the store is and how busy
    #[command(after_help = stats::EXAMPLES)]
    Stats(stats::Stats),
    /// Copy the whole store into a file, while the service runs
    #[command(after_help = backup::EXAMPLES)]
    Backup(backup::Backup),
    /// Read all of a store that nobody has open, or of a backup, and say what is wrong
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Verify),
    /// Make a store from a backup; what was issued before is dead then
    #[command(after_help = restore::EXAMPLES)]
    Restore(restore::Restore),
    /// Go on with a store that has lost its end; what was issued before is dead then
    #[command(after_help = recover::EXAMPLES)]
    Recover(recover::Recover),
}

impl StoreCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Stats(stats) => stats.run(output).await,
            Self::Backup(backup) => backup.run(output).await,
            Self::Verify(verify) => verify.run(output),
            Self::Restore(restore) => restore.run(output),
            Self::Recover(recover) => recover.run(output),
        }
    }
}
