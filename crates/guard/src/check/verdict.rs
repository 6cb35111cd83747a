//! What becomes of a call, and what has to be known for that.

use std::sync::Arc;
use std::time::Duration;

use countersign_dpop::{Ath, VerifiedProof};
use countersign_telemetry::{Decided, Deciding, Protocol};

use super::head::Edge;
use crate::authority::online::{Answer, Asking};
use crate::observe::WouldRefuse;
use crate::permit::Permit;
use crate::refusal::Refusal;
use crate::respond::reason;
use crate::streams::{EndCause, Place};

/// What becomes of a call, or what must be done first.
pub(crate) enum Verdict {
    /// It is decided.
    Decided(Decision),
    /// Something has to be [found out](super::Checks::find_out) first. Then
    /// [`resume`](super::Checks::resume).
    Open(Question, Proven),
}

/// What has to be found out about a token.
pub(crate) enum Question {
    /// It names a key that is not known.
    Key,
    /// It is a reference, and its issuer is being asked what it says.
    Reference(Asking),
}

/// What was found out about a token.
pub(crate) enum Found {
    /// The key set was looked at again.
    Keys,
    /// What the issuer says.
    Said(Answer),
    /// Not in the time that an observing guard waits.
    NotInTime,
}

/// What becomes of a call.
pub(crate) enum Decision {
    /// On to the handler, untouched.
    Exempt,
    /// On to the handler, without a permit.
    Public,
    /// On to the handler.
    Permitted(Permitted),
    /// On to the handler, without a permit: the guard only looks.
    Observed(Box<Observation>),
    /// No further.
    Refused(Box<Refused>),
}

/// A call that is refused.
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// Where it asks for one.
    pub(crate) nonce: Option<String>,
    /// The resource that the rule names.
    pub(crate) resource: Option<Arc<str>>,
}

/// A call that may go on.
pub(crate) struct Permitted {
    pub(crate) permit: Permit,
    /// A new nonce for the client, because its own is about to expire.
    pub(crate) nonce: Option<String>,
    /// Of a stream, when it ends. A unary call that began in time may finish.
    pub(crate) stream: Option<OpenStream>,
}

/// A stream that may open.
pub(crate) struct OpenStream {
    /// How long it may go on.
    pub(crate) ends_in: Duration,
    /// What ends it then.
    pub(crate) cause: EndCause,
    /// Where a revocation finds it.
    pub(crate) place: Arc<Place>,
}

/// A call that goes on although it would have been refused.
pub(crate) struct Observation {
    pub(crate) found: WouldRefuse,
    /// What the refusal would have brought, so that the next call is better.
    pub(crate) nonce: Option<String>,
}

/// A call whose proof was verified, and is not spent yet.
pub(crate) struct Proven {
    pub(super) proof: Option<VerifiedProof>,
    pub(super) ath: Ath,
    /// What is found out meanwhile is part of the decision.
    pub(super) deciding: Deciding,
}

impl Decision {
    /// Counts and times it.
    pub(super) fn measure(&self, deciding: Deciding, edge: Edge) {
        let decided = match self {
            // Nothing was decided: the guard does not look at it.
            Self::Exempt => return,
            Self::Public => Decided::Public,
            Self::Permitted(permitted) if permitted.permit.thumbprint().is_none() => {
                Decided::PermittedBearer
            }
            Self::Permitted(_) => Decided::Permitted,
            Self::Observed(observation) => Decided::WouldRefuse {
                reason: observation.found.reason().as_str_name(),
                cause: observation.found.cause(),
            },
            Self::Refused(refused) => Decided::Refused {
                reason: reason(&refused.refusal).as_str_name(),
                cause: refused.refusal.label(),
            },
        };
        let protocol = match edge {
            Edge::Grpc => Protocol::Grpc,
            Edge::Http => Protocol::Http,
        };
        deciding.decided(protocol, decided);
    }
}
