//! The person allows or denies.

use tracing::{info, warn};

use super::Inner;
use super::asking::Sent;
use super::enter::{After, Standing, approved, asked_of, back_to, declined, standing};
use super::reply::{Reply, Stop};
use crate::consent;
use crate::named::Named;
use crate::pages::{self, Consenting, Problem};
use crate::sessions::LoggedIn;
use crate::token_service::{Asked, Denial};

pub(super) async fn decided(app: &Inner, sent: Sent) -> Result<Reply, Stop> {
    let named = sent.request(app.now()).ok_or(Stop::Gone)?;
    match sent.fields.one("decision") {
        Some("allow") => allowed(app, &sent, named).await,
        // Also by who is not logged in: going back is always possible.
        Some("deny") => declined(app, named.handle, Denial::Declined, After::Form).await,
        _ => Err(Stop::Malformed),
    }
}

async fn allowed(app: &Inner, sent: &Sent, named: Named<'_>) -> Result<Reply, Stop> {
    let Some(asked) = asked_of(app, named).await? else {
        return Ok(Reply::redirect(app.place.path("device")));
    };
    let found = app.sessions.find(&sent.browser.id, app.now()).await?;
    let Standing::MayDecide(who) = standing(found, named.handle, &asked) else {
        // The session ended meanwhile, or the password has to be given first.
        return Ok(Reply::redirect(back_to(app, Some(named))));
    };
    let chosen: Vec<String> = sent.fields.all("scope").map(str::to_owned).collect();
    if chosen.iter().any(|scope| !asked.scopes.contains(scope)) {
        return Err(Stop::Malformed);
    }
    // To the token service no scopes are all of them: here none are none.
    if chosen.is_empty() && !asked.scopes.is_empty() {
        return Ok(Reply::page(nothing_chosen(app, sent, named, &asked, &who)).refused());
    }
    let remembered = sent.fields.one("remember") == Some("yes");
    let subject = who.account.subject.clone();
    let reply = approved(app, named.handle, &who, chosen.clone(), After::Form).await?;
    info!(client = %asked.client_id, account = %who.account.name, "somebody allowed a client");
    if remembered && consent::can_be_remembered(&asked) {
        let remembering = app.consents.remember(&subject, &asked, &chosen, app.now());
        // It is allowed by now, and the browser has to go back with it: next time it is asked again.
        if let Err(problem) = remembering.await {
            warn!(%problem, "a consent was not remembered");
        }
    }
    Ok(reply)
}

fn nothing_chosen(
    app: &Inner,
    sent: &Sent,
    named: Named<'_>,
    asked: &Asked,
    who: &LoggedIn,
) -> pages::Page {
    let consenting = Consenting {
        token: &sent.browser.id.form_token(),
        named,
        asked,
        account: &who.account,
        can_be_remembered: consent::can_be_remembered(asked),
        problem: Some(Problem::NothingChosen),
    };
    pages::consent(&app.place, &consenting)
}
