//! `countersign store recover`: going on with a store that has lost its end.

use clap::Args;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_server::set_back;
use countersign_store::embedded::recover::{Loss, diagnose};

use super::found;
use crate::command::data::DataArgs;
use crate::confirm::confirm;
use crate::exit::{Failure, Kind};
use crate::output::Output;

pub(super) const EXAMPLES: &str = "\
A store that is behind its mark has lost commits that were acknowledged: a disk lied
about what it had, or an older copy was put in its place. It is refused until
somebody decides. A backup that is whole and recent may be the better way.

This says what is lost, and asks. Until a yes no file of the store is changed: it
looks at a copy of the database, in DIRECTORY.diagnosing beside it, which is removed
again. That takes as much room as the database, and the time to copy it. With a yes
it copies all files aside as they were found, to DIRECTORY.lost-SECONDS (named
.partial until it is whole; remove it when nobody needs it), and only then lets the
store open with what is there. What was lost may be a revocation or a rotation: so
the next start begins a new epoch, and refresh tokens, codes, requests and access
tokens from before are dead.

A start that was refused has opened the database before, and then an end that could
not be read is cut off already. To keep that too, copy the directory before a start.

Run this as the account that the service runs as, while the service is stopped.

Examples:
  sudo -u countersign countersign store recover --data /var/lib/countersign/data";

/// Which store.
#[derive(Args, Debug)]
pub(crate) struct Recover {
    #[command(flatten)]
    data: DataArgs,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Recover {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let directory = self.data.directory()?;
        let place = directory.display();
        output.note(&format!(
            "looking at a copy of the database, which takes as much room beside {place}, and its time"
        ));
        let diagnosis = diagnose(&directory).map_err(|cause| found::unseen(&cause))?;
        match diagnosis.loss() {
            Loss::None => {
                let facts = serde_json::json!({"lost": false});
                return output.value(&facts, || {
                    format!("{place}: nothing is lost, and nothing was done")
                });
            }
            Loss::Tail { found: 0, .. } | Loss::Mark { found: 0 } => {
                return Err(unmendable(format!(
                    "{place}: nothing is left of what was in it"
                )));
            }
            loss @ Loss::Damaged { .. } => return Err(unmendable(format!("{place}: {loss}"))),
            loss @ (Loss::Tail { .. } | Loss::Mark { .. }) => confirm(
                &format!(
                    "{place}: {loss}\n\nwhat was lost is lost: rotations, revocations, \
                     registrations. This copies all files aside, lets the store open with what is \
                     there, and makes the next start revoke every token that was issued before"
                ),
                self.yes,
            )?,
        }
        let uid = rustix::process::getuid().as_raw();
        let recovered = set_back::accept(diagnosis, uid, SystemClock.now()).map_err(|cause| {
            Failure::new(Kind::Data, cause.to_string()).next(
                "the copy needs as much room as the store, in a folder above it that this \
                     account may write to",
            )
        })?;
        let facts = serde_json::json!({
            "lost": true,
            "aside": recovered.aside,
            "last_commit": recovered.last_commit,
        });
        output.value(&facts, || {
            format!(
                "{place} goes on after commit {}\nall files as they were found: {}\n\nnext: start \
                 the service; see in `countersign audit list` what is there, and do again what is \
                 missing",
                recovered.last_commit,
                recovered.aside.display()
            )
        })
    }
}

fn unmendable(what: String) -> Failure {
    Failure::new(Kind::Data, what).next("move it away, and `countersign store restore` a backup")
}
