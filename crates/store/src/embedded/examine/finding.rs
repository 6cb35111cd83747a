//! What is wrong, a bounded list of it.

use std::fmt;

use super::Verified;

/// One thing that is wrong. Shown as a line: where, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which record, entry, or other part. A key holds nothing secret.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

#[derive(Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    more: u64,
}

impl Findings {
    pub(super) fn add(&mut self, place: &str, what: String) {
        if self.listed.len() == Verified::FINDINGS_MAX {
            self.more += 1;
            return;
        }
        self.listed.push(Finding {
            place: place.to_owned(),
            what,
        });
    }

    pub(super) fn finish(self) -> (Vec<Finding>, u64) {
        (self.listed, self.more)
    }
}
