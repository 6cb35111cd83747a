//! Who is registered with the token service.

use std::path::Path;
use std::slice;

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    self as admin, AuthenticationMethod, CreateClientRequest, CreateResourceRequest, GrantType,
    Permission, Resource,
};
use countersign_client::{Client, Credential};
use countersign_jose::{Algorithm, PublishedKey, jwks};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::{BenchError, keys};

/// What tokens are for.
pub const ORDERS: &str = "https://orders.test:8443";
/// Where codes go.
pub const CALLBACK: &str = "https://desk.test/back";

/// The clients.
pub(super) struct Registry {
    pub(super) checkout: Client,
    pub(super) signer: Client,
    pub(super) desk: Client,
    pub(super) login: Client,
}

pub(super) async fn register(socket: &Path, issuer: &str) -> Result<Registry, BenchError> {
    let admin = channel(socket).await?;
    let resource = Resource {
        uri: ORDERS.to_owned(),
        scopes: texts(&["orders.read", "orders.write"]),
        ..Resource::default()
    };
    ResourceServiceClient::new(admin.clone())
        .create_resource(CreateResourceRequest {
            resource: Some(resource),
        })
        .await
        .map_err(BenchError::preparing("a resource"))?;

    let own = [GrantType::ClientCredentials];
    let people = [
        GrantType::ClientCredentials,
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
    ];
    let orders = permission(ORDERS, &["orders.read", "orders.write"]);
    let decide = permission(issuer, &["authorizations.decide"]);
    let introspect = permission(issuer, &["introspect"]);
    let registrar = Registrar { admin, issuer };
    Ok(Registry {
        checkout: registrar
            .add(secret("checkout", &own, slice::from_ref(&orders)))
            .await?,
        signer: registrar
            .add(admin::Client {
                authentication_method: AuthenticationMethod::PrivateKeyJwt.into(),
                jwks: jwks()?,
                ..secret("signer", &own, slice::from_ref(&orders))
            })
            .await?,
        desk: registrar
            .add(admin::Client {
                redirect_uris: texts(&[CALLBACK]),
                serves: texts(&[ORDERS]),
                ..secret("desk", &people, &[orders, introspect])
            })
            .await?,
        login: registrar.add(secret("login", &own, &[decide])).await?,
    })
}

struct Registrar<'a> {
    admin: Channel,
    issuer: &'a str,
}

impl Registrar<'_> {
    async fn add(&self, client: admin::Client) -> Result<Client, BenchError> {
        let id = client.client_id.clone();
        let created = ClientServiceClient::new(self.admin.clone())
            .create_client(CreateClientRequest {
                client: Some(client),
            })
            .await
            .map_err(BenchError::preparing("a client"))?
            .into_inner();
        let credential = if created.client_secret.is_empty() {
            let key = keys::client().map_err(BenchError::preparing("a client's key"))?;
            Credential::PrivateKeyJwt(key.into())
        } else {
            Credential::ClientSecret(created.client_secret.into())
        };
        Ok(Client::new(id, credential, self.issuer))
    }
}

async fn channel(socket: &Path) -> Result<Channel, BenchError> {
    let path = socket.to_owned();
    // The name is not used: the connector goes to the socket.
    Endpoint::from_static("http://localhost")
        .connect_with_connector(service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .map_err(BenchError::preparing("the admin socket"))
}

fn secret(id: &str, grants: &[GrantType], permissions: &[Permission]) -> admin::Client {
    admin::Client {
        client_id: id.to_owned(),
        authentication_method: AuthenticationMethod::ClientSecret.into(),
        grant_types: grants.iter().map(|&grant| grant.into()).collect(),
        permissions: permissions.to_vec(),
        ..admin::Client::default()
    }
}

fn permission(resource: &str, scopes: &[&str]) -> Permission {
    Permission {
        resource: resource.to_owned(),
        scopes: texts(scopes),
        details_types: Vec::new(),
    }
}

/// The key that signs assertions.
fn jwks() -> Result<String, BenchError> {
    let key = keys::client().map_err(BenchError::preparing("a client's key"))?;
    Ok(jwks::publish(&[PublishedKey {
        kid: "c1",
        algorithm: Algorithm::Es256,
        key: key.public(),
    }]))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
