//! Authorization requests: lodged by a client (RFC 9126), decided by a person at the login
//! application.

use countersign_issuer::authorize::{
    Approving, Lodged, Lodging, Named, RedirectTo, Shown, approve, deny, push, shown,
};
use countersign_issuer::model::{Authorization, Catalogue, Client, ClientId, Denial, RecordId};
use countersign_issuer::{Decision, Known};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::overload::Visitor;
use crate::records::Records;
use crate::refused::Refused;

/// A client lodges a request.
pub(crate) struct Push<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) lodging: Lodging,
    /// The key of the proof that came with it, if one did (RFC 9449 §10.1).
    pub(crate) proof: Option<Thumbprint>,
    pub(crate) id: RecordId,
    pub(crate) visitor: Visitor<'a>,
}

/// The login application asks what there is to approve.
pub(crate) struct Show {
    pub(crate) named: Named,
}

/// The person approved.
pub(crate) struct Approve {
    pub(crate) named: Named,
    pub(crate) approving: Approving,
}

/// The request is declined.
pub(crate) struct Deny {
    pub(crate) named: Named,
    /// Why, if the login application said so.
    pub(crate) denial: Option<Denial>,
    /// The login application.
    pub(crate) decider: ClientId,
}

#[tonic::async_trait]
impl Operation for Push<'_> {
    type Answer = Lodged;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Lodged>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let concerned = self.lodging.ask().concerns(client.client());
        let catalogue = records.catalogue(concerned).await?;
        let pushed = push(
            &client,
            &self.lodging,
            &catalogue,
            at.issuer,
            self.proof,
            self.id,
            at.now,
        );
        if client.client().is_public() && pushed.answer.is_ok() {
            self.visitor.lodges()?;
        }
        Ok(pushed)
    }
}

#[tonic::async_trait]
impl Operation for Show {
    type Answer = Shown;

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Shown>, Refused> {
        let (known, client) = lodged(records, self.named.record).await?;
        let authorization = known.as_ref().map(|known| &known.value);
        let catalogue = concerned(records, authorization).await?;
        Ok(Decision::without_change(shown(
            self.named,
            authorization,
            client.as_ref(),
            &catalogue,
            at.issuer,
            at.now,
        )))
    }
}

#[tonic::async_trait]
impl Operation for Approve {
    type Answer = Option<RedirectTo>;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Option<RedirectTo>>, Refused> {
        let (known, client) = lodged(records, self.named.record).await?;
        let has_namesake = match self.approving.namesake() {
            Some(namesake) => records.registration(&namesake).await?.is_some(),
            None => false,
        };
        Ok(approve(
            self.named,
            known.as_ref(),
            client.as_ref(),
            &self.approving,
            has_namesake,
            at.issuer,
            at.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for Deny {
    type Answer = Option<RedirectTo>;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Option<RedirectTo>>, Refused> {
        let (known, client) = lodged(records, self.named.record).await?;
        Ok(deny(
            self.named,
            known.as_ref(),
            client.as_ref(),
            &self.decider,
            self.denial,
            at.issuer,
            at.now,
        ))
    }
}

/// The resources that a request is about, as they are registered now.
pub(super) async fn concerned(
    records: &Records,
    authorization: Option<&Authorization>,
) -> Result<Catalogue, Refused> {
    match authorization {
        Some(authorization) => {
            let resources = authorization.permissions.resources();
            records.catalogue(resources).await
        }
        None => Ok(Catalogue::default()),
    }
}

/// A request, and the client that lodged it.
pub(super) async fn lodged(
    records: &Records,
    id: RecordId,
) -> Result<(Option<Known<Authorization>>, Option<Client>), Refused> {
    let known = records.authorization(id).await?;
    let client = match &known {
        Some(known) => records.client(&known.value.client).await?,
        None => None,
    };
    Ok((known, client.map(|client| client.value)))
}
