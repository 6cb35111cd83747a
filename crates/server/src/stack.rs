//! What is mounted where, and the layers in front of it.

mod deadline;
mod under_way;

use std::sync::Arc;
use std::time::Duration;

use countersign::admin::v1::client_service_server::ClientServiceServer;
use countersign::admin::v1::resource_service_server::ResourceServiceServer;
use countersign::authorization::v1::authorization_service_server::AuthorizationServiceServer;
use countersign::introspection::v1::introspection_service_server::IntrospectionServiceServer;
use countersign::keys::v1::key_service_server::KeyServiceServer;
use countersign::token::v1::token_service_server::TokenServiceServer;
use countersign_guard::Guard;
use countersign_telemetry::ServerLayer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{self, ServerTlsConfig};

use crate::called::CalledLayer;
use crate::engine::Engine;
use crate::health::Health;
use crate::listen::{self, Tcp, Terms, Unix};
use crate::random;
use crate::reflection;
use crate::service::admin_client::Clients;
use crate::service::admin_resource::Resources;
use crate::service::authorization::Authorizations;
use crate::service::introspection::Introspections;
use crate::service::keys::Keys;
use crate::service::token::Tokens;
use crate::signer::{KeySet, Signer};
use crate::wire::MESSAGE_BYTES_MAX;
use deadline::DeadlineLayer;
use under_way::UnderWayLayer;

/// Streams of one connection at once: what HTTP/2 itself recommends (RFC 9113 §6.5.2). A caller
/// that needs more opens another connection.
const STREAMS_MAX: u32 = 100;

/// The largest header list: a proof of 4 KiB, a token of 8 KiB, and as much again for the rest.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// A silent peer is asked whether it is there; most balancers forget a flow after a minute.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// A peer that does not answer by then is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// After 5 minutes a connection is asked to end (GOAWAY), or clients would stick to one replica
/// for ever. Each process draws its own, within 10 %, so that not all of them ask at once.
const CONNECTION_AGE_SECS: (u64, u64) = (270, 330);

/// Services on the TCP address.
pub(crate) const PUBLIC: [&str; 5] = [
    "countersign.token.v1.TokenService",
    "countersign.authorization.v1.AuthorizationService",
    "countersign.introspection.v1.IntrospectionService",
    "countersign.keys.v1.KeyService",
    HEALTH,
];

/// Services on the Unix socket.
pub(crate) const ADMIN: [&str; 4] = [
    "countersign.admin.v1.ClientService",
    "countersign.admin.v1.ResourceService",
    "countersign.keys.v1.KeyService",
    HEALTH,
];

const HEALTH: &str = "grpc.health.v1.Health";

/// What the guard in front of the TCP address does not touch. These methods authenticate clients,
/// not tokens: they check proofs themselves, and challenge. (What is public and has nothing to do
/// with proofs, such as the key set, the guard lets through by its rule.) Named one by one: a
/// method that is added later is guarded until somebody decides otherwise.
pub(crate) const UNGUARDED: [&str; 7] = [
    "/countersign.token.v1.TokenService/IssueToken",
    "/countersign.token.v1.TokenService/RotateToken",
    "/countersign.token.v1.TokenService/RevokeToken",
    "/countersign.authorization.v1.AuthorizationService/PushAuthorization",
    HEALTH,
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// How a listener is told to stop, and what the stop waits for.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// Cancelled when no more connections are taken and those that are open end.
    pub(crate) begun: CancellationToken,
    /// The calls under way.
    pub(crate) calls: TaskTracker,
}

/// What the services are made of.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) signer: Signer,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) health: Health,
}

/// Serves the TCP address until `stop`, then lets calls in flight finish.
pub(crate) async fn serve_public(
    platform: Platform,
    guard: Guard,
    tls: Option<ServerTlsConfig>,
    listener: Tcp,
    terms: Terms,
    stop: Stop,
) -> Result<(), transport::Error> {
    let mut server = server();
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
    let reflection = reflection::of(&PUBLIC);
    server
        // Outermost: a stop waits for everything that has begun.
        .layer(UnderWayLayer { calls: stop.calls })
        // A refused call is a span too, and its caller's trace is found here.
        .layer(ServerLayer::new())
        // Tokens with scopes, for those methods that want them. What it lets through unseen
        // answers for itself.
        .layer(guard.layer())
        // Before the handlers, whose signature checks are what a late call would cost us, and who
        // wait for the end of a message. (The guard drops late calls by itself.)
        .layer(DeadlineLayer)
        // Innermost: what a proof must name.
        .layer(CalledLayer)
        .add_service(
            TokenServiceServer::new(Tokens {
                engine: platform.engine.clone(),
                signer: platform.signer,
                keys: Arc::clone(&platform.keys),
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            AuthorizationServiceServer::new(Authorizations {
                engine: platform.engine.clone(),
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            IntrospectionServiceServer::new(Introspections {
                engine: platform.engine,
                keys: Arc::clone(&platform.keys),
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(key_service(platform.keys))
        .add_service(platform.health.server())
        .add_service(reflection.v1.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(
            reflection
                .v1alpha
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .serve_with_incoming_shutdown(
            listen::incoming(listener, terms),
            stop.begun.cancelled_owned(),
        )
        .await
}

/// Serves the Unix socket until `stop`. Who may connect was decided when the connection was
/// accepted, so there is no guard.
pub(crate) async fn serve_admin(
    platform: Platform,
    listener: Unix,
    terms: Terms,
    stop: Stop,
) -> Result<(), transport::Error> {
    let reflection = reflection::of(&ADMIN);
    server()
        .layer(UnderWayLayer { calls: stop.calls })
        .layer(ServerLayer::new())
        .layer(DeadlineLayer)
        .layer(CalledLayer)
        .add_service(
            ClientServiceServer::new(Clients {
                engine: platform.engine.clone(),
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ResourceServiceServer::new(Resources {
                engine: platform.engine,
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(key_service(platform.keys))
        .add_service(platform.health.server())
        .add_service(reflection.v1.max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(
            reflection
                .v1alpha
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .serve_with_incoming_shutdown(
            listen::incoming(listener, terms),
            stop.begun.cancelled_owned(),
        )
        .await
}

fn key_service(set: Arc<KeySet>) -> KeyServiceServer<Keys> {
    KeyServiceServer::new(Keys { set })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

fn server() -> transport::Server {
    let (least, most) = CONNECTION_AGE_SECS;
    let draw = u64::from_be_bytes(random::bytes());
    transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_connection_age(Duration::from_secs(least + draw % (most - least)))
}
