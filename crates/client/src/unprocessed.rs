//! Calls that no server has looked at.

use std::error::Error;

/// Whether it is certain that no server processed the call, so that it can be sent again whatever
/// it does: the connection ended before the call was written, or the server refused its stream.
/// A connection that broke says nothing of the kind.
pub(crate) fn is_certain(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let unsent = error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        if unsent || error.downcast_ref().is_some_and(is_refusal) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// RFC 9113 §6.8 and §8.7. h2 ends with GOAWAY only streams above the last one that it names.
fn is_refusal(error: &h2::Error) -> bool {
    let asked_to_leave = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    let stream_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (asked_to_leave || stream_refused)
}
