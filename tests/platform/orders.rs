//! The example service behind a guard, in the test's own process.

use std::net::SocketAddr;

use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_guard::{Builder, PermitExt as _};
use countersign_telemetry::layer::ServerLayer;
use countersign_testkit::Problem;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Serves the example behind a guard that gets its keys from the token service
/// at `issuer`. Its tokens are for `resource`.
pub(crate) async fn serve(issuer: &str, resource: &str) -> Result<SocketAddr, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let guard = Builder::new(issuer)
        .serve_as(format!("http://{address}"), resource)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .connect()
        .await?;
    let server = Server::builder()
        .layer(ServerLayer::new())
        .layer(guard.layer())
        .add_service(OrderServiceServer::new(Orders))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    Ok(address)
}

struct Orders;

type Sends<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let order = Order {
            order_id: "1".to_owned(),
            item: request.into_inner().item,
            owner,
        };
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    async fn get_order(
        &self,
        _: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        Ok(Response::new(GetOrderResponse::default()))
    }

    type WatchOrdersStream = Sends<WatchOrdersResponse>;

    async fn watch_orders(
        &self,
        _: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::iter(Vec::new())))
    }

    async fn import_orders(
        &self,
        _: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        Ok(Response::new(ImportOrdersResponse::default()))
    }

    type ExchangeOrdersStream = Sends<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::iter(Vec::new())))
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
