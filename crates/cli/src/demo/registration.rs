//! Chapter one: what tokens are for and who gets them, through the admin socket.

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, Client, CreateClientRequest, CreateResourceRequest, GrantType,
    Permission, Resource,
};
use tonic::transport::Channel;

use super::agent::Agent;
use super::platform::Platform;
use super::stage::Stage;
use super::world::World;
use crate::dial;
use crate::exit::Failure;
use crate::key_file::{self, KeyKind};

/// Where the desk program takes its codes: a loopback address, whose port it
/// chooses when it runs (RFC 8252 §7.3).
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1/back";

/// The clients of the demonstration.
pub(crate) struct Cast {
    /// A service that places orders, in its own name.
    pub(crate) checkout: Agent,
    /// The order service, where it asks about tokens.
    pub(crate) orders: Agent,
    /// The login application.
    pub(crate) login: Agent,
    /// A program on a person's machine: public, with codes and refresh tokens.
    pub(crate) desk: Agent,
}

/// Registers the resource and the clients.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    platform: &Platform,
    world: &World,
) -> Result<Cast, Failure> {
    stage.chapter("Registration, through the admin socket")?;
    let admin = dial::admin(platform.admin_socket(), dial::Wait::Usual).await?;
    resource(stage, &admin, world).await?;
    let orders = world.order_service();
    let issuer = world.issuer();
    let own = [GrantType::ClientCredentials];
    let secret = AuthenticationMethod::ClientSecret;
    Ok(Cast {
        checkout: client(
            stage,
            &admin,
            "checkout",
            "a service with a secret; may ask for orders.write",
            of(secret, &own, allow(orders, &["orders.write"])),
        )
        .await?,
        orders: client(
            stage,
            &admin,
            "orders",
            "the order service; may introspect tokens that are for it",
            Client {
                serves: vec![orders.to_owned()],
                ..of(secret, &own, allow(issuer, &["introspect"]))
            },
        )
        .await?,
        login: client(
            stage,
            &admin,
            "login",
            "the login application; may decide authorizations",
            of(secret, &own, allow(issuer, &["authorizations.decide"])),
        )
        .await?,
        desk: client(
            stage,
            &admin,
            "desk",
            "a public client; redeems codes, holds refresh tokens",
            Client {
                redirect_uris: vec![REDIRECT_URI.to_owned()],
                ..of(
                    AuthenticationMethod::None,
                    &[GrantType::AuthorizationCode, GrantType::RefreshToken],
                    allow(orders, &["orders.read", "orders.write"]),
                )
            },
        )
        .await?,
    })
}

async fn resource(stage: &mut Stage<'_>, admin: &Channel, world: &World) -> Result<(), Failure> {
    let registered = ResourceServiceClient::new(admin.clone())
        .create_resource(CreateResourceRequest {
            resource: Some(Resource {
                uri: world.order_service().to_owned(),
                display_name: "Orders".to_owned(),
                scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
                ..Resource::default()
            }),
        })
        .await
        .map(|answer| answer.into_inner().resource.unwrap_or_default());
    stage
        .accepted(
            &format!("register the resource {}", world.order_service()),
            registered,
            |resource| format!("registered with the scopes {}", resource.scopes.join(" ")),
        )
        .map(drop)
}

async fn client(
    stage: &mut Stage<'_>,
    admin: &Channel,
    id: &'static str,
    about: &str,
    client: Client,
) -> Result<Agent, Failure> {
    let registered = ClientServiceClient::new(admin.clone())
        .create_client(CreateClientRequest {
            client: Some(Client {
                client_id: id.to_owned(),
                ..client
            }),
        })
        .await
        .map(tonic::Response::into_inner);
    let answer = stage.accepted(
        &format!("register the client `{id}`: {about}"),
        registered,
        |answer| match answer.client_secret.is_empty() {
            true => "registered; it has no secret".to_owned(),
            false => "registered; its secret was shown once, its hash is kept".to_owned(),
        },
    )?;
    let secret = Some(answer.client_secret).filter(|secret| !secret.is_empty());
    Ok(Agent::new(id, secret, key_file::generate(KeyKind::Es256)?))
}

fn of(method: AuthenticationMethod, grants: &[GrantType], permission: Permission) -> Client {
    Client {
        authentication_method: method.into(),
        grant_types: grants.iter().map(|&grant| grant.into()).collect(),
        permissions: vec![permission],
        ..Client::default()
    }
}

fn allow(resource: &str, scopes: &[&str]) -> Permission {
    Permission {
        resource: resource.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        details_types: Vec::new(),
    }
}
