//! Registration of clients and resources.

use countersign_issuer::model::{Client, ClientId, Resource, ResourceUri};
use countersign_issuer::register::{
    ClientChange, NewClient, NewResource, Registered, RenewedSecret, ResourceChange, create_client,
    create_resource, delete_client, delete_resource, ensure_own_resource, own_resource_uri,
    rotate_client_secret, update_client, update_resource,
};
use countersign_issuer::{Actor, Decision, FieldFault, Known, Refusal, Version};
use zeroize::Zeroizing;

use crate::engine::{Moment, Operation};
use crate::record::Recorded;
use crate::records::Records;
use crate::refused::Refused;

/// A registration can grow by several changes that each fit into a message. It must still fit into
/// one, with the rest of the answer that shows it.
const RECORD_BYTES_MAX: usize = 60 * 1024;

/// Registers a client.
pub(crate) struct CreateClient {
    pub(crate) new: NewClient,
    /// Makes its secret, if it needs one. The same in every attempt.
    pub(crate) random: Zeroizing<[u8; 32]>,
    pub(crate) actor: Actor,
}

/// Shows a client.
pub(crate) struct GetClient {
    pub(crate) id: ClientId,
}

/// Changes a client.
pub(crate) struct UpdateClient {
    pub(crate) change: ClientChange,
    pub(crate) actor: Actor,
}

/// Removes a client.
pub(crate) struct DeleteClient {
    pub(crate) id: ClientId,
    pub(crate) expected: Option<Version>,
    pub(crate) actor: Actor,
}

/// Replaces a client's secret.
pub(crate) struct RotateSecret {
    pub(crate) id: ClientId,
    pub(crate) random: Zeroizing<[u8; 32]>,
    pub(crate) actor: Actor,
}

/// Registers a resource.
pub(crate) struct CreateResource {
    pub(crate) new: NewResource,
    pub(crate) actor: Actor,
}

/// Shows a resource.
pub(crate) struct GetResource {
    pub(crate) uri: ResourceUri,
}

/// Changes a resource.
pub(crate) struct UpdateResource {
    pub(crate) change: ResourceChange,
    pub(crate) actor: Actor,
}

/// Removes a resource.
pub(crate) struct DeleteResource {
    pub(crate) uri: ResourceUri,
    pub(crate) expected: Option<Version>,
    pub(crate) actor: Actor,
}

/// Registers the service's own API, with all its scopes, unless it is there.
pub(crate) struct EnsureOwnResource;

#[tonic::async_trait]
impl Operation for CreateClient {
    type Answer = Registered;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Registered>, Refused> {
        let known = records.client(self.new.id()).await?;
        let catalogue = records.catalogue(self.new.resources()).await?;
        let decision = create_client(
            &self.new,
            known.as_ref(),
            &catalogue,
            &self.random,
            &self.actor,
            at.now,
        );
        if let Ok(registered) = &decision.answer {
            check_size(&registered.client, CLIENT_TOO_LARGE)?;
        }
        Ok(decision)
    }
}

const CLIENT_TOO_LARGE: Refused = Refused::Field {
    field: "client",
    expected: "must have at most 60 KiB: fewer or shorter scopes, keys or redirect URIs",
};

const RESOURCE_TOO_LARGE: Refused = Refused::Field {
    field: "resource",
    expected: "must have at most 60 KiB: fewer or shorter scopes, descriptions or schemas",
};

fn check_size(record: &impl Recorded, otherwise: Refused) -> Result<(), Refused> {
    match record.encode().len() {
        0..=RECORD_BYTES_MAX => Ok(()),
        _ => Err(otherwise),
    }
}

#[tonic::async_trait]
impl Operation for GetClient {
    type Answer = Known<Client>;

    async fn decide(
        &self,
        records: &Records,
        _: Moment<'_>,
    ) -> Result<Decision<Known<Client>>, Refused> {
        let known = records.client(&self.id).await?;
        Ok(Decision::without_change(known.ok_or(Refusal::NotFound)))
    }
}

#[tonic::async_trait]
impl Operation for UpdateClient {
    type Answer = Client;

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Client>, Refused> {
        let known = records.client(self.change.id()).await?;
        let catalogue = records.catalogue(self.change.resources()).await?;
        let decision = update_client(
            &self.change,
            known.as_ref(),
            &catalogue,
            &self.actor,
            at.now,
        );
        if let Ok(client) = &decision.answer {
            check_size(client, CLIENT_TOO_LARGE)?;
        }
        Ok(decision)
    }
}

#[tonic::async_trait]
impl Operation for DeleteClient {
    type Answer = ();

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        let known = records.client(&self.id).await?;
        Ok(delete_client(
            known.as_ref(),
            self.expected,
            &self.actor,
            at.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for RotateSecret {
    type Answer = RenewedSecret;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<RenewedSecret>, Refused> {
        let known = records.client(&self.id).await?;
        Ok(rotate_client_secret(
            known.as_ref(),
            &self.random,
            &self.actor,
            at.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for CreateResource {
    type Answer = Resource;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Resource>, Refused> {
        let known = records.resource(self.new.uri()).await?;
        let decision = create_resource(
            self.new.clone(),
            known.as_ref(),
            &at.issuer.name,
            &self.actor,
            at.now,
        );
        if let Ok(resource) = &decision.answer {
            check_size(resource, RESOURCE_TOO_LARGE)?;
        }
        Ok(decision)
    }
}

#[tonic::async_trait]
impl Operation for GetResource {
    type Answer = Known<Resource>;

    async fn decide(
        &self,
        records: &Records,
        _: Moment<'_>,
    ) -> Result<Decision<Known<Resource>>, Refused> {
        let known = records.resource(&self.uri).await?;
        Ok(Decision::without_change(known.ok_or(Refusal::NotFound)))
    }
}

#[tonic::async_trait]
impl Operation for UpdateResource {
    type Answer = Resource;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Resource>, Refused> {
        let known = records.resource(self.change.uri()).await?;
        let decision = update_resource(
            &self.change,
            known.as_ref(),
            &at.issuer.name,
            &self.actor,
            at.now,
        );
        if let Ok(resource) = &decision.answer {
            check_size(resource, RESOURCE_TOO_LARGE)?;
        }
        Ok(decision)
    }
}

#[tonic::async_trait]
impl Operation for DeleteResource {
    type Answer = ();

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        let known = records.resource(&self.uri).await?;
        Ok(delete_resource(
            known.as_ref(),
            self.expected,
            &self.actor,
            at.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for EnsureOwnResource {
    type Answer = ();

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        let problem = |problem| Refusal::from(FieldFault::new("issuer", problem));
        let uri = own_resource_uri(&at.issuer.name).map_err(problem)?;
        let known = records.resource(&uri).await?;
        let ensured = ensure_own_resource(&at.issuer.name, known.as_ref(), at.now);
        Ok(ensured.map_err(problem)?)
    }
}
