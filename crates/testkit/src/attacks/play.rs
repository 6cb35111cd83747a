//! How an attack looks on the wire.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::layer::DpopLayer;
use countersign_client::source::AccessToken;
use countersign_dpop::Minter;
use countersign_jose::SigningKey;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tower::{Layer as _, ServiceExt as _};

use super::outcome::{Answer, Outcome};
use super::victim::Held;
use super::{Attacks, made};
use crate::Problem;
use crate::calls::{Calls, Same};
use crate::checkpoint::new_key;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A guard that watches hears of a revocation within a second; a loaded machine
/// may take its time.
const REVOKED_SECS_MAX: u64 = 20;

/// A method that nobody has.
const ELSEWHERE: &str = "/countersign.testkit.Elsewhere/Call";

/// The token and the proof of the last call.
pub(super) type Recording = Arc<Mutex<HeaderMap>>;

/// Where a call really goes.
#[derive(Clone)]
struct Destination(Uri);

impl Attacks {
    /// As the client library calls, with a record of what was sent.
    pub(super) fn honest(&self, held: &Held) -> Result<(Calls, Recording), Problem> {
        let recording = Recording::default();
        let record = Arc::clone(&recording);
        let wire = self
            .wire
            .clone()
            .map_request(move |request: Request<Body>| {
                *record.lock() = credentials(request.headers());
                request
            });
        let signed = self.layer(held, Arc::clone(&held.key))?.layer(wire);
        Ok((Calls::over(signed), recording))
    }

    pub(super) fn with_another_key(&self, held: &Held) -> Result<Calls, Problem> {
        let layer = self.layer(held, Arc::new(new_key()?))?;
        Ok(Calls::over(layer.layer(self.wire.clone())))
    }

    pub(super) fn as_bearer(&self, held: &Held) -> Result<Calls, Problem> {
        let bearer = HeaderValue::try_from(format!("Bearer {}", held.token))?;
        let only = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        Ok(self.presenting(only))
    }

    pub(super) fn again(&self, recording: &Recording) -> Calls {
        self.presenting(recording.lock().clone())
    }

    /// The proof is made for another path than the one that the call is sent to.
    pub(super) fn for_another_method(&self, held: &Held) -> Result<Calls, Problem> {
        let wire = self.wire.clone().map_request(|mut request: Request<Body>| {
            if let Some(Destination(uri)) = request.extensions_mut().remove() {
                *request.uri_mut() = uri;
            }
            request
        });
        let signed = self.layer(held, Arc::clone(&held.key))?.layer(wire);
        let misled = signed.map_request(|mut request: Request<Body>| {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::from_static(ELSEWHERE));
            if let Ok(elsewhere) = Uri::from_parts(parts) {
                let destination = std::mem::replace(request.uri_mut(), elsewhere);
                request.extensions_mut().insert(Destination(destination));
            }
            request
        });
        Ok(Calls::over(misled))
    }

    /// Calls with a token that was revoked until the guard knows it.
    pub(super) async fn until_refused<O: Outcome + 'static>(
        &self,
        held: &Held,
        call: impl AsyncFn(Calls) -> O,
    ) -> Result<Answer, Problem> {
        let end = Instant::now() + Duration::from_secs(REVOKED_SECS_MAX);
        loop {
            let answer = made(&call, self.honest(held)?.0).await;
            if !matches!(answer, Answer::Success) || Instant::now() > end {
                return Ok(answer);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn layer(&self, held: &Held, key: Arc<SigningKey>) -> Result<DpopLayer, Problem> {
        let now = countersign_client::clock::Clock::now(&*self.clock);
        let token = AccessToken::new(&held.token, Vec::new(), held.lifetime, now)?;
        let minter = Arc::new(Minter::new(key));
        let layer = DpopLayer::new(minter, self.origin.clone(), self.clock.clone());
        Ok(layer.tokens(Arc::new(Same(Arc::new(token)))))
    }

    /// Every call has these credentials.
    fn presenting(&self, credentials: HeaderMap) -> Calls {
        Calls::over(
            self.wire
                .clone()
                .map_request(move |mut request: Request<Body>| {
                    request.headers_mut().extend(credentials.clone());
                    request
                }),
        )
    }
}

fn credentials(headers: &HeaderMap) -> HeaderMap {
    [AUTHORIZATION, DPOP]
        .into_iter()
        .filter_map(|name| headers.get(&name).map(|value| (name, value.clone())))
        .collect()
}
