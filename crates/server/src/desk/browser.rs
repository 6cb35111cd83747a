//! Browsers, on their way through the authorization endpoint. They show nothing but what they bring,
//! so what they have written down is counted by where they come from.

use std::time::Duration;

use countersign_issuer::authorize::{Arrived, Begun, Lodging, RedirectTo, Return};
use countersign_issuer::model::{ClientId, ClientSecret, Malformed, RecordId};
use countersign_issuer::{FieldFault, HandleText, Issuer, Refusal};
use countersign_login::Address;
use countersign_telemetry::spans;
use tracing::Instrument as _;

use super::Desk;
use crate::operation::browser::{Arrive, Begin, Resume};
use crate::random;
use crate::refused::Refused;

/// A request that a browser is to take to the login application.
pub(crate) struct Handover {
    pub(crate) interaction: HandleText,
    /// What the browser keeps, and under which record's name.
    pub(crate) keeps: ClientSecret,
    pub(crate) record: RecordId,
    /// How long: until the browser may be back, which is after the request has ended where it was
    /// approved at the last moment.
    pub(crate) kept_for: Duration,
}

/// Where a browser with plain parameters goes.
pub(crate) enum Onward {
    Login(Handover),
    /// To the client, with the reason if the decision found one.
    Back(Return, Option<Refused>),
}

impl Desk {
    /// A browser brings a request that was lodged.
    pub(crate) async fn begin(&self, client: ClientId, id: RecordId) -> Result<Handover, Refused> {
        let keeps = ClientSecret::from_random(&random::bytes());
        let begin = Begin {
            client,
            id,
            browser: keeps.hash(),
        };
        let span = spans::authorize("begin");
        let begun = self.engine.decide(&begin).instrument(span).await?.answer;
        Ok(handover(begun, keeps, id, &self.engine.issuer()))
    }

    /// A browser brings a request in plain parameters; `lodging` is `None` where they are wrong in
    /// something else than client and redirect URI.
    pub(crate) async fn arrive(
        &self,
        client: ClientId,
        back: Return,
        lodging: Option<Lodging>,
        from: Address,
    ) -> Result<Onward, Refused> {
        let keeps = ClientSecret::from_random(&random::bytes());
        let arrive = Arrive {
            client,
            back,
            lodging,
            id: RecordId::from_bytes(random::bytes()),
            browser: keeps.hash(),
            visitor: self.overload.strangers.visitor(from),
        };
        let span = spans::authorize("begin");
        let arrived = self.engine.decide(&arrive).instrument(span).await?.answer;
        Ok(match arrived {
            Arrived::Begun(begun) => {
                Onward::Login(handover(begun, keeps, arrive.id, &self.engine.issuer()))
            }
            Arrived::Back(back, refusal) => Onward::Back(back, refusal.map(Refused::from)),
        })
    }

    /// A browser is back, with what it kept.
    pub(crate) async fn resume(
        &self,
        id: RecordId,
        keeps: Option<String>,
    ) -> Result<RedirectTo, Refused> {
        let resume = Resume { id, keeps };
        let span = spans::authorize("resume");
        let resumed = self.engine.decide(&resume).instrument(span).await;
        if let Err(refused) = &resumed
            && is_other_browser(refused)
        {
            // Whoever showed it was handed the way back: worth one more look at the record.
            let known = self.engine.records.authorization(id).await?;
            let client = known.as_ref().map(|known| &known.value.client);
            self.engine.audit.other_browser(client, self.engine.now());
        }
        Ok(resumed?.answer)
    }
}

fn is_other_browser(refused: &Refused) -> bool {
    matches!(
        refused,
        Refused::Issuer(Refusal::InvalidRequest(FieldFault {
            problem: Malformed::OtherBrowser,
            ..
        }))
    )
}

fn handover(begun: Begun, keeps: ClientSecret, record: RecordId, issuer: &Issuer) -> Handover {
    Handover {
        interaction: begun.interaction,
        kept_for: begun.expires_in + issuer.lifetimes.code,
        keeps,
        record,
    }
}
