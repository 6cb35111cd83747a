//! Protect a tonic server: only callers with an access token of your token
//! service, bound to a key that they prove to hold, reach the methods that
//! their scopes cover.
//!
//! # State the rules
//!
//! Who may call a method stands where the method is declared:
//!
//! ```proto
//! import "countersign/policy/v1/rule.proto";
//!
//! service OrderService {
//!   rpc CreateOrder(CreateOrderRequest) returns (CreateOrderResponse) {
//!     option (countersign.policy.v1.rule) = {scopes: "orders.write"};
//!   }
//!   rpc Ping(PingRequest) returns (PingResponse) {
//!     option (countersign.policy.v1.rule) = {public: true};
//!   }
//! }
//! ```
//!
//! A method without a rule is refused. The guard reads the rules from the
//! encoded descriptor set; take it from `protox`'s `encode_file_descriptor_set`
//! or from `protoc`, since prost's own types drop options. The folder with the
//! imported file is `countersign::PROTO_DIR`.
//!
//! A rule may also ask for one of several scopes (`any_scopes`), for how and how
//! lately a person proved who they are (`acr_values`, `max_age`, [RFC 9470]), and
//! for a resource where one server hosts several. For protos that cannot be
//! changed, [`Builder::rules_file`] reads the same words from a file.
//! [`RuleBook`] is for tools that show or check rules. A service that is in use
//! already begins with [`Builder::observe`] and [`Builder::accept_bearer`].
//!
//! # Put the guard in front
//!
//! ```no_run
//! use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
//! use tonic::transport::Server;
//!
//! # async fn serve(orders: impl OrderService, address: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
//! let guard = countersign_guard::Builder::new("https://tokens.internal:7443")
//!     .serve("https://orders.internal:8443") // origin, and the resource (audience) it serves
//!     .descriptors(countersign::FILE_DESCRIPTOR_SET)
//!     .connect()
//!     .await?;
//! Server::builder()
//!     .layer(guard.layer())
//!     .add_service(OrderServiceServer::new(orders))
//!     .serve(address)
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! `serve` names the server as its clients do. It is never taken from a request.
//! A token service that is away is no error: calls are refused with
//! AUTHORITY_UNREACHABLE, and the guard is not [ready](Guard::readiness), until
//! it answers; or the guard starts from its [key-set file](Builder::key_set_file).
//!
//! # HTTP services
//!
//! The same guard stands in front of axum, or any tower service of HTTP: with
//! [`Guard::http_layer`], rules of HTTP routes in the rule file
//! (`["GET /orders/{id}"]`), HTTP's codes and challenges, and the metadata of
//! [RFC 9728].
//!
//! ```no_run
//! use std::convert::Infallible;
//! use countersign_guard::PermitExt as _;
//! use http::{Request, Response};
//! use tower_layer::Layer as _;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let guard = countersign_guard::Builder::new("https://tokens.internal:7443")
//!     .serve("https://orders.internal")
//!     .rules("[\"GET /orders/{id}\"]\nscopes = [\"orders.read\"]")
//!     .connect()
//!     .await?;
//! let handler = tower::service_fn(async |request: Request<_>| {
//!     # let _: &Request<countersign_guard::layer::http::HttpRequestBody<String>> = &request;
//!     Ok::<_, Infallible>(match request.permit() {
//!         Ok(permit) => Response::new(permit.subject().to_owned()),
//!         Err(denied) => denied.response(),
//!     })
//! });
//! let guarded = guard.http_layer().layer(handler);
//! # let _ = guarded;
//! # Ok(())
//! # }
//! ```
//!
//! # Reference tokens
//!
//! Access tokens that begin with `csa_` say nothing themselves: the guard asks
//! the token service, once the call's proof was verified. For that it is a client
//! of its own, which serves the resource and has the scope `introspect`:
//!
//! ```
//! # use countersign_client::Credential;
//! # fn configure(builder: countersign_guard::Builder, secret: String) -> countersign_guard::Builder {
//! builder.client("orders", Credential::ClientSecret(secret.into()))
//! # }
//! ```
//!
//! Without it, or an [`Introspector`] of your own, such tokens are refused. What
//! was said of a token is kept for five seconds at most; for a minute, while the guard is told of
//! revocations as they happen. It asks about so many at once; whoever makes tokens up takes no room from those who were right before.
//!
//! # Tokens that are bound to a certificate
//!
//! Such a token (RFC 8705) is taken only over a connection that was opened with that certificate,
//! and with a proof besides. tonic's own server says which one it was, if it asks for one
//! (`ServerTlsConfig::client_ca_root`); who ends TLS otherwise says it with [`PeerCertificate`].
//!
//! # Exceptions
//!
//! Health and reflection have no rules of yours: exempt them.
//!
//! ```
//! # fn configure(builder: countersign_guard::Builder) -> countersign_guard::Builder {
//! builder
//!     .exempt("grpc.health.v1.Health")
//!     .exempt("grpc.reflection.v1.ServerReflection")
//! # }
//! ```
//!
//! # Ask in the handler
//!
//! ```
//! use countersign::example::v1::{GetOrderRequest, GetOrderResponse, Order};
//! use countersign_guard::PermitExt as _;
//! use tonic::{Request, Response, Status};
//!
//! # struct Orders;
//! # impl Orders { fn find(&self, _: &str) -> Order { Order::default() } }
//! async fn get_order(
//!     orders: &Orders,
//!     request: Request<GetOrderRequest>,
//! ) -> Result<Response<GetOrderResponse>, Status> {
//!     let permit = request.permit()?;
//!     let order = orders.find(&request.get_ref().order_id);
//!     permit.require_owner(&order.owner)?; // is the caller the one this object belongs to?
//!     Ok(Response::new(GetOrderResponse { order: Some(order) }))
//! }
//! ```
//!
//! A [`Permit`] says who calls, in whose name, and with which scopes. Only the
//! guard can make one.
//!
//! # What is checked, in this order
//!
//! The method's rule; that there is exactly one `authorization` and one `dpop`;
//! the deadline; the proof ([RFC 9449] §4.3, all twelve checks); the token
//! ([RFC 9068] §4; of a reference, what its issuer says, [RFC 7662]) and that it
//! is bound to the proof's key; the audience; the scopes; how and when the person
//! proved who they are, where the rule asks; and last that the proof is used for
//! the first time. Refusals carry
//! `google.rpc.ErrorInfo` with the domain `countersign` and a reason of
//! `countersign.error.v1.Reason`, and a `www-authenticate` challenge where one
//! is due.
//!
//! - A bound token that is presented as a bearer token is refused and
//!   [counted](Guard::counts): someone may have stolen it.
//! - Streams are authorised when they open and end with TOKEN_EXPIRED at their
//!   token's end, with TOKEN_REVOKED when it is revoked, and with
//!   STREAM_TOO_OLD at the age that [`Builder::stream_age_max`] sets.
//! - A guard with a [client](Builder::client) of its own is told what is revoked
//!   and refuses it within a second. [`Guard::knowledge`] says how old what it
//!   knows is; past [`Builder::knowledge_age_max`] it lets nobody in.
//! - `www-authenticate` and `dpop-nonce` in what handlers answer are removed:
//!   clients take them for the guard's own, and send the call again.
//! - Spent proofs are remembered in memory, in a bounded [`Ledger`]. For the
//!   first minute after a start, clients are asked for a nonce, so that a proof
//!   that was used before a restart is not accepted after it.
//! - Several instances behind one name each remember their own proofs: within
//!   its minute, a proof could be used once at each. [`NonceMode::Always`], with
//!   each instance's own nonce key (the default), ties every proof to one
//!   instance.
//!
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
//! [RFC 9470]: https://www.rfc-editor.org/rfc/rfc9470
//! [RFC 9068]: https://www.rfc-editor.org/rfc/rfc9068
//! [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
//! [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728

