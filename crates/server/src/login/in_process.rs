//! The token service for an application in the same process: the same operations as over gRPC, with
//! the same reading of fields.

use countersign::error::v1::Reason;
use countersign_issuer::authorize::Named;
use countersign_issuer::model::ClientId;
use countersign_login::{Approval, Asked, Denial, TokenService, Trouble, Typed};
use countersign_telemetry::spans;
use tracing::Instrument as _;

use crate::desk::Desk;
use crate::operation::authorize::{Approve, Deny, Show};
use crate::operation::device;
use crate::refused::Refused;
use crate::{status, wire};

/// The engine, without a wire between.
pub(crate) struct InProcess {
    pub(crate) desk: Desk,
    /// Who decides, as the audit log has it.
    pub(crate) decider: ClientId,
}

#[tonic::async_trait]
impl TokenService for InProcess {
    async fn find(&self, typed: &Typed<'_>) -> Result<(String, Asked), Trouble> {
        let typed = wire::authorization::typed(&typed.said());
        let (user_code, guesser) = typed.map_err(|refused| trouble(&refused))?;
        let Desk {
            engine, overload, ..
        } = &self.desk;
        let decider = self.decider.clone();
        let found = device::find(engine, &overload.guesses, decider, user_code, guesser)
            .instrument(spans::authorize("find"))
            .await
            .map_err(|refused| trouble(&refused))?;
        let asked = Asked::from(wire::authorization::shown(&found.shown));
        Ok((found.request_uri.reveal().to_owned(), asked))
    }

    async fn show(&self, handle: &str) -> Result<Asked, Trouble> {
        let named = self.named(handle)?;
        let shown = self
            .desk
            .engine
            .decide(&Show { named })
            .instrument(spans::authorize("get"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        Ok(Asked::from(wire::authorization::shown(&shown)))
    }

    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble> {
        let named = self.named(handle)?;
        let request = approval.said_of(handle);
        let approving = wire::authorization::approving(&request, self.desk.engine.now());
        let approving = approving.map_err(|refused| trouble(&refused))?;
        let redirect_to = self
            .desk
            .engine
            .decide(&Approve { named, approving })
            .instrument(spans::authorize("approve"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        Ok(wire::authorization::redirect_to(redirect_to.as_ref()))
    }

    async fn deny(&self, handle: &str, why: Denial) -> Result<String, Trouble> {
        let named = self.named(handle)?;
        let denial = wire::authorization::denial(&why.said_of(handle));
        let denial = denial.map_err(|refused| trouble(&refused))?;
        let decider = self.decider.clone();
        let redirect_to = self
            .desk
            .engine
            .decide(&Deny {
                named,
                denial,
                decider,
            })
            .instrument(spans::authorize("deny"))
            .await
            .map_err(|refused| trouble(&refused))?
            .answer;
        Ok(wire::authorization::redirect_to(redirect_to.as_ref()))
    }
}

impl InProcess {
    fn named(&self, handle: &str) -> Result<Named, Trouble> {
        let named = Named::parse(handle, &self.desk.engine.issuer().mac_keys);
        named.map_err(|refusal| trouble(&refusal.into()))
    }
}

/// As over the wire, where the reason is read back.
fn trouble(refused: &Refused) -> Trouble {
    let reason: Reason = status::told(refused).reason;
    let field = status::fault(refused).map(|(field, _)| field);
    Trouble::of(reason, field.as_deref(), status::retry_after(refused))
}
