//! The attempts of one call: one, and one more for each of these: a guard asked for a nonce, a guard
//! asked for another token, the connection ended before anybody looked at the call.

use std::error::Error;
use std::sync::Arc;

use countersign_dpop::{Jti, Mint};
use countersign_telemetry::spans;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, Response, request};
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use super::Caller;
use super::replay::Kept;
use crate::deadline::{Deadline, Passed};
use crate::error::CallError;
use crate::outcome::{self, Challenge};
use crate::random;
use crate::source::{AccessToken, TokenSource};
use crate::unprocessed;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A call, ready to be sent as often as needed.
pub(super) struct Attempts {
    caller: Arc<Caller>,
    head: request::Parts,
    body: Kept,
    deadline: Deadline,
}

/// What one attempt was sent with.
struct Sent {
    nonce: Option<Arc<String>>,
    token: Option<Arc<AccessToken>>,
}

/// What was tried already: each is worth one attempt, and no more, so that a call ends whatever it
/// is answered. After a restart of the token service a guard may ask for a nonce, and then for
/// another token.
#[derive(Default)]
struct Tried {
    another_nonce: bool,
    another_token: bool,
    another_connection: bool,
}

/// What follows a response.
enum Next {
    /// It is the call's answer.
    Answer,
    /// It is the call's answer, and new tokens are refused one after the other.
    InVain,
    /// Another attempt, with this token where calls carry one.
    Again(Option<Arc<AccessToken>>),
}

impl Attempts {
    pub(super) fn of(caller: Arc<Caller>, request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            caller,
            deadline: Deadline::of(&head.headers),
            head,
            body: Kept::new(body),
        }
    }

    pub(super) async fn run<S, R>(self, service: S) -> Result<Response<R>, CallError>
    where
        S: Service<Request<Body>, Response = Response<R>> + Clone,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut token = self.token().await?;
        let mut body = self.body.first();
        let mut tried = Tried::default();
        loop {
            let ended = match self.send(service.clone(), token.clone(), body).await {
                Ok((sent, response)) => {
                    if let Some(token) = &sent.token
                        && !token.was_accepted()
                        && outcome::got_through(&response)
                    {
                        token.accept();
                    }
                    let challenge = outcome::challenge(response.headers());
                    match self.next(&sent, challenge, &mut tried).await? {
                        Next::Answer => {
                            self.body.release();
                            return Ok(response);
                        }
                        Next::InVain => {
                            self.body.release();
                            return Ok(outcome::new_tokens_refused(response));
                        }
                        Next::Again(next) => token = next,
                    }
                    Ok(response)
                }
                Err(CallError::Transport(error))
                    if !tried.another_connection && unprocessed::is_certain(&*error) =>
                {
                    tried.another_connection = true;
                    Err(CallError::Transport(error))
                }
                Err(error) => return Err(error),
            };
            let Some(again) = self.body.again() else {
                return ended.map(outcome::not_sent_again);
            };
            body = again;
        }
    }

    /// One attempt, with a proof that is made for it and signed when the
    /// service below is ready to send it.
    async fn send<S, R>(
        &self,
        mut service: S,
        token: Option<Arc<AccessToken>>,
        body: Body,
    ) -> Result<(Sent, Response<R>), CallError>
    where
        S: Service<Request<Body>, Response = Response<R>>,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let transport = |error: S::Error| CallError::Transport(error.into());
        self.deadline
            .bound(service.ready())
            .await?
            .map_err(transport)?;

        let nonce = self.caller.nonce.current();
        let mut head = self.head.clone();
        self.deadline.write(&mut head.headers)?;
        head.headers
            .insert(DPOP, self.proof(nonce.as_deref(), token.as_deref())?);
        if let Some(token) = &token {
            head.headers.insert(AUTHORIZATION, token.authorization());
        }

        let request = Request::from_parts(head, body);
        let response = service.call(request).await.map_err(transport)?;
        self.caller.nonce.learn(response.headers());
        Ok((Sent { nonce, token }, response))
    }

    fn proof(
        &self,
        nonce: Option<&String>,
        token: Option<&AccessToken>,
    ) -> Result<HeaderValue, CallError> {
        let target = self
            .caller
            .origin
            .target(self.head.uri.path())
            .map_err(CallError::Path)?;
        let mint = Mint {
            jti: Jti::new(random::bytes().map_err(CallError::Randomness)?),
            method: self.head.method.as_str(),
            target: &target,
            iat: self.caller.clock.now(),
            nonce: nonce.map(String::as_str),
            ath: token.map(AccessToken::ath),
        };
        let proof = spans::proof_mint()
            .in_scope(|| self.caller.minter.mint(&mint))
            .map_err(CallError::Signing)?;
        let mut proof =
            HeaderValue::try_from(proof).expect("base64url and dots are a header's value");
        // Never indexed by HPACK, never printed.
        proof.set_sensitive(true);
        Ok(proof)
    }

    /// Whether a guard refused for something that another attempt can do better.
    async fn next(
        &self,
        sent: &Sent,
        challenge: Option<Challenge>,
        tried: &mut Tried,
    ) -> Result<Next, CallError> {
        match challenge {
            // The same nonce again would be refused again.
            Some(Challenge::Nonce)
                if !tried.another_nonce && self.caller.nonce.current() != sent.nonce =>
            {
                tried.another_nonce = true;
                Ok(Next::Again(sent.token.clone()))
            }
            Some(Challenge::AnotherToken) => match (&self.caller.tokens, &sent.token) {
                (Some(tokens), Some(refused)) => {
                    tokens.discard(refused);
                    let answer = || {
                        if refused.is_doubted() {
                            Next::InVain
                        } else {
                            Next::Answer
                        }
                    };
                    if tried.another_token {
                        return Ok(answer());
                    }
                    let next = self.fetch(tokens).await?;
                    // There is no other yet.
                    if Arc::ptr_eq(&next, refused) {
                        return Ok(answer());
                    }
                    tried.another_token = true;
                    Ok(Next::Again(Some(next)))
                }
                _ => Ok(Next::Answer),
            },
            Some(Challenge::Nonce) | None => Ok(Next::Answer),
        }
    }

    async fn token(&self) -> Result<Option<Arc<AccessToken>>, CallError> {
        match &self.caller.tokens {
            Some(tokens) => self.fetch(tokens).await.map(Some),
            None => Ok(None),
        }
    }

    async fn fetch(&self, tokens: &Arc<dyn TokenSource>) -> Result<Arc<AccessToken>, CallError> {
        Ok(self.deadline.bound(tokens.token()).await??)
    }
}

impl From<Passed> for CallError {
    fn from(_: Passed) -> Self {
        Self::DeadlinePassed
    }
}
