//! A service in this process, over a store that can be wrong on purpose, with
//! clients of all kinds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign::admin::v1::{AuthenticationMethod, Client, RefreshKey};
use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::introspection::v1::introspection_service_client::IntrospectionServiceClient;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{ClientAuthentication, ClientCredentials, IssueTokenRequest};
use countersign_client::clock::Clock as _;
use countersign_client::{
    Code, Countersign, Credential, GuardedChannel, Secret, TokenError, random,
};
use countersign_dpop::{Jti, Mint, Minter, Target};
use countersign_jose::{Algorithm, PublishedKey, SigningKey, jwks};
use countersign_testkit::setup::RESOURCE;
use countersign_testkit::{
    Platform, Problem, Registered, authorize, person_client, service_client, sign_in,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::naive::{Between, Writes};

const BACK: &str = "http://127.0.0.1/back";

/// Longer than a cold start, in which proofs need a nonce: 60 s of age, 10 s of
/// skew and a second.
const WARM: Duration = Duration::from_secs(72);

/// As many callers at once as a test likes: what is shed shows nothing here.
const UNLIMITED: u32 = 100_000;

/// The service and its clients.
pub(crate) struct Stage {
    pub(crate) platform: Platform,
    families: Arc<AtomicUsize>,
    login: Countersign,
    /// Acts for people; its refresh tokens go with its secret, not with a key.
    shop: Registered,
    /// Acts in its own name.
    batch: Registered,
    /// May introspect.
    introspects: GuardedChannel,
}

impl Stage {
    pub(crate) async fn open(writes: Writes) -> Result<Self, Problem> {
        let families = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&families);
        let platform = Platform::start_over(
            |config| {
                config.limits.waiting_max = UNLIMITED;
                config.limits.client_calls_per_sec = 0;
            },
            move |store| Arc::new(Between::new(store, writes, Arc::clone(&counted))),
        )
        .await?;
        platform
            .register_resource(RESOURCE, &["orders.read"])
            .await?;
        let issuer = platform.issuer().to_owned();
        let login = service_client("login", &issuer, &["authorizations.decide"]);
        let login = platform.register(login).await?;
        let shop = Client {
            authentication_method: AuthenticationMethod::ClientSecret.into(),
            refresh_key: RefreshKey::Client.into(),
            ..person_client("shop", BACK, RESOURCE, &["orders.read"])
        };
        let shop = platform.register(shop).await?;
        let batch = service_client("batch", RESOURCE, &["orders.read"]);
        let batch = platform.register(batch).await?;
        let gateway = Client {
            serves: vec![RESOURCE.to_owned()],
            ..service_client("gateway", &issuer, &["introspect"])
        };
        let gateway = platform.register(gateway).await?;
        let gateway = platform.client(&gateway).connect().await?;
        let introspects = gateway
            .channel(&issuer)
            .scopes(["introspect"])
            .connect()
            .await?;
        let stage = Self {
            login: platform.client(&login).connect().await?,
            platform,
            families,
            shop,
            batch,
            introspects,
        };
        stage.warm();
        Ok(stage)
    }

    /// The cold start is over.
    pub(crate) fn warm(&self) {
        self.platform.clock().advance(WARM);
    }

    pub(crate) async fn restart(
        mut self,
        between: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Self, Problem> {
        self.platform = self.platform.restart(between).await?;
        Ok(self)
    }

    /// How often a family was written.
    pub(crate) fn families_written(&self) -> usize {
        self.families.load(Ordering::SeqCst)
    }

    /// The shop, on a connection of its own, with this key.
    pub(crate) async fn shop(&self, key: [u8; 32]) -> Result<Countersign, Problem> {
        let client = self.platform.client(&self.shop);
        let key = SigningKey::generate_es256(key)?;
        Ok(client.proof_key(key).connect().await?)
    }

    /// Somebody signs in at the shop.
    pub(crate) async fn sign_in(&self, shop: &Countersign) -> Result<Secret, Problem> {
        let issuer = self.platform.issuer();
        let issued = sign_in(shop, &self.login, issuer, BACK, "ada").await?;
        Ok(issued.refresh_token.ok_or("no refresh token")?)
    }

    /// The same up to the code.
    pub(crate) async fn code(&self, shop: &Countersign) -> Result<Code, Problem> {
        authorize(shop, &self.login, self.platform.issuer(), BACK, "ada").await
    }

    /// A client that signs assertions.
    pub(crate) async fn signing(&self) -> Result<Countersign, Problem> {
        let key = SigningKey::generate_es256(random::bytes()?)?;
        let jwks = jwks::publish(&[PublishedKey {
            kid: "key",
            algorithm: Algorithm::Es256,
            key: key.public(),
        }]);
        let client = Client {
            authentication_method: AuthenticationMethod::PrivateKeyJwt.into(),
            jwks,
            ..service_client("signing", RESOURCE, &["orders.read"])
        };
        self.platform.register(client).await?;
        let builder = countersign_client::Builder::new(self.platform.url())
            .client("signing", Credential::PrivateKeyJwt(key.into()))
            .clock(self.platform.clock().clone());
        Ok(builder.connect().await?)
    }

    /// A token for whoever shows `client`, with a proof that is made for it.
    pub(crate) async fn issue_to(
        &self,
        channel: GuardedChannel,
        client: ClientAuthentication,
    ) -> Result<(), Status> {
        let request = credentials(client);
        TokenServiceClient::new(channel)
            .issue_token(request)
            .await?;
        Ok(())
    }

    /// An access token for the batch, and its lifetime.
    pub(crate) async fn issued(&self) -> Result<(Secret, Duration), Problem> {
        let batch = self.platform.client(&self.batch).connect().await?;
        let issued = batch.token_service().issue(&[], &[]).await?;
        Ok((issued.access_token, issued.expires_in))
    }

    /// A proof for a token request, and a connection to send it on.
    pub(crate) async fn proof(&self) -> Result<(Channel, String), Problem> {
        let url = self.platform.url();
        let key = SigningKey::generate_es256(random::bytes()?)?;
        let target = format!("{url}/countersign.token.v1.TokenService/IssueToken");
        let proof = Minter::new(Arc::new(key)).mint(&Mint {
            jti: Jti::new(random::bytes()?),
            method: "POST",
            target: &Target::parse(&target)?,
            iat: self.platform.clock().now(),
            nonce: None,
            ath: None,
        })?;
        let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
        Ok((channel, proof))
    }

    /// A token for the batch, with a proof that was made before.
    pub(crate) async fn issue_with(&self, channel: Channel, proof: &str) -> Result<(), Status> {
        let secret = self.batch.secret.as_ref().map(|secret| secret.expose());
        let client = ClientAuthentication {
            client_id: self.batch.client_id.clone(),
            credential: secret.map(|secret| {
                countersign::token::v1::client_authentication::Credential::ClientSecret(
                    secret.to_owned(),
                )
            }),
        };
        let mut request = Request::new(credentials(client));
        let proof = proof.parse().map_err(|_| Status::internal("not ASCII"))?;
        request.metadata_mut().insert("dpop", proof);
        TokenServiceClient::new(channel)
            .issue_token(request)
            .await?;
        Ok(())
    }

    /// Whether the service calls the token active.
    pub(crate) async fn is_active(&self, token: &Secret) -> Result<bool, Status> {
        let request = IntrospectTokenRequest {
            token: token.expose().to_owned(),
            ..IntrospectTokenRequest::default()
        };
        let answer = IntrospectionServiceClient::new(self.introspects.clone())
            .introspect_token(request)
            .await?;
        Ok(answer.into_inner().active)
    }
}

fn credentials(client: ClientAuthentication) -> IssueTokenRequest {
    IssueTokenRequest {
        client: Some(client),
        grant: Some(Grant::ClientCredentials(ClientCredentials {})),
        ..IssueTokenRequest::default()
    }
}

/// Whether it was done: refused as an invalid grant it was not, and anything
/// else shows nothing.
pub(crate) fn done<T>(answer: Result<T, TokenError>) -> Result<Option<T>, Problem> {
    match answer {
        Ok(done) => Ok(Some(done)),
        Err(TokenError::Refused(refused, _))
            if refused.oauth_error.as_deref() == Some("invalid_grant") =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
