//! What a person sees of themselves: what they allowed, and how to take it back.

use super::Inner;
use super::asking::{Asking, Sent};
use super::reply::{Reply, Stop};
use crate::consent::ConsentId;
use crate::pages;

pub(super) async fn shown(app: &Inner, asking: &Asking) -> Result<Reply, Stop> {
    let id = &asking.browser.id;
    let Some(who) = app.sessions.find(id, app.now()).await? else {
        return Ok(Reply::redirect(app.place.path("")));
    };
    let consents = app.consents.of(&who.account.subject).await?;
    let page = pages::account(&app.place, &id.form_token(), &who, &consents);
    Ok(Reply::page(page))
}

pub(super) async fn forgotten(app: &Inner, sent: Sent) -> Result<Reply, Stop> {
    if let Some(who) = app.sessions.find(&sent.browser.id, app.now()).await? {
        let id = sent.fields.one("consent").and_then(ConsentId::parse);
        let id = id.ok_or(Stop::Malformed)?;
        let subject = &who.account.subject;
        app.consents.forget(subject, id, app.now()).await?;
    }
    Ok(Reply::redirect(app.place.path("account")))
}
