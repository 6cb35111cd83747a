//! Authorization requests, lodged by clients (RFC 9126) and by devices (RFC 8628 §3.1).

use countersign_issuer::Ask;
use countersign_issuer::authorize::{AuthorizedDevice, Lodged, Lodging};
use countersign_issuer::model::RecordId;
use countersign_login::Address;
use countersign_telemetry::spans;
use tracing::Instrument as _;

use super::{Along, Answered, Desk, ProofIs};
use crate::operation::Caller;
use crate::operation::authorize::Push;
use crate::operation::device::{self, AuthorizeDevice};
use crate::random;
use crate::refused::Refused;

impl Desk {
    /// Lodges a request. A proof that comes along binds its code (RFC 9449 §10.1).
    pub(crate) async fn push<'a>(
        &self,
        caller: Caller<'a>,
        lodging: Lodging,
        along: Along<'a>,
        from: Address,
    ) -> Result<Answered<Lodged>, Refused> {
        let caller = caller.over(along.called.certificate());
        let share = &self.overload.tokens;
        let optional = ProofIs::Optional;
        let (visit, proof) = Self::receive(share, &self.engine, &caller, along, optional)?;
        let push = Push {
            caller,
            lodging,
            proof: proof.as_ref().map(|proof| proof.jkt),
            id: RecordId::from_bytes(random::bytes()),
            visitor: self.overload.strangers.visitor(from),
        };
        let decided = self
            .engine
            .decide_for(Some(&visit), &push, proof.as_ref())
            .instrument(spans::authorize("push"))
            .await?;
        Ok(self.answered(decided.answer, proof.as_ref()))
    }

    /// Lets a device wait for a person. A proof that comes along binds its device code.
    pub(crate) async fn device<'a>(
        &self,
        caller: Caller<'a>,
        ask: Ask,
        along: Along<'a>,
        from: Address,
        proof: ProofIs,
    ) -> Result<Answered<AuthorizedDevice>, Refused> {
        let caller = caller.over(along.called.certificate());
        let share = &self.overload.tokens;
        let (visit, proof) = Self::receive(share, &self.engine, &caller, along, proof)?;
        let authorize = AuthorizeDevice {
            caller,
            ask,
            proof: proof.as_ref().map(|proof| proof.jkt),
            id: RecordId::from_bytes(random::bytes()),
            user_codes: device::user_codes(),
            visitor: self.overload.strangers.visitor(from),
        };
        let decided = self
            .engine
            .decide_for(Some(&visit), &authorize, proof.as_ref())
            .instrument(spans::authorize("device"))
            .await?;
        Ok(self.answered(decided.answer, proof.as_ref()))
    }
}
