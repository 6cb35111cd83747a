//! The service that the demonstration guards. Handlers know nothing of tokens:
//! they ask the permit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign::example::v1::order_service_server::OrderService;
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_guard::PermitExt;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming, async_trait};

/// The most orders that are kept: it is a demonstration.
const ORDERS_MAX: usize = 10_000;

/// Orders in memory.
#[derive(Clone, Default)]
pub(crate) struct Orders {
    placed: Arc<Mutex<Vec<Order>>>,
}

impl Orders {
    fn place(&self, item: String, owner: &str) -> Result<Order, Status> {
        if item.is_empty() {
            return Err(Status::invalid_argument("item: must not be empty"));
        }
        let mut placed = self.placed();
        if placed.len() >= ORDERS_MAX {
            return Err(Status::resource_exhausted("the book is full"));
        }
        let order = Order {
            order_id: format!("order-{}", placed.len() + 1),
            item,
            owner: owner.to_owned(),
        };
        placed.push(order.clone());
        Ok(order)
    }

    fn placed(&self) -> MutexGuard<'_, Vec<Order>> {
        // A list of orders is whole even if somebody panicked while he held it.
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let order = self.place(request.into_inner().item, &owner)?;
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let order = self
            .placed()
            .iter()
            .find(|order| order.order_id == request.get_ref().order_id)
            .cloned()
            .ok_or_else(|| Status::not_found("there is no such order"))?;
        request.permit()?.require_owner(&order.owner)?;
        Ok(Response::new(GetOrderResponse { order: Some(order) }))
    }

    type WatchOrdersStream = Answers<WatchOrdersResponse>;

    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let own: Vec<_> = self
            .placed()
            .iter()
            .filter(|order| order.owner == owner)
            .cloned()
            .map(|order| Ok(WatchOrdersResponse { order: Some(order) }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(own))))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let mut incoming = request.into_inner();
        let mut count = 0;
        while let Some(order) = incoming.message().await? {
            self.place(order.item, &owner)?;
            count += 1;
        }
        Ok(Response::new(ImportOrdersResponse { count }))
    }

    type ExchangeOrdersStream = Answers<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        request: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let orders = self.clone();
        let answers = request.into_inner().map(move |order| {
            let order = orders.place(order?.item, &owner)?;
            Ok(ExchangeOrdersResponse { order: Some(order) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn ping(&self, _request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Ok(Response::new(PingResponse {}))
    }

    async fn purge_orders(
        &self,
        _request: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        // Nobody gets here: the method has no rule.
        self.placed().clear();
        Ok(Response::new(PurgeOrdersResponse {}))
    }
}
