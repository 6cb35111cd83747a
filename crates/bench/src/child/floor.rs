//! The floor: a bare tonic echo that does by hand what nobody can do without,
//! and nothing else. It parses no claim and knows no client.

use std::path::PathBuf;
use std::sync::Arc;

use ::http::HeaderMap;
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_client::random;
use countersign_jose::{Algorithm, PublicKey, SigningKey, base64url};
use countersign_store::{Change, Commit, EmbeddedStore, Key, Options, Store, Write};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tonic::transport::Server;
use tonic::{Request, metadata::MetadataMap};

use super::http;
use super::orders::{Orders, Work};
use crate::child::Facts;
use crate::{BenchError, keys};

/// The claims that a floor signs: with its header, as much as an access token.
const CLAIMS_BYTES: usize = 290;

/// What a floor does on every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Floor {
    /// Speaks HTTP without gRPC. Of the rest it does only what `proof` says.
    pub http: bool,
    /// Verifies the signature in `dpop`.
    pub proof: bool,
    /// Verifies the signature in `authorization`.
    pub token: bool,
    /// Verifies the signature of the client assertion that the message ends with.
    pub assertion: bool,
    /// Signs a token.
    pub sign: bool,
    /// Commits one small record, in the same groups as the token service does.
    pub commit: bool,
    /// The bytes of its answers.
    pub answer_bytes: usize,
    /// Where its store is, if it commits.
    pub data: PathBuf,
}

pub(super) async fn serve(floor: Floor) -> Result<(), BenchError> {
    let store = match floor.commit {
        true => Some(Committing::open(&floor)?),
        false => None,
    };
    let (url, listener) = super::listen().await?;
    let folder = store.as_ref().map(|store| store.folder.path().to_owned());
    let hands = Hands::new(&floor, store.as_ref().map(|store| Arc::clone(&store.store)))?;
    if floor.http {
        let hands = Arc::new(hands);
        let orders = http::orders(floor.answer_bytes, move |headers| hands.take(headers));
        super::ready(&super::only(url, None))?;
        return http::serve(listener, orders).await;
    }
    let orders = OrderServiceServer::new(Orders {
        work: hands,
        answer_bytes: floor.answer_bytes,
    });
    super::ready(&Facts {
        folder,
        ..super::only(url, None)
    })?;
    Server::builder()
        .add_service(orders)
        .serve_with_incoming_shutdown(super::incoming(listener), super::told_to_end())
        .await
        .map_err(BenchError::preparing("the floor's listener"))?;
    if let Some(store) = store {
        // The folder goes in any case.
        let _ = store.store.close().await;
    }
    Ok(())
}

struct Committing {
    store: Arc<EmbeddedStore>,
    folder: TempDir,
}

impl Committing {
    fn open(floor: &Floor) -> Result<Self, BenchError> {
        let folder = super::folder(&floor.data)?;
        let store = EmbeddedStore::open(folder.path().join("data"), Options::default())
            .map_err(BenchError::preparing("the floor's store"))?;
        Ok(Self {
            store: Arc::new(store),
            folder,
        })
    }
}

/// Does it by hand.
struct Hands {
    floor: Floor,
    caller: PublicKey,
    client: PublicKey,
    issuer: SigningKey,
    store: Option<Arc<EmbeddedStore>>,
}

impl Hands {
    fn new(floor: &Floor, store: Option<Arc<EmbeddedStore>>) -> Result<Self, BenchError> {
        let wrong = || BenchError::preparing("the floor's keys");
        Ok(Self {
            floor: floor.clone(),
            caller: keys::caller().map_err(wrong())?.public().clone(),
            client: keys::client().map_err(wrong())?.public().clone(),
            issuer: keys::issuer().map_err(wrong())?,
            store,
        })
    }

    fn verified(&self, request: &Request<CreateOrderRequest>) -> Option<()> {
        if self.floor.proof {
            verify(&self.caller, text(request.metadata(), "dpop")?)?;
        }
        if self.floor.token {
            let token = text(request.metadata(), "authorization")?;
            verify(self.issuer.public(), token.strip_prefix("DPoP ")?)?;
        }
        if self.floor.assertion {
            // What stands before it is there for the length.
            let assertion = request.get_ref().item.split(' ').next_back()?;
            verify(&self.client, assertion)?;
        }
        Some(())
    }

    /// The same of a request that is not gRPC, whose body nothing is in.
    fn take(&self, headers: &HeaderMap) -> bool {
        let proven = || {
            let proof = headers.get("dpop")?.to_str().ok()?;
            verify(&self.caller, proof)
        };
        !self.floor.proof || proven().is_some()
    }

    fn signed(&self) -> Option<String> {
        let claims = [b'c'; CLAIMS_BYTES];
        let header = br#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#;
        self.issuer.sign_compact(header, &claims).ok()
    }
}

#[tonic::async_trait]
impl Work for Hands {
    async fn work(&self, request: &Request<CreateOrderRequest>) -> Option<String> {
        self.verified(request)?;
        if let Some(store) = &self.store {
            committed(store).await?;
        }
        match self.floor.sign {
            true => self.signed(),
            false => Some(String::new()),
        }
    }
}

/// With a key that was parsed beforehand.
fn verify(key: &PublicKey, compact: &str) -> Option<()> {
    let (input, signature) = compact.rsplit_once('.')?;
    let signature: [u8; 64] = base64url::decode_array(signature).ok()?;
    key.verify(Algorithm::Es256, input.as_bytes(), &signature)
        .ok()
}

/// The smallest change there is.
async fn committed(store: &EmbeddedStore) -> Option<()> {
    let key = Key::of("floor").and(random::bytes::<16>().ok()?);
    let change = Change::of([Write::create(key, &b"floor"[..])]);
    match store.commit(change).await.ok()? {
        Commit::Done(_) => Some(()),
        Commit::Conflict(_) => None,
    }
}

fn text<'m>(metadata: &'m MetadataMap, name: &str) -> Option<&'m str> {
    metadata.get(name)?.to_str().ok()
}
