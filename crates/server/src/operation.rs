//! What can be asked of the issuer, one file each: load what the decision needs, decide. The rules
//! themselves are the issuer's.

pub(crate) mod authorize;
pub(crate) mod back_up;
pub(crate) mod browser;
pub(crate) mod device;
pub(crate) mod introspect;
pub(crate) mod issue;
pub(crate) mod keys;
pub(crate) mod redeem;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod revoke_all;
pub(crate) mod rotate;

use std::sync::Arc;

use countersign_issuer::model::{Client, ClientId, PeerCertificate};
use countersign_issuer::{Authenticated, Known, Presented, authenticate};

use crate::engine::Moment;
use crate::records::Records;
use crate::refused::Refused;

/// A client that says who it is, and what it shows for it.
pub(crate) struct Caller<'a> {
    pub(crate) id: ClientId,
    pub(crate) presented: Presented<'a>,
    /// What the connection was opened with (RFC 8705).
    pub(crate) certificate: Option<&'a PeerCertificate>,
}

impl<'a> Caller<'a> {
    /// The same, over a connection with this certificate.
    pub(crate) fn over(self, certificate: Option<&'a PeerCertificate>) -> Self {
        Self {
            certificate,
            ..self
        }
    }
}

impl Caller<'_> {
    /// The registration of that name, if there is one.
    async fn load(&self, records: &Records) -> Result<Option<Known<Arc<Client>>>, Refused> {
        let known = records.registration(&self.id).await?;
        // Only a name that is registered: anything else may be a secret in the wrong field.
        if known.is_some() {
            countersign_telemetry::spans::note_client(self.id.as_str());
        }
        Ok(known)
    }

    /// Whether it is that client. Before anything else is loaded, so that an unknown client costs
    /// what a wrong secret costs; and charged for at once, since the caller may not wait for the
    /// rest.
    fn authenticate<'k>(
        &self,
        known: Option<&'k Known<Arc<Client>>>,
        at: Moment<'_>,
    ) -> Result<Authenticated<'k>, Refused> {
        let client = known.map(|known| &*known.value);
        let Self {
            id,
            presented,
            certificate,
        } = self;
        let authenticated = authenticate(id, client, presented, *certificate, at.issuer, at.now)?;
        if let Some(visit) = at.visit {
            visit.authenticated();
        }
        Ok(authenticated)
    }
}
