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
is missing, and that what expires has a reminder. A store is read where it is; its
service must be stopped. A backup is put together in a folder under --scratch, which
is removed again and takes as much room as the store.

Examples:
  countersign store verify --data /var/lib/countersign/data
  countersign store verify countersign.backup --scratch /var/tmp";

/// What to read.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// A backup; without one, the data directory
    #[arg(value_name = "BACKUP", conflicts_with_all = ["config", "data"])]
    backup: Option<PathBuf>,

    /// Where there is room to put a backup together [default: the system's temporary folder]
    #[arg(long, value_name = "FOLDER", requires = "backup")]
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
                let verified = embedded::verify(&directory);
                let verified = verified.map_err(|cause| found::unopened(&cause))?;
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
