//! The service.

use std::pin::Pin;

use countersign::example::v1::order_service_server::OrderService;
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_jose::{Algorithm, PublicKey, base64url};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

fn echo(request: &CreateOrderRequest) -> Response<CreateOrderResponse> {
    let order = Order {
        order_id: "o".repeat(300),
        item: request.item.clone(),
        owner: "w".repeat(300),
    };
    Response::new(CreateOrderResponse { order: Some(order) })
}

fn small(item: String) -> Order {
    Order {
        item,
        ..Order::default()
    }
}

/// Answers, and leaves the rest to the guard.
pub(crate) struct Echo;

/// Answers after the one thing that nobody can do without: verifying the
/// proof's signature, with a key that was parsed beforehand.
pub(crate) struct ByHand(pub(crate) PublicKey);

impl ByHand {
    fn verify(&self, request: &Request<CreateOrderRequest>) {
        let proof = request.metadata().get("dpop").unwrap().to_str().unwrap();
        let (input, signature) = proof.rsplit_once('.').unwrap();
        let signature: [u8; 64] = base64url::decode_array(signature).unwrap();
        self.0
            .verify(Algorithm::Es256, input.as_bytes(), &signature)
            .unwrap();
    }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// CreateOrder and the two that stream are measured; the others are there because the service
/// has them.
macro_rules! orders {
    ($server:ty, $create:expr) => {
        #[tonic::async_trait]
        impl OrderService for $server {
            async fn create_order(
                &self,
                request: Request<CreateOrderRequest>,
            ) -> Result<Response<CreateOrderResponse>, Status> {
                let create: fn(&Self, &Request<CreateOrderRequest>) = $create;
                create(self, &request);
                Ok(echo(request.get_ref()))
            }

            async fn get_order(
                &self,
                _: Request<GetOrderRequest>,
            ) -> Result<Response<GetOrderResponse>, Status> {
                Err(Status::unimplemented(""))
            }

            type WatchOrdersStream = Boxed<WatchOrdersResponse>;

            async fn watch_orders(
                &self,
                _: Request<WatchOrdersRequest>,
            ) -> Result<Response<Self::WatchOrdersStream>, Status> {
                let orders = std::iter::repeat_with(|| {
                    let order = Some(small("tea".to_owned()));
                    Ok(WatchOrdersResponse { order })
                });
                Ok(Response::new(Box::pin(tokio_stream::iter(orders))))
            }

            async fn import_orders(
                &self,
                _: Request<Streaming<ImportOrdersRequest>>,
            ) -> Result<Response<ImportOrdersResponse>, Status> {
                Err(Status::unimplemented(""))
            }

            type ExchangeOrdersStream = Boxed<ExchangeOrdersResponse>;

            async fn exchange_orders(
                &self,
                request: Request<Streaming<ExchangeOrdersRequest>>,
            ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
                let answers = request.into_inner().map(|asked| {
                    let order = Some(small(asked?.item));
                    Ok(ExchangeOrdersResponse { order })
                });
                Ok(Response::new(Box::pin(answers)))
            }

            async fn ping(
                &self,
                _: Request<PingRequest>,
            ) -> Result<Response<PingResponse>, Status> {
                Ok(Response::new(PingResponse {}))
            }

            async fn purge_orders(
                &self,
                _: Request<PurgeOrdersRequest>,
            ) -> Result<Response<PurgeOrdersResponse>, Status> {
                Err(Status::unimplemented(""))
            }
        }
    };
}

orders!(Echo, |_, _| ());
orders!(ByHand, Self::verify);
