//! The HTTP edge: the endpoints of the OAuth RFCs, one file each, as a thin translation to what gRPC
//! asks of the same desk. No rule stands here that the issuer, the engine or the desk has.
//!
//! A request comes through the same layers as a gRPC call, in its own words ([`mount`]); its path is
//! told apart by [`route`]; [`Asking`] reads what a client sends to an endpoint of OAuth (one form,
//! one proof, one way to authenticate); the endpoint's file makes of it what the desk takes, and
//! words what the desk answers. Everything that is refused leaves through `problem`, the only place
//! that names a status for a refusal.
//!
//! # How an endpoint is added
//!
//! 1. Its path is a constant here and an entry of [`ENDPOINTS`]; that gives it its name in traces.
//!    What floods of it may take is its lane in `overload/lane.rs`, whether operators can limit it
//!    is the list there.
//! 2. What it decides is an operation (`operation/`), carried out by the [`Desk`](crate::desk::Desk)
//!    so that gRPC has it, too.
//! 3. A file of its own, named after what its RFC is about. The handler takes `State<Arc<Edge>>` and
//!    [`Asking`] (or nothing, for what is public), and returns `Result<Response, Problem>`:
//!
//!    ```text
//!    pub(super) async fn lodge(
//!        State(edge): State<Arc<Edge>>,
//!        State(proxies): State<Proxies>,
//!        asking: Asking,
//!    ) -> Result<Response, Problem> {
//!        let client = asking.client()?;                                       // exactly one method
//!        let lodging = lodging(&asking.form)?;                                // parse
//!        let from = asking.from(proxies);
//!        let lodged = edge.desk.push(client.caller(), lodging, asking.along(), from).await?; // decide
//!        let response = answer::created(&Lodged::of(&lodged.answer));         // word
//!        Ok(answer::with_nonce(response, lodged.nonce))
//!    }
//!    ```
//! 4. A line with its method: in `of_clients` if clients authenticate there; if not, in `endpoints`,
//!    and one in `elsewhere`. One in `cors` if other origins' scripts may read it.
//! 5. Its member in `metadata`.
//! 6. Its attacks in `tests/server/http*.rs`, and its section in `docs/http.md`.

mod answer;
mod asking;
mod authorize;
mod client;
mod cookie;
mod cors;
mod device;
mod elsewhere;
mod form;
mod headers;
mod health;
mod host;
mod introspection;
mod kept;
mod keys;
mod metadata;
mod page;
mod par;
mod place;
mod problem;
mod revocation;
mod token;

use std::sync::Arc;

use ::http::{Response, Uri};
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use countersign_login::Proxies;
use tonic::body::Body;

use crate::config::{Config, LoginUrl, VerificationUri};
use crate::desk::Desk;
use crate::health::Health;
use crate::login;
use crate::protocol::Words;
use crate::refused::Refused;
use asking::Asking;
use cookie::Cookies;
pub(crate) use cors::ScriptsLayer;
use elsewhere::Elsewhere;
#[cfg(feature = "fuzz")]
pub(crate) use form::parameters;
pub(crate) use headers::HeadersLayer;
pub(crate) use place::Place;
use problem::{Misfit, Problem};

/// RFC 6749 §3.2.
pub(crate) const TOKEN: &str = "/token";
/// RFC 6749 §3.1.
pub(crate) const AUTHORIZE: &str = "/authorize";
/// RFC 7662 §2.
pub(crate) const INTROSPECT: &str = "/introspect";
/// RFC 7009 §2.
pub(crate) const REVOKE: &str = "/revoke";
/// RFC 9126 §2.
pub(crate) const PAR: &str = "/par";
/// RFC 8628 §3.1.
pub(crate) const DEVICE: &str = "/device_authorization";
/// RFC 7517 §5.
pub(crate) const KEYS: &str = "/jwks";
/// RFC 8414 §3. For an issuer with a path, that path comes after it.
pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
/// For balancers.
pub(crate) const HEALTH: &str = "/health";

const ENDPOINTS: [&str; 9] = [
    TOKEN, AUTHORIZE, INTROSPECT, REVOKE, PAR, DEVICE, KEYS, METADATA, HEALTH,
];

/// What the endpoints are made of.
pub(crate) struct Edge {
    desk: Desk,
    health: Health,
    metadata: metadata::Latest,
    cookies: Cookies,
    /// Where people log in.
    login: Option<LoginUrl>,
    /// Browsers bring only requests that were pushed.
    only_pushed: bool,
    /// Where people type user codes.
    verification: VerificationUri,
    /// Where it is what is not served where clients are asked for certificates.
    elsewhere: Elsewhere,
}

/// The same, as one listener has it.
#[derive(Clone)]
struct Mounted {
    edge: Arc<Edge>,
    /// Whether a proxy in front of that listener says where requests come from.
    proxies: Proxies,
}

