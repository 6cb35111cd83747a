//! Test services that Countersign guards, and services that call them: a
//! dev-dependency.
//!
//! | you want | you take |
//! | --- | --- |
//! | a token service in a test | [`Platform`] |
//! | a real permit for a handler's test | [`Checkpoint`], [`Caller::request`] |
//! | a service behind the real guard, without a socket | [`Caller::calls`] |
//! | to see that your service is protected, over gRPC or HTTP | [`Attacks`] |
//! | another time | [`MovableClock`] |
//!
//! Everything in it is the real thing: the guard that runs in production, the token
//! service on a real store in a folder of its own, real proofs. Nothing is switched
//! off, and nothing here can make what only the guard or the token service can.
//!
//! # A token service in a test
//!
//! ```
//! use countersign_testkit::Platform;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), countersign_testkit::Problem> {
//! let platform = Platform::start().await?;
//! let checkout = platform.caller("checkout", "https://orders.test", &["orders.read"]).await?;
//!
//! let channel = checkout.channel("https://orders.test").connect().await?; // for a generated stub
//! # let _ = channel;
//! # let scopes = ["orders.read".to_owned()];
//! # let resources = ["https://orders.test".to_owned()];
//! # assert_eq!(checkout.token_service().issue(&scopes, &resources).await?.scopes, scopes);
//! # Ok(()) }
//! ```
//!
//! [`Platform::guard`] describes the guard of a service under test;
//! [`Platform::register`] takes clients of every kind, [`sign_in`] walks a person
//! through. The service ends with the `Platform`, and its folder goes with it.
//!
//! # A real permit for a handler's test
//!
//! Only the guard can make a `Permit`, in tests as well. A [`Checkpoint`] is that
//! guard, with the rules of your service and an issuer that signs what the test
//! wants; it needs no token service and no socket.
//!
//! ```
//! use countersign::error::v1::Reason;
//! use countersign::example::v1::{GetOrderRequest, GetOrderResponse, Order};
//! use countersign_client::outcome::Refused;
//! use countersign_guard::PermitExt as _;
//! use countersign_testkit::Checkpoint;
//! use tonic::{Request, Response, Status};
//!
//! // The handler to be tested. The order belongs to ann.
//! fn get_order(request: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
//!     request.permit()?.require_owner("ann")?;
//!     Ok(Response::new(GetOrderResponse { order: Some(Order::default()) }))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const GET: &str = "/countersign.example.v1.OrderService/GetOrder";
//! let checkpoint = Checkpoint::of(countersign::FILE_DESCRIPTOR_SET).await?;
//! let desk = checkpoint.caller("desk").scopes(["orders.read"]);
//!
//! let ann = desk.clone().subject("ann").request(GET, GetOrderRequest::default()).await?;
//! assert!(get_order(ann).is_ok());
//!
//! let bob = desk.clone().subject("bob").request(GET, GetOrderRequest::default()).await?;
//! let refused = Refused::of(&get_order(bob).unwrap_err()).unwrap();
//! assert_eq!(refused.reason, Reason::NotOwner);
//!
//! // Whom the guard refuses never gets to the handler.
//! let stranger = checkpoint.caller("desk").permit(GET).await;
//! let refused = Refused::of(&stranger.unwrap_err()).unwrap();
//! assert_eq!(refused.reason, Reason::ScopeInsufficient);
//! # Ok(()) }
//! ```
//!
//! # The whole service behind the guard
//!
//! [`Caller::calls`] goes into a generated stub. Calls pass through the real client
//! layer and the real guard, streams as well; the clock decides when a token ends.
//!
//! ```
//! use std::time::Duration;
//!
//! use countersign::example::v1::CreateOrderRequest;
//! use countersign::example::v1::order_service_client::OrderServiceClient;
//! use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
//! use countersign_testkit::Checkpoint;
//!
//! async fn an_order_needs_a_live_token(orders: impl OrderService) {
//!     let checkpoint = Checkpoint::of(countersign::FILE_DESCRIPTOR_SET).await.unwrap();
//!     let checkout = checkpoint.caller("checkout").scopes(["orders.write"]);
//!     let mut stub = OrderServiceClient::new(checkout.calls(OrderServiceServer::new(orders)));
//!
//!     stub.create_order(CreateOrderRequest::default()).await.unwrap();
//!     checkpoint.clock().advance(Duration::from_secs(300)); // tokens of a checkpoint live so long
//!     stub.create_order(CreateOrderRequest::default()).await.unwrap_err();
//! }
//! ```
//!
//! # Attacks
//!
//! [`Attacks::play_all`] replays a proof, steals a token, presents it as a bearer
//! token, waits for its end, has it revoked, …: each time after the same call was
//! made with everything right. It returns an error that says where to look unless
//! the guard refused each for the reason that it should.
//!
//! ```
//! use countersign::example::v1::CreateOrderRequest;
//! use countersign::example::v1::order_service_client::OrderServiceClient;
//! use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
//! use countersign_testkit::{Checkpoint, Platform, Problem};
//!
//! /// In memory: are the handlers' methods covered by rules?
//! async fn the_rules_protect(orders: impl OrderService) -> Result<(), Problem> {
//!     let checkpoint = Checkpoint::of(countersign::FILE_DESCRIPTOR_SET).await?;
//!     let caller = checkpoint.caller("checkout").scopes(["orders.write"]);
//!     let attacks = caller.attacks(OrderServiceServer::new(orders));
//!     attacks
//!         .play_all(async |calls| {
//!             let mut stub = OrderServiceClient::new(calls);
//!             stub.create_order(CreateOrderRequest::default()).await
//!         })
//!         .await?;
//!     Ok(())
//! }
//!
//! /// Over the network: is the server that listens at `url` put together rightly?
//! /// Its guard comes from `platform.guard(url)`.
//! async fn the_server_is_protected(platform: &Platform, url: &str) -> Result<(), Problem> {
//!     let attacks = platform.attacks(url, &["orders.write"]).await?;
//!     attacks
//!         .play_all(async |calls| {
//!             let mut stub = OrderServiceClient::new(calls);
//!             stub.create_order(CreateOrderRequest::default()).await
//!         })
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! The same over HTTP, against an axum router or any other tower service behind
//! [`Guard::http_layer`](countersign_guard::Guard::http_layer): one request instead of
//! one call. [`Platform::attacks`] takes a server that listens.
//!
//! ```
//! use axum::Router;
//! use axum::routing::get;
//! use countersign_testkit::{Checkpoint, Problem};
//! use http::Request;
//! use tonic::body::Body;
//! use tower::ServiceExt as _;
//!
//! const RULES: &str = r#"
//! ["GET /orders/{id}"]
//! scopes = ["orders.read"]
//! "#;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Problem> {
//! let router = Router::new().route("/orders/{id}", get(async || "tea"));
//! let checkpoint = Checkpoint::with(|guard| guard.rules(RULES)).await?;
//! let caller = checkpoint.caller("checkout").scopes(["orders.read"]);
//! let repelled = caller
//!     .http_attacks(router)
//!     .play_all(async |calls| {
//!         let request = Request::get("/orders/7").body(Body::empty());
//!         calls.oneshot(request?).await
//!     })
//!     .await?;
//! # assert_eq!(repelled.len(), 10);
//! # Ok(()) }
//! ```
//!
//! # The feature `workspace`
//!
//! What Countersign's own tests stand on besides: the binary as a child process,
//! tools of others, stores that are wrong on purpose. It changes without notice.

mod admin;
mod attacks;
mod calls;
mod checkpoint;
mod clock;
#[cfg(feature = "workspace")]
mod desk;
#[cfg(feature = "workspace")]
pub mod parts;
mod person;
mod platform;
#[cfg(feature = "workspace")]
pub mod service;
#[cfg(feature = "workspace")]
pub mod setup;
#[cfg(feature = "workspace")]
pub mod work;

pub use admin::{Registered, person_client, service_client};
pub use attacks::{Attack, Attacks, Failure, Outcome, Unprotected};
pub use calls::Calls;
pub use checkpoint::{Caller, Checkpoint};
pub use clock::MovableClock;
#[cfg(feature = "workspace")]
pub use desk::Desk;
pub use person::{authorize, sign_in};
pub use platform::{Platform, Problem};

/// Its examples are compiled with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
