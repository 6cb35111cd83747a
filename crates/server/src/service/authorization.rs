//! `AuthorizationService`: clients lodge requests, the login application decides them.

use countersign::authorization::v1::authorization_service_server::AuthorizationService;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, ApproveAuthorizationResponse, AuthorizeDeviceRequest,
    AuthorizeDeviceResponse, DenyAuthorizationRequest, DenyAuthorizationResponse,
    FindAuthorizationRequest, FindAuthorizationResponse, GetAuthorizationRequest,
    GetAuthorizationResponse, PushAuthorizationRequest, PushAuthorizationResponse,
};
use countersign_issuer::authorize::Named;
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::{along, answered, from, permitted_client};
use crate::config::VerificationUri;
use crate::desk::{Desk, ProofIs};
use crate::operation::authorize::{Approve, Deny, Show};
use crate::operation::device;
use crate::refused::Refused;
use crate::wire;

pub(crate) struct Authorizations {
    pub(crate) desk: Desk,
    pub(crate) verification: VerificationUri,
}

#[tonic::async_trait]
impl AuthorizationService for Authorizations {
    async fn push_authorization(
        &self,
        request: Request<PushAuthorizationRequest>,
    ) -> Result<Response<PushAuthorizationResponse>, Status> {
        let (caller, lodging) = wire::authorization::pushed(request.get_ref())?;
        let lodged = self
            .desk
            .push(caller, lodging, along(&request)?, from(&request))
            .await?;
        answered(lodged, |lodged| wire::authorization::lodged(&lodged))
    }

    async fn authorize_device(
        &self,
        request: Request<AuthorizeDeviceRequest>,
    ) -> Result<Response<AuthorizeDeviceResponse>, Status> {
        let (caller, ask) = wire::authorization::device(request.get_ref())?;
        let device = self.desk.device(
            caller,
            ask,
            along(&request)?,
            from(&request),
            ProofIs::Required,
        );
        answered(device.await?, |device| {
            wire::authorization::device_authorized(&device, &self.verification)
        })
    }

    async fn find_authorization(
        &self,
        request: Request<FindAuthorizationRequest>,
    ) -> Result<Response<FindAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let (user_code, guesser) = wire::authorization::typed(request.get_ref())?;
        let decider = permitted_client(&request)?;
        let guesses = &self.desk.overload.guesses;
        let found = device::find(&self.desk.engine, guesses, decider, user_code, guesser)
            .instrument(spans::authorize("find"))
            .await?;
        Ok(Response::new(wire::authorization::found(&found)))
    }

    async fn get_authorization(
        &self,
        request: Request<GetAuthorizationRequest>,
    ) -> Result<Response<GetAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let named = self.named(&request.get_ref().request_uri)?;
        let shown = self
            .desk
            .engine
            .decide(&Show { named })
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
        let named = self.named(&request.get_ref().request_uri)?;
        let approving = wire::authorization::approving(request.get_ref(), self.desk.engine.now())?;
        let redirect_to = self
            .desk
            .engine
            .decide(&Approve { named, approving })
            .instrument(spans::authorize("approve"))
            .await?
            .answer;
        let redirect_to = wire::authorization::redirect_to(redirect_to.as_ref());
        Ok(Response::new(ApproveAuthorizationResponse { redirect_to }))
    }

    async fn deny_authorization(
        &self,
        request: Request<DenyAuthorizationRequest>,
    ) -> Result<Response<DenyAuthorizationResponse>, Status> {
        self.charge(&request)?;
        let named = self.named(&request.get_ref().request_uri)?;
        let denial = wire::authorization::denial(request.get_ref())?;
        let decider = permitted_client(&request)?;
        let redirect_to = self
            .desk
            .engine
            .decide(&Deny {
                named,
                denial,
                decider,
            })
            .instrument(spans::authorize("deny"))
            .await?
            .answer;
        let redirect_to = wire::authorization::redirect_to(redirect_to.as_ref());
        Ok(Response::new(DenyAuthorizationResponse { redirect_to }))
    }
}

impl Authorizations {
    /// The guard in front knows who calls.
    fn charge<T>(&self, request: &Request<T>) -> Result<(), Status> {
        Ok(self
            .desk
            .overload
            .tokens
            .charge(permitted_client(request)?, 1)?)
    }

    fn named(&self, text: &str) -> Result<Named, Refused> {
        Ok(Named::parse(text, &self.desk.engine.issuer().mac_keys)?)
    }
}