impl FromRef<Mounted> for Arc<Edge> {
    fn from_ref(mounted: &Mounted) -> Self {
        Self::clone(&mounted.edge)
    }
}

impl FromRef<Mounted> for Proxies {
    fn from_ref(mounted: &Mounted) -> Self {
        mounted.proxies
    }
}

impl Edge {
    pub(crate) fn new(desk: Desk, health: Health, config: &Config, mtls_url: Option<&str>) -> Self {
        let issuer = desk.engine.issuer().name.clone();
        let login = LoginUrl::of(config, &issuer);
        Self {
            metadata: metadata::Latest::new(&desk, config, mtls_url),
            desk,
            health,
            cookies: Cookies::of_issuer(issuer.as_str()),
            login,
            only_pushed: config.http.only_pushed,
            verification: VerificationUri::of(config, &issuer),
            elsewhere: Elsewhere::new(&issuer, config),
        }
    }
}

/// The endpoint of a path, as spans and limits name it. The path is below the issuer's own.
pub(crate) fn route(path: &str) -> Option<&'static str> {
    ENDPOINTS.into_iter().find(|endpoint| *endpoint == path)
}

/// As [`route`], of a request; pages of a login application that is a part of this service have
/// their names, too.
pub(crate) fn route_of(uri: &Uri) -> Option<&'static str> {
    route(uri.path()).or_else(|| login::page(uri.path()))
}

/// What a path in front of which something is refused answers in: where a browser goes, a page.
pub(crate) fn words(path: &str) -> Words {
    let below_login = path
        .strip_prefix(login::PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match below_login || matches!(path, AUTHORIZE | login::DEVICE) {
        true => Words::Page,
        false => Words::Json,
    }
}

/// All endpoints, where proxies may stand in front.
pub(crate) fn endpoints(edge: Arc<Edge>, proxies: Proxies) -> Router {
    of_clients()
        .route(AUTHORIZE, authorization())
        .route(KEYS, only(get(keys::list)))
        .route(METADATA, only(get(metadata::show)))
        .fallback(nothing_here)
        .with_state(Mounted { edge, proxies })
}

/// The endpoints where clients are asked for certificates: those with an alias in the metadata
/// (RFC 8705 §5), for no other origin's scripts, and what a balancer in front of them asks.
///
/// Whoever ends TLS asks for certificates, so no proxy that reads a request stands in front, and a
/// client that says where it comes from is not believed.
pub(crate) fn aliases(edge: Arc<Edge>) -> Router {
    let proxies = Proxies::None;
    of_clients()
        .fallback(elsewhere::tell)
        .with_state(Mounted { edge, proxies })
}

/// Where clients show who they are, and what a balancer asks.
fn of_clients() -> Router<Mounted> {
    Router::new()
        .route(TOKEN, only(post(token::issue)))
        .route(PAR, only(post(par::lodge)))
        .route(DEVICE, only(post(device::authorize)))
        .route(REVOKE, only(post(revocation::revoke)))
        .route(INTROSPECT, only(post(introspection::introspect)))
        .route(HEALTH, only(get(health::check)))
}

fn only(endpoint: MethodRouter<Mounted>) -> MethodRouter<Mounted> {
    endpoint.fallback(other_method)
}

/// The same for requests that are for one host and end once, and for no others. What those are
/// refused in is what `words` says of their path.
pub(crate) fn said_once(endpoints: Router, words: fn(&str) -> Words) -> Router {
    endpoints.layer(from_fn_with_state(words as host::Worded, host::check))
}

/// RFC 6749 §3.1: both methods. Looking at it first (`HEAD`) would use a request up.
fn authorization() -> MethodRouter<Mounted> {
    get(authorize::visit)
        .post(authorize::visit)
        .head(authorize::other_method)
        .fallback(authorize::other_method)
}

/// The refusal, for layers in front of the endpoints.
pub(crate) fn refused(refused: Refused) -> Response<Body> {
    Problem::from(refused).answer().map(Body::new)
}

/// As [`refused`], as a page.
pub(crate) fn refused_page(refused: Refused) -> Response<Body> {
    page::of(&refused.into()).map(Body::new)
}

/// The refusal, to be sent again and again. Nobody is told that there was one.
pub(crate) fn prepared(refused: &Refused) -> Response<Bytes> {
    problem::of(refused)
}

/// As [`prepared`], as a page.
pub(crate) fn prepared_page(refused: Refused) -> Response<Bytes> {
    page::made(&refused.into())
}

/// As `other_method`, for people.
pub(crate) async fn other_method_page() -> axum::response::Response {
    page::of(&Misfit::Method.into())
}

/// `Allow` is added on the way out (RFC 9110 §15.5.6).
async fn other_method() -> Problem {
    Misfit::Method.into()
}

async fn nothing_here() -> Problem {
    Misfit::NotFound.into()
}
