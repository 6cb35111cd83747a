//! What a person sees of themselves: what they allowed, and how to take it back.

use tracing::info;

use super::Inner;
use super::asking::{Asking, Sent};
use super::reply::{Reply, Stop};
use crate::consent::ConsentId;
use crate::pages;
use crate::session::SessionName;

pub(super) async fn shown(app: &Inner, asking: &Asking) -> Result<Reply, Stop> {
    let id = &asking.browser.id;
    let Some(who) = app.sessions.find(id, app.now()).await? else {
        return Ok(Reply::redirect(app.place.path("")));
    };
    let behind = asking.query.one("behind");
    let behind = behind.map(|id| ConsentId::parse(id).ok_or(Stop::Malformed));
    let behind = behind.transpose()?;
    let allowed = app.consents.of(&who.account.subject, behind).await?;
    if behind.is_some() && allowed.found.is_empty() {
        return Ok(Reply::redirect(app.place.path("account")));
    }
    let now = app.now();
    let page = pages::account(
        &app.place,
        &pages::Own {
            token: &id.form_token(),
            who: &who,
            allowed: &allowed,
            elsewhere: &app.sessions.elsewhere(&who.account, id, now).await?,
            now,
        },
    );
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

/// Ends one of the person's sessions, in whichever browser it is. One of somebody else's stays.
pub(super) async fn ended(app: &Inner, sent: Sent) -> Result<Reply, Stop> {
    if let Some(who) = app.sessions.find(&sent.browser.id, app.now()).await? {
        let name = sent.fields.one("session").and_then(SessionName::parse);
        let name = name.ok_or(Stop::Malformed)?;
        let ending = app.sessions.end_one_of(&who.account, name, app.now());
        if ending.await? {
            info!(account = %who.account.name, "somebody ended a session elsewhere");
        }
    }
    Ok(Reply::redirect(app.place.path("account")))
}
