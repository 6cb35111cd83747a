//! A guarded service with something to say for every kind of call.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_client::GuardedChannel;
use countersign_guard::{Builder, NonceMode, PermitExt as _};
use countersign_telemetry::layer::ServerLayer;
use countersign_testkit::Problem;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The service.
#[derive(Default)]
pub(crate) struct Shop {
    /// Whether what is watched goes on for ever, or ends after three messages.
    pub(crate) for_ever: bool,
    /// How often the handler has passed on a challenge from further down.
    pub(crate) passed_on: Arc<AtomicUsize>,
    /// A guarded service that is asked before an order is placed.
    pub(crate) stock: Option<OrderServiceClient<GuardedChannel>>,
}

impl Shop {
    /// Serves behind a guard that gets its keys from the token service at `issuer` and always asks
    /// for nonces: clients meet a challenge however long the machine took to start them. Its
    /// tokens are for `resource`.
    pub(crate) async fn serve(self, issuer: &str, resource: &str) -> Result<SocketAddr, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let guard = Builder::new(issuer)
            .serve_as(format!("http://{address}"), resource)
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
            .nonces(NonceMode::Always)
            .connect()
            .await?;
        let server = Server::builder()
            .layer(ServerLayer::new())
            .layer(guard.layer())
            .add_service(OrderServiceServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Ok(address)
    }
}

fn order(item: String, owner: &str) -> Option<Order> {
    Some(Order {
        order_id: "1".to_owned(),
        item,
        owner: owner.to_owned(),
    })
}

type Sends<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrderService for Shop {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let item = request.into_inner().item;
        if let Some(stock) = &self.stock {
            let order_id = item.clone();
            stock
                .clone()
                .get_order(GetOrderRequest { order_id })
                .await?;
        }
        let order = order(item, &owner);
        Ok(Response::new(CreateOrderResponse { order }))
    }

    /// `pass-on` fails as a guard further down would: with all that asks a client to try again.
    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let order_id = request.into_inner().order_id;
        if order_id != "pass-on" {
            let order = order(order_id, &owner);
            return Ok(Response::new(GetOrderResponse { order }));
        }
        self.passed_on.fetch_add(1, Ordering::SeqCst);
        let error = ("oauth_error".to_owned(), "use_dpop_nonce".to_owned());
        let details = ErrorDetails::with_error_info(
            Reason::DpopNonceRequired.as_str_name(),
            "countersign",
            std::collections::HashMap::from([error]),
        );
        let mut status = Status::with_error_details(Code::Unauthenticated, "passed on", details);
        for (name, value) in [
            ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
            ("dpop-nonce", "from-further-down"),
        ] {
            let value = value.parse().map_err(|_| Status::internal(name))?;
            status.metadata_mut().insert(name, value);
        }
        Err(status)
    }

    type WatchOrdersStream = Sends<WatchOrdersResponse>;

    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let orders = ["tea", "milk", "rice"].map(|item| {
            let order = order(item.to_owned(), &owner);
            Ok(WatchOrdersResponse { order })
        });
        let orders = tokio_stream::iter(orders);
        Ok(Response::new(if self.for_ever {
            Box::pin(orders.chain(tokio_stream::pending()))
        } else {
            Box::pin(orders)
        }))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let mut orders = request.into_inner();
        let mut count = 0;
        while orders.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(ImportOrdersResponse { count }))
    }

    type ExchangeOrdersStream = Sends<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        request: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let answers = request.into_inner().map(move |asked| {
            asked.map(|asked| ExchangeOrdersResponse {
                order: order(asked.item, &owner),
            })
        });
        Ok(Response::new(Box::pin(answers)))
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
