//! The services, one file each: parse, decide through the engine, answer.

pub(crate) mod admin_account;
pub(crate) mod admin_audit;
pub(crate) mod admin_client;
pub(crate) mod admin_key;
pub(crate) mod admin_resource;
pub(crate) mod admin_revocation;
pub(crate) mod admin_store;
pub(crate) mod authorization;
pub(crate) mod introspection;
pub(crate) mod keys;
pub(crate) mod revocation;
pub(crate) mod token;

use countersign_guard::PermitExt as _;
use countersign_issuer::Actor;
use countersign_issuer::model::ClientId;
use countersign_login::Address;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Request, Response, Status};

use crate::called::Called;
use crate::desk::{Along, Answered};
use crate::refused::{Fault, Refused};

/// The HTTP request of a call.
fn called<T>(request: &Request<T>) -> Result<&Called, Refused> {
    request
        .extensions()
        .get()
        .ok_or(Refused::Fault(Fault::LayerMissing))
}

/// The operator behind a call on the Unix socket: the account that opened it.
fn operator<T>(request: &Request<T>) -> Result<Actor, Refused> {
    request
        .extensions()
        .get::<UdsConnectInfo>()
        .and_then(|peer| peer.peer_cred)
        .map(|peer| Actor::Operator { uid: peer.uid() })
        .ok_or(Refused::Fault(Fault::LayerMissing))
}

/// The client whose access token the guard in front admitted.
fn permitted_client<T>(request: &Request<T>) -> Result<ClientId, Status> {
    let permit = request.permit()?;
    // A token of ours names a client as it was registered.
    ClientId::parse(permit.client_id()).map_err(|_| Refused::Fault(Fault::LayerMissing).into())
}

/// Where a call comes from.
fn from<T>(request: &Request<T>) -> Address {
    Address::of_peer(request.remote_addr().map(|address| address.ip()))
}

/// What came along with a call.
fn along<T>(request: &Request<T>) -> Result<Along<'_>, Refused> {
    Ok(Along {
        headers: request.metadata().as_ref(),
        called: called(request)?,
    })
}

/// The answer as a message, with a nonce for the next proof where there is one.
fn answered<T, M>(
    answered: Answered<T>,
    message: impl FnOnce(T) -> M,
) -> Result<Response<M>, Status> {
    let mut response = Response::new(message(answered.answer));
    // A nonce is base64url.
    if let Some(nonce) = answered.nonce.and_then(|nonce| nonce.parse().ok()) {
        response.metadata_mut().insert("dpop-nonce", nonce);
    }
    Ok(response)
}
