//! Why a command failed: one line of what, one of what to do next, and an exit
//! code. The only place in this crate that reads gRPC codes.

mod refusal;

pub(crate) use refusal::{code_name, is_unimplemented, plain, reason};

use std::fmt::Display;
use std::io::{Write, stderr};
use std::process::ExitCode;

/// What the exit codes mean, for `--help`.
pub(crate) const CODES_HELP: &str = "\
Exit codes:
   0  done
   1  the demonstration, a measurement or a verification saw what must not be
   2  the command line is wrong
   3  the configuration, or a file or value named to the command, is wrong
   4  the data directory or its key file cannot be used
   5  the service cannot be reached, or has no time now: try again later
   6  the service refused, and said why
   7  the registered thing is not there, is there already, or has changed
  70  a fault of the program itself
 130  interrupted: a measurement by a signal, anything else at once by a second one";

/// What kind of failure it is; each kind is one exit code.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The demonstration, a measurement or a verification saw what must not be.
    Surprise,
    /// The configuration, or a file or value named to the command, is wrong.
    Configuration,
    /// The data directory or its key file cannot be used.
    Data,
    /// The service cannot be reached, or has no time now.
    Unreachable,
    /// The service refused.
    Refused,
    /// The registered thing is not there, is there already, or has changed.
    Registry,
    /// A fault of the program itself.
    Internal,
    /// Interrupted: a measurement by a signal, anything else at once by a second one.
    Interrupted,
    /// Whoever read the answer has seen enough: no failure to anybody.
    Unread,
}

impl Kind {
    /// The exit code, as [`CODES_HELP`] tells it. 2 is clap's own.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unread => 0,
            Self::Surprise => 1,
            Self::Configuration => 3,
            Self::Data => 4,
            Self::Unreachable => 5,
            Self::Refused => 6,
            Self::Registry => 7,
            // EX_SOFTWARE of sysexits.h.
            Self::Internal => 70,
            // What a shell reports for SIGINT: 128 and the signal's number.
            Self::Interrupted => 130,
        }
    }
}

/// Why a command failed. Never holds a secret, token or proof.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    next: Option<String>,
}

impl Failure {
    /// A failure of this kind; `what` is one line.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            next: None,
        }
    }

    /// The configuration, or a file or value named to the command, is wrong.
    pub(crate) fn configuration(what: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, what)
    }

    /// The service cannot be reached.
    pub(crate) fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, what)
    }

    /// A fault of the program itself.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::new(Kind::Internal, what)
    }

    /// The demonstration, a measurement or a verification saw what must not be.
    pub(crate) fn surprise(what: impl Into<String>) -> Self {
        Self::new(Kind::Surprise, what)
    }

    /// The same failure with what to do next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same failure, told as part of something larger.
    pub(crate) fn during(mut self, step: impl Display) -> Self {
        self.what = format!("{step}: {}", self.what);
        self
    }

    /// The same failure in the demonstration, where every failure is a surprise.
    pub(crate) fn surprising(mut self) -> Self {
        self.kind = Kind::Surprise;
        self
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Tells the person on standard error, and the shell by the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.kind == Kind::Unread {
            return ExitCode::SUCCESS;
        }
        let mut err = stderr().lock();
        // Nobody is left to tell when standard error is gone.
        let _told = writeln!(err, "error: {}", self.what);
        if let Some(next) = &self.next {
            let _told = writeln!(err, " next: {next}");
        }
        ExitCode::from(self.kind.code())
    }
}

#[cfg(test)]
mod tests;
