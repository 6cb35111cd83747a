//! What a handler answers where a permit does not cover what was asked.

use std::error::Error;
use std::fmt;

use countersign::error::v1::Reason;
use tonic::Status;

use crate::refusal::Refusal;
use crate::respond;

/// No: what a permit says to a handler. Its handler answers with it, over gRPC as a
/// [`tonic::Status`], over HTTP as a response; `?` makes either of it.
///
/// It has no challenge, so it makes no client call again.
#[derive(Clone)]
pub struct Denied(Box<Denial>);

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// As the guard itself would refuse.
    Refused(Refusal),
    /// The object belongs to somebody else.
    NotOwner,
    /// The handler wants a permit where there is none.
    NoPermit,
}

impl Denied {
    pub(crate) fn because(denial: Denial) -> Self {
        let (reason, label) = respond::denial_names(&denial);
        countersign_telemetry::refused(reason.as_str_name(), label);
        Self(Box::new(denial))
    }

    /// The stable name of the refusal, the same at every edge.
    pub fn reason(&self) -> Reason {
        respond::denial_names(&self.0).0
    }

    /// The answer to an HTTP request, with a problem (RFC 9457) as its body: 403; 500 where there is
    /// no permit; behind a guard that observes, what that would have answered.
    ///
    /// A 401 of these has no `WWW-Authenticate`, against RFC 9110 §15.5.2: the handler runs already,
    /// and a challenge makes clients send the request again.
    pub fn response(&self) -> http::Response<String> {
        respond::http::denied(&self.0)
    }
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        respond::denied(&denied.0)
    }
}

impl From<Denied> for http::Response<String> {
    fn from(denied: Denied) -> Self {
        denied.response()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(respond::denial_message(&self.0))
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Denied").field(&self.reason()).finish()
    }
}

impl Error for Denied {}
