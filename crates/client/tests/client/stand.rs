//! What the tests stand on: two servers that follow a script.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, PingRequest,
    PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest, WatchOrdersResponse,
};
use countersign::token::v1::token_service_server::{TokenService, TokenServiceServer};
use countersign::token::v1::{
    IssueTokenRequest, IssueTokenResponse, RevokeTokenRequest, RevokeTokenResponse,
    RotateTokenRequest, RotateTokenResponse,
};
use countersign_client::clock::Clock;
use countersign_client::{Builder, Countersign, Credential, GuardedChannel};
use countersign_jose::{CompactJws, UnixTime};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, secs: u64) {
        self.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What a server does with the next call.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Answers it.
    Answer,
    /// Refuses it as a guard would: without running anything.
    Refuse(Reason, Option<&'static str>),
    /// Fails as a handler would.
    Fail(Reason),
    /// Has no time, and says for how long.
    Shed(Duration),
    /// Is not there.
    Away,
    /// Answers with a token of this type.
    OfType(&'static str),
    /// Answers after this time.
    After(Duration),
}

/// What a call was sent with.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) authorization: Option<String>,
    pub(crate) proof: Value,
    pub(crate) messages: usize,
}

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One server's script and record.
#[derive(Default)]
pub(crate) struct Script {
    /// What to do, call by call; afterwards, answer.
    pub(crate) steps: Mutex<VecDeque<Step>>,
    pub(crate) sent: Mutex<Vec<Sent>>,
}

impl Script {
    pub(crate) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().extend(steps);
    }

    pub(crate) fn calls(&self) -> usize {
        self.sent.lock().len()
    }

    pub(crate) fn last(&self) -> Sent {
        self.sent.lock().last().unwrap().clone()
    }

    async fn act(&self, metadata: &MetadataMap, messages: usize) -> Result<Step, Status> {
        let text = |name: &str| {
            let values: Vec<_> = metadata.get_all(name).iter().collect();
            assert!(values.len() <= 1, "{name} twice");
            values
                .first()
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let proof = text("dpop").expect("every call has a proof");
        let jws = CompactJws::parse(&proof, 4096).unwrap();
        self.sent.lock().push(Sent {
            authorization: text("authorization"),
            proof: serde_json::from_slice(jws.payload()).unwrap(),
            messages,
        });
        let step = self.steps.lock().pop_front().unwrap_or(Step::Answer);
        match step {
            Step::Refuse(reason, nonce) => Err(refusal(reason, nonce)),
            Step::Fail(reason) => {
                let mut status = refusal(reason, Some("from-a-handler"));
                status.metadata_mut().remove("www-authenticate");
                Err(status)
            }
            Step::Shed(time) => Err(shed(time)),
            Step::Away => Err(Status::unavailable("away")),
            Step::After(time) => {
                tokio::time::sleep(time).await;
                Ok(Step::Answer)
            }
            step => Ok(step),
        }
    }
}

fn shed(retry_after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(
        Reason::Overloaded.as_str_name(),
        "countersign",
        std::collections::HashMap::new(),
    );
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(tonic::Code::ResourceExhausted, "shed", details)
}

/// As a guard would refuse.
pub(crate) fn refusal(reason: Reason, nonce: Option<&str>) -> Status {
    let details = ErrorDetails::with_error_info(
        reason.as_str_name(),
        "countersign",
        std::collections::HashMap::new(),
    );
    let mut status = Status::with_error_details(tonic::Code::Unauthenticated, "refused", details);
    let challenge = "DPoP error=\"…\", algs=\"ES256\"".replace('…', "invalid_token");
    let metadata = status.metadata_mut();
    metadata.insert("www-authenticate", challenge.parse().unwrap());
    if let Some(nonce) = nonce {
        metadata.insert("dpop-nonce", nonce.parse().unwrap());
    }
    status
}

#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) script: Script,
    issued: AtomicU64,
    pub(crate) issue: Mutex<Vec<IssueTokenRequest>>,
    pub(crate) rotate: Mutex<Vec<RotateTokenRequest>>,
    pub(crate) revoke: Mutex<Vec<RevokeTokenRequest>>,
}

#[derive(Clone)]
struct TokensEdge(Arc<Tokens>);

