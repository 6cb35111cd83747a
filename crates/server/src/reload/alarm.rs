//! When what was found in the certificate's files is told: once, and not before it lasts.

#[cfg(test)]
mod tests;

use crate::tls::{Standing, TlsError};

/// What was found at a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// The files hold the pair in use, and it is valid.
    Good,
    /// The files hold the pair in use, and its time is nearly over, or it is out of its time.
    InUse(Standing),
    /// The files hold nothing that could be used.
    Unusable(TlsError),
}

impl Finding {
    pub(super) fn of(in_use: Standing) -> Self {
        match in_use {
            Standing::Valid => Self::Good,
            Standing::NotYet | Standing::EndsSoon | Standing::Over => Self::InUse(in_use),
        }
    }

    /// Whether callers are served with what the files hold, and can believe it.
    pub(super) fn is_fit(&self) -> bool {
        match self {
            Self::Good => true,
            Self::InUse(standing) => !standing.is_out(),
            Self::Unusable(_) => false,
        }
    }
}

/// What to do about a finding.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// Tell it.
    News,
    /// It was told.
    Known,
    /// Look again before it is believed.
    Fleeting,
}

/// What was seen last, and what was told last.
#[derive(Debug)]
pub(super) struct Alarm {
    seen: Finding,
    told: Finding,
}

impl Default for Alarm {
    /// What starts is good until something else was found.
    fn default() -> Self {
        Self {
            seen: Finding::Good,
            told: Finding::Good,
        }
    }
}

impl Alarm {
    /// Files that are unusable are so for a moment when somebody replaces them: that is believed
    /// when the look before has seen it, too.
    pub(super) fn see(&mut self, finding: Finding) -> Heard {
        let unusable = |finding: &Finding| matches!(finding, Finding::Unusable(_));
        let fleeting = unusable(&finding) && !unusable(&self.seen);
        if fleeting {
            self.seen = finding;
            return Heard::Fleeting;
        }
        self.believe(finding)
    }

    /// The same, but everything is believed at the first look.
    pub(super) fn believe(&mut self, finding: Finding) -> Heard {
        let heard = match finding == self.told {
            true => Heard::Known,
            false => Heard::News,
        };
        self.seen = finding.clone();
        self.told = finding;
        heard
    }
}
