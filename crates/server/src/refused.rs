//! Every way in which the token service says no. What each is on the wire is `status.rs`'s affair.

use std::time::Duration;

use countersign_dpop::Refusal as ProofRefusal;
use countersign_guard::LedgerRefusal;
use countersign_issuer::model::Malformed;
use countersign_issuer::{FieldFault, Refusal};
use countersign_jose::Algorithms;
use countersign_login::{AccountsError, NotHashed};
use countersign_store::StoreError;
use countersign_store::embedded::BackupError;

use crate::record::Damaged;

/// Passwords that wait are through by then.
const PASSWORD_RETRY: Duration = Duration::from_secs(5);

/// A refusal, with what the peer is told and what only the operator learns.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The deadline passed before the work began.
    DeadlinePassed,
    /// There is more work than can be done.
    Overloaded { retry_after: Duration },
    /// The client, or the method, has had its share.
    RateLimited { retry_after: Duration },
    /// A connection, an address or a client watches as often as one may.
    WatchesTaken {
        /// Which of these: `connection`, `address` or `client`.
        by: &'static str,
    },
    /// There were too many wrong user codes.
    Guessing { retry_after: Duration },
    /// Too many requests of clients that show nothing came from one address.
    Crowd { retry_after: Duration },
    /// A field of the request breaks a rule that only this edge has.
    Field {
        /// Its path in the request.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A proof fails one of RFC 9449's checks; with a challenge where a nonce would help.
    Proof {
        refusal: ProofRefusal,
        challenge: Option<Challenge>,
    },
    /// The proof was used before, or there is no room to remember it.
    Ledger(LedgerRefusal),
    /// What came after the cursor of a watch is not kept any more.
    CursorTooOld,
    /// The issuer's decision.
    Issuer(Refusal),
    /// The store failed.
    Store(StoreError),
    /// There is no backup, or not all of it.
    Backup(BackupError),
    /// Others changed the same records again and again.
    Contended,
    /// A key is needed, and whoever has the key-encryption key does not help to make one: why.
    NoNewKey(String),
    /// A fault of ours.
    Fault(Fault),
}

/// A challenge for a nonce (RFC 9449 §8).
#[derive(Debug)]
pub(crate) struct Challenge {
    /// The nonce to use. No secret: it is worth nothing without the key.
    pub(crate) nonce: String,
    /// What the next proof may be signed with.
    pub(crate) algorithms: Algorithms,
}

/// What should not happen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A record of the store cannot be read.
    RecordDamaged,
    /// The key would not sign.
    SigningFailed,
    /// A layer that must run before the handler did not.
    LayerMissing,
    /// A decision that must write wrote nothing.
    NothingWritten,
    /// A key that the service cannot do without is not there.
    KeyMissing,
    /// A password could not be hashed.
    PasswordNotHashed,
}

impl Refused {
    /// The field must hold something else.
    pub(crate) fn field(field: impl Into<String>, problem: Malformed) -> Self {
        Self::Issuer(FieldFault::new(field, problem).into())
    }

    /// The stable name of what went wrong, for spans and logs.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::DeadlinePassed => "deadline_passed",
            Self::Overloaded { .. } => "overloaded",
            Self::RateLimited { .. } => "rate_limited",
            Self::WatchesTaken { .. } => "watches_taken",
            Self::Guessing { .. } => "user_codes_guessed",
            Self::Crowd { .. } => "crowd",
            Self::Field { field, .. } => field,
            Self::Proof { refusal, .. } => refusal.label(),
            Self::Ledger(refusal) => refusal.label(),
            Self::CursorTooOld => "cursor_too_old",
            Self::Issuer(refusal) => refusal.label(),
            Self::Store(error) => error.label(),
            Self::Backup(error) => error.label(),
            Self::Contended => "contended",
            Self::NoNewKey(_) => "key_unusable",
            Self::Fault(fault) => fault.label(),
        }
    }
}

impl Fault {
    fn label(self) -> &'static str {
        match self {
            Self::RecordDamaged => "record_damaged",
            Self::SigningFailed => "signing_failed",
            Self::LayerMissing => "layer_missing",
            Self::NothingWritten => "nothing_written",
            Self::KeyMissing => "key_missing",
            Self::PasswordNotHashed => "password_not_hashed",
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Issuer(refusal)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AccountsError> for Refused {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Field { field, fault } => Self::Field {
                field,
                expected: fault.expected(),
            },
            AccountsError::Exists => Refusal::Exists.into(),
            AccountsError::Unknown => Refusal::NotFound.into(),
            AccountsError::NotHashed(NotHashed::Busy) => Self::Overloaded {
                retry_after: PASSWORD_RETRY,
            },
            AccountsError::Store(error) => Self::Store(error),
            AccountsError::NotHashed(NotHashed::Fault) => Self::Fault(Fault::PasswordNotHashed),
            AccountsError::Fault(_) => Self::Fault(Fault::RecordDamaged),
        }
    }
}

impl From<Damaged> for Refused {
    fn from(_: Damaged) -> Self {
        Self::Fault(Fault::RecordDamaged)
    }
}
