//! `StoreService`: figures and backups, on the Unix socket.

use std::pin::Pin;
use std::sync::Arc;

use countersign::admin::v1::store_service_server::StoreService;
use countersign::admin::v1::{
    BackupStoreRequest, BackupStoreResponse, GetStoreStatsRequest, GetStoreStatsResponse,
};
use countersign_store::EmbeddedStore;
use futures_util::{Stream, TryStreamExt as _};
use tonic::{Request, Response, Status};

use super::operator;
use crate::engine::Engine;
use crate::operation::back_up::BackUp;
use crate::refused::Refused;
use crate::wire::admin::store::stats;

/// A store that has backups of its own. Others come with their databases' tools.
pub(crate) struct Stores {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<EmbeddedStore>,
}

#[tonic::async_trait]
impl StoreService for Stores {
    async fn get_store_stats(
        &self,
        request: Request<GetStoreStatsRequest>,
    ) -> Result<Response<GetStoreStatsResponse>, Status> {
        let figures = self.store.stats().map_err(Refused::Store)?;
        let counts = match request.get_ref().count_records {
            true => Some(self.store.count().await.map_err(Refused::Store)?),
            false => None,
        };
        let epoch = self.engine.issuer().epoch;
        Ok(Response::new(stats(figures, counts, epoch)))
    }

    type BackupStoreStream =
        Pin<Box<dyn Stream<Item = Result<BackupStoreResponse, Status>> + Send>>;

    async fn backup_store(
        &self,
        request: Request<BackupStoreRequest>,
    ) -> Result<Response<Self::BackupStoreStream>, Status> {
        let actor = operator(&request)?;
        // First, so that the copy says itself that it was made.
        self.engine.decide(&BackUp { actor }).await?;
        let backup = self.store.backup().await.map_err(Refused::Backup)?;
        let chunks = backup
            .map_ok(|chunk| BackupStoreResponse {
                chunk: chunk.to_vec(),
            })
            .map_err(|error| Status::from(Refused::Backup(error)));
        Ok(Response::new(Box::pin(chunks)))
    }
}
