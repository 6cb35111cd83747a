//! `SigningKeyService`: the service's own keys, on the Unix socket.

use std::sync::Arc;

use countersign::admin::v1::signing_key_service_server::SigningKeyService;
use countersign::admin::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, RevokeSigningKeyRequest,
    RevokeSigningKeyResponse, RotateSigningKeyRequest, RotateSigningKeyResponse,
};
use countersign_issuer::model::KeyId;
use tonic::{Request, Response, Status};

use super::operator;
use crate::keyring::keeper::Keeper;
use crate::wire::admin::{key, key_purpose, keys};
use crate::wire::timestamp;

pub(crate) struct SigningKeys {
    pub(crate) keeper: Arc<Keeper>,
}

#[tonic::async_trait]
impl SigningKeyService for SigningKeys {
    async fn list_signing_keys(
        &self,
        _: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let listed = self.keeper.list().await?;
        Ok(Response::new(ListSigningKeysResponse {
            signing_keys: keys(&listed, &self.keeper.schedules()),
        }))
    }

    async fn rotate_signing_key(
        &self,
        request: Request<RotateSigningKeyRequest>,
    ) -> Result<Response<RotateSigningKeyResponse>, Status> {
        let actor = operator(&request)?;
        let purpose = key_purpose(request.get_ref().purpose());
        let rotated = self.keeper.rotate(purpose, actor).await?;
        let schedules = self.keeper.schedules();
        let among: Vec<_> = std::iter::once(&rotated.active)
            .chain(&rotated.next)
            .collect();
        Ok(Response::new(RotateSigningKeyResponse {
            active_key: Some(key(&rotated.active, &among, &schedules)),
            next_key: rotated
                .next
                .as_ref()
                .map(|next| key(next, &among, &schedules)),
            rotate_time: rotated.due.map(timestamp),
        }))
    }

    async fn revoke_signing_key(
        &self,
        request: Request<RevokeSigningKeyRequest>,
    ) -> Result<Response<RevokeSigningKeyResponse>, Status> {
        let actor = operator(&request)?;
        let id = KeyId::new(request.into_inner().kid);
        let active = self.keeper.revoke(id, actor).await?.active;
        Ok(Response::new(RevokeSigningKeyResponse {
            active_key: Some(key(&active, &[&active], &self.keeper.schedules())),
        }))
    }
}
