//! What was revoked: learnt from the token service as it happens, and remembered for as long as a
//! token that it hits could live.

mod knowledge;
mod marks;
mod set;
mod source;
mod token_service;
mod watch;

pub(crate) use self::knowledge::Knowledge;
pub(crate) use self::marks::{Mark, Marks};
pub(crate) use self::set::{Batch, RevokedSet};
pub use self::source::{
    Revocation, RevocationSource, Revocations, RevocationsTold, RevokedTarget, WatchFailed,
};
pub use self::token_service::TokenServiceRevocations;
pub(crate) use self::watch::{Kept, Watch};
