//! What is mounted where, and the layers in front of it.

mod deadline;
mod fork;
mod methods;
mod under_way;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use countersign::admin::v1::account_service_server::AccountServiceServer;
use countersign::admin::v1::audit_service_server::AuditServiceServer;
use countersign::admin::v1::client_service_server::ClientServiceServer;
use countersign::admin::v1::resource_service_server::ResourceServiceServer;
use countersign::admin::v1::revocation_service_server::RevocationServiceServer as AdminRevocationServiceServer;
use countersign::admin::v1::signing_key_service_server::SigningKeyServiceServer;
use countersign::admin::v1::store_service_server::StoreServiceServer;
use countersign::authorization::v1::authorization_service_server::AuthorizationServiceServer;
use countersign::introspection::v1::introspection_service_server::IntrospectionServiceServer;
use countersign::keys::v1::key_service_server::KeyServiceServer;
use countersign::revocation::v1::revocation_service_server::RevocationServiceServer;
use countersign::token::v1::token_service_server::TokenServiceServer;
use countersign_guard::Guard;
use countersign_login::Accounts;
use countersign_store::EmbeddedStore;
use countersign_telemetry::{HttpServerLayer, ServerLayer};
use http::{Request, Response};
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceBuilder;

use crate::called::CalledLayer;
use crate::config::{Config, VerificationUri};
use crate::desk::Desk;
use crate::engine::Engine;
use crate::health::Health;
use crate::http::{self as http_edge, Edge, HeadersLayer, Place, ScriptsLayer};
use crate::keyring::keeper::Keeper;
use crate::login;
use crate::overload::{Overload, Seen};
use crate::protocol::Words;
use crate::records::Records;
use crate::reflection;
use crate::revoked::Revoked;
use crate::serve::Answers;
use crate::service::admin_account::Accounts as AdminAccounts;
use crate::service::admin_audit::Audits;
use crate::service::admin_client::Clients;
use crate::service::admin_key::SigningKeys;
use crate::service::admin_resource::Resources;
use crate::service::admin_revocation::Revocations;
use crate::service::admin_store::Stores;
use crate::service::authorization::Authorizations;
use crate::service::introspection::Introspections;
use crate::service::keys::Keys;
use crate::service::revocation::RevocationWatch;
use crate::service::token::Tokens;
use crate::signer::KeySet;
use crate::watchers::Watchers;
use crate::wire::MESSAGE_BYTES_MAX;
use crate::wire::introspection::BATCH_BYTES_MAX;
use deadline::DeadlineLayer;
use fork::Fork;
use under_way::UnderWayLayer;

/// Services on the TCP address.
pub(crate) const PUBLIC: [&str; 6] = [
    "countersign.token.v1.TokenService",
    "countersign.authorization.v1.AuthorizationService",
    "countersign.introspection.v1.IntrospectionService",
    "countersign.keys.v1.KeyService",
    "countersign.revocation.v1.RevocationService",
    HEALTH,
];

/// Calls on the Unix socket that take as long as they take: counting reads every record, a million
/// of them in half a minute.
const LONG: [&str; 1] = ["/countersign.admin.v1.StoreService/GetStoreStats"];

/// Services on the Unix socket.
pub(crate) const ADMIN: [&str; 9] = [
    "countersign.admin.v1.AccountService",
    "countersign.admin.v1.AuditService",
    "countersign.admin.v1.ClientService",
    "countersign.admin.v1.ResourceService",
    "countersign.admin.v1.RevocationService",
    "countersign.admin.v1.StoreService",
    "countersign.admin.v1.SigningKeyService",
    "countersign.keys.v1.KeyService",
    HEALTH,
];

/// Services on the Unix socket of a login application that is alone.
pub(crate) const ACCOUNTS: [&str; 3] = [
    "countersign.admin.v1.AccountService",
    "countersign.admin.v1.AuditService",
    HEALTH,
];

const HEALTH: &str = "grpc.health.v1.Health";

/// What sees gRPC calls, on every listener.
const SEEN: ServerLayer = ServerLayer::of(methods::name);

/// What the guard in front of the TCP address does not touch. These methods authenticate clients,
/// not tokens: they check proofs themselves, and challenge. (What is public and has nothing to do
/// with proofs, such as the key set, the guard lets through by its rule.) Named one by one: a
/// method that is added later is guarded until somebody decides otherwise.
pub(crate) const UNGUARDED: [&str; 8] = [
    "/countersign.token.v1.TokenService/IssueToken",
    "/countersign.token.v1.TokenService/RotateToken",
    "/countersign.token.v1.TokenService/RevokeToken",
    "/countersign.authorization.v1.AuthorizationService/PushAuthorization",
    "/countersign.authorization.v1.AuthorizationService/AuthorizeDevice",
    HEALTH,
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// What the services are made of.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) health: Health,
    pub(crate) overload: Arc<Overload>,
    /// Where people type user codes.
    pub(crate) verification: VerificationUri,
    pub(crate) revoked: Arc<Revoked>,
    /// Anybody may watch keys.
    pub(crate) key_watchers: Arc<Watchers>,
    pub(crate) revocation_watchers: Arc<Watchers>,
    pub(crate) accounts: Accounts,
}

