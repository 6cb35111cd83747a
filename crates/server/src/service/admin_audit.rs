//! `AuditService`: what happened, on the Unix socket.

mod reading;
mod watching;

use countersign::admin::v1::audit_service_server::AuditService;
use countersign::admin::v1::{
    ListEventsRequest, ListEventsResponse, ReadLogRequest, ReadLogResponse, WatchEventsRequest,
    WatchEventsResponse,
};
use futures_util::stream::BoxStream;
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::audit::{Placed, page};
use crate::records::Records;
use crate::wire::admin::{LogAsking, PAGE_BYTES_MAX, event, filter, log};

pub(crate) struct Audits {
    pub(crate) records: Records,
}

#[tonic::async_trait]
impl AuditService for Audits {
    type WatchEventsStream = BoxStream<'static, Result<WatchEventsResponse, Status>>;
    type ReadLogStream = BoxStream<'static, Result<ReadLogResponse, Status>>;

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let asking = LogAsking::parse(request.into_inner())?;
        let mut bytes = 0;
        let fits = |placed: &Placed| {
            bytes += event(placed.clone()).encoded_len();
            bytes <= PAGE_BYTES_MAX
        };
        let found = page(
            self.records.store(),
            asking.log,
            &asking.filter,
            asking.order,
            asking.after,
            asking.limit,
            fits,
        )
        .await?;
        Ok(Response::new(ListEventsResponse {
            next_page_token: asking.token(found.after),
            events: found.events.into_iter().map(event).collect(),
        }))
    }

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let request = request.into_inner();
        let (log, filter) = (log(request.log)?, filter(request.filter)?);
        let watch = watching::watch(&self.records, log, filter, request.from).await?;
        Ok(Response::new(watch))
    }

    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        let request = request.into_inner();
        let reading = reading::read(&self.records, log(request.log)?, request.from).await?;
        Ok(Response::new(reading))
    }
}
