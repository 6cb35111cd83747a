//! Whether a log begins where the service says that it does: what retention removed was announced
//! in the log `audit` before.

#[cfg(test)]
mod tests;

use countersign_server::audit::{self, LOGS};
use countersign_store::Log;

use super::chain::{Ended, Noted, Wrong};
use crate::exit::Failure;

/// The event that announces a removal; its object is the last entry that goes.
const TRIMMED: &str = "AUDIT_TRIMMED";

/// What the log `audit` says of removed beginnings: the newest announcement for each log.
#[derive(Clone, Default, Debug)]
pub(super) struct Announced(Vec<Noted>);

/// How a log begins.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Beginning {
    /// With its first entry.
    Whole,
    /// Behind entries whose removal was announced.
    Announced,
    /// Behind entries of whose removal nothing is said.
    Unsaid,
}

impl Announced {
    /// The next entry of `log`, whichever that is.
    pub(super) fn entry(&mut self, log: Log, bytes: &[u8]) {
        let [audit, _] = LOGS;
        if log != audit {
            return;
        }
        // Whoever verifies the chain says so where an entry cannot be read.
        for told in audit::read(log, bytes).unwrap_or_default() {
            self.told(&told.event, &told.object);
        }
    }

    fn told(&mut self, event: &str, object: &str) {
        if event == TRIMMED
            && let Ok(noted) = object.parse::<Noted>()
        {
            self.0.retain(|known| known.log != noted.log);
            self.0.push(noted);
        }
    }

    /// How a log begins.
    ///
    /// # Errors
    /// Otherwise than it was announced.
    pub(super) fn beginning(&self, ended: &Ended) -> Result<Beginning, Wrong> {
        let before = ended.first.saturating_sub(1);
        if before == 0 {
            return Ok(Beginning::Whole);
        }
        let log = ended.head.log;
        let announced = self.0.iter().find(|noted| noted.log == log);
        match announced {
            Some(noted) if noted.number == before && noted.hash != ended.before => Err(Wrong {
                log,
                number: before,
                what: "it was removed, and its hash is not the one that AUDIT_TRIMMED names"
                    .to_owned(),
            }),
            // A removal under way goes on up to the entry that was named.
            Some(noted) if noted.number >= before => Ok(Beginning::Announced),
            _ => Ok(Beginning::Unsaid),
        }
    }

    /// Whether the service's own logs, both of them, begin as they should.
    ///
    /// # Errors
    /// The first that does not.
    pub(super) fn all(&self, ended: &[Ended]) -> Result<(), Wrong> {
        let [audit, _] = LOGS;
        let audit_is_whole = ended
            .iter()
            .any(|ended| ended.head.log == audit && ended.first <= 1);
        for ended in ended {
            let log = ended.head.log;
            // What was said of another log may be among what `audit` does not keep any more. Of
            // itself it is always there: it is newer than anything that went.
            let said =
                log == audit || audit_is_whole || self.0.iter().any(|noted| noted.log == log);
            if self.beginning(ended)? == Beginning::Unsaid && said {
                let number = ended.first - 1;
                let what =
                    "it is missing, and no AUDIT_TRIMMED says that it was removed".to_owned();
                return Err(Wrong { log, number, what });
            }
        }
        Ok(())
    }
}

/// A log has to begin somewhere.
pub(super) fn begins_nowhere() -> Failure {
    Failure::internal("what the service sent has no beginning")
}
