//! What a client sends to an endpoint of OAuth: a form, with header fields along.

use ::http::request::Parts;
use axum::extract::{FromRequest, Request};
use countersign_login::{Address, Proxies};

use super::client::Shown;
use super::form::Form;
use super::problem::Problem;
use crate::called::Called;
use crate::desk::Along;
use crate::refused::{Fault, Refused};

/// A request of a client, read whole.
pub(super) struct Asking {
    pub(super) form: Form,
    head: Parts,
    called: Called,
}

impl Asking {
    /// Who the client is, and what it shows: one method, and no more than one (RFC 6749 §2.3).
    pub(super) fn client(&self) -> Result<Shown<'_>, Refused> {
        Shown::read(&self.head.headers, &self.form)
    }

    /// Where it comes from.
    pub(super) fn from(&self, proxies: Proxies) -> Address {
        Address::of_request(&self.head, proxies)
    }

    /// What came along, for the desk.
    pub(super) fn along(&self) -> Along<'_> {
        Along {
            headers: &self.head.headers,
            called: &self.called,
        }
    }
}

impl<S: Sync> FromRequest<S> for Asking {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (mut head, body) = request.into_parts();
        let called = head
            .extensions
            .remove::<Called>()
            .ok_or(Refused::Fault(Fault::LayerMissing))?;
        let form = Form::read(&head, body).await?;
        Ok(Self { form, head, called })
    }
}
