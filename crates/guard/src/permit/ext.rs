//! Where handlers find their permit.

use http::Extensions;

use super::{Denial, Denied, Permit};
use crate::observe::WouldRefuse;

/// Asks a request for its permit: one of tonic's, or of HTTP's, whole or its head alone.
pub trait PermitExt {
    /// What the guard put beside the request.
    fn beside(&self) -> &Extensions;

    /// The permit that the guard gave this call.
    ///
    /// # Errors
    /// INTERNAL, over HTTP 500, where no guard stands in front of the handler, or its method is
    /// public: both are mistakes of the server's. Where the guard is
    /// [observing](crate::Builder::observe), what it would have refused with.
    fn permit(&self) -> Result<&Permit, Denied> {
        self.beside().get::<Permit>().ok_or_else(|| {
            let found = self.beside().get::<WouldRefuse>();
            let refused = found.map(|found| Denial::Refused(found.refusal().clone()));
            Denied::because(refused.unwrap_or(Denial::NoPermit))
        })
    }

    /// What an [observing](crate::Builder::observe) guard found wrong with this
    /// call. `None`: nothing, or the guard is not observing.
    fn would_refuse(&self) -> Option<&WouldRefuse> {
        // A permit is of the guard further in, and has the last word.
        match self.beside().get::<Permit>() {
            Some(_) => None,
            None => self.beside().get(),
        }
    }
}

impl<T> PermitExt for tonic::Request<T> {
    fn beside(&self) -> &Extensions {
        self.extensions()
    }
}

impl<T> PermitExt for http::Request<T> {
    fn beside(&self) -> &Extensions {
        self.extensions()
    }
}

impl PermitExt for http::request::Parts {
    fn beside(&self) -> &Extensions {
        &self.extensions
    }
}
