//! Logging out, here or everywhere.

use tracing::info;

use super::Inner;
use super::asking::{Asking, Sent};
use super::enter::back_to_as;
use super::reply::{Reply, Stop};
use crate::event::{Event, EventKind};
use crate::pages;
use crate::sessions::Sessions;

/// A link of another page leads here: it is asked first, or any page could log people out.
pub(super) async fn asked(app: &Inner, asking: &Asking) -> Result<Reply, Stop> {
    let id = &asking.browser.id;
    let page = match app.sessions.find(id, app.now()).await? {
        Some(who) => pages::leave(&app.place, &id.form_token(), &who.account),
        None => pages::logged_out(&app.place),
    };
    Ok(Reply::page(page))
}

pub(super) async fn left(app: &Inner, sent: Sent) -> Result<Reply, Stop> {
    let id = &sent.browser.id;
    if let Some(who) = app.sessions.find(id, app.now()).await? {
        let everywhere = sent.fields.one("everywhere") == Some("yes");
        if everywhere {
            app.accounts.end_sessions(&who.account.name).await?;
        }
        let event = Event::of_person(EventKind::LoggedOut, &who.account.subject, app.now());
        let told = (!everywhere).then_some(&event);
        app.sessions.end(id, told).await?;
        info!(account = %who.account.name, "somebody logged out");
    } else {
        app.sessions.end(id, None).await?;
    }
    // In the middle of a request somebody else may go on with it.
    match sent.request(app.now()) {
        Some(named) => {
            let id = Sessions::new_id()?;
            Ok(Reply::redirect(back_to_as(app, Some(named), &id)).known_as(&id))
        }
        None => Ok(Reply::page(pages::logged_out(&app.place)).forgotten()),
    }
}
