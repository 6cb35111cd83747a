//! A token service in a folder of its own, its channels, and what answers are compared with.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use countersign::admin::v1 as admin;
use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::introspection::v1::introspection_service_client::IntrospectionServiceClient;
use countersign::token::v1 as token;
use countersign::token::v1::client_authentication::Credential;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign_client::clock::Clock;
use countersign_jose::UnixTime;
use countersign_server::{Config, Running, Server};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::proof::{Draft, Key};

/// The resource that tokens are for in these tests.
pub(crate) const ORDERS: &str = "https://orders.example.com";
/// Where codes go.
pub(crate) const CALLBACK: &str = "https://shop.example.com/callback";

pub(crate) const ISSUE: &str = "/countersign.token.v1.TokenService/IssueToken";
pub(crate) const ROTATE: &str = "/countersign.token.v1.TokenService/RotateToken";
pub(crate) const REVOKE: &str = "/countersign.token.v1.TokenService/RevokeToken";
pub(crate) const PUSH: &str =
    "/countersign.authorization.v1.AuthorizationService/PushAuthorization";
pub(crate) const GET: &str = "/countersign.authorization.v1.AuthorizationService/GetAuthorization";
pub(crate) const DEVICE: &str =
    "/countersign.authorization.v1.AuthorizationService/AuthorizeDevice";
pub(crate) const FIND: &str =
    "/countersign.authorization.v1.AuthorizationService/FindAuthorization";
pub(crate) const APPROVE: &str =
    "/countersign.authorization.v1.AuthorizationService/ApproveAuthorization";
pub(crate) const DENY: &str =
    "/countersign.authorization.v1.AuthorizationService/DenyAuthorization";
pub(crate) const INTROSPECT: &str =
    "/countersign.introspection.v1.IntrospectionService/IntrospectToken";
pub(crate) const BATCH: &str =
    "/countersign.introspection.v1.IntrospectionService/BatchIntrospectTokens";

/// Longer than a cold start: age, skew and a second.
pub(crate) const WARM: Duration = Duration::from_secs(72);

