//! `countersign store verify`: reads everything, and says what is wrong.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_store::embedded::{self, Verified};

use super::{found, restore};
use crate::command::data::DataArgs;
use crate::exit::{Failure, Kind};
use crate::output::Output;

pub(super) const EXAMPLES: &str = "\
Checks every checksum, every log's hash chain from its start, that no entry or commit
is missing, and that what expires has a reminder. The service of a store must be
stopped. A backup is put together in a folder under --scratch, which is removed again
and takes as much room as the store.

A store is read where it is, and opening it is not only reading: what a killed process
had not finished is removed, and an end that cannot be read is cut off. With --scratch
a copy is read instead, in a folder there that is removed again, and no file of the
store is changed: for a store that may be evidence, or before `store recover`.

Examples:
  countersign store verify --data /var/lib/countersign/data
  countersign store verify --data /var/lib/countersign/data --scratch /var/tmp
  countersign store verify countersign.backup --scratch /var/tmp";

/// What to read.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// A backup; without one, the data directory
    #[arg(value_name = "BACKUP", conflicts_with_all = ["config", "data"])]
    backup: Option<PathBuf>,

    /// Where there is room: for a backup, to be put together [default: the system's
    /// temporary folder]; for a store, to be read in a copy [default: it is read in place]
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,

    #[command(flatten)]
    data: DataArgs,
}

impl Verify {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let (what, verified) = match &self.backup {
            Some(file) => (file.clone(), self.of_backup(file)?),
            None => {
                let directory = self.data.directory()?;
                let verified = match &self.scratch {
                    Some(scratch) => embedded::verify_copy(&directory, scratch)
                        .map_err(|cause| found::unseen(&cause))?,
                    None => {
                        embedded::verify(&directory).map_err(|cause| found::unopened(&cause))?
                    }
                };
                (directory, verified)
            }
        };
        let mut facts = found::facts(&verified.report);
        facts["sound"] = verified.is_sound().into();
        facts["findings"] = found::findings(&verified).lines().collect();
        output.value(&facts, || {
            let verdict = match verified.is_sound() {
                true => "everything was read, and nothing is wrong".to_owned(),
                false => found::findings(&verified),
            };
            format!("{}\n\n{verdict}", found::shown(&verified.report))
        })?;
        if verified.is_sound() {
            return Ok(());
        }
        let count = verified.findings.len() as u64 + verified.more_findings;
        let findings = if count == 1 { "finding" } else { "findings" };
        let what = format!("{}: {count} {findings}", what.display());
        Err(Failure::new(Kind::Data, what).next(
            "a store behind its mark: `countersign store recover` explains; anything else: \
             `countersign store restore` a backup that verifies",
        ))
    }

    fn of_backup(&self, file: &Path) -> Result<Verified, Failure> {
        let scratch = self.scratch.clone().unwrap_or_else(env::temp_dir);
        embedded::verify_backup(restore::open(file)?, scratch)
            .map_err(|cause| restore::refused(file, &cause))
    }
}
