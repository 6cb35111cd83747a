//! What a guard decides, measured.

use crate::measures::Begun;
use crate::names;

/// A guard's decision about one call or request, from its beginning: whatever is found out for it
/// is part of the time. Where metrics go nowhere it is nothing, and costs next to that.
///
/// One that is never [made](Self::decided), since whoever asked went away meanwhile, is not counted.
#[derive(Clone, Copy)]
pub struct Deciding(Begun);

/// What kind of request is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A gRPC call.
    Grpc,
    /// Any other HTTP request.
    Http,
}

/// What a guard decided. Reasons and causes are fixed words, as in [`refused`](crate::refused).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It goes on to its handler.
    Permitted,
    /// It goes on with a token that no key is bound to, under a grace.
    PermittedBearer,
    /// It goes on, whoever asks: the rule says so.
    Public,
    /// It goes no further.
    Refused {
        /// What the peer is told.
        reason: &'static str,
        /// Which check it was.
        cause: &'static str,
    },
    /// It goes on although it would have been refused, since the guard only looks.
    WouldRefuse {
        /// What the peer would have been told.
        reason: &'static str,
        /// Which check it was.
        cause: &'static str,
    },
}

impl Deciding {
    /// Begins now.
    pub fn begin() -> Self {
        Self(Begun::now())
    }

    /// Counts and times the decision.
    pub fn decided(self, protocol: Protocol, decided: Decided) {
        let protocol = match protocol {
            Protocol::Grpc => names::GRPC,
            Protocol::Http => names::HTTP,
        };
        self.0.decision(protocol, decided);
    }
}
