//! Calls that carry a proof (RFC 9449), made one by one.
//!
//! A service uses `countersign-client`, which attaches token and proof by
//! itself. Here the person decides what is presented, and the demonstration's
//! attacker presents what he should not.

use std::sync::Arc;

use countersign::error::v1::Reason;
use countersign_client::clock::{Clock, SystemClock};
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin, Target};
use countersign_jose::{SigningKey, Thumbprint};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status};

use crate::exit::{self, Failure};
use crate::{dial, entropy};

/// gRPC calls are POST requests.
const GRPC_METHOD: &str = "POST";

/// Where a service brings a nonce.
const NONCE_FIELD: &str = "dpop-nonce";

/// Makes proofs with one key.
pub(crate) struct Prover {
    minter: Minter,
}

impl Prover {
    /// Makes proofs with `key`.
    pub(crate) fn new(key: SigningKey) -> Self {
        Self {
            minter: Minter::new(Arc::new(key)),
        }
    }

    /// The thumbprint of the key.
    pub(crate) fn jkt(&self) -> Thumbprint {
        self.minter.jkt()
    }

    /// One proof for a call of `method` to `target`.
    pub(crate) fn proof(
        &self,
        method: &str,
        target: &Target,
        nonce: Option<&str>,
        token: Option<&str>,
    ) -> Result<String, Failure> {
        let ath = token.map(Ath::of);
        self.minter
            .mint(&Mint {
                jti: Jti::new(entropy::bytes()?),
                method,
                target,
                iat: SystemClock.now(),
                nonce,
                ath: ath.as_ref(),
            })
            .map_err(|cause| Failure::internal(format!("cannot sign the proof: {cause}")))
    }

    /// Calls `rpc` with a fresh proof, and once more with the nonce if the
    /// service asks for one.
    pub(crate) async fn call<Q: Clone, A>(
        &self,
        target: &Target,
        token: Option<&str>,
        message: &Q,
        mut rpc: impl AsyncFnMut(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<Result<A, Status>, Failure> {
        let mut nonce: Option<String> = None;
        loop {
            let proof = self.proof(GRPC_METHOD, target, nonce.as_deref(), token)?;
            let request = presenting(message.clone(), token.map(|token| ("DPoP", token)), &proof)?;
            match rpc(request).await {
                Err(status) if nonce.is_none() && asks_for_nonce(&status) => {
                    nonce = nonce_of(&status);
                    if nonce.is_none() {
                        return Ok(Err(status));
                    }
                }
                answer => return Ok(answer.map(Response::into_inner)),
            }
        }
    }
}

/// A request that presents a token under `scheme`, and a proof.
pub(crate) fn presenting<Q>(
    message: Q,
    token: Option<(&str, &str)>,
    proof: &str,
) -> Result<Request<Q>, Failure> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    if let Some((scheme, token)) = token {
        metadata.insert("authorization", sensitive(&format!("{scheme} {token}"))?);
    }
    metadata.insert("dpop", sensitive(proof)?);
    Ok(request)
}

/// Never indexed by HPACK, never shown by `Debug`.
fn sensitive(value: &str) -> Result<AsciiMetadataValue, Failure> {
    let mut value = AsciiMetadataValue::try_from(value).map_err(|_| {
        Failure::configuration("the token holds characters that no token has")
            .next("present it exactly as it was issued")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the service wants a nonce in the proof.
pub(crate) fn asks_for_nonce(status: &Status) -> bool {
    exit::reason(status) == Some(Reason::DpopNonceRequired)
}

/// The nonce that an answer brings.
pub(crate) fn nonce_of(status: &Status) -> Option<String> {
    let value = status.metadata().get(NONCE_FIELD)?;
    value.to_str().ok().map(str::to_owned)
}

/// What a proof for `path` of the service at `url` must name.
pub(crate) fn target(url: &str, path: &str) -> Result<Target, Failure> {
    let origin = Origin::parse(url).map_err(|cause| {
        Failure::configuration(format!("--server {url}: {cause}")).next(dial::URL_FORM)
    })?;
    origin
        .target(path)
        .map_err(|cause| Failure::internal(format!("{path}: {cause}")))
}
