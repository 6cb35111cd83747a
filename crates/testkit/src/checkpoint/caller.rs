//! Somebody who calls through a checkpoint.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_client::clock::Clock as _;
use countersign_client::layer::DpopLayer;
use countersign_client::random;
use countersign_client::source::AccessToken;
use countersign_dpop::Minter;
use countersign_guard::layer::http::HttpRequestBody;
use countersign_guard::{Permit, PermitExt as _};
use countersign_jose::{SigningKey, base64url};
use http::{Request, Response};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use super::Checkpoint;
use super::issuer::{ISSUER, new_key};
use crate::attacks::Attacks;
use crate::calls::{BoxError, Calls, Same};

/// As long as the token service gives by default.
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

/// Somebody who calls through a [`Checkpoint`]: a key, and the claims of a token
/// that is bound to it.
#[derive(Clone)]
#[must_use]
pub struct Caller {
    checkpoint: Checkpoint,
    key: Arc<SigningKey>,
    claims: Map<String, Value>,
}

impl Caller {
    pub(super) fn new(checkpoint: Checkpoint, client_id: &str) -> Self {
        let key = new_key().expect("the system gives random bytes");
        let claims = json!({
            "iss": ISSUER,
            "aud": checkpoint.origin().as_str(),
            "client_id": client_id,
            "sub": client_id,
            "cnf": { "jkt": key.public().thumbprint().to_string() },
        });
        let Value::Object(claims) = claims else {
            unreachable!("written as an object");
        };
        let caller = Self {
            checkpoint,
            key: Arc::new(key),
            claims,
        };
        caller.renewed()
    }

    /// With another token, issued now.
    pub fn renewed(self) -> Self {
        let token_id = random::bytes::<16>().expect("the system gives random bytes");
        let now = self.checkpoint.clock().now();
        self.claim("jti", base64url::encode(token_id))
            .claim("iat", now.as_secs())
            .claim("exp", now.plus(LIFETIME).as_secs())
    }

    /// Calls in this person's name (`sub`).
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Has these scopes and no others. None before this is called.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<S> = scopes.into_iter().collect();
        let scopes: Vec<&str> = scopes.iter().map(AsRef::as_ref).collect();
        self.claim("scope", scopes.join(" "))
    }

    /// Puts any claim into the token, in place of the one that was there.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out of the token.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The permit that the guard gives this caller for `method`
    /// (`/package.Service/Method`): the call is made, through the real guard, with
    /// a token and a proof.
    ///
    /// # Errors
    ///
    /// The guard's refusal; or, of a public method, that there is no permit.
    pub async fn permit(&self, method: &str) -> Result<Permit, Status> {
        let found = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&found);
        let handler = service_fn(move |request: Request<Body>| {
            *keep.lock() = request.extensions().get::<Permit>().cloned();
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
        });
        let request = Request::post(method)
            .body(Body::empty())
            .map_err(|error| Status::from_error(error.into()))?;
        let answer = self.calls(handler).oneshot(request).await;
        let answer = answer.map_err(Status::from_error)?;
        if let Some(refused) = Status::from_header_map(answer.headers()) {
            return Err(refused);
        }
        let permit = found.lock().take();
        // The guard let the call through without one: the method is public.
        permit.map_or_else(|| Ok(tonic::Request::new(()).permit().cloned()?), Ok)
    }

    /// A request as a handler of `method` gets it from this caller: with the
    /// permit in its extensions.
    ///
    /// # Errors
    ///
    /// As [`permit`](Self::permit).
    pub async fn request<T>(&self, method: &str, message: T) -> Result<tonic::Request<T>, Status> {
        let mut request = tonic::Request::new(message);
        let permit = self.permit(method).await?;
        request.extensions_mut().insert(permit);
        Ok(request)
    }

    /// Calls to `service` (`OrderServiceServer::new(orders)`) through the guard,
    /// each with a proof of its own, unary or streaming. Goes into a generated stub
    /// and needs no socket.
    pub fn calls<S, R>(&self, service: S) -> Calls
    where
        S: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let token = self.access_token();
        let layer = DpopLayer::new(
            Arc::new(Minter::new(Arc::clone(&self.key))),
            self.checkpoint.origin().clone(),
            self.checkpoint.clock().clone(),
        )
        .tokens(Arc::new(Same(Arc::new(token))));
        Calls::over(layer.layer(self.checkpoint.guard().layer().layer(service)))
    }

    /// Attacks on `service` behind the guard, with what was stolen from this
    /// caller.
    pub fn attacks<S, R>(&self, service: S) -> Attacks
    where
        S: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let guarded = self.checkpoint.guard().layer().layer(service);
        self.attacks_over(Calls::over(guarded))
    }

    /// Attacks on an HTTP service, such as an axum router, behind the guard. Its rules
    /// stand in the rules of [`Checkpoint::with`]; requests are for a path.
    pub fn http_attacks<S, R>(&self, service: S) -> Attacks
    where
        S: Service<Request<HttpRequestBody<Body>>, Response = Response<R>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let guarded = self.checkpoint.guard().http_layer().layer(service);
        self.attacks_over(Calls::over(guarded))
    }

    fn attacks_over(&self, wire: Calls) -> Attacks {
        Attacks::new(
            Box::new(self.clone()),
            wire,
            self.checkpoint.origin().clone(),
            self.checkpoint.clock().clone(),
        )
    }

    pub(crate) fn token_id(&self) -> Option<&str> {
        self.claims.get("jti").and_then(Value::as_str)
    }

    pub(crate) fn key(&self) -> &Arc<SigningKey> {
        &self.key
    }

    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// As the issuer signs it.
    pub(crate) fn token(&self) -> String {
        self.checkpoint.issuer().sign(&self.claims)
    }

    fn access_token(&self) -> AccessToken {
        let now = self.checkpoint.clock().now();
        AccessToken::new(&self.token(), Vec::new(), LIFETIME, now)
            .expect("base64url and dots are a header's value")
    }
}

/// Without its key.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
