//! `RevocationService` of the admin API, on the Unix socket: an operator revokes.

use countersign::admin::v1::revocation_service_server::RevocationService;
use countersign::admin::v1::{RevokeTokensRequest, RevokeTokensResponse};
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::operator;
use crate::engine::Engine;
use crate::operation::revoke_all::RevokeAll;
use crate::wire;

pub(crate) struct Revocations {
    pub(crate) engine: Engine,
}

#[tonic::async_trait]
impl RevocationService for Revocations {
    async fn revoke_tokens(
        &self,
        request: Request<RevokeTokensRequest>,
    ) -> Result<Response<RevokeTokensResponse>, Status> {
        let actor = operator(&request)?;
        let target = wire::revocation::target(request.into_inner())?;
        let operation = RevokeAll { target, actor };
        let revoked = self.engine.decide(&operation);
        let revoked = revoked.instrument(spans::revoke()).await?;
        Ok(Response::new(RevokeTokensResponse {
            revoke_time: Some(wire::timestamp(revoked.answer)),
        }))
    }
}
