//! A guard that asks this very token service what reference tokens say, and a service behind it.

use std::sync::Arc;
use std::time::Duration;

use countersign::admin::v1::{self as admin, AccessTokenFormat};
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign::token::v1::revoke_token_request::Target;
use countersign_client::Credential;
use countersign_client::clock::Clock;
use countersign_guard::{Guard, NonceMode, PermitExt as _};
use tokio_stream::Empty;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::comes::{Comes, check};
use crate::details::{account, has_accounts};
use crate::flow::revoke;
use crate::harness::{
    Client, ISSUE, ORDERS, Service, credentials, inner, service_client, strings, with_proof,
};
use crate::proof::{Draft, Key};
use crate::references::have;

const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";
const GET: &str = "/countersign.example.v1.OrderService/GetOrder";

/// Tells who called.
pub(crate) struct Orders;

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let permit = request.permit()?;
        let order = Order {
            order_id: permit.token_id().to_owned(),
            owner: permit.subject().to_owned(),
            ..Order::default()
        };
        Ok(Response::new(CreateOrderResponse { order: Some(order) }))
    }

    /// An order of an account, for who has that account in the token.
    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let account = &request.get_ref().order_id;
        request.permit()?.require_owned("account", account)?;
        Ok(Response::new(GetOrderResponse::default()))
    }

    type WatchOrdersStream = Empty<Result<WatchOrdersResponse, Status>>;

    async fn watch_orders(
        &self,
        _: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn import_orders(
        &self,
        _: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    type ExchangeOrdersStream = Empty<Result<ExchangeOrdersResponse, Status>>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn purge_orders(
        &self,
        _: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }
}

/// The token service, orders behind a guard, and a client with its key.
struct Scene {
    service: Service,
    orders: OrderServiceClient<Channel>,
    checkout: Client,
    key: Key,
}

impl Scene {
    /// Tokens for orders are references.
    async fn new() -> Self {
        let service = Service::start().await;
        service.add_orders().await;
        have(&service, ORDERS, AccessTokenFormat::Reference).await;
        let issuer = service.issuer().to_owned();
        let guards = service
            .add(admin::Client {
                serves: vec![ORDERS.to_owned()],
                ..service_client("orders", &[(issuer.as_str(), &["introspect"])])
            })
            .await;
        let checkout = service_client("checkout", &[(ORDERS, &["orders.write"])]);
        let checkout = service.add(checkout).await;
        let guard = guard(&service, Some(&guards)).await;
        Self {
            orders: guarded(&guard),
            service,
            checkout,
            key: Key::new(),
        }
    }

    async fn token(&self) -> String {
        let issued = self.service.issue(&self.checkout, &self.key).await;
        issued.expect("issued").access_token
    }

    async fn call(&self, token: &str) -> Result<CreateOrderResponse, Status> {
        self.call_with(token, &self.key).await
    }

    async fn call_with(&self, token: &str, key: &Key) -> Result<CreateOrderResponse, Status> {
        let proof = self.proof(token, key);
        let mut request = with_proof(CreateOrderRequest::default(), &proof);
        let value = format!("DPoP {token}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        inner(self.orders.clone().create_order(request).await)
    }

    /// Reads an order of that account.
    async fn read(&self, token: &str, account: &str) -> Result<GetOrderResponse, Status> {
        let message = GetOrderRequest {
            order_id: account.to_owned(),
        };
        let proof = self.proof_for(GET, token, &self.key);
        let mut request = with_proof(message, &proof);
        let value = format!("DPoP {token}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        inner(self.orders.clone().get_order(request).await)
    }

    fn proof(&self, token: &str, key: &Key) -> String {
        self.proof_for(CREATE, token, key)
    }

    fn proof_for(&self, path: &str, token: &str, key: &Key) -> String {
        let htu = format!("{ORDERS}{path}");
        Draft::new(key, &htu, self.service.now())
            .ath(token)
            .sign(key)
    }

    async fn revoke(&self, token: &str) {
        let target = Target::Token(token.to_owned());
        let revoked = revoke(&self.service, &self.checkout, target, "").await;
        revoked.expect("revoked");
    }
}

async fn guard(service: &Service, client: Option<&Client>) -> Guard {
    let mut builder = countersign_guard::Builder::new(service.running().url())
        .issuer(service.issuer())
        .serve(ORDERS)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .nonces(NonceMode::Off)
        .clock(Arc::clone(&service.clock) as Arc<dyn Clock>);
    if let Some(client) = client {
        let secret = client.secret.clone().expect("it has one");
        builder = builder.client(&client.id, Credential::ClientSecret(secret.into()));
    }
    builder.connect().await.expect("a guard")
}

fn guarded(guard: &Guard) -> OrderServiceClient<Channel> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let address = format!("http://{}", incoming.local_addr().expect("an address"));
    let server = Server::builder()
        .layer(guard.layer())
        .add_service(OrderServiceServer::new(Orders));
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Channel::from_shared(address).expect("a URL");
    OrderServiceClient::new(channel.connect_lazy())
}

/// Code and reason, for what the attack list has no letter for.
fn refused(answer: Result<CreateOrderResponse, Status>) -> String {
    let status = answer.expect_err("refused");
    let details = status.get_error_details();
    details.error_info().expect("ours").reason.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guard_takes_what_this_service_issues_in_both_formats() {
    let scene = Scene::new().await;
    let reference = scene.token().await;
    have(&scene.service, ORDERS, AccessTokenFormat::Jwt).await;
    let jwt = scene.token().await;
    assert!(reference.starts_with("csa_") && jwt.starts_with("eyJ"));
    for token in [&reference, &jwt, &reference] {
        let order = scene
            .call(token)
            .await
            .expect("accepted")
            .order
            .expect("told");
        assert_eq!(order.owner, "checkout");
        assert!(!order.order_id.is_empty());
    }
}

/// What the service issued is what the guard's questions are answered by, told by the token itself
/// or by introspection.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_account_that_it_is_for_in_both_formats() {
    let scene = Scene::new().await;
    let mut ledger = service_client("ledger", &[(ORDERS, &["orders.read"])]);
    ledger.permissions[0].details_types = strings(&["account"]);
    has_accounts(&scene.service).await;
    let ledger = scene.service.add(ledger).await;
    let token = async |details: &str| {
        let mut request = credentials(&ledger);
        request.authorization_details = details.to_owned();
        let proof = scene.service.proof(&scene.key, ISSUE);
        let mut tokens = scene.service.tokens().await;
        let issued = tokens.issue_token(with_proof(request, &proof)).await;
        inner(issued).expect("issued").access_token
    };
    for (format, prefix) in [
        (AccessTokenFormat::Jwt, "eyJ"),
        (AccessTokenFormat::Reference, "csa_"),
    ] {
        have(&scene.service, ORDERS, format).await;
        let seven = token(&account("acc-7")).await;
        let none = token("").await;
        assert!(seven.starts_with(prefix) && none.starts_with(prefix));
        for (what, token, account, opens) in [
            ("its account", &seven, "acc-7", true),
            ("another", &seven, "acc-8", false),
            ("no account in it", &none, "acc-7", false),
        ] {
            let answer = scene.read(token, account).await;
            let reason = answer.err().map(|status| {
                let details = status.get_error_details();
                details.error_info().expect("ours").reason.clone()
            });
            let expected = (!opens).then_some("REASON_NOT_OWNER");
            assert_eq!(reason.as_deref(), expected, "{what}, {prefix}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_reference_is_refused() {
    let scene = Scene::new().await;
    let unseen = scene.token().await;
    scene.revoke(&unseen).await;
    check("never shown before", &scene.call(&unseen).await, Comes::T);

    let seen = scene.token().await;
    scene.call(&seen).await.expect("accepted");
    scene.revoke(&seen).await;
    scene.service.clock.advance(Duration::from_secs(5));
    let answer = scene.call(&seen).await;
    assert_eq!(refused(answer), "REASON_TOKEN_REVOKED");
}

/// The clock stands still: what was said would hold, but the guard is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_watches_hears_of_a_revoked_reference() {
    let mut scene = Scene::new().await;
    let issuer = scene.service.issuer().to_owned();
    let watching = admin::Client {
        serves: vec![ORDERS.to_owned()],
        ..service_client(
            "watching",
            &[(issuer.as_str(), &["introspect", "revocations.watch"])],
        )
    };
    let watching = scene.service.add(watching).await;
    let watches = guard(&scene.service, Some(&watching)).await;
    scene.orders = guarded(&watches);
    let token = scene.token().await;
    scene.call(&token).await.expect("accepted");
    scene.revoke(&token).await;
    let soon = tokio::time::Instant::now() + Duration::from_secs(30);
    let reason = loop {
        match scene.call(&token).await {
            Ok(_) => assert!(tokio::time::Instant::now() < soon, "it is told soon"),
            refusal => break refused(refusal),
        }
    };
    assert_eq!(reason, "REASON_TOKEN_REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_ends() {
    let scene = Scene::new().await;
    let (seen, unseen) = (scene.token().await, scene.token().await);
    scene.call(&seen).await.expect("accepted");
    scene.service.clock.advance(Duration::from_secs(300));
    assert_eq!(refused(scene.call(&seen).await), "REASON_TOKEN_EXPIRED");
    check("never shown before", &scene.call(&unseen).await, Comes::T);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_reference_is_of_no_use() {
    let scene = Scene::new().await;
    let token = scene.token().await;
    let thief = Key::new();
    for what in ["before it was seen", "after"] {
        let with_key = scene.call_with(&token, &thief).await;
        check(what, &with_key, Comes::T);
        let mut bearer = Request::new(CreateOrderRequest::default());
        let value = format!("Bearer {token}").parse().expect("ASCII");
        bearer.metadata_mut().insert("authorization", value);
        let as_bearer = inner(scene.orders.clone().create_order(bearer).await);
        check(what, &as_bearer, Comes::T);
        scene.call(&token).await.expect("its owner calls");
    }
    for garbage in ["csa_", "csa_garbage", &format!("{token}x"), &token[4..]] {
        check(garbage, &scene.call(garbage).await, Comes::T);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_may_not_ask_takes_no_reference() {
    let mut scene = Scene::new().await;
    let token = scene.token().await;
    let nobody = guard(&scene.service, None).await;
    scene.orders = guarded(&nobody);
    check("nobody to ask as", &scene.call(&token).await, Comes::T);

    let issuer = scene.service.issuer().to_owned();
    // It serves another resource: what it is told is that there is nothing.
    let elsewhere = service_client("elsewhere", &[(issuer.as_str(), &["introspect"])]);
    let elsewhere = scene.service.add(elsewhere).await;
    let asks = guard(&scene.service, Some(&elsewhere)).await;
    scene.orders = guarded(&asks);
    check("does not serve it", &scene.call(&token).await, Comes::T);

    // It has no right to ask at all: nobody vouches.
    let unfit = service_client("unfit", &[(ORDERS, &["orders.read"])]);
    let unfit = scene.service.add(unfit).await;
    let asks = guard(&scene.service, Some(&unfit)).await;
    scene.orders = guarded(&asks);
    let answer = scene.call(&token).await;
    assert_eq!(refused(answer), "REASON_AUTHORITY_UNREACHABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_token_service_is_away_nobody_vouches_for_a_new_reference() {
    let mut scene = Scene::new().await;
    let (seen, unseen) = (scene.token().await, scene.token().await);
    have(&scene.service, ORDERS, AccessTokenFormat::Jwt).await;
    let jwt = scene.token().await;
    scene.call(&seen).await.expect("accepted");
    scene.service.stop().await;
    scene
        .call(&seen)
        .await
        .expect("what was said holds for 5 s");
    scene.call(&jwt).await.expect("verified offline");
    let status = scene.call(&unseen).await.expect_err("refused");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    let details = status.get_error_details();
    assert!(
        details
            .retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
    );
    scene.service.clock.advance(Duration::from_secs(5));
    let answer = scene.call(&seen).await;
    assert_eq!(refused(answer), "REASON_AUTHORITY_UNREACHABLE");
}
