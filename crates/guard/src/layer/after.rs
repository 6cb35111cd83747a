//! What a decision does to a call, at every edge.

use std::task::{Context, Poll};

use countersign_telemetry::spans;
use http::{Extensions, HeaderMap, HeaderValue};
use tracing::Span;

use super::body::StreamEnd;
use crate::check::{Decision, Observation, Permitted, Refused};
use crate::permit::Permit;
use crate::respond::{DPOP_NONCE, WWW_AUTHENTICATE};
use crate::streams::EndCause;

/// What is left to do with the handler's response.
pub(super) struct After {
    treatment: Treatment,
    nonce: Option<HeaderValue>,
    end: Option<StreamEnd>,
}

/// How a response is treated.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Left as it is: the method is exempt.
    Untouched,
    /// Freed of what only a guard may say.
    Stripped,
}

impl After {
    /// What is left to do once the handler has answered; or that it is not to be called.
    pub(super) fn of(
        decision: Decision,
        extensions: &mut Extensions,
    ) -> Result<Self, Box<Refused>> {
        match decision {
            Decision::Exempt => Ok(Self {
                treatment: Treatment::Untouched,
                nonce: None,
                end: None,
            }),
            Decision::Public => {
                // Of another guard, further out: what that one permits is not
                // what this one asks.
                extensions.remove::<Permit>();
                Ok(Self {
                    treatment: Treatment::Stripped,
                    nonce: None,
                    end: None,
                })
            }
            Decision::Permitted(permitted) => Ok(Self::permitted(permitted, extensions)),
            Decision::Observed(observation) => Ok(Self::observed(*observation, extensions)),
            Decision::Refused(refused) => Err(refused),
        }
    }

    /// What another guard, further out, permits is not what this one asks.
    fn observed(observation: Observation, extensions: &mut Extensions) -> Self {
        extensions.remove::<Permit>();
        extensions.insert(observation.found);
        Self {
            treatment: Treatment::Stripped,
            nonce: value(observation.nonce),
            end: None,
        }
    }

    fn permitted(permitted: Permitted, extensions: &mut Extensions) -> Self {
        extensions.insert(permitted.permit);
        Self {
            treatment: Treatment::Stripped,
            nonce: value(permitted.nonce),
            end: permitted.stream.map(StreamEnd::of),
        }
    }

    /// The span in which the handler runs.
    pub(super) fn span(&self) -> Span {
        match self.treatment {
            Treatment::Untouched => Span::none(),
            Treatment::Stripped => spans::handler(),
        }
    }

    pub(super) fn treatment(&self) -> Treatment {
        self.treatment
    }

    /// When the call ends, if it does not end by itself before.
    pub(super) fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref()
    }

    pub(super) fn take_end(&mut self) -> Option<StreamEnd> {
        self.end.take()
    }

    /// Ready when the call outlives its token before there is a response.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<EndCause> {
        match &mut self.end {
            Some(end) => end.poll(cx),
            None => Poll::Pending,
        }
    }

    /// What the guard changes of a response's headers. True: it told a nonce.
    pub(super) fn treat(&mut self, headers: &mut HeaderMap) -> bool {
        if self.treatment == Treatment::Stripped {
            strip(headers);
        }
        let nonce = self
            .nonce
            .take()
            .map(|nonce| headers.insert(DPOP_NONCE, nonce));
        nonce.is_some()
    }
}

/// A client sends a call again when a guard's challenge tells it to. What a
/// handler passes on from further down must not look like one.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(WWW_AUTHENTICATE);
    headers.remove(DPOP_NONCE);
}

fn value(nonce: Option<String>) -> Option<HeaderValue> {
    HeaderValue::try_from(nonce?).ok()
}