mod authority;
mod backoff;
mod builder;
mod certificate;
mod check;
mod credentials;
mod freshness;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod guard;
mod horizon;
mod keys;
pub mod layer;
mod ledger;
mod observe;
mod permit;
mod published;
mod readiness;
mod refusal;
mod respond;
mod revocations;
mod routes;
mod streams;

pub use self::authority::Detail;
pub use self::authority::online::{Introspected, IntrospectionUnavailable, Introspector};
pub use self::builder::{BuildError, Builder};
pub use self::certificate::PeerCertificate;
pub use self::freshness::{Freshness, NonceMode, Sharing};
pub use self::guard::{Counts, Guard, Knowledge};
pub use self::keys::{KeySource, KeysTold, KeysUnavailable, KeysWatched, PublishedKeys};
pub use self::layer::GuardLayer;
pub use self::layer::http::HttpGuardLayer;
pub use self::ledger::{Ledger, LedgerLimits, LedgerRefusal};
pub use self::observe::WouldRefuse;
pub use self::permit::{Denied, Permit, PermitExt};
pub use self::revocations::{
    Revocation, RevocationSource, Revocations, RevocationsTold, RevokedTarget,
    TokenServiceRevocations, WatchFailed,
};
pub use self::routes::{MethodRule, Needs, RuleBook, RulesError, Who, WrongRule};
/// A point in time, as permits and [`Builder::accept_bearer`] say it.
pub use countersign_jose::UnixTime;
