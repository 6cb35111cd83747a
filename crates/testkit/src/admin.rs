use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, Client, CreateClientRequest, CreateResourceRequest, GrantType,
    Permission, Resource, UpdateResourceRequest,
};
use countersign_client::{Countersign, Credential, Secret};
use countersign_dpop::Origin;
use prost_types::FieldMask;
use tonic::transport::Channel;

use crate::attacks::{Attacks, ServiceVictim};
use crate::calls::Calls;
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
        details_types: Vec::new(),
    }
}

impl Platform {
    /// A service that may call the service at `resource` with these scopes, ready
    /// to do so: the resource is registered unless it is already, the client is
    /// registered with a secret, and goes by the platform's clock.
    ///
    /// # Errors
    ///
    /// What the service answered; above all that there is a client of this name.
    pub async fn caller(
        &self,
        client_id: &str,
        resource: &str,
        scopes: &[&str],
    ) -> Result<Countersign, Problem> {
        self.ensure_resource(resource, scopes).await?;
        let client = service_client(client_id, resource, scopes);
        let registered = self.register(client).await?;
        Ok(self.client(&registered).connect().await?)
    }

    /// A guard of this platform for the service that is reached at `origin`, not
    /// built yet: it still needs [`descriptors`](countersign_guard::Builder::descriptors).
    /// It is registered to watch revocations, and goes by the platform's clock.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn guard(&self, origin: &str) -> Result<countersign_guard::Builder, Problem> {
        let name = self.new_name("guard");
        let watches = service_client(&name, self.issuer(), &["revocations.watch"]);
        let registered = self.register(watches).await?;
        Ok(countersign_guard::Builder::new(self.url())
            .issuer(self.issuer())
            .serve(origin)
            .client(name, registered.credential())
            .clock(self.clock().clone()))
    }

    /// Attacks on the service at `url`, which its guard knows by that origin and
    /// whose resource has the same name; `scopes` are what the call to be attacked
    /// needs. A victim is registered. Calls go over HTTP/2; for a server that speaks HTTP/1.1
    /// alone, see [`attacks_by`](Self::attacks_by).
    ///
    /// # Errors
    ///
    /// What the service answered, or that `url` is none.
    pub async fn attacks(&self, url: &str, scopes: &[&str]) -> Result<Attacks, Problem> {
        let channel = Channel::from_shared(url.to_owned())?.connect_lazy();
        let resource = url.trim_end_matches('/');
        self.attacks_by(Calls::over(channel), url, resource, scopes)
            .await
    }

    /// As [`attacks`](Self::attacks), where the way to the service, its origin and
    /// its resource are three things.
    ///
    /// # Errors
    ///
    /// As [`attacks`](Self::attacks).
    pub async fn attacks_by(
        &self,
        wire: Calls,
        origin: &str,
        resource: &str,
        scopes: &[&str],
    ) -> Result<Attacks, Problem> {
        let victim = ServiceVictim::new(self, resource, scopes).await?;
        let origin = Origin::parse(origin)?;
        let clock = self.clock().clone();
        Ok(Attacks::new(Box::new(victim), wire, origin, clock))
    }

    /// Registers the resource, or gives it the scopes that it lacks.
    pub(crate) async fn ensure_resource(&self, uri: &str, scopes: &[&str]) -> Result<(), Problem> {
        let mut known = self.known_resources().lock().await;
        let Some(held) = known.get_mut(uri) else {
            self.create_resource(uri, scopes).await?;
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            known.insert(uri.to_owned(), scopes);
            return Ok(());
        };
        let lacking = scopes.iter().any(|&scope| !held.contains(scope));
        held.extend(scopes.iter().map(|&scope| scope.to_owned()));
        if lacking {
            let resource = Resource {
                uri: uri.to_owned(),
                scopes: held.iter().cloned().collect(),
                ..Resource::default()
            };
            ResourceServiceClient::new(self.admin().await?)
                .update_resource(UpdateResourceRequest {
                    resource: Some(resource),
                    update_mask: Some(FieldMask {
                        paths: vec!["scopes".to_owned()],
                    }),
                })
                .await?;
        }
        Ok(())
    }

    /// Registers a resource through the admin socket.
    ///
    /// # Errors
    ///
    /// What the service answered.
    pub async fn register_resource(&self, uri: &str, scopes: &[&str]) -> Result<(), Problem> {
        self.create_resource(uri, scopes).await?;
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let mut known = self.known_resources().lock().await;
        known.insert(uri.to_owned(), scopes);
        Ok(())
    }

    async fn create_resource(&self, uri: &str, scopes: &[&str]) -> Result<(), Problem> {
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
