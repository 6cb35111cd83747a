//! `AuthorizationService`: clients lodge requests, the login application decides them.

use std::sync::Arc;

use countersign::authorization::v1::authorization_service_server::AuthorizationService;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, ApproveAuthorizationResponse, DenyAuthorizationRequest,
    DenyAuthorizationResponse, GetAuthorizationRequest, GetAuthorizationResponse,
    PushAuthorizationRequest, PushAuthorizationResponse,
};
use countersign_issuer::authorize::request_uri;
use countersign_issuer::model::RecordId;
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::{answered, called, permitted_client};
use crate::engine::Engine;
use crate::operation::authorize::{Approve, Deny, Push, Show};
use crate::overload::Overload;
use crate::random;
use crate::refused::Refused;
use crate::wire;

pub(crate) struct Authorizations {
    pub(crate) engine: Engine,
    pub(crate) overload: Arc<Overload>,
}

#[tonic::async_trait]
impl AuthorizationService for Authorizations {
    async fn push_authorization(
        &self,
        request: Request<PushAuthorizationRequest>,
    ) -> Result<Response<PushAuthorizationResponse>, Status> {
        let (caller, lodging) = wire::authorization::pushed(request.get_ref())?;
        let mut visit = self.overload.tokens.visit(&caller)?;
        let headers = request.metadata().as_ref();
        let proof = self.engine.proof_if_any(headers, called(&request)?)?;
        if let Some(proof) = &proof {
            visit = visit.with_key(proof.jkt)?;
        }
        let push = Push {
            caller,
            lodging,
            proof: proof.as_ref().map(|proof| proof.jkt),
            id: RecordId::from_bytes(random::bytes()),
        };
        let decided = self
            .engine
            .decide_for(Some(&visit), &push, proof.as_ref())
            .instrument(spans::authorize("push"))
            .await?;
        let lodged = decided.answer;
        let proofs = &self.engine.proofs;
        let nonce = proof.and_then(|proof| proofs.next_nonce(&proof, self.engine.proof_time()));
        answered(wire::authorization::lodged(&lodged), nonce)
    }

    async fn get_authorization(
        &self,
        request: Request<GetAuthorizationRequest>,
    ) -> Result<Response<GetAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let id = self.id(&request.get_ref().request_uri)?;
        let shown = self
            .engine
            .decide(&Show { id })
            .instrument(spans::authorize("get"))
            .await?
            .answer;
        let authorization = Some(wire::authorization::shown(&shown));
        Ok(Response::new(GetAuthorizationResponse { authorization }))
    }

    async fn approve_authorization(
        &self,
        request: Request<ApproveAuthorizationRequest>,
    ) -> Result<Response<ApproveAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let id = self.id(&request.get_ref().request_uri)?;
        let approving = wire::authorization::approving(request.get_ref(), self.engine.now())?;
        let redirect_to = self
            .engine
            .decide(&Approve { id, approving })
            .instrument(spans::authorize("approve"))
            .await?
            .answer
            .reveal()
            .to_owned();
        Ok(Response::new(ApproveAuthorizationResponse { redirect_to }))
    }

    async fn deny_authorization(
        &self,
        request: Request<DenyAuthorizationRequest>,
    ) -> Result<Response<DenyAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let id = self.id(&request.get_ref().request_uri)?;
        let decider = permitted_client(&request)?;
        let redirect_to = self
            .engine
            .decide(&Deny { id, decider })
            .instrument(spans::authorize("deny"))
            .await?
            .answer
            .reveal()
            .to_owned();
        Ok(Response::new(DenyAuthorizationResponse { redirect_to }))
    }
}

impl Authorizations {
    /// The guard in front knows who calls.
    fn charge<T>(&self, request: &Request<T>) -> Result<(), Status> {
        Ok(self.overload.tokens.charge(permitted_client(request)?, 1)?)
    }

    fn id(&self, text: &str) -> Result<RecordId, Refused> {
        Ok(request_uri(text, &self.engine.issuer().mac_keys)?)
    }
}
