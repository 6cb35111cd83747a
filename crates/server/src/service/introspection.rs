//! `IntrospectionService`: what a token is worth, to those it is for (RFC 7662). The guard in
//! front has checked the caller's own token and its scope.

use std::sync::Arc;

use countersign::introspection::v1::introspection_service_server::IntrospectionService;
use countersign::introspection::v1::{
    BatchIntrospectTokensRequest, BatchIntrospectTokensResponse, IntrospectTokenRequest,
    IntrospectTokenResponse,
};
use countersign_issuer::introspect::{introspect, recognise};
use countersign_issuer::model::{ClientId, Malformed};
use countersign_telemetry::spans;
use tokio::task::yield_now;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::permitted_client;
use crate::engine::Engine;
use crate::operation::introspect::find;
use crate::overload::Overload;
use crate::refused::Refused;
use crate::signer::KeySet;
use crate::wire;

/// Signatures that are checked in a row before other calls of the worker have their turn: about as
/// long as one call that issues a token takes.
const CHECKED_IN_A_ROW: usize = 8;

pub(crate) struct Introspections {
    pub(crate) engine: Engine,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) overload: Arc<Overload>,
}

#[tonic::async_trait]
impl IntrospectionService for Introspections {
    async fn introspect_token(
        &self,
        request: Request<IntrospectTokenRequest>,
    ) -> Result<Response<IntrospectTokenResponse>, Status> {
        let caller = permitted_client(&request)?;
        self.overload.introspections.charge(caller.clone(), 1)?;
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
        self.overload.introspections.charge(caller.clone(), count)?;
        let answers = self.introspect(&caller, tokens?);
        let answers = answers.instrument(spans::introspect()).await?;
        Ok(Response::new(BatchIntrospectTokensResponse { answers }))
    }
}

impl Introspections {
    /// One answer for each token, in their order, all as of one time.
    async fn introspect(
        &self,
        caller: &ClientId,
        tokens: &[String],
    ) -> Result<Vec<IntrospectTokenResponse>, Refused> {
        let issuer = &self.engine.issuer();
        let mut recognised = Vec::with_capacity(tokens.len());
        for some in tokens.chunks(CHECKED_IN_A_ROW) {
            if !recognised.is_empty() {
                yield_now().await;
            }
            let keys = self.keys.in_use();
            let read = |token: &String| recognise(token, keys.published(), issuer);
            recognised.extend(some.iter().map(read));
        }
        let found = find(&self.engine.records, &recognised, caller).await?;
        let client = found.caller.as_deref();
        let now = self.engine.now();
        let answers = recognised.iter().zip(&found.standings);
        Ok(answers
            .map(|(recognised, standing)| {
                let introspection = introspect(recognised, standing, client, issuer, now);
                wire::introspection::introspected(&introspection, &issuer.name)
            })
            .collect())
    }
}