#[tonic::async_trait]
impl TokenService for TokensEdge {
    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        let step = self.0.script.act(request.metadata(), 1).await?;
        let n = self.0.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let request = request.into_inner();
        let scopes = request.scopes.clone();
        let authorization_details = request.authorization_details.clone();
        self.0.issue.lock().push(request);
        Ok(Response::new(IssueTokenResponse {
            access_token: format!("token-{n}"),
            token_type: of_type(&step),
            expires_in: Some(prost_types::Duration {
                seconds: 300,
                nanos: 0,
            }),
            scopes,
            refresh_token: String::new(),
            family_id: String::new(),
            authorization_details,
        }))
    }

    async fn rotate_token(
        &self,
        request: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        self.0.rotate.lock().push(request.get_ref().clone());
        let step = self.0.script.act(request.metadata(), 1).await?;
        let n = self.0.issued.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Response::new(RotateTokenResponse {
            access_token: format!("token-{n}"),
            token_type: of_type(&step),
            expires_in: Some(prost_types::Duration {
                seconds: 300,
                nanos: 0,
            }),
            scopes: Vec::new(),
            refresh_token: format!("{}+", request.get_ref().refresh_token),
            family_id: "family".to_owned(),
            authorization_details: request.get_ref().authorization_details.clone(),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        self.0.script.act(request.metadata(), 1).await?;
        self.0.revoke.lock().push(request.into_inner());
        Ok(Response::new(RevokeTokenResponse {}))
    }
}

fn of_type(step: &Step) -> String {
    match step {
        Step::OfType(kind) => (*kind).to_owned(),
        _ => "DPoP".to_owned(),
    }
}

#[derive(Clone)]
struct OrdersEdge(Arc<Script>);

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrderService for OrdersEdge {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        self.0.act(request.metadata(), 1).await?;
        Ok(Response::new(CreateOrderResponse { order: None }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        self.0.act(request.metadata(), 1).await?;
        Ok(Response::new(GetOrderResponse { order: None }))
    }

    type WatchOrdersStream = Boxed<WatchOrdersResponse>;

    /// Response headers first, and then what the script says.
    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let acted = self.0.act(request.metadata(), 1).await;
        let stream = tokio_stream::once(acted.map(|_| WatchOrdersResponse { order: None }));
        Ok(Response::new(Box::pin(stream)))
    }

    /// Reads everything, then does what the script says.
    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let metadata = request.metadata().clone();
        let messages: Vec<_> = request.into_inner().collect().await;
        let count = messages.len();
        self.0.act(&metadata, count).await?;
        Ok(Response::new(ImportOrdersResponse {
            count: count as i32,
        }))
    }

    type ExchangeOrdersStream = Boxed<ExchangeOrdersResponse>;

    /// Does what the script says before anything is read.
    async fn exchange_orders(
        &self,
        request: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        self.0.act(request.metadata(), 0).await?;
        let answers = request
            .into_inner()
            .map(|asked| asked.map(|_| ExchangeOrdersResponse { order: None }));
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

pub(crate) struct Stand {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) orders: Arc<Script>,
    pub(crate) tokens_url: String,
    pub(crate) orders_url: String,
    pub(crate) countersign: Countersign,
}

impl Stand {
    pub(crate) async fn start() -> Self {
        Self::of(Credential::ClientSecret("s3cret".into())).await
    }

    pub(crate) async fn of(credential: Credential) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_760_000_000_000)));
        let (tokens, orders) = (Arc::<Tokens>::default(), Arc::<Script>::default());
        let tokens_url = listen(
            Server::builder().add_service(TokenServiceServer::new(TokensEdge(Arc::clone(&tokens)))),
        );
        let orders_url = serve(&orders);
        let countersign = Builder::new(&tokens_url)
            .issuer("https://tokens.test")
            .client("checkout", credential)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .connect()
            .await
            .unwrap();
        Self {
            clock,
            tokens,
            orders,
            tokens_url,
            orders_url,
            countersign,
        }
    }

    pub(crate) async fn orders(&self) -> OrderServiceClient<GuardedChannel> {
        self.orders_at(&self.orders_url).await
    }

    pub(crate) async fn orders_at(&self, url: &str) -> OrderServiceClient<GuardedChannel> {
        let channel = self
            .countersign
            .channel(url)
            .scopes(["orders.write"])
            .connect()
            .await
            .unwrap();
        OrderServiceClient::new(channel)
    }

    /// One call of CreateOrder.
    pub(crate) async fn create(&self) -> Result<(), Status> {
        self.create_at(&self.orders_url).await
    }

    /// The same over what stands in front of the server.
    pub(crate) async fn create_at(&self, url: &str) -> Result<(), Status> {
        self.orders_at(url)
            .await
            .create_order(CreateOrderRequest::default())
            .await
            .map(drop)
    }
}

/// A server of orders that follows this script. Its URL.
pub(crate) fn serve(orders: &Arc<Script>) -> String {
    let edge = OrderServiceServer::new(OrdersEdge(Arc::clone(orders)));
    listen(Server::builder().add_service(edge))
}

fn listen(router: tonic::transport::server::Router) -> String {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    tokio::spawn(router.serve_with_incoming(incoming));
    url
}
