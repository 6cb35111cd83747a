//! The token service of a run, and those who are registered with it.

mod registry;

use bytes::Bytes;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, ApproveAuthorizationResponse, PushAuthorizationRequest,
    PushAuthorizationResponse,
};
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::{
    AuthorizationCode, ClientAuthentication, ClientCredentials, IssueTokenRequest,
    IssueTokenResponse,
};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{Client, random};
use countersign_jose::{base64url, sha256};
use prost::Message;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

pub use self::registry::{CALLBACK, ORDERS};
use self::registry::{Registry, register};
use super::{Prover, Setting};
use crate::call::{Batch, Call, Connection, Failed, decode};
use crate::child::{Spec, TokenServiceSpec};
use crate::{BenchError, Process, load};

/// The issuer's name; proofs are made for it, whatever the port is.
const ISSUER: &str = "http://localhost:7443";

/// Streams for what is prepared: enough to share commits.
const PREPARING_STREAMS: usize = 32;

const ISSUE: &str = "/countersign.token.v1.TokenService/IssueToken";
const PUSH: &str = "/countersign.authorization.v1.AuthorizationService/PushAuthorization";
const APPROVE: &str = "/countersign.authorization.v1.AuthorizationService/ApproveAuthorization";

/// The token service, and its clients.
pub struct TokenService {
    process: Process,
    issuer: String,
    prover: Prover,
    registry: Registry,
    /// The newest refresh tokens of families that are rotated.
    families: Arc<Mutex<Vec<String>>>,
    /// Refresh tokens that are never used up.
    handles: Vec<String>,
    /// Refresh tokens of the families that the last batch of revocations gives up.
    pub(crate) revoked: Vec<String>,
}

/// A code, and what is needed to redeem it.
struct Code {
    code: String,
    verifier: String,
}

