//! Device authorization (RFC 8628): asked for by a device, found by the code that a person typed.

use countersign_issuer::authorize::{AuthorizedDevice, Found, Guesser, authorize_device, found};
use countersign_issuer::model::{ClientId, RecordId, UserCode};
use countersign_issuer::{Ask, Decision, Issuer};
use countersign_jose::Thumbprint;

use super::Caller;
use super::authorize::{concerned, lodged};
use crate::engine::{Engine, Moment, Operation};
use crate::overload::{Guesses, Visitor};
use crate::random;
use crate::records::Records;
use crate::refused::Refused;

/// User codes to choose from: of a million that are living, the first is taken in one case of
/// 25,000, and all of them never.
const CHOICES: usize = 4;

/// A device asks to be authorized.
pub(crate) struct AuthorizeDevice<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) ask: Ask,
    /// The key of the proof that came with it, if one did.
    pub(crate) proof: Option<Thumbprint>,
    pub(crate) id: RecordId,
    pub(crate) user_codes: [UserCode; CHOICES],
    pub(crate) visitor: Visitor<'a>,
}

/// A person typed a user code at the login application.
pub(crate) struct Find {
    pub(crate) user_code: UserCode,
    /// The login application.
    pub(crate) decider: ClientId,
}

/// User codes for one device to choose from.
pub(crate) fn user_codes() -> [UserCode; CHOICES] {
    std::array::from_fn(|_| UserCode::from_random(random::bytes()))
}

/// Finds the request that a user code stands for, if `guesser` has not been wrong too often. Wrong
/// codes, and those that are not looked up any more, are counted in the audit log.
pub(crate) async fn find(
    engine: &Engine,
    guesses: &Guesses,
    decider: ClientId,
    user_code: UserCode,
    guesser: Guesser,
) -> Result<Found, Refused> {
    let attempt = guesses
        .attempt(&decider, guesser)
        .inspect_err(|refused| engine.audit.refused(Some(&decider), refused, engine.now()))?;
    let find = Find { user_code, decider };
    let found = engine.decide(&find).await;
    if !matches!(found, Err(Refused::Issuer(_))) {
        attempt.give_back();
    }
    Ok(found?.answer)
}

#[tonic::async_trait]
impl Operation for AuthorizeDevice<'_> {
    type Answer = AuthorizedDevice;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<AuthorizedDevice>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let concerned = self.ask.concerns(client.client());
        let catalogue = records.catalogue(concerned).await?;
        let user_code = self.free(records, at.issuer).await?;
        let authorized = authorize_device(
            &client, &self.ask, &catalogue, at.issuer, self.proof, self.id, user_code, at.now,
        );
        if client.client().is_public() && authorized.answer.is_ok() {
            self.visitor.lodges()?;
        }
        Ok(authorized)
    }
}

impl AuthorizeDevice<'_> {
    /// A code that no other device shows. Of two that choose the same at once, the commit lets one
    /// through, and the other chooses again.
    async fn free(&self, records: &Records, issuer: &Issuer) -> Result<&UserCode, Refused> {
        for code in &self.user_codes {
            let names = issuer.mac_keys.user_code_names(code);
            if records.user_code(&names).await?.is_none() {
                return Ok(code);
            }
        }
        Err(Refused::Contended)
    }
}

#[tonic::async_trait]
impl Operation for Find {
    type Answer = Found;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.decider)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Found>, Refused> {
        let names = at.issuer.mac_keys.user_code_names(&self.user_code);
        let id = records.user_code(&names).await?;
        let (known, client) = match id {
            Some(id) => lodged(records, id).await?,
            None => (None, None),
        };
        let authorization = known.as_ref().map(|known| &known.value);
        let catalogue = concerned(records, authorization).await?;
        Ok(Decision::without_change(found(
            id,
            authorization,
            client.as_ref(),
            &catalogue,
            at.issuer,
            at.now,
        )))
    }
}
