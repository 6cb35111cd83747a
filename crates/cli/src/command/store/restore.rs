//! `countersign store restore`: a store from a backup.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_server::set_back;
use countersign_store::embedded::RestoreError;

use super::found;
use crate::command::data::DataArgs;
use crate::confirm::confirm;
use crate::exit::{Failure, Kind};
use crate::output::Output;

pub(super) const EXAMPLES: &str = "\
The data directory must not be there, or be empty: move the old one away first, and
keep it. Run this as the account that the service runs as, which will own the files.

What happened after the backup is unknown to it. So the first start begins a new
epoch: refresh tokens, codes, requests and access tokens from before are dead, and
clients have to authenticate anew. Registrations are those of the backup: what was
registered, changed, disabled or removed since must be done again, client secrets
that were replaced are the old ones again, and signing keys that were revoked are
back, and must be revoked again.

Examples:
  mv /var/lib/countersign/data /var/lib/countersign/data.broken
  sudo -u countersign countersign store restore countersign.backup \\
    --data /var/lib/countersign/data";

/// What to restore, and where.
#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    #[command(flatten)]
    data: DataArgs,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Restore {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let directory = self.data.directory()?;
        let reader = open(&self.backup)?;
        let question = format!(
            "this makes a store in {} from {}; every token that was issued before its first start \
             is dead then",
            directory.display(),
            self.backup.display()
        );
        confirm(&question, self.yes)?;
        let uid = rustix::process::getuid().as_raw();
        let restored = set_back::restore(reader, &directory, uid);
        let restored = restored.map_err(|cause| refused(&self.backup, &cause))?;
        let mut facts = found::facts(&restored.report);
        facts["directory"] = directory.display().to_string().into();
        output.value(&facts, || {
            format!(
                "{}\n\nrestored into {}\n\nnext: start the service with the key-encryption key of \
                 the time of the backup; do again what was registered, disabled or revoked since",
                found::shown(&restored.report),
                directory.display()
            )
        })
    }
}

/// The backup, to be read.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let failed = |what: String| Failure::new(Kind::Data, format!("{}: {what}", path.display()));
    if path.is_dir() {
        return Err(failed("is a directory, and no backup".to_owned())
            .next("a data directory is named with --data"));
    }
    File::open(path).map(BufReader::new).map_err(|cause| {
        failed(cause.to_string()).next("name a file that `countersign store backup` made")
    })
}

/// A backup that cannot be read or restored.
pub(super) fn refused(backup: &Path, cause: &RestoreError) -> Failure {
    let failure = Failure::new(Kind::Data, format!("{}: {cause}", backup.display()));
    match cause {
        RestoreError::Occupied { .. } => failure.next("move it away, and keep it"),
        RestoreError::Unwritable { .. } => {
            failure.next("make room, or name a folder of this account's own")
        }
        RestoreError::Unreadable(_) => failure.next("look at the disk that the backup is on"),
        RestoreError::NotWhole(_) | RestoreError::Unsound { .. } => {
            failure.next("take an earlier backup; `countersign store verify` tells which are whole")
        }
        RestoreError::Newer(_) => failure.next("use the release that made it, or a later one"),
    }
}
