//! Who calls.

use std::sync::Arc;

use countersign::example::v1::CreateOrderRequest;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::random;
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin, Target};
use countersign_jose::{PublicKey, SigningKey};
use serde_json::json;
use tonic::Request;
use tonic::metadata::MetadataValue;

use crate::guards::{ISSUER, ORIGIN};

/// Makes calls: 300 bytes, and 1.4 KB of metadata.
pub(crate) struct Caller {
    pub(crate) issuer: SigningKey,
    minter: Minter,
    origin: Origin,
    create: Target,
    token: String,
    ath: Ath,
    item: String,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let issuer = SigningKey::generate_es256([1; 32]).unwrap();
        let minter = Minter::new(Arc::new(SigningKey::generate_es256([2; 32]).unwrap()));
        let now = SystemClock.now().as_secs();
        let claims = json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "iat": now, "exp": now + 3600, "jti": "t1", "scope": "orders.read orders.write",
            "acr": "urn:example:gold", "auth_time": now,
            "cnf": { "jkt": minter.jkt().to_string() },
        });
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        let token = issuer
            .sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
            .unwrap();
        let origin = Origin::parse(ORIGIN).unwrap();
        Self {
            create: target(&origin, "CreateOrder"),
            origin,
            ath: Ath::of(&token),
            issuer,
            minter,
            token,
            item: "x".repeat(300),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.minter.key().public().clone()
    }

    pub(crate) fn request(&self) -> Request<CreateOrderRequest> {
        let item = self.item.clone();
        self.shown(&self.create, CreateOrderRequest { item })
    }

    /// Opens a stream of this method.
    pub(crate) fn open<T>(&self, method: &str, message: T) -> Request<T> {
        self.shown(&target(&self.origin, method), message)
    }

    fn shown<T>(&self, target: &Target, message: T) -> Request<T> {
        let mint = Mint {
            jti: Jti::new(random::bytes().unwrap()),
            method: "POST",
            target,
            iat: SystemClock.now(),
            nonce: None,
            ath: Some(&self.ath),
        };
        let proof = self.minter.mint(&mint).unwrap();
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        let sensitive = |text: &str| {
            let mut value = MetadataValue::try_from(text).unwrap();
            value.set_sensitive(true);
            value
        };
        metadata.insert("authorization", sensitive(&format!("DPoP {}", self.token)));
        metadata.insert("dpop", sensitive(&proof));
        request
    }
}

fn target(origin: &Origin, method: &str) -> Target {
    let path = format!("/countersign.example.v1.OrderService/{method}");
    origin.target(&path).unwrap()
}
