//! The service that the examples guard and call: a guard in front, and handlers
//! that ask their permit.

use std::sync::Arc;

use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_guard::{Guard, PermitExt as _};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// Far more than an example places before it reads.
const ORDERS_WAITING_MAX: usize = 64;

/// A free port of this machine, and its URL.
pub(crate) fn port() -> std::io::Result<(TcpIncoming, String)> {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let incoming = TcpIncoming::bind(any)?;
    let url = format!("http://{}", incoming.local_addr()?);
    Ok((incoming, url))
}

/// Serves orders behind this guard, for as long as the program runs.
pub(crate) fn serve(incoming: TcpIncoming, guard: &Guard) {
    let server = Server::builder()
        .layer(guard.layer()) // before every handler
        .add_service(OrderServiceServer::new(Orders::default()));
    tokio::spawn(server.serve_with_incoming(incoming));
}

struct Orders {
    placed: Mutex<Vec<Order>>,
    news: broadcast::Sender<Order>,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            placed: Mutex::default(),
            news: broadcast::Sender::new(ORDERS_WAITING_MAX),
        }
    }
}

impl Orders {
    /// An order belongs to whoever the permit says.
    fn place(&self, item: String, owner: &str) -> Order {
        let mut placed = self.placed.lock();
        let order = Order {
            order_id: format!("order-{}", placed.len() + 1),
            item,
            owner: owner.to_owned(),
        };
        placed.push(order.clone());
        // Nobody may be watching.
        let _ = self.news.send(order.clone());
        order
    }
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let order = self.place(request.into_inner().item, &owner);
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let permit = request.permit()?;
        let wanted = &request.get_ref().order_id;
        let found = self
            .placed
            .lock()
            .iter()
            .find(|o| o.order_id == *wanted)
            .cloned();
        let order = found.ok_or_else(|| Status::not_found("no such order"))?;
        permit.require_owner(&order.owner)?; // the scope is there; is the order his?
        Ok(Response::new(GetOrderResponse { order: Some(order) }))
    }

    type WatchOrdersStream = BoxStream<'static, Result<WatchOrdersResponse, Status>>;

    /// Knows nothing of tokens: the guard ends the stream when its token ends or
    /// is revoked.
    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let owner: Arc<str> = request.permit()?.subject().into();
        let news = BroadcastStream::new(self.news.subscribe());
        let his = news.filter_map(move |order| {
            let owner = Arc::clone(&owner);
            async move {
                let order = order.ok().filter(|order| order.owner == *owner)?;
                Some(Ok(WatchOrdersResponse { order: Some(order) }))
            }
        });
        Ok(Response::new(his.boxed()))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let mut wanted = request.into_inner();
        let mut count = 0;
        while let Some(order) = wanted.message().await? {
            self.place(order.item, &owner);
            count += 1;
        }
        Ok(Response::new(ImportOrdersResponse { count }))
    }

    type ExchangeOrdersStream = BoxStream<'static, Result<ExchangeOrdersResponse, Status>>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Ok(Response::new(stream::empty().boxed()))
    }

    /// Public by its rule, so there is no permit to ask for.
    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Ok(Response::new(PingResponse {}))
    }

    /// Has no rule: the guard lets nobody get here.
    async fn purge_orders(
        &self,
        _: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        self.placed.lock().clear();
        Ok(Response::new(PurgeOrdersResponse {}))
    }
}