impl Platform {
    /// Where clients are served.
    pub(crate) fn desk(&self) -> Desk {
        Desk {
            engine: self.engine.clone(),
            keys: Arc::clone(&self.keys),
            overload: Arc::clone(&self.overload),
        }
    }
}

/// What answers both protocols on one address.
pub(crate) fn either(grpc: impl Answers, http: impl Answers) -> impl Answers {
    Fork { grpc, http }
}

/// What the HTTP endpoints are made of. `mtls_url` is where clients are asked for certificates, if
/// they are.
pub(crate) fn edge(platform: &Platform, config: &Config, mtls_url: Option<&str>) -> Arc<Edge> {
    let health = platform.health.clone();
    Arc::new(Edge::new(platform.desk(), health, config, mtls_url))
}

/// What answers HTTP.
pub(crate) fn http(
    platform: &Platform,
    config: &Config,
    edge: Arc<Edge>,
    login: Option<Router>,
    calls: TaskTracker,
) -> impl Answers {
    let proxies = login::proxies(config.login.behind_proxy);
    let mut endpoints = http_edge::endpoints(edge, proxies);
    if let Some(login) = login {
        let issuer = platform.engine.issuer();
        let typed_at = get(login::device_page(&issuer.name));
        let typed_at = typed_at.fallback(http_edge::other_method_page);
        endpoints = endpoints
            .nest_service(login::PATH, login)
            .route(login::DEVICE, typed_at);
    }
    layered(platform, endpoints, &config.http.cors_origins, calls)
}

/// What answers HTTP where clients are asked for certificates: nothing that browsers go to.
pub(crate) fn aliases(platform: &Platform, edge: Arc<Edge>, calls: TaskTracker) -> impl Answers {
    layered(platform, http_edge::aliases(edge), &[], calls)
}

/// The same layers as for gRPC, but for the guard, since every endpoint authenticates clients by
/// itself or is public.
fn layered(
    platform: &Platform,
    endpoints: Router,
    cors_origins: &[String],
    calls: TaskTracker,
) -> impl Answers + use<> {
    let issuer = platform.engine.issuer().name.as_str().to_owned();
    let scheme = match issuer.starts_with("https:") {
        true => "https",
        false => "http",
    };
    let place = Place::of(&issuer);
    let seen = HttpServerLayer::new(scheme, http_edge::route_of);
    ServiceBuilder::new()
        .layer(UnderWayLayer { calls })
        // Before anything goes by the path.
        .map_request(move |mut request: Request<_>| {
            let uri = std::mem::take(request.uri_mut());
            *request.uri_mut() = place.below(uri);
            request
        })
        // Before anything that refuses: what is told to browsers goes for refusals, too.
        .layer(HeadersLayer::of(&issuer, http_edge::words))
        // For the same reason: scripts of other origins read refusals, too.
        .layer(ScriptsLayer::of(cors_origins))
        .layer(platform.overload.layer(Seen::Requests(seen)))
        .layer(seen)
        .layer(DeadlineLayer {
            words: http_edge::words,
            long: &[],
        })
        .layer(CalledLayer)
        .map_response(|response: Response<axum::body::Body>| response.map(Body::new))
        // The login application counts by where requests come from.
        .map_request(login::with_peer)
        .service(http_edge::said_once(endpoints, http_edge::words))
}

/// What answers browsers of a login application that is alone, which they reach by `url`; `scheme` is
/// that of its own listener.
pub(crate) fn people(
    app: Router,
    url: &str,
    scheme: &'static str,
    overload: &Arc<Overload>,
    calls: TaskTracker,
) -> impl Answers + use<> {
    // Its pages have no names of their own: what stands in a path or a query is not told.
    let seen = HttpServerLayer::new(scheme, |_| None);
    ServiceBuilder::new()
        .layer(UnderWayLayer { calls })
        .layer(HeadersLayer::of(url, |_| Words::Page))
        .layer(overload.layer(Seen::Pages(seen)))
        .layer(seen)
        .layer(DeadlineLayer {
            words: |_| Words::Page,
            long: &[],
        })
        .map_response(|response: Response<axum::body::Body>| response.map(Body::new))
        .map_request(login::with_peer)
        .service(http_edge::said_once(app, |_| Words::Page))
}

/// What answers on the Unix socket of a login application that is alone.
pub(crate) fn accounts(
    accounts: Accounts,
    records: Records,
    health: &Health,
    calls: TaskTracker,
) -> impl Answers {
    let reflection = reflection::of(&ACCOUNTS);
    let routes = Routes::new(account_service(accounts))
        .add_service(audit_service(records))
        .add_service(health.server())
        .add_service(reflection.v1)
        .add_service(reflection.v1alpha);
    ServiceBuilder::new()
        .layer(UnderWayLayer { calls })
        .layer(SEEN)
        .layer(DeadlineLayer {
            words: |_| Words::Grpc,
            long: &[],
        })
        .layer(CalledLayer)
        .service(routes.prepare())
}