impl TokenService {
    /// Starts one as `spec` says, and registers the resource and the clients
    /// through its admin socket. Folder and issuer are chosen here if `spec`
    /// leaves them out.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(setting: &Setting, mut spec: TokenServiceSpec) -> Result<Self, BenchError> {
        if spec.data.as_os_str().is_empty() {
            spec.data.clone_from(&setting.data);
        }
        if spec.issuer.is_empty() {
            ISSUER.clone_into(&mut spec.issuer);
        }
        let issuer = spec.issuer.clone();
        let process = Process::start(
            &setting.executable,
            &Spec::TokenService(spec),
            setting.cores,
        )?;
        let socket = process.facts().admin_socket.clone().unwrap_or_default();
        let registry = register(&socket, &issuer).await?;
        Ok(Self {
            process,
            prover: Prover::new(&issuer)?,
            issuer,
            registry,
            families: Arc::default(),
            handles: Vec::new(),
            revoked: Vec::new(),
        })
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.process.facts().url
    }

    /// Its name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Makes the proofs of its callers.
    pub fn prover(&self) -> &Prover {
        &self.prover
    }

    /// A service with a secret, which may ask for `orders.write`.
    pub fn checkout(&self) -> &Client {
        &self.registry.checkout
    }

    /// The same with a key.
    pub fn signer(&self) -> &Client {
        &self.registry.signer
    }

    /// A confidential application: codes, refresh tokens, and it may introspect.
    pub fn desk(&self) -> &Client {
        &self.registry.desk
    }

    /// What a client shows now.
    ///
    /// # Errors
    /// When an assertion cannot be signed.
    pub fn shown(&self, client: &Client) -> Result<Option<ClientAuthentication>, BenchError> {
        client
            .authentication(SystemClock.now())
            .map(Some)
            .map_err(BenchError::preparing("a client's credential"))
    }

    /// A call that carries a proof.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn proven(&self, path: &'static str, message: &impl Message) -> Result<Call, BenchError> {
        Ok(Call::new(path, message).proof(&self.prover.proof(path, None)?))
    }

    /// A call that carries a token and a proof.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn guarded(
        &self,
        path: &'static str,
        message: &impl Message,
        token: &str,
    ) -> Result<Call, BenchError> {
        let proof = self.prover.proof(path, Some(token))?;
        Ok(Call::new(path, message).token(token).proof(&proof))
    }

    /// A call for a token in the client's own name.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue(&self, client: &Client, scope: &str, resource: &str) -> Result<Call, BenchError> {
        let request = IssueTokenRequest {
            client: self.shown(client)?,
            grant: Some(Grant::ClientCredentials(ClientCredentials {})),
            scopes: vec![scope.to_owned()],
            resources: vec![resource.to_owned()],
            authorization_details: String::new(),
        };
        self.proven(ISSUE, &request)
    }

    /// Access tokens in a client's own name.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn access_tokens(
        &self,
        client: &Client,
        scope: &str,
        resource: &str,
        count: usize,
    ) -> Result<Vec<String>, BenchError> {
        let calls = repeated(count, || self.issue(client, scope, resource))?;
        self.collected("access tokens", calls, |answer: IssueTokenResponse| {
            Ok(answer.access_token)
        })
        .await
    }

    /// An access token for the token service itself.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn own_token(&self, client: &Client, scope: &str) -> Result<String, BenchError> {
        let tokens = self.access_tokens(client, scope, &self.issuer, 1).await?;
        Ok(tokens.concat())
    }

    /// Calls that redeem codes: requests are pushed and approved here.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn redemptions(&self, count: usize) -> Result<Vec<Call>, BenchError> {
        let codes = self.codes(count).await?;
        codes
            .into_iter()
            .map(|code| {
                let grant = Grant::AuthorizationCode(AuthorizationCode {
                    code: code.code,
                    redirect_uri: CALLBACK.to_owned(),
                    code_verifier: code.verifier,
                });
                let request = IssueTokenRequest {
                    client: self.shown(self.desk())?,
                    grant: Some(grant),
                    ..IssueTokenRequest::default()
                };
                self.proven(ISSUE, &request)
            })
            .collect()
    }

    /// New families; their refresh tokens.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn refresh_tokens(&self, count: usize) -> Result<Vec<String>, BenchError> {
        let calls = self.redemptions(count).await?;
        self.collected("families", calls, |answer: IssueTokenResponse| {
            Ok(answer.refresh_token)
        })
        .await
    }

    /// The newest refresh tokens of at least so many families; whoever rotates
    /// one puts its successor into its place.
    ///
    /// # Errors
    /// When there are too few, and more are refused.
    pub async fn rotated(&mut self, count: usize) -> Result<Arc<Mutex<Vec<String>>>, BenchError> {
        let have = self
            .families
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        if have < count {
            let more = self.refresh_tokens(count - have).await?;
            self.families
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(more);
        }
        Ok(Arc::clone(&self.families))
    }

    /// Refresh tokens that nobody rotates or revokes.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn handles(&mut self, count: usize) -> Result<&[String], BenchError> {
        if self.handles.len() < count {
            let more = self.refresh_tokens(count - self.handles.len()).await?;
            self.handles.extend(more);
        }
        Ok(&self.handles)
    }

    async fn codes(&self, count: usize) -> Result<Vec<Code>, BenchError> {
        let verifiers = repeated(count, || {
            let verifier = random::bytes::<32>().map_err(BenchError::preparing("a verifier"))?;
            Ok(base64url::encode(verifier))
        })?;
        let pushes = verifiers
            .iter()
            .map(|verifier| self.push(verifier))
            .collect::<Result<_, _>>()?;
        let pick = |answer: PushAuthorizationResponse| Ok(answer.request_uri);
        let pushed = self.collected("pushed requests", pushes, pick).await?;
        let login = &self.registry.login;
        let token = self.own_token(login, "authorizations.decide").await?;
        let approvals = pushed
            .into_iter()
            .map(|request_uri| self.approve(request_uri, &token))
            .collect::<Result<_, _>>()?;
        let pick = |answer: ApproveAuthorizationResponse| code(&answer.redirect_to);
        let codes = self.collected("codes", approvals, pick).await?;
        let pairs = codes.into_iter().zip(verifiers);
        Ok(pairs
            .map(|(code, verifier)| Code { code, verifier })
            .collect())
    }

    fn push(&self, verifier: &str) -> Result<Call, BenchError> {
        let request = PushAuthorizationRequest {
            client: self.shown(self.desk())?,
            redirect_uri: CALLBACK.to_owned(),
            scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
            resources: vec![ORDERS.to_owned()],
            state: "kept".to_owned(),
            code_challenge: base64url::encode(sha256(&[verifier.as_bytes()])),
            code_challenge_method: "S256".to_owned(),
            dpop_jkt: self.prover.jkt().to_string(),
            ..PushAuthorizationRequest::default()
        };
        self.proven(PUSH, &request)
    }

    fn approve(&self, request_uri: String, token: &str) -> Result<Call, BenchError> {
        let request = ApproveAuthorizationRequest {
            request_uri,
            subject: "alice".to_owned(),
            ..ApproveAuthorizationRequest::default()
        };
        self.guarded(APPROVE, &request, token)
    }

    /// Makes these calls, and keeps something of every answer, in their order.
    async fn collected<M: Message + Default, T: Clone + Default + Send + 'static>(
        &self,
        what: &'static str,
        calls: Vec<Call>,
        pick: impl Fn(M) -> Result<T, Failed> + Send + Sync + 'static,
    ) -> Result<Vec<T>, BenchError> {
        let found = Arc::new(Mutex::new(vec![T::default(); calls.len()]));
        let keep = Arc::clone(&found);
        let batch = Batch::new(calls, move |number, bytes: Bytes| {
            let value = pick(decode(bytes)?)?;
            keep.lock().unwrap_or_else(PoisonError::into_inner)[number] = value;
            Ok(())
        });
        let connection = Connection::open(self.url()).await?;
        let made = load::closed(&[connection], batch, PREPARING_STREAMS).await;
        match made.failures.into_iter().next() {
            None => Ok(std::mem::take(
                &mut *found.lock().unwrap_or_else(PoisonError::into_inner),
            )),
            Some((failed, count)) => Err(BenchError::Preparing {
                what,
                cause: format!("{count} times {failed}"),
            }),
        }
    }
}

/// The code in a URL that a browser is sent back to.
fn code(redirect_to: &str) -> Result<String, Failed> {
    let back = Url::parse(redirect_to).map_err(|_| Failed::Wrong("no URL to go back to"))?;
    back.query_pairs()
        .find(|(name, _)| name == "code")
        .map(|(_, code)| code.into_owned())
        .ok_or(Failed::Wrong("no code"))
}

fn repeated<T>(
    count: usize,
    make: impl Fn() -> Result<T, BenchError>,
) -> Result<Vec<T>, BenchError> {
    (0..count).map(|_| make()).collect()
}
