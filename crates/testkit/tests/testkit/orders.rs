//! A service to be tested.

use std::pin::Pin;

use countersign::FILE_DESCRIPTOR_SET;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_guard::{Guard, PermitExt as _};
use countersign_testkit::{Platform, Problem};
use futures_util::{Stream, StreamExt as _, stream};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";
pub(crate) const GET: &str = "/countersign.example.v1.OrderService/GetOrder";
pub(crate) const PING: &str = "/countersign.example.v1.OrderService/Ping";

/// Every order belongs to ann.
#[derive(Default)]
pub(crate) struct Orders {
    /// Answers everybody, without asking for a permit.
    pub(crate) trusting: bool,
}

type Sent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Orders {
    pub(crate) fn server() -> OrderServiceServer<Self> {
        OrderServiceServer::new(Self::default())
    }

    pub(crate) fn trusting() -> OrderServiceServer<Self> {
        OrderServiceServer::new(Self { trusting: true })
    }
}

/// A place to listen at, and its URL.
pub(crate) fn place() -> (TcpIncoming, String) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    (incoming, url)
}

/// A guard of this platform for the orders at `url`.
pub(crate) async fn guard_of(platform: &Platform, url: &str) -> Result<Guard, Problem> {
    let guard = platform.guard(url).await?;
    Ok(guard.descriptors(FILE_DESCRIPTOR_SET).connect().await?)
}

/// Serves orders behind this guard.
pub(crate) fn serve(incoming: TcpIncoming, guard: &Guard) {
    let server = Server::builder()
        .layer(guard.layer())
        .add_service(Orders::server());
    tokio::spawn(server.serve_with_incoming(incoming));
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let owner = match self.trusting {
            true => "anybody",
            false => request.permit()?.subject(),
        };
        let order = Order {
            owner: owner.to_owned(),
            ..Order::default()
        };
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        request.permit()?.require_owner("ann")?;
        Ok(Response::new(GetOrderResponse::default()))
    }

    type WatchOrdersStream = Sent<WatchOrdersResponse>;

    /// One order, then nothing more.
    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        request.permit()?;
        let one = stream::once(async { Ok(WatchOrdersResponse::default()) });
        Ok(Response::new(one.chain(stream::pending()).boxed()))
    }

    async fn import_orders(
        &self,
        _: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        Ok(Response::new(ImportOrdersResponse::default()))
    }

    type ExchangeOrdersStream = Sent<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Ok(Response::new(stream::empty().boxed()))
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
