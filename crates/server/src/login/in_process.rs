//! The token service for an application in the same process: the same operations as over gRPC, with
//! the same reading of fields.

use countersign::error::v1::Reason;
use countersign_issuer::authorize::request_uri;
use countersign_issuer::model::{ClientId, RecordId};
use countersign_login::{Approval, Asked, TokenService, Trouble};
use countersign_telemetry::spans;
use tracing::Instrument as _;

use crate::engine::Engine;
use crate::operation::authorize::{Approve, Deny, Show};
use crate::refused::Refused;
use crate::{status, wire};

/// The engine, without a wire between.
pub(crate) struct InProcess {
    pub(crate) engine: Engine,
    /// Who decides, as the audit log has it.
    pub(crate) decider: ClientId,
}

#[tonic::async_trait]
impl TokenService for InProcess {
    async fn show(&self, handle: &str) -> Result<Asked, Trouble> {
        let id = self.id(handle)?;
        let shown = self
            .engine
            .decide(&Show { id })
            .instrument(spans::authorize("get"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        Ok(Asked::from(wire::authorization::shown(&shown)))
    }

    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble> {
        let id = self.id(handle)?;
        let request = approval.said_of(handle);
        let approving = wire::authorization::approving(&request, self.engine.now());
        let approving = approving.map_err(|refused| trouble(&refused))?;
        let redirect_to = self
            .engine
            .decide(&Approve { id, approving })
            .instrument(spans::authorize("approve"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        // A device learns of it by itself.
        Ok(redirect_to.map_or_else(String::new, |to| to.reveal().to_owned()))
    }

    async fn deny(&self, handle: &str) -> Result<String, Trouble> {
        let id = self.id(handle)?;
        let decider = self.decider.clone();
        let redirect_to = self
            .engine
            .decide(&Deny { id, decider })
            .instrument(spans::authorize("deny"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        // A device learns of it by itself.
        Ok(redirect_to.map_or_else(String::new, |to| to.reveal().to_owned()))
    }
}

impl InProcess {
    fn id(&self, handle: &str) -> Result<RecordId, Trouble> {
        let id = request_uri(handle, &self.engine.issuer().mac_keys);
        id.map_err(|refusal| trouble(&refusal.into()))
    }
}

/// As over the wire, where the reason is read back.
fn trouble(refused: &Refused) -> Trouble {
    let reason: Reason = status::told(refused).reason;
    Trouble::of(reason, status::retry_after(refused))
}
