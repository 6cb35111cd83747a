//! The order service of which `CreateOrder` is measured. The other methods are
//! there because the service has them.

use countersign::example::v1::order_service_server::OrderService;
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

/// What happens before `CreateOrder` is answered.
#[tonic::async_trait]
pub(super) trait Work: Send + Sync + 'static {
    /// Does it; the text goes into the answer. `None` where something was wrong,
    /// and the answer is then empty.
    async fn work(&self, request: &Request<CreateOrderRequest>) -> Option<String>;
}

/// Nothing at all.
pub(super) struct Nothing;

#[tonic::async_trait]
impl Work for Nothing {
    async fn work(&self, _: &Request<CreateOrderRequest>) -> Option<String> {
        Some(String::new())
    }
}

/// The service, with answers of this size.
pub(super) struct Orders<W> {
    pub(super) work: W,
    pub(super) answer_bytes: usize,
}

#[tonic::async_trait]
impl<W: Work> OrderService for Orders<W> {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let made = self.work.work(&request).await;
        let order = made.map(|made| Order {
            owner: "o".repeat(self.answer_bytes.saturating_sub(made.len())),
            order_id: made,
            item: String::new(),
        });
        Ok(Response::new(CreateOrderResponse { order }))
    }

    async fn get_order(
        &self,
        _: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        Ok(Response::new(GetOrderResponse::default()))
    }

    type WatchOrdersStream = Empty<Result<WatchOrdersResponse, Status>>;

    async fn watch_orders(
        &self,
        _: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn import_orders(
        &self,
        _: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        Ok(Response::new(ImportOrdersResponse::default()))
    }

    type ExchangeOrdersStream = Empty<Result<ExchangeOrdersResponse, Status>>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Ok(Response::new(PingResponse {}))
    }

    async fn purge_orders(
        &self,
        _: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        Ok(Response::new(PurgeOrdersResponse {}))
    }
}