/// What answers gRPC on the TCP address.
pub(crate) fn public(platform: Platform, guard: &Guard, calls: TaskTracker) -> impl Answers {
    let reflection = reflection::of(&PUBLIC);
    let desk = platform.desk();
    let routes = Routes::new(
        TokenServiceServer::new(Tokens { desk: desk.clone() })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        AuthorizationServiceServer::new(Authorizations {
            desk: desk.clone(),
            verification: platform.verification,
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        IntrospectionServiceServer::new(Introspections { desk })
            // The guard has seen the caller's token before anything of a message is read.
            .max_decoding_message_size(BATCH_BYTES_MAX)
            .max_encoding_message_size(BATCH_BYTES_MAX),
    )
    .add_service(key_service(platform.keys, platform.key_watchers))
    .add_service(
        RevocationServiceServer::new(RevocationWatch {
            revoked: platform.revoked,
            watchers: platform.revocation_watchers,
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(platform.health.server())
    .add_service(
        reflection
            .v1
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        reflection
            .v1alpha
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    );
    // A layer never fails and is always ready: what it refuses, it answers.
    ServiceBuilder::new()
        // Outermost: a stop waits for everything that has begun.
        .layer(UnderWayLayer { calls })
        // Before everything that costs something: verifying is what a flood would make us do.
        .layer(platform.overload.layer(Seen::Calls(SEEN)))
        // A refused call is a span too, and its caller's trace is found here.
        .layer(SEEN)
        // Tokens with scopes, for those methods that want them. What it lets through unseen
        // answers for itself.
        .layer(guard.layer())
        // Before the handlers, whose signature checks are what a late call would cost us, and who
        // wait for the end of a message. (The guard drops late calls by itself.)
        .layer(DeadlineLayer {
            words: |_| Words::Grpc,
            long: &[],
        })
        // Innermost: what a proof must name.
        .layer(CalledLayer)
        .service(routes.prepare())
}

/// What answers on the Unix socket. Who may connect was decided when the connection was accepted,
/// so there is no guard.
/// The service for the store is there if the store has backups of its own.
pub(crate) fn admin(
    platform: Platform,
    store: Option<Arc<EmbeddedStore>>,
    calls: TaskTracker,
) -> impl Answers {
    let reflection = reflection::of(&ADMIN);
    let routes = Routes::new(
        ClientServiceServer::new(Clients {
            engine: platform.engine.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        ResourceServiceServer::new(Resources {
            engine: platform.engine.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(account_service(platform.accounts))
    .add_service(audit_service(platform.engine.records.clone()))
    .add_service(
        SigningKeyServiceServer::new(SigningKeys {
            keeper: platform.keeper,
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        AdminRevocationServiceServer::new(Revocations {
            engine: platform.engine.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(key_service(platform.keys, platform.key_watchers))
    .add_service(platform.health.server())
    .add_service(
        reflection
            .v1
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
    .add_service(
        reflection
            .v1alpha
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    );
    let routes = match store {
        Some(store) => routes.add_service(
            StoreServiceServer::new(Stores {
                engine: platform.engine,
                store,
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        ),
        None => routes,
    };
    ServiceBuilder::new()
        .layer(UnderWayLayer { calls })
        .layer(SEEN)
        .layer(DeadlineLayer {
            words: |_| Words::Grpc,
            long: &LONG,
        })
        .layer(CalledLayer)
        .service(routes.prepare())
}

fn account_service(kept: Accounts) -> AccountServiceServer<AdminAccounts> {
    AccountServiceServer::new(AdminAccounts { kept })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

fn audit_service(records: Records) -> AuditServiceServer<Audits> {
    AuditServiceServer::new(Audits { records })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

fn key_service(set: Arc<KeySet>, watchers: Arc<Watchers>) -> KeyServiceServer<Keys> {
    KeyServiceServer::new(Keys { set, watchers })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use countersign::admin::v1::store_service_server::SERVICE_NAME;
    use futures_util::FutureExt;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Limits;

    #[test]
    fn counting_is_a_long_call() {
        assert_eq!(LONG, [format!("/{SERVICE_NAME}/GetStoreStats").as_str()]);
    }

    #[tokio::test]
    async fn a_login_application_that_is_alone_takes_on_so_many_pages_and_says_when_to_come_back() {
        let endless = Router::new().route("/", get(pending::<()>));
        let limits = Limits {
            in_flight_max: 1,
            ..Config::default().limits
        };
        let overload = Overload::new(&limits);
        let calls = TaskTracker::new();
        let url = "http://127.0.0.1:7444";
        let people = people(endless, url, "http", &overload, calls);
        let ask = || {
            let request = Request::get("/").header("host", "127.0.0.1:7444");
            let request = request.body(Body::empty());
            people.clone().oneshot(request.expect("a request"))
        };
        let mut first = Box::pin(ask());
        assert!((&mut first).now_or_never().is_none());

        let refused = ask().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(
            refused.headers()["content-type"],
            "text/html; charset=utf-8"
        );
        assert!(refused.headers().contains_key("content-security-policy"));

        drop(first);
        let mut next = Box::pin(ask());
        assert!((&mut next).now_or_never().is_none());
    }
}
