//! Authorization requests that a browser brings, and takes back.

use countersign_issuer::Decision;
use countersign_issuer::authorize::{
    Arrived, Begun, Lodging, RedirectTo, Return, arrive, begin, resume,
};
use countersign_issuer::model::{Catalogue, Client, ClientId, RecordId, SecretHash};

use super::authorize::lodged;
use crate::engine::{Moment, Operation};
use crate::overload::Visitor;
use crate::records::Records;
use crate::refused::Refused;

/// A browser brings a request that was lodged before.
pub(crate) struct Begin {
    pub(crate) client: ClientId,
    pub(crate) id: RecordId,
    /// Of what it keeps from now on.
    pub(crate) browser: SecretHash,
}

/// A browser brings a request in plain parameters.
pub(crate) struct Arrive<'a> {
    pub(crate) client: ClientId,
    pub(crate) back: Return,
    /// `None` where something of it is wrong.
    pub(crate) lodging: Option<Lodging>,
    pub(crate) id: RecordId,
    pub(crate) browser: SecretHash,
    pub(crate) visitor: Visitor<'a>,
}

/// A browser is back from the login application.
pub(crate) struct Resume {
    pub(crate) id: RecordId,
    /// What it has kept, if it has.
    pub(crate) keeps: Option<String>,
}

#[tonic::async_trait]
impl Operation for Begin {
    type Answer = Begun;

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Begun>, Refused> {
        let client = registered(records, &self.client).await?;
        let known = records.authorization(self.id).await?;
        Ok(begin(
            &self.client,
            client.as_ref(),
            self.id,
            known.as_ref(),
            self.browser,
            at.issuer,
            at.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for Arrive<'_> {
    type Answer = Arrived;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Arrived>, Refused> {
        let client = registered(records, &self.client).await?;
        let catalogue = match (&client, &self.lodging) {
            (Some(client), Some(lodging)) => {
                records.catalogue(lodging.ask().concerns(client)).await?
            }
            _ => Catalogue::default(),
        };
        let arrived = arrive(
            &self.client,
            client.as_ref(),
            &self.back,
            self.lodging.as_ref(),
            &catalogue,
            self.id,
            self.browser,
            at.issuer,
            at.now,
        );
        if let Ok(Arrived::Begun(_)) = arrived.answer {
            // A browser shows nothing, whatever its client could.
            self.visitor.lodges()?;
        }
        Ok(arrived)
    }
}

#[tonic::async_trait]
impl Operation for Resume {
    type Answer = RedirectTo;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<RedirectTo>, Refused> {
        let (known, client) = lodged(records, self.id).await?;
        Ok(resume(
            self.id,
            known.as_ref(),
            client.as_ref(),
            self.keeps.as_deref(),
            at.issuer,
            at.now,
        ))
    }
}

async fn registered(records: &Records, id: &ClientId) -> Result<Option<Client>, Refused> {
    let known = records.client(id).await?;
    // Only a name that is registered: anything else may be a secret in the wrong field.
    if known.is_some() {
        countersign_telemetry::spans::note_client(id.as_str());
    }
    Ok(known.map(|known| known.value))
}
