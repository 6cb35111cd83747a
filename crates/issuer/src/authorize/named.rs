//! The names under which the login application is told of a request.

use crate::handle::{Handle, HandleKind, HandleText, MacKeys};
use crate::issuer::Issuer;
use crate::model::{Authorization, Generation, Malformed, RecordId, Way};
use crate::refusal::{FieldFault, Refusal};

/// A request, as the login application names it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Its record.
    pub record: RecordId,
    by: By,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum By {
    /// What the client got when it lodged the request, or a device's request was found by.
    RequestUri,
    /// What the browser brought from the authorization endpoint.
    Interaction,
}

impl Named {
    /// Reads the field `request_uri`: a `request_uri`, or the handle of an interaction. What this
    /// service did not make is refused before anything is looked up.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field.
    pub fn parse(text: &str, keys: &MacKeys) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(FieldFault::new("request_uri", Malformed::Missing).into());
        }
        let of = |kind, by| {
            let record = Handle::parse(kind, text, keys).ok()?.record;
            Some(Self { record, by })
        };
        of(HandleKind::RequestUri, By::RequestUri)
            .or_else(|| of(HandleKind::Interaction, By::Interaction))
            .ok_or_else(not_waiting)
    }

    /// A request by its `request_uri`.
    pub(super) const fn by_request_uri(record: RecordId) -> Self {
        Self {
            record,
            by: By::RequestUri,
        }
    }

    /// Whether the request goes by this name now: once a browser has come, by that of its
    /// interaction alone, so that nobody decides it around that browser.
    pub(super) const fn is_of(self, authorization: &Authorization) -> bool {
        let has_begun = match &authorization.way {
            Way::Redirect(redirect) => redirect.browser.is_some(),
            Way::Device(_) => false,
        };
        has_begun == matches!(self.by, By::Interaction)
    }
}

/// The one handle of that kind that a request has.
pub(super) fn handle(kind: HandleKind, record: RecordId, issuer: &Issuer) -> HandleText {
    Handle {
        kind,
        record,
        generation: Generation::FIRST,
    }
    .text(&issuer.mac_keys)
}

/// Unknown, expired, decided, or of a client that is gone: one answer.
pub(super) fn not_waiting() -> Refusal {
    FieldFault::new("request_uri", Malformed::RequestUri).into()
}
