//! Calls to the token service, each with a proof of its own.

use std::sync::Arc;
use std::time::Duration;

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    AuthorizeDeviceRequest, AuthorizeDeviceResponse, PushAuthorizationRequest,
    PushAuthorizationResponse,
};
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::revoke_token_request::Target;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{
    AuthorizationCode, ClientAuthentication, ClientCredentials, DeviceCode, IssueTokenRequest,
    IssueTokenResponse, RevokeTokenRequest, RotateTokenRequest, RotateTokenResponse,
};
use countersign_jose::UnixTime;
use tonic::{Request, Status};

use crate::channel::GuardedChannel;
use crate::clock::Clock;
use crate::credential::{Client, Edition, KeptCertificate};
use crate::error::TokenError;
use crate::outcome;
use crate::secret::Secret;
use crate::source::AccessToken;

/// Longer than any answer takes while the service is well.
const ATTEMPT: Duration = Duration::from_secs(10);

/// No answer of the token service comes near; nothing larger is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The token service, called in the name of one client with one proof key.
#[derive(Clone)]
pub struct TokenService {
    channel: GuardedChannel,
    client: Arc<Client>,
    certificate: Option<Arc<KeptCertificate>>,
    clock: Arc<dyn Clock>,
    /// What is asked for beyond scopes: a JSON array, or nothing.
    details: Arc<str>,
}

/// What was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The access token, bound to the proof key.
    pub access_token: Secret,
    /// How long it lives.
    pub expires_in: Duration,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The refresh token, where the grant has one.
    pub refresh_token: Option<Secret>,
    /// Its family, for revoking all of it.
    pub family_id: Option<String>,
    /// What the access token allows beyond scopes (RFC 9396 §7): a JSON array, if there is any.
    pub authorization_details: Option<String>,
    issued_at: UnixTime,
    /// The certificate that it was asked for with.
    edition: Option<Edition>,
}

/// How a request is shown to be the client's.
struct Shown {
    client: ClientAuthentication,
    /// The certificate of the connection that it goes over.
    edition: Option<Edition>,
}

/// A code to redeem, and what it was asked for with.
#[derive(Clone, Debug)]
pub struct Code {
    /// The code from the redirect.
    pub code: Secret,
    /// The redirect URI that the authorization was pushed with.
    pub redirect_uri: String,
    /// The PKCE verifier.
    pub verifier: Secret,
}

