//! `TokenService`: issue, rotate, revoke. Every call carries a proof.

use countersign::token::v1::token_service_server::TokenService;
use countersign::token::v1::{
    IssueTokenRequest, IssueTokenResponse, RevokeTokenRequest, RevokeTokenResponse,
    RotateTokenRequest, RotateTokenResponse,
};
use tonic::{Request, Response, Status};

use super::{along, answered};
use crate::desk::{Desk, ProofIs};
use crate::wire;

pub(crate) struct Tokens {
    pub(crate) desk: Desk,
}

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        let asked = wire::token::asked(request.get_ref(), &self.desk.engine.issuer())?;
        let granted = self.desk.grant(asked, along(&request)?).await?;
        answered(granted, wire::token::issued)
    }

    async fn rotate_token(
        &self,
        request: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        let asked = wire::token::rotation(request.get_ref(), &self.desk.engine.issuer())?;
        let granted = self.desk.grant(asked, along(&request)?).await?;
        answered(granted, wire::token::rotated)
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let (caller, target) = wire::token::revoking(request.get_ref())?;
        let along = along(&request)?;
        let required = ProofIs::Required;
        let revoked = self.desk.revoke(caller, target, along, required).await?;
        answered(revoked, |()| RevokeTokenResponse {})
    }
}
