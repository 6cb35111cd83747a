use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, Client, CreateClientRequest, CreateResourceRequest, GrantType,
    Permission, Resource,
};
use countersign_client::{Credential, Secret};

use crate::{Platform, Problem};

/// A registered client.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The client's identifier.
    pub client_id: String,
    /// Its secret; none for a public client.
    pub secret: Option<Secret>,
}

impl Registered {
    /// What it authenticates by.
    pub fn credential(&self) -> Credential {
        match &self.secret {
            Some(secret) => Credential::ClientSecret(secret.clone()),
            None => Credential::Public,
        }
    }
}

/// A service that acts in its own name, by secret: it may ask for `scopes` at
/// `resource`.
pub fn service_client(client_id: &str, resource: &str, scopes: &[&str]) -> Client {
    Client {
        client_id: client_id.to_owned(),
        authentication_method: AuthenticationMethod::ClientSecret.into(),
        grant_types: vec![GrantType::ClientCredentials.into()],
        permissions: vec![permission(resource, scopes)],
        ..Client::default()
    }
}

/// A public client that acts for a person: codes go to `redirect_uri`, and it
/// gets refresh tokens.
pub fn person_client(
    client_id: &str,
    redirect_uri: &str,
    resource: &str,
    scopes: &[&str],
) -> Client {
    Client {
        client_id: client_id.to_owned(),
        authentication_method: AuthenticationMethod::None.into(),
        grant_types: vec![
            GrantType::AuthorizationCode.into(),
            GrantType::RefreshToken.into(),
        ],
        redirect_uris: vec![redirect_uri.to_owned()],
        permissions: vec![permission(resource, scopes)],
        ..Client::default()
    }
}

fn permission(resource: &str, scopes: &[&str]) -> Permission {
    Permission {
        resource: resource.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

impl Platform {
    /// Registers a resource through the admin socket.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn register_resource(&self, uri: &str, scopes: &[&str]) -> Result<(), Problem> {
        let resource = Resource {
            uri: uri.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..Resource::default()
        };
        ResourceServiceClient::new(self.admin().await?)
            .create_resource(CreateResourceRequest {
                resource: Some(resource),
            })
            .await?;
        Ok(())
    }

    /// Registers a client through the admin socket.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn register(&self, client: Client) -> Result<Registered, Problem> {
        let client_id = client.client_id.clone();
        let answer = ClientServiceClient::new(self.admin().await?)
            .create_client(CreateClientRequest {
                client: Some(client),
            })
            .await?
            .into_inner();
        let secret = Some(answer.client_secret).filter(|secret| !secret.is_empty());
        Ok(Registered {
            client_id,
            secret: secret.map(Secret::from),
        })
    }
}