impl TokenService {
    pub(crate) fn new(
        channel: GuardedChannel,
        client: Arc<Client>,
        certificate: Option<Arc<KeptCertificate>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            channel,
            client,
            certificate,
            clock,
            details: Arc::default(),
        }
    }

    /// The same, which asks for these authorization details in whatever it issues, redeems and
    /// rotates (RFC 9396 §5, §6): a JSON array, as text; `[]` asks for none, an empty text says
    /// nothing. Tokens that it fetched are not affected.
    #[must_use]
    pub fn with_details(self, authorization_details: &str) -> Self {
        Self {
            details: authorization_details.into(),
            ..self
        }
    }

    /// The client in whose name it is called.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A channel on which every call carries a proof: for the services of the
    /// token service that have no method here.
    pub fn channel(&self) -> GuardedChannel {
        self.channel.clone()
    }

    /// Asks for a token in the client's own name.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn issue(
        &self,
        scopes: &[String],
        resources: &[String],
    ) -> Result<Issued, TokenError> {
        self.grant(
            Grant::ClientCredentials(ClientCredentials {}),
            scopes,
            resources,
        )
        .await
    }

    /// Redeems a code. Empty `scopes` and `resources` ask for all that was
    /// approved.
    ///
    /// A code is accepted once: after [`TokenError::Unavailable`] it may be
    /// spent, and presenting it again revokes what it led to.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn redeem(
        &self,
        code: &Code,
        scopes: &[String],
        resources: &[String],
    ) -> Result<Issued, TokenError> {
        let grant = Grant::AuthorizationCode(AuthorizationCode {
            code: code.code.expose().to_owned(),
            redirect_uri: code.redirect_uri.clone(),
            code_verifier: code.verifier.expose().to_owned(),
        });
        self.grant(grant, scopes, resources).await
    }

    /// Exchanges a refresh token for its successor and an access token.
    /// [`RefreshToken`](crate::source::RefreshToken) does so and keeps count.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn rotate(
        &self,
        refresh_token: &Secret,
        scopes: &[String],
        resources: &[String],
    ) -> Result<Issued, TokenError> {
        self.rotate_within(refresh_token, scopes, resources, ATTEMPT)
            .await
    }

    /// Revokes an access token, or a refresh token with its family. An unknown
    /// token is a success (RFC 7009 §2.2).
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn revoke(&self, token: &Secret) -> Result<(), TokenError> {
        self.revoke_target(Target::Token(token.expose().to_owned()))
            .await
    }

    /// Revokes a family and all tokens of it.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn revoke_family(&self, family_id: &str) -> Result<(), TokenError> {
        self.revoke_target(Target::FamilyId(family_id.to_owned()))
            .await
    }

    /// Asks whether a device was approved. [`device`](crate::device) does so until it was.
    ///
    /// # Errors
    /// See [`TokenError`]; `AUTHORIZATION_PENDING` and `SLOW_DOWN` are refusals that ask to be
    /// asked again.
    pub async fn redeem_device(&self, device_code: &Secret) -> Result<Issued, TokenError> {
        let grant = Grant::DeviceCode(DeviceCode {
            device_code: device_code.expose().to_owned(),
        });
        self.grant(grant, &[], &[]).await
    }

    /// Lodges an authorization request in this client's name.
    pub(crate) async fn lodge(
        &self,
        mut request: PushAuthorizationRequest,
    ) -> Result<PushAuthorizationResponse, TokenError> {
        let shown = self.shown(self.clock.now()).await?;
        request.client = Some(shown.client);
        let request = within(ATTEMPT, request, shown.edition);
        let mut desk = self.authorizations();
        answered(desk.push_authorization(request).await)
    }

    /// The same of a device.
    pub(crate) async fn lodge_device(
        &self,
        mut request: AuthorizeDeviceRequest,
    ) -> Result<AuthorizeDeviceResponse, TokenError> {
        let shown = self.shown(self.clock.now()).await?;
        request.client = Some(shown.client);
        let request = within(ATTEMPT, request, shown.edition);
        let mut desk = self.authorizations();
        answered(desk.authorize_device(request).await)
    }

    pub(crate) async fn rotate_within(
        &self,
        refresh_token: &Secret,
        scopes: &[String],
        resources: &[String],
        timeout: Duration,
    ) -> Result<Issued, TokenError> {
        let now = self.clock.now();
        let Shown { client, edition } = self.shown(now).await?;
        let request = RotateTokenRequest {
            client: Some(client),
            refresh_token: refresh_token.expose().to_owned(),
            scopes: scopes.to_vec(),
            resources: resources.to_vec(),
            authorization_details: self.details.to_string(),
        };
        let request = within(timeout, request, edition);
        let answer = self.stub().rotate_token(request).await;
        Issued::rotated(answered(answer)?, now, edition)
    }

    async fn grant(
        &self,
        grant: Grant,
        scopes: &[String],
        resources: &[String],
    ) -> Result<Issued, TokenError> {
        let now = self.clock.now();
        let Shown { client, edition } = self.shown(now).await?;
        let request = IssueTokenRequest {
            client: Some(client),
            grant: Some(grant),
            scopes: scopes.to_vec(),
            resources: resources.to_vec(),
            authorization_details: self.details.to_string(),
        };
        let request = within(ATTEMPT, request, edition);
        let answer = self.stub().issue_token(request).await;
        Issued::new(answered(answer)?, now, edition)
    }

    async fn revoke_target(&self, target: Target) -> Result<(), TokenError> {
        let Shown { client, edition } = self.shown(self.clock.now()).await?;
        let request = RevokeTokenRequest {
            client: Some(client),
            target: Some(target),
            token_type_hint: String::new(),
        };
        let request = within(ATTEMPT, request, edition);
        let answer = self.stub().revoke_token(request).await;
        answered(answer).map(drop)
    }

    async fn shown(&self, now: UnixTime) -> Result<Shown, TokenError> {
        let (client, certificate) = (Arc::clone(&self.client), self.certificate.clone());
        let waits = client.is_in_a_file() || certificate.is_some();
        let show = move || {
            Ok(Shown {
                client: client.authentication(now)?,
                edition: certificate.map(|kept| kept.read()).transpose()?,
            })
        };
        if !waits {
            return show();
        }
        tokio::task::spawn_blocking(show)
            .await
            .unwrap_or(Err(TokenError::Interrupted))
    }

    fn authorizations(&self) -> AuthorizationServiceClient<GuardedChannel> {
        AuthorizationServiceClient::new(self.channel.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn stub(&self) -> TokenServiceClient<GuardedChannel> {
        TokenServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

impl Issued {
    /// As a token to call with. Its life is counted from before it was asked
    /// for, so that it never seems to last longer than it does.
    ///
    /// # Errors
    /// [`TokenError::Incomplete`] for what cannot be sent as a header.
    pub fn access_token(&self) -> Result<AccessToken, TokenError> {
        AccessToken::new(
            self.access_token.expose(),
            self.scopes.clone(),
            self.expires_in,
            self.issued_at,
        )
        .map(|token| token.asked_for_with(self.edition))
    }

    fn new(
        answer: IssueTokenResponse,
        now: UnixTime,
        edition: Option<Edition>,
    ) -> Result<Self, TokenError> {
        // RFC 9449 §5. Case-insensitive by RFC 6749 §5.1.
        if !answer.token_type.eq_ignore_ascii_case("DPoP") {
            return Err(TokenError::NotDpop(answer.token_type));
        }
        let expires_in = answer
            .expires_in
            .and_then(|lifetime| Duration::try_from(lifetime).ok())
            .ok_or(TokenError::Incomplete("lifetime"))?;
        Ok(Self {
            access_token: present(answer.access_token).ok_or(TokenError::Incomplete("token"))?,
            expires_in,
            scopes: answer.scopes,
            refresh_token: present(answer.refresh_token),
            family_id: Some(answer.family_id).filter(|id| !id.is_empty()),
            authorization_details: Some(answer.authorization_details)
                .filter(|details| !details.is_empty()),
            issued_at: now,
            edition,
        })
    }

    fn rotated(
        answer: RotateTokenResponse,
        now: UnixTime,
        edition: Option<Edition>,
    ) -> Result<Self, TokenError> {
        Self::new(
            IssueTokenResponse {
                access_token: answer.access_token,
                token_type: answer.token_type,
                expires_in: answer.expires_in,
                scopes: answer.scopes,
                refresh_token: answer.refresh_token,
                family_id: answer.family_id,
                authorization_details: answer.authorization_details,
            },
            now,
            edition,
        )
    }
}

fn present(text: String) -> Option<Secret> {
    (!text.is_empty()).then(|| Secret::from(text))
}

fn within<T>(timeout: Duration, message: T, edition: Option<Edition>) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    if let Some(edition) = edition {
        request.extensions_mut().insert(edition);
    }
    request
}

fn answered<T>(answer: Result<tonic::Response<T>, Status>) -> Result<T, TokenError> {
    answer
        .map(tonic::Response::into_inner)
        .map_err(outcome::token_error)
}
