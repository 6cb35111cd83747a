//! Every span, metric, attribute and resource name. Nothing else in the tree spells one.
//!
//! Calls follow OpenTelemetry's semantic conventions for RPC and gRPC as they
//! stand at release candidate: `rpc.system.name`, the fully qualified
//! `rpc.method`, and `rpc.status_code` with the status code's name (which was
//! `rpc.response.status_code` up to the renaming of July 2026, and before 1.39
//! the number in `rpc.grpc.status_code`). Requests that are not gRPC follow the
//! stable conventions for HTTP servers. Names of our own begin with
//! `countersign.`.

// Fields that tracing-opentelemetry reads as the span's own properties.
pub(crate) const OTEL_NAME: &str = "otel.name";
pub(crate) const OTEL_KIND: &str = "otel.kind";
pub(crate) const OTEL_STATUS: &str = "otel.status_code";
pub(crate) const KIND_SERVER: &str = "server";
pub(crate) const KIND_CLIENT: &str = "client";
pub(crate) const STATUS_ERROR: &str = "ERROR";

/// Resource: the program's name.
pub const SERVICE_NAME: &str = "service.name";
/// Resource: the program's version.
pub const SERVICE_VERSION: &str = "service.version";
/// Resource: which of several running instances.
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";

/// A call, before it is known which; its exported name is `package.Service/Method`.
pub const CALL: &str = "countersign.call";
/// The RPC system; always [`GRPC`].
pub const RPC_SYSTEM_NAME: &str = "rpc.system.name";
/// The value of [`RPC_SYSTEM_NAME`].
pub const GRPC: &str = "grpc";
/// `package.Service/Method`, or [`OTHER`].
pub const RPC_METHOD: &str = "rpc.method";
/// Stands for what is not told: a path that no gRPC method can have, a method or a status that HTTP
/// does not define.
pub const OTHER: &str = "_OTHER";
/// The gRPC status code's name, such as `PERMISSION_DENIED`.
pub const RPC_STATUS_CODE: &str = "rpc.status_code";
/// A request that is not gRPC, before it is known which; its exported name is `METHOD route`.
pub const HTTP_REQUEST: &str = "countersign.http";
/// The request's method, or [`OTHER`].
pub const HTTP_METHOD: &str = "http.request.method";
/// The endpoint, where it is one.
pub const HTTP_ROUTE: &str = "http.route";
/// The status of the answer.
pub const HTTP_STATUS: &str = "http.response.status_code";
/// The path, where it is an endpoint's: a stranger's may hold anything.
pub const URL_PATH: &str = "url.path";
/// `http` or `https`, as clients reach the service.
pub const URL_SCHEME: &str = "url.scheme";
/// The version of HTTP: `1.1` or `2`.
pub const PROTOCOL_VERSION: &str = "network.protocol.version";
/// How long requests that are not gRPC took: rate, errors and duration in one histogram.
pub const HTTP_SERVER_DURATION: &str = "http.server.request.duration";
/// The same of gRPC calls.
pub const RPC_SERVER_DURATION: &str = "rpc.server.call.duration";
/// How long a guard took to decide, of gRPC calls and of HTTP requests: how many it lets through and
/// refuses, why, and how long they waited for it, in one histogram.
pub const GUARD_DURATION: &str = "countersign.guard.duration";
/// What kind of request a guard decides: [`GRPC`] or [`HTTP`].
pub const GUARD_PROTOCOL: &str = "countersign.guard.protocol";
/// The other value of [`GUARD_PROTOCOL`].
pub const HTTP: &str = "http";
/// What a guard decided: [`PERMITTED`], [`PUBLIC`], [`REFUSED`] or [`WOULD_REFUSE`].
pub const GUARD_DECISION: &str = "countersign.guard.decision";
/// On to the handler, with a permit.
pub const PERMITTED: &str = "permitted";
/// On to the handler, whoever asks: the rule says so.
pub const PUBLIC: &str = "public";
/// No further: [`REFUSAL_REASON`] and [`REFUSAL_CAUSE`] say why.
pub const REFUSED: &str = "refused";
/// On to the handler although it is refused elsewhere, since the guard only looks:
/// [`OBSERVED_REASON`] and [`OBSERVED_CAUSE`] say why.
pub const WOULD_REFUSE: &str = "would_refuse";
/// The value of [`ERROR_TYPE`] when whoever asked went away before there was an answer.
pub const ERROR_CANCELLED: &str = "cancelled";
/// What went wrong, where the call failed.
pub const ERROR_TYPE: &str = "error.type";
/// The value of [`ERROR_TYPE`] when the call never got an answer.
pub const ERROR_TRANSPORT: &str = "transport";
/// The host a client calls.
pub const SERVER_ADDRESS: &str = "server.address";
/// The port a client calls.
pub const SERVER_PORT: &str = "server.port";

