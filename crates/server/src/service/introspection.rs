//! `IntrospectionService`: what a token is worth, to those it is for (RFC 7662). The guard in
//! front has checked the caller's own token and its scope.

use countersign::introspection::v1::introspection_service_server::IntrospectionService;
use countersign::introspection::v1::{
    BatchIntrospectTokensRequest, BatchIntrospectTokensResponse, IntrospectTokenRequest,
    IntrospectTokenResponse,
};
use countersign_issuer::model::{ClientId, Malformed};
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::permitted_client;
use crate::desk::Desk;
use crate::refused::Refused;
use crate::wire;

pub(crate) struct Introspections {
    pub(crate) desk: Desk,
}

#[tonic::async_trait]
impl IntrospectionService for Introspections {
    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Result<Response<IntrospectTokenResponse>, Status> {
        let caller = permitted_client(&request)?;
        self.desk
            .overload
            .introspections
            .charge(caller.clone(), 1)?;
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Refused::field("token", Malformed::Missing).into());
        }
        let answers = self.introspect(&caller, std::slice::from_ref(token));
        let answers = answers.instrument(spans::introspect()).await?;
        // One was asked for.
        Ok(Response::new(
            answers.into_iter().next().unwrap_or_default(),
        ))
    }

    async fn batch_introspect_tokens(
        &self,
        request: Request<BatchIntrospectTokensRequest>,
    ) -> Result<Response<BatchIntrospectTokensResponse>, Status> {
        let caller = permitted_client(&request)?;
        let tokens = wire::introspection::batch(request.get_ref());
        // A caller pays for each, so that many at once are no way around its share; and for a
        // refused request as for one.
        let count = tokens.as_ref().map_or(1, |tokens| tokens.len());
        self.desk
            .overload
            .introspections
            .charge(caller.clone(), count)?;
        let answers = self.introspect(&caller, tokens?);
        let answers = answers.instrument(spans::introspect()).await?;
        Ok(Response::new(BatchIntrospectTokensResponse { answers }))
    }
}

impl Introspections {
    /// One answer for each token, in their order.
    async fn introspect(
        &self,
        caller: &ClientId,
        tokens: &[String],
    ) -> Result<Vec<IntrospectTokenResponse>, Refused> {
        let looked = self.desk.look(caller, tokens).await?;
        let issuer = looked.issuer();
        Ok(looked
            .worth()
            .map(|worth| wire::introspection::introspected(&worth, issuer))
            .collect())
    }
}
