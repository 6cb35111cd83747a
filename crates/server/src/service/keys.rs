//! `KeyService`: the keys that verify access tokens. They are in memory; asking costs no store.

use std::sync::Arc;

use countersign::keys::v1::key_service_server::KeyService;
use countersign::keys::v1::{ListKeysRequest, ListKeysResponse};
use tonic::{Request, Response, Status};

use crate::signer::KeySet;
use crate::wire;

pub(crate) struct Keys {
    pub(crate) set: Arc<KeySet>,
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(ListKeysResponse {
            keys: self.set.in_use().listed().to_vec(),
            max_age: Some(wire::duration(self.set.max_age())),
            issuer: self.set.issuer().to_owned(),
        }))
    }
}
