//! The attempts of one call: one, and one more for each of these: a guard asked for a nonce, a guard
//! asked for another token, the connection ended before anybody looked at the call.
//!
//! What is sent, and how a guard's answer reads, is for an [`Exchange`] to know: there is one for
//! gRPC and one for HTTP.

use std::sync::Arc;

use countersign_dpop::{Jti, Mint, Minter, Origin, Target};
use countersign_telemetry::spans;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::clock::Clock;
use crate::credential::Edition;
use crate::deadline::{Deadline, Passed};
use crate::error::CallError;
use crate::nonces::NewestNonce;
use crate::outcome::Challenge;
use crate::random;
use crate::source::{AccessToken, TokenSource};
use crate::unprocessed;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Who calls, and where.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) minter: Arc<Minter>,
    pub(crate) origin: Origin,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) nonce: Arc<NewestNonce>,
    pub(crate) tokens: Option<Arc<dyn TokenSource>>,
}

/// One call: what is sent, perhaps more than once, and how its answers are read.
pub(crate) trait Exchange: Send {
    /// What one attempt sends.
    type Attempt: Send;
    /// An attempt that lacks nothing but what is signed, which may be sent now.
    type Ready: Send;
    /// What is answered.
    type Response: Send;

    fn deadline(&self) -> Deadline;

    /// What proofs say of the call: its method, and its target at `origin`.
    fn signed_for(&self, origin: &Origin) -> Result<(&str, Target), CallError>;

    fn first(&mut self) -> Self::Attempt;

    /// The same once more, if everything sent so far is still here.
    fn again(&mut self) -> Option<Self::Attempt>;

    /// There will be no further attempt.
    fn release(&mut self);

    fn ready(
        &mut self,
        attempt: Self::Attempt,
    ) -> impl Future<Output = Result<Self::Ready, CallError>> + Send;

    fn send(
        &mut self,
        ready: Self::Ready,
        signed: Signed,
    ) -> impl Future<Output = Result<Self::Response, CallError>> + Send;

    fn headers(response: &Self::Response) -> &HeaderMap;

    /// What a guard wants other than it got.
    fn challenge(response: &Self::Response) -> Option<Challenge>;

    /// Whether the call got past the guard.
    fn got_through(response: &Self::Response) -> bool;

    /// The answer, which also says that it would be worth another attempt, if what was sent were
    /// still there.
    fn not_sent_again(response: Self::Response) -> Self::Response;

    /// The answer, which also says that new tokens are refused one after the other.
    fn new_tokens_refused(response: Self::Response) -> Self::Response;
}

/// What an attempt carries besides the call.
pub(crate) struct Signed {
    proof: HeaderValue,
    authorization: Option<HeaderValue>,
    edition: Option<Edition>,
}

impl Signed {
    /// For the [link](crate::link): the certificate that the token may be bound to.
    pub(crate) fn note(&self, extensions: &mut Extensions) {
        if let Some(edition) = self.edition {
            extensions.insert(edition);
        }
    }

    /// In place of what the headers held.
    pub(crate) fn onto(self, headers: &mut HeaderMap) {
        headers.insert(DPOP, self.proof);
        if let Some(authorization) = self.authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
    }
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

/// Makes the call.
pub(crate) async fn run<E: Exchange>(
    caller: Arc<Caller>,
    mut exchange: E,
) -> Result<E::Response, CallError> {
    let deadline = exchange.deadline();
    let mut token = match &caller.tokens {
        Some(tokens) => Some(fetch(tokens, deadline).await?),
        None => None,
    };
    let mut attempt = exchange.first();
    let mut tried = Tried::default();
    loop {
        let ended = match send(&caller, &mut exchange, token.clone(), attempt).await {
            Ok((sent, response)) => {
                if let Some(token) = &sent.token
                    && !token.was_accepted()
                    && E::got_through(&response)
                {
                    token.accept();
                }
                let challenge = E::challenge(&response);
                match caller.next(&sent, challenge, &mut tried, deadline).await? {
                    Next::Answer => {
                        exchange.release();
                        return Ok(response);
                    }
                    Next::InVain => {
                        exchange.release();
                        return Ok(E::new_tokens_refused(response));
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
        let Some(again) = exchange.again() else {
            return ended.map(E::not_sent_again);
        };
        attempt = again;
    }
}

/// One attempt, with a proof that is made for it and signed when it can be sent.
async fn send<E: Exchange>(
    caller: &Caller,
    exchange: &mut E,
    token: Option<Arc<AccessToken>>,
    attempt: E::Attempt,
) -> Result<(Sent, E::Response), CallError> {
    let ready = exchange.ready(attempt).await?;
    let nonce = caller.nonce.current();
    let (method, target) = exchange.signed_for(&caller.origin)?;
    let signed = Signed {
        proof: caller.proof(method, &target, nonce.as_deref(), token.as_deref())?,
        authorization: token.as_deref().map(AccessToken::authorization),
        edition: token.as_deref().and_then(AccessToken::edition),
    };
    let response = exchange.send(ready, signed).await?;
    caller.nonce.learn(E::headers(&response));
    Ok((Sent { nonce, token }, response))
}

impl Caller {
    fn proof(
        &self,
        method: &str,
        target: &Target,
        nonce: Option<&String>,
        token: Option<&AccessToken>,
    ) -> Result<HeaderValue, CallError> {
        let mint = Mint {
            jti: Jti::new(random::bytes().map_err(CallError::Randomness)?),
            method,
            target,
            iat: self.clock.now(),
            nonce: nonce.map(String::as_str),
            ath: token.map(AccessToken::ath),
        };
        let proof = spans::proof_mint()
            .in_scope(|| self.minter.mint(&mint))
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
        deadline: Deadline,
    ) -> Result<Next, CallError> {
        match challenge {
            // The same nonce again would be refused again.
            Some(Challenge::Nonce)
                if !tried.another_nonce && self.nonce.current() != sent.nonce =>
            {
                tried.another_nonce = true;
                Ok(Next::Again(sent.token.clone()))
            }
            Some(Challenge::AnotherToken) => match (&self.tokens, &sent.token) {
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
                    let next = fetch(tokens, deadline).await?;
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
}

async fn fetch(
    tokens: &Arc<dyn TokenSource>,
    deadline: Deadline,
) -> Result<Arc<AccessToken>, CallError> {
    Ok(deadline.bound(tokens.token()).await??)
}

impl From<Passed> for CallError {
    fn from(_: Passed) -> Self {
        Self::DeadlinePassed
    }
}