/// Why a call was refused, in the peer's words: the enumerator of `countersign.error.v1.Reason`.
pub const REFUSAL_REASON: &str = "countersign.refusal.reason";
/// Which check refused it: the operator's word, never sent to the peer.
pub const REFUSAL_CAUSE: &str = "countersign.refusal.cause";
/// Why an observing guard would have refused the call: as [`REFUSAL_REASON`].
pub const OBSERVED_REASON: &str = "countersign.observed.reason";
/// Which check would have: as [`REFUSAL_CAUSE`].
pub const OBSERVED_CAUSE: &str = "countersign.observed.cause";
/// A token without a key was accepted as a bearer token.
pub const BEARER_ACCEPTED: &str = "countersign.bearer.accepted";
/// The registered client that calls, whether it showed that it is that client or not.
pub const CLIENT_ID: &str = "countersign.client.id";
/// RFC 7638 thumbprint of the proof's key: a hash of a public key.
pub const JKT: &str = "countersign.jkt";
/// The OAuth grant a token is asked for with.
pub const GRANT: &str = "countersign.grant";
/// Which of several operations a span is about.
pub const OPERATION: &str = "countersign.operation";
/// How a token was checked: `offline`, `online`, `remembered`.
pub const TOKEN_CHECK: &str = "countersign.token.check";
/// How long ago, in seconds, a guard knew all that was revoked. Only where it is not told as it
/// happens.
pub const KNOWLEDGE_AGE: &str = "countersign.guard.knowledge_age";
/// How many keys a load asked for.
pub const STORE_KEYS: &str = "countersign.store.keys";
/// How many writes a commit holds.
pub const STORE_WRITES: &str = "countersign.store.writes";
/// How many log entries a commit holds.
pub const STORE_APPENDS: &str = "countersign.store.appends";
/// How a commit ended.
pub const STORE_OUTCOME: &str = "countersign.store.outcome";

/// A client gets itself a token.
pub const TOKEN_FETCH: &str = "countersign.token.fetch";
/// A client signs a DPoP proof.
pub const PROOF_MINT: &str = "countersign.proof.mint";
/// The token service decides and issues.
pub const ISSUE: &str = "countersign.issue";
/// The token service rotates a refresh token.
pub const ROTATE: &str = "countersign.rotate";
/// The token service says what a token is.
pub const INTROSPECT: &str = "countersign.introspect";
/// The token service revokes.
pub const REVOKE: &str = "countersign.revoke";
/// An authorization is pushed, read or decided.
pub const AUTHORIZE: &str = "countersign.authorize";
/// Records are read.
pub const STORE_LOAD: &str = "countersign.store.load";
/// A change is written, all of it or nothing.
pub const STORE_COMMIT: &str = "countersign.store.commit";
/// The guard checks a call.
pub const GUARD: &str = "countersign.guard";
/// A DPoP proof is checked, RFC 9449 §4.3.
pub const PROOF_VERIFY: &str = "countersign.proof.verify";
/// An access token is checked.
pub const TOKEN_VERIFY: &str = "countersign.token.verify";
/// The protected handler runs.
pub const HANDLER: &str = "countersign.handler";
/// The token service's keys are fetched.
pub const KEYS_FETCH: &str = "countersign.keys.fetch";
/// Expired records are removed.
pub const SWEEP: &str = "countersign.sweep";

/// The name of gRPC status `code`; numbers that gRPC does not define are `UNKNOWN`.
pub fn status_name(code: usize) -> &'static str {
    STATUS_NAMES.get(code).copied().unwrap_or("UNKNOWN")
}

// The index is the number on the wire.
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Log fields whose value is never printed, whatever it is. Nothing secret is
/// logged by intention; this is for the line somebody adds in haste.
pub const SECRET_FIELDS: [&str; 15] = [
    "access_token",
    "assertion",
    "authorization",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "dpop",
    "handle",
    "password",
    "private_key",
    "proof",
    "refresh_token",
    "secret",
    "token",
];

/// What stands in a log where a secret was.
pub const REDACTED: &str = "[redacted]";
