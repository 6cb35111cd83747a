//! A client of the platform: one identity, one proof key, and the tokens it
//! holds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use countersign_dpop::{Minter, Origin, without_userinfo};
use countersign_jose::{SigningKey, Thumbprint};
use parking_lot::Mutex;

use crate::attempts::Caller;
use crate::audience::{cached, client_credentials};
use crate::authorization::AuthorizationRequest;
use crate::channel::{ChannelBuilder, GuardedChannel};
use crate::clock::{Clock, SystemClock};
use crate::counts::{Counts, Tally};
use crate::credential::{CertificateFiles, Client, Credential, KeptCertificate};
use crate::device::DeviceRequest;
use crate::error::{ConnectError, TokenError};
use crate::layer::DpopLayer;
use crate::link::Link;
use crate::nonces::NewestNonce;
use crate::random;
#[cfg(feature = "reqwest")]
use crate::requests::HttpBuilder;
use crate::secret::Secret;
use crate::source::{GivenToken, RefreshToken, TokenSource};
use crate::token_service::{Issued, TokenService};
use crate::transport::{Transport, is_encrypted};

/// Describes a client of the platform.
#[must_use]
pub struct Builder {
    url: String,
    issuer: Option<String>,
    origin: Option<String>,
    client: Option<(String, Credential)>,
    certificate: Option<CertificateFiles>,
    proof_key: Option<SigningKey>,
    transport: Transport,
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// A client of the token service at this URL.
    pub fn new(token_service_url: impl Into<String>) -> Self {
        Self {
            url: token_service_url.into(),
            issuer: None,
            origin: None,
            client: None,
            certificate: None,
            proof_key: None,
            transport: Transport::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Who calls, and how it shows it.
    pub fn client(mut self, id: impl Into<String>, credential: Credential) -> Self {
        self.client = Some((id.into(), credential));
        self
    }

    /// Shows this certificate to servers that ask for one, for access tokens that are bound to it (RFC
    /// 8705 §3). Not needed where it is the [credential](Credential::Certificate).
    ///
    /// The files are read for every request to the token service, so that they may be replaced at any
    /// time: what is asked for from then on goes over connections with the new certificate, while
    /// calls with a token that is bound to the old one go over those with the old one. While they do
    /// not fit, the last good certificate stays in use and the log says so.
    pub fn certificate(mut self, files: CertificateFiles) -> Self {
        self.certificate = Some(files);
        self
    }

    /// The issuer's name, where it is not the token service's URL: client
    /// assertions are made for it (RFC 10070).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The origin that the token service expects in proofs, where it is not
    /// the URL that is connected to.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Signs proofs with this key. Without it a new ES256 key is made, which no
    /// other process has; a refresh token that is to outlive this process needs
    /// a key that does.
    pub fn proof_key(mut self, key: SigningKey) -> Self {
        self.proof_key = Some(key);
        self
    }

    /// Trusts this certificate authority (PEM) instead of the system's.
    pub fn trust_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport = self.transport.trust_ca(pem);
        self
    }

    /// Connects without TLS to other machines too. Only where something else
    /// encrypts the connection.
    pub fn allow_plaintext(mut self) -> Self {
        self.transport = self.transport.allow_plaintext();
        self
    }

    /// Makes connections so, instead of by [`trust_ca`](Self::trust_ca) and
    /// [`allow_plaintext`](Self::allow_plaintext).
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The client. Connects to the token service when it first needs a token,
    /// so that the two may be started in any order.
    ///
    /// # Errors
    /// When the configuration is wrong; see [`ConnectError`].
    pub async fn connect(self) -> Result<Countersign, ConnectError> {
        let (id, credential) = self.client.ok_or(ConnectError::ClientMissing)?;
        let issuer = self.issuer.unwrap_or_else(|| self.url.clone());
        let key = match self.proof_key {
            Some(key) => key,
            None => new_key()?,
        };
        let files = match &credential {
            Credential::Certificate(files) => Some(files.clone()),
            _ => self.certificate,
        };
        if files.is_some() && !is_encrypted(&self.url) {
            return Err(ConnectError::CertificateUnencrypted {
                url: without_userinfo(&self.url).into_owned(),
            });
        }
        let certificate = files.map(|files| Arc::new(KeptCertificate::new(files)));
        let client = Arc::new(Client::new(id, credential, issuer));
        if client.is_in_a_file() || certificate.is_some() {
            let (client, certificate) = (Arc::clone(&client), certificate.clone());
            let begin = move || {
                client.begin()?;
                certificate.map_or(Ok(()), |certificate| certificate.read().map(drop))
            };
            tokio::task::spawn_blocking(begin)
                .await
                .map_err(|_| ConnectError::Interrupted)??;
        }
        let inner = Inner {
            client,
            minter: Arc::new(Minter::new(Arc::new(key))),
            link: Link::lazy(&self.transport, &self.url, certificate.as_ref())?,
            certificate,
            origin: parse_origin(self.origin.as_deref().unwrap_or(&self.url))?,
            url: self.url,
            transport: self.transport,
            clock: self.clock,
            nonces: Mutex::default(),
            tokens: Mutex::default(),
            tally: Arc::default(),
        };
        let countersign = Countersign(Arc::new(inner));
        // Fails now rather than at the first call.
        countersign.token_channel()?;
        Ok(countersign)
    }
}

/// A scalar outside the curve's order is drawn once in 2^32; twice in a row
/// means that the source of randomness is broken.
fn new_key() -> Result<SigningKey, ConnectError> {
    match SigningKey::generate_es256(random::bytes()?) {
        Ok(key) => Ok(key),
        Err(_) => Ok(SigningKey::generate_es256(random::bytes()?)?),
    }
}

fn parse_origin(url: &str) -> Result<Origin, ConnectError> {
    Origin::parse(url).map_err(|cause| ConnectError::Origin {
        url: without_userinfo(url).into_owned(),
        cause,
    })
}

/// A client of the platform, for any number of servers and resources. Cheap to
/// clone; clones share keys, tokens and connections. When the last of them and
/// of their channels is gone, so is everything that it did in the background.
#[derive(Clone)]
pub struct Countersign(Arc<Inner>);

struct Inner {
    url: String,
    origin: Origin,
    client: Arc<Client>,
    minter: Arc<Minter>,
    link: Link,
    certificate: Option<Arc<KeptCertificate>>,
    transport: Transport,
    clock: Arc<dyn Clock>,
    /// The newest nonce of each origin; as many as there are servers called.
    nonces: Mutex<HashMap<String, Arc<NewestNonce>>>,
    /// The tokens of each audience and set of scopes; as many as there are
    /// channels.
    tokens: Mutex<HashMap<Granted, Arc<dyn TokenSource>>>,
    tally: Arc<Tally>,
}

#[derive(PartialEq, Eq, Hash)]
struct Granted {
    resources: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl Countersign {
    /// Describes a channel to the guarded server at this URL.
    pub fn channel(&self, url: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(self.clone(), url.into())
    }

    /// The token service, for what a channel does not do by itself: redeem a
    /// code, revoke, get a token to pass to something else.
    pub fn token_service(&self) -> TokenService {
        let channel = self
            .token_channel()
            .expect("the same URL was accepted when this was built");
        let client = Arc::clone(&self.0.client);
        TokenService::new(channel, client, self.0.certificate.clone(), self.clock())
    }

    /// The family of a refresh token, for channels that call in a person's
    /// name.
    pub fn refresh_token(&self, newest: impl Into<Secret>) -> RefreshToken {
        RefreshToken::new(self.token_service(), newest.into())
    }

    /// Tokens in the name of the person whose approval led to `issued`: its access
    /// token first, and when that is about to end those of its refresh token's
    /// family. Without a refresh token there is the one, until it ends. For
    /// [`ChannelBuilder::tokens`]; where refresh tokens are to be kept, begin with
    /// [`refresh_token`](Self::refresh_token) and
    /// [`on_rotation`](RefreshToken::on_rotation).
    ///
    /// # Errors
    /// [`TokenError::Incomplete`] for what cannot be sent as a header.
    pub fn tokens_of(&self, issued: &Issued) -> Result<Arc<dyn TokenSource>, TokenError> {
        let first = issued.access_token()?;
        Ok(match &issued.refresh_token {
            Some(newest) => {
                Arc::new(cached(self, self.refresh_token(newest.clone())).holding(first))
            }
            None => Arc::new(GivenToken::new(first)),
        })
    }

    /// Describes what a person is asked to approve in a browser, which then goes to
    /// `redirect_uri`: one that the client is registered with.
    pub fn authorization(&self, redirect_uri: impl Into<String>) -> AuthorizationRequest {
        AuthorizationRequest::new(self.clone(), redirect_uri.into())
    }

    /// Describes what a person is asked to approve where there is no browser.
    pub fn device(&self) -> DeviceRequest {
        DeviceRequest::new(self.clone())
    }

    /// A layer that signs for calls to `origin`, for a transport of one's own.
    /// It carries proofs alone until it is given
    /// [tokens](DpopLayer::tokens).
    ///
    /// # Errors
    /// When `origin` is not one.
    pub fn layer(&self, origin: &str) -> Result<DpopLayer, ConnectError> {
        let origin = parse_origin(origin)?;
        Ok(self.layer_for(origin))
    }

    /// Describes a client of reqwest for servers that are guarded over HTTP: `http` says how it
    /// connects, by which TLS, for how long. Two of its settings are ours: it follows no redirects
    /// and repeats nothing by itself.
    #[cfg(feature = "reqwest")]
    pub fn http(&self, http: reqwest::ClientBuilder) -> HttpBuilder {
        HttpBuilder::new(self.clone(), http)
    }

    /// Who signs, with tokens, for requests to the server at this URL.
    #[cfg(feature = "reqwest")]
    pub(crate) fn caller_at(
        &self,
        url: &str,
        audience: &crate::audience::Audience,
    ) -> Result<Caller, ConnectError> {
        self.0.transport.look_at(url)?;
        let caller = self.caller(parse_origin(url)?);
        Ok(Caller {
            tokens: Some(audience.tokens(self, url)),
            ..caller
        })
    }

    /// The tokens for this audience, shared by all who ask for the same.
    pub fn tokens(&self, scopes: Vec<String>, resources: Vec<String>) -> Arc<dyn TokenSource> {
        let granted = Granted {
            resources: resources.iter().cloned().collect(),
            scopes: scopes.iter().cloned().collect(),
        };
        let mut known = self.0.tokens.lock();
        let tokens = known
            .entry(granted)
            .or_insert_with(|| client_credentials(self, scopes, resources));
        Arc::clone(tokens)
    }

    /// The thumbprint of the proof key: what this client's tokens are bound to.
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.minter.jkt()
    }

    /// What its tokens have come to, those from other [sources](TokenSource) left out.
    pub fn counts(&self) -> Counts {
        self.0.tally.counts()
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.0.tally)
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// The certificate that its connections show.
    pub(crate) fn certificate(&self) -> Option<&Arc<KeptCertificate>> {
        self.0.certificate.as_ref()
    }

    fn token_channel(&self) -> Result<GuardedChannel, ConnectError> {
        let layer = self.layer_for(self.0.origin.clone());
        GuardedChannel::new(&self.0.url, self.0.link.clone(), &layer)
    }

    fn layer_for(&self, origin: Origin) -> DpopLayer {
        DpopLayer::of(self.caller(origin))
    }

    /// Who signs for calls to this origin, without tokens.
    fn caller(&self, origin: Origin) -> Caller {
        let nonce = Arc::clone(
            self.0
                .nonces
                .lock()
                .entry(origin.as_str().to_owned())
                .or_default(),
        );
        Caller {
            minter: Arc::clone(&self.0.minter),
            origin,
            clock: self.clock(),
            nonce,
            tokens: None,
        }
    }
}
