//! `IntrospectionService`: what a token is worth, to those it is for (RFC 7662). The guard in
//! front has checked the caller's own token and its scope.

use std::sync::Arc;

use countersign::introspection::v1::introspection_service_server::IntrospectionService;
use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use countersign_issuer::introspect::{introspect, recognise};
use countersign_issuer::model::Malformed;
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::permitted_client;
use crate::engine::Engine;
use crate::operation::introspect::find;
use crate::overload::Overload;
use crate::refused::Refused;
use crate::signer::KeySet;
use crate::wire;

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
        self.overload.introspections.charge(caller.clone())?;
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Refused::field("token", Malformed::Missing).into());
        }
        let issuer = &self.engine.issuer();
        let recognised = recognise(token, self.keys.in_use().published(), issuer);
        let found = find(&self.engine.records, &recognised, &caller)
            .instrument(spans::introspect())
            .await?;
        let client = found.caller.as_deref();
        let now = self.engine.now();
        let introspection = introspect(&recognised, &found.standing, client, issuer, now);
        let answer = wire::introspection::introspected(&introspection, &issuer.name);
        Ok(Response::new(answer))
    }
}
