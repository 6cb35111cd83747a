//! The guarded service.

use std::collections::HashMap;
use std::pin::Pin;

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_server::OrderService;
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_guard::{Permit, PermitExt as _};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A service that shows what the guard told it.
pub(crate) struct Orders;

type Sent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let permit = request.permit()?;
        let order = Order {
            order_id: permit.token_id().to_owned(),
            item: permit.audience().to_owned(),
            owner: permit.subject().to_owned(),
        };
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    /// Asks for an owner and a scope by the order's name; `pass-on` answers as
    /// a guard further down would.
    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let permit = request.permit()?;
        match request.get_ref().order_id.split_once(':') {
            Some(("owner", owner)) => permit.require_owner(owner)?,
            Some(("person", person)) => permit.require_person(person)?,
            Some(("client", client)) => permit.require_client(client)?,
            Some(("account", account)) => permit.require_owned("account", account)?,
            Some(("scope", scope)) => permit.require_scope(scope)?,
            _ => return Err(from_further_down()),
        }
        Ok(Response::new(GetOrderResponse { order: None }))
    }

    type WatchOrdersStream = Sent<WatchOrdersResponse>;

    /// One order, then nothing more.
    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let order = Order {
            owner,
            ..Order::default()
        };
        let one = tokio_stream::once(Ok(WatchOrdersResponse { order: Some(order) }));
        Ok(Response::new(Box::pin(one.chain(tokio_stream::pending()))))
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        request.permit()?;
        let mut orders = request.into_inner();
        let mut count = 0;
        while orders.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(ImportOrdersResponse { count }))
    }

    type ExchangeOrdersStream = Sent<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        request: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        let owner = request.permit()?.subject().to_owned();
        let answers = request.into_inner().map(move |asked| {
            let order = Order {
                item: asked?.item,
                owner: owner.clone(),
                ..Order::default()
            };
            Ok(ExchangeOrdersResponse { order: Some(order) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        assert!(request.permit().is_err(), "a public method has no permit");
        match request.metadata().get("pass-on") {
            Some(_) => Err(from_further_down()),
            None => Ok(Response::new(PingResponse {})),
        }
    }

    /// Asks for nothing, and tells what the guard told.
    async fn purge_orders(
        &self,
        request: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        let mut response = Response::new(PurgeOrdersResponse {});
        let permitted = request.extensions().get::<Permit>().is_some();
        let said = response.metadata_mut();
        said.insert("permitted", permitted.to_string().parse().unwrap());
        if let Some(found) = request.would_refuse() {
            let reason = found.reason().as_str_name();
            said.insert("would-refuse", reason.parse().unwrap());
            said.insert("cause", found.cause().parse().unwrap());
        }
        Ok(response)
    }
}

/// An error that this service got from another guard and passes on, with all that makes a client
/// send a call again.
fn from_further_down() -> Status {
    let reason = Reason::DpopNonceRequired.as_str_name();
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, "countersign", HashMap::new());
    let mut status =
        Status::with_error_details(Code::Unauthenticated, "from further down", details);
    let challenge = "DPoP error=\"use_dpop_nonce\"".parse().unwrap();
    status.metadata_mut().insert("www-authenticate", challenge);
    status
        .metadata_mut()
        .insert("dpop-nonce", "n".parse().unwrap());
    status
}
