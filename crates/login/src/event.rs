//! What is told to the audit log, and how logins that were refused are counted.
//!
//! An event is written in the commit of what it tells of. Never a password, a cookie, a handle, a
//! code, or what somebody typed who has not shown who they are: a person appears by the subject that
//! tokens name them by.

use countersign_jose::UnixTime;

/// Something that happened.
pub(crate) struct Event<'a> {
    pub(crate) at: UnixTime,
    pub(crate) kind: EventKind,
    /// The client that it concerns, or empty.
    pub(crate) client: &'a str,
    /// Who did it: a person, or an operator.
    pub(crate) actor: &'a str,
    /// The person whom it was done to.
    pub(crate) subject: &'a str,
    pub(crate) reason: &'static str,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
}

/// What can happen.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum EventKind {
    AccountCreated,
    AccountUpdated,
    LoggedIn,
    LoggedOut,
    ConsentRemembered,
    ConsentWithdrawn,
}

impl<'a> Event<'a> {
    /// Done by that person to themselves.
    pub(crate) fn of_person(kind: EventKind, subject: &'a str, at: UnixTime) -> Self {
        Self::by(kind, subject, subject, at)
    }

    /// Done by an operator to that person's account.
    pub(crate) fn by(kind: EventKind, actor: &'a str, subject: &'a str, at: UnixTime) -> Self {
        Self {
            at,
            kind,
            client: "",
            actor,
            subject,
            reason: "",
            scopes: Vec::new(),
            resources: Vec::new(),
        }
    }

    pub(crate) fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }
}

/// Why nobody was logged in. Never told to who tried.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum LoginRefused {
    /// There is no account of that name.
    Unknown,
    /// The password is another one.
    WrongPassword,
    /// The password was right, and the account is closed.
    Disabled,
    /// It was too soon after wrong ones: the password was not looked at, nor the account.
    Paused,
}

impl LoginRefused {
    /// The stable name, for the audit log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "account_unknown",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "account_disabled",
            Self::Paused => "paused",
        }
    }
}

/// Who is told of what strangers can do as often as they like: it counts, and writes no line for
/// each.
pub trait Witness: Send + Sync {
    /// Nobody was logged in. `subject` is the person whose account it is, where there is one and it
    /// was looked at.
    fn login_refused(&self, subject: Option<&str>, why: LoginRefused, at: UnixTime);
}
