//! Where the key set comes from.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign::keys::v1::{
    ListKeysRequest, ListKeysResponse, VerificationKey, WatchKeysRequest, WatchKeysResponse,
};
use countersign_client::legible::{Legible, LegibleLayer};
use countersign_client::source::BoxFuture;
use countersign_jose::Jwks;
use countersign_telemetry::{ClientCalls, ClientLayer};
use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tonic::Status;
use tonic::transport::Channel;
use tower_layer::Layer as _;

/// Thirty-two keys, generously written; nothing larger is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a key set is good for where its publisher does not say.
const MAX_AGE: Duration = Duration::from_secs(300);

/// What a message says that does not say when the next one comes.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Tells what keys the issuer signs with.
pub trait KeySource: Send + Sync + 'static {
    /// The keys as they are published now. Called in the background, and when
    /// a token names a key that is not known; seldom, and one call at a time.
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>>;

    /// The keys now, and whenever they change, if the source can tell. Called
    /// again, after a pause, whenever the stream has ended.
    fn watch(&self) -> Option<KeysWatched> {
        None
    }
}

/// What a watch of keys tells, as it happens.
pub type KeysWatched = Pin<Box<dyn Stream<Item = Result<KeysTold, KeysUnavailable>> + Send>>;

/// Keys, or a sign of life.
#[derive(Clone, Debug)]
pub struct KeysTold {
    /// All keys; nothing in a sign of life.
    pub keys: Option<PublishedKeys>,
    /// The next message comes within this time.
    pub heartbeat: Duration,
}

/// The keys of an issuer.
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    /// Whose they are, as it stands in `iss`.
    pub issuer: String,
    /// The keys. Each must have a `kid`: tokens choose by it.
    pub keys: Jwks,
    /// How long they may be kept. They are fetched again after half of it.
    pub max_age: Duration,
}

/// Why there are no keys, for the log.
#[derive(Clone, Debug)]
pub struct KeysUnavailable(String);

impl KeysUnavailable {
    /// The cause, in words that hold nothing secret.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the issuer's keys could not be had: {}", self.0)
    }
}

impl std::error::Error for KeysUnavailable {}

/// Asks the token service (`KeyService.ListKeys`).
pub(crate) struct TokenServiceKeys(KeyServiceClient<ClientCalls<Legible<Channel>>>);

impl TokenServiceKeys {
    pub(crate) fn new(channel: Channel) -> Self {
        let client = KeyServiceClient::new(ClientLayer::new().layer(LegibleLayer.layer(channel)));
        Self(client.max_decoding_message_size(ANSWER_BYTES_MAX))
    }
}

impl KeySource for TokenServiceKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let mut client = self.0.clone();
        Box::pin(async move {
            let answer = client
                .list_keys(ListKeysRequest {})
                .await
                .map_err(|status| KeysUnavailable::new(status.message()))?;
            published(answer.into_inner())
        })
    }

    fn watch(&self) -> Option<KeysWatched> {
        let mut client = self.0.clone();
        let begun = async move {
            let failed = |status: Status| KeysUnavailable::new(status.message());
            let answer = client.watch_keys(WatchKeysRequest {}).await;
            let told = answer.map_err(failed)?.into_inner();
            Ok(told.map(move |message| keys_told(message.map_err(failed)?)))
        };
        Some(stream::once(begun).try_flatten().boxed())
    }
}

fn keys_told(message: WatchKeysResponse) -> Result<KeysTold, KeysUnavailable> {
    Ok(KeysTold {
        keys: message.key_set.map(published).transpose()?,
        heartbeat: message
            .heartbeat_interval
            .and_then(|interval| Duration::try_from(interval).ok())
            .unwrap_or(HEARTBEAT),
    })
}

pub(crate) fn published(answer: ListKeysResponse) -> Result<PublishedKeys, KeysUnavailable> {
    let keys: Vec<_> = answer.keys.iter().map(jwk).collect();
    let set = serde_json::json!({ "keys": keys }).to_string();
    Ok(PublishedKeys {
        issuer: answer.issuer,
        keys: Jwks::parse(set.as_bytes()).map_err(KeysUnavailable::new)?,
        max_age: answer
            .max_age
            .and_then(|age| Duration::try_from(age).ok())
            .unwrap_or(MAX_AGE),
    })
}

fn jwk(key: &VerificationKey) -> serde_json::Value {
    let members = [
        ("kid", &key.kid),
        ("alg", &key.alg),
        ("kty", &key.kty),
        ("crv", &key.crv),
        ("x", &key.x),
        ("y", &key.y),
    ];
    // An Ed25519 key has no y.
    members
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), serde_json::Value::from(value.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