/// A clock that the test moves: in milliseconds what it shows, and how much of that is wrong.
pub(crate) struct HandClock(AtomicU64, AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("not that long");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Shows so many seconds more, or less, without any time having passed.
    pub(crate) fn jump(&self, secs: i64) {
        self.1.fetch_add(secs * 1_000, Ordering::SeqCst);
        let now = self.0.load(Ordering::SeqCst);
        let jumped = now.saturating_add_signed(secs * 1_000);
        self.0.store(jumped, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, to: UnixTime) {
        self.0.store(to.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        let shown = self.0.load(Ordering::SeqCst);
        Duration::from_millis(shown.saturating_add_signed(-self.1.load(Ordering::SeqCst)))
    }
}

/// A token service, its folder and its clock.
pub(crate) struct Service {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) config: Config,
    running: Option<Running>,
}

/// A client, and how it authenticates.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

impl Client {
    pub(crate) fn authentication(&self) -> Option<token::ClientAuthentication> {
        Some(token::ClientAuthentication {
            client_id: self.id.clone(),
            credential: self.secret.clone().map(Credential::ClientSecret),
        })
    }
}

impl Service {
    /// Starts one that has just been installed, and is past its cold start.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same with a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let service = Self::start_cold(change).await;
        service.clock.advance(WARM);
        service
    }

    /// Starts one with a changed configuration, at its cold start.
    pub(crate) async fn start_cold(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut config = Config::default();
        config.listen.address.set_port(0);
        config.store.directory = folder.path().join("data");
        config.stop.drain = Duration::from_secs(5);
        // A restart takes another port, but the issuer's name stays.
        config.issuer = Some("http://localhost:7443".to_owned());
        change(&mut config);
        let clock = Arc::new(HandClock(
            AtomicU64::new(1_800_000_000_000),
            AtomicI64::new(0),
        ));
        let mut service = Self {
            folder,
            clock,
            config,
            running: None,
        };
        service.run().await;
        service
    }

    pub(crate) async fn run(&mut self) {
        let clock = Arc::clone(&self.clock);
        let running = Server::start(self.config.clone(), clock).await;
        self.running = Some(running.unwrap_or_else(|error| panic!("{error}")));
    }

    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().expect("it runs");
        running.stop().await.expect("a clean stop");
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub(crate) fn issuer(&self) -> &str {
        self.running().issuer()
    }

    pub(crate) fn htu(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    pub(crate) async fn public(&self) -> Channel {
        Endpoint::from_shared(self.running().url().to_owned())
            .expect("a URL")
            .connect()
            .await
            .expect("connects")
    }

    pub(crate) async fn admin(&self) -> Channel {
        let path = self.running().admin_socket().to_owned();
        admin_channel(path).await
    }

    pub(crate) async fn tokens(&self) -> TokenServiceClient<Channel> {
        TokenServiceClient::new(self.public().await)
    }

    pub(crate) async fn authorizations(&self) -> AuthorizationServiceClient<Channel> {
        AuthorizationServiceClient::new(self.public().await)
    }

    pub(crate) async fn introspections(&self) -> IntrospectionServiceClient<Channel> {
        IntrospectionServiceClient::new(self.public().await)
    }

    pub(crate) async fn clients(&self) -> ClientServiceClient<Channel> {
        ClientServiceClient::new(self.admin().await)
    }

    pub(crate) async fn resources(&self) -> ResourceServiceClient<Channel> {
        ResourceServiceClient::new(self.admin().await)
    }

    /// Registers the resource of these tests.
    pub(crate) async fn add_orders(&self) {
        self.resources()
            .await
            .create_resource(admin::CreateResourceRequest {
                resource: Some(admin::Resource {
                    uri: ORDERS.to_owned(),
                    scopes: strings(&["orders.read", "orders.write"]),
                    ..admin::Resource::default()
                }),
            })
            .await
            .expect("registered");
    }

    /// Registers a client.
    pub(crate) async fn add(&self, client: admin::Client) -> Client {
        let created = self
            .clients()
            .await
            .create_client(admin::CreateClientRequest {
                client: Some(client),
            })
            .await
            .expect("registered")
            .into_inner();
        Client {
            id: created.client.expect("a client").client_id,
            secret: Some(created.client_secret).filter(|secret| !secret.is_empty()),
        }
    }

    /// A right proof for a method, as of now.
    pub(crate) fn proof(&self, key: &Key, path: &str) -> String {
        key.mint(&self.htu(path), self.now(), None)
    }

    /// A proof for a method, to be changed.
    pub(crate) fn draft(&self, key: &Key, path: &str) -> Draft {
        Draft::new(key, &self.htu(path), self.now())
    }

    /// Asks for a token in the client's own name.
    pub(crate) async fn issue(
        &self,
        client: &Client,
        key: &Key,
    ) -> Result<token::IssueTokenResponse, Status> {
        let proof = self.proof(key, ISSUE);
        inner(
            self.tokens()
                .await
                .issue_token(with_proof(credentials(client), &proof))
                .await,
        )
    }

    /// A call to a guarded method: an access token for the service itself, and a proof.
    pub(crate) async fn guarded<T>(&self, client: &Client, path: &str, message: T) -> Request<T> {
        let key = Key::new();
        let mut request = credentials(client);
        request.resources = vec![self.issuer().to_owned()];
        let proof = self.proof(&key, ISSUE);
        let issued = self
            .tokens()
            .await
            .issue_token(with_proof(request, &proof))
            .await
            .expect("issued")
            .into_inner();
        let proof = self.draft(&key, path).ath(&issued.access_token).sign(&key);
        let mut request = with_proof(message, &proof);
        let value = format!("DPoP {}", issued.access_token);
        request
            .metadata_mut()
            .insert("authorization", value.parse().expect("ASCII"));
        request
    }

    /// The data directory, and so on.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) async fn admin_channel(path: PathBuf) -> Channel {
    Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .expect("connects")
}

/// A confidential client that acts in its own name.
pub(crate) fn service_client(id: &str, permissions: &[(&str, &[&str])]) -> admin::Client {
    admin::Client {
        client_id: id.to_owned(),
        authentication_method: admin::AuthenticationMethod::ClientSecret.into(),
        grant_types: vec![admin::GrantType::ClientCredentials.into()],
        permissions: permissions
            .iter()
            .map(|(resource, scopes)| admin::Permission {
                resource: (*resource).to_owned(),
                scopes: strings(scopes),
                details_types: Vec::new(),
            })
            .collect(),
        ..admin::Client::default()
    }
}

/// A client that acts for people.
pub(crate) fn person_client(id: &str, method: admin::AuthenticationMethod) -> admin::Client {
    admin::Client {
        authentication_method: method.into(),
        grant_types: vec![
            admin::GrantType::AuthorizationCode.into(),
            admin::GrantType::RefreshToken.into(),
        ],
        redirect_uris: vec![CALLBACK.to_owned()],
        ..service_client(id, &[(ORDERS, &["orders.read", "orders.write"])])
    }
}

pub(crate) fn credentials(client: &Client) -> token::IssueTokenRequest {
    token::IssueTokenRequest {
        client: client.authentication(),
        grant: Some(Grant::ClientCredentials(token::ClientCredentials {})),
        ..token::IssueTokenRequest::default()
    }
}

pub(crate) fn with_proof<T>(message: T, proof: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(proof).expect("ASCII");
    request.metadata_mut().insert("dpop", value);
    request
}

pub(crate) fn inner<T>(answer: Result<Response<T>, Status>) -> Result<T, Status> {
    answer.map(Response::into_inner)
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    countersign_client::random::bytes().expect("random bytes")
}
