//! `RevocationService`: what was revoked, as it is. The guard in front has checked the caller's
//! token and its scope.

use std::sync::Arc;

use countersign::revocation::v1::revocation_service_server::RevocationService;
use countersign::revocation::v1::{WatchRevocationsRequest, WatchRevocationsResponse};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

use super::permitted_client;
use crate::refused::Refused;
use crate::revoked::Revoked;
use crate::watchers::{Sharer, Watchers};
use crate::wire::revocation::{cursor, page};

/// What fits into a message, however long the names are.
const PAGE: usize = 128;

pub(crate) struct RevocationWatch {
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) watchers: Arc<Watchers>,
}

#[tonic::async_trait]
impl RevocationService for RevocationWatch {
    type WatchRevocationsStream = BoxStream<'static, Result<WatchRevocationsResponse, Status>>;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let caller = permitted_client(&request)?;
        let cursor = cursor(&request.get_ref().cursor)?;
        let place = self.watchers.enter(vec![Sharer::Client(caller)])?;
        let pages = self.revoked.watch(cursor, PAGE);
        let pages = pages.map_err(|_| Refused::CursorTooOld)?;
        let messages = pages.map(move |told| {
            // Given back when the watch ends.
            let _ = &place;
            Ok(page(&told))
        });
        Ok(Response::new(messages.boxed()))
    }
}
